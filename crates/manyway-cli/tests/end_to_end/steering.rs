//! Running flows are steered from outside.

use std::fs;

use manyway_net::link;
use serde_json::Value;

use crate::world::World;

const URL: &str = "http://10.1.0.2:8080/data";

fn path<'a>(flow: &'a Value, interface: &str) -> &'a Value {
    let paths = flow["paths"].as_array().unwrap();
    paths
        .iter()
        .find(|path| path["interface"] == interface)
        .unwrap_or(&Value::Null)
}

fn all_work(flow: &Value) -> bool {
    ["c1", "c2"]
        .iter()
        .all(|interface| path(flow, interface)["state"] == "active")
}

#[test]
fn a_flow_is_moved_while_it_runs_and_survives_the_loss_of_its_first_link() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 40_000_000);
    let server = world.web_server(&[]);
    let curl = [
        "run",
        "--",
        "curl",
        "-sS",
        "--limit-rate",
        "8M",
        "-o",
        "copy",
        URL,
    ];
    let curl = world.start(&world.client, "client", world.manyway(&curl));
    let flow = world.flow("curl", all_work);
    let id = flow["id"].as_str().unwrap();
    let set = world.json(&["set", id, "--primary", "c2"]);
    assert_eq!(path(&set["flow"], "c2")["primary"], true, "{set:#}");
    assert_eq!(path(&set["flow"], "c1")["primary"], false, "{set:#}");
    world.flow("curl", |flow| {
        path(flow, "c2")["primary_first_packet_us"].is_u64()
    });
    let set = world.json(&["set", id, "c1", "--backup"]);
    assert_eq!(path(&set["flow"], "c1")["wish"], "backup", "{set:#}");
    world
        .client
        .enter(|| link::set_down("c1").unwrap())
        .unwrap();
    curl.wait().assert_success();
    assert!(
        fs::read(data).unwrap() == fs::read(world.path("copy")).unwrap(),
        "the copy differs"
    );
    drop(server);
}

#[test]
fn what_cannot_be_set_is_refused_with_a_hint() {
    let Some(world) = World::build() else { return };
    world.random_file("data", 20_000_000);
    let _server = world.web_server(&[]);
    let curl = [
        "run",
        "--",
        "curl",
        "-sS",
        "--limit-rate",
        "1M",
        "-o",
        "copy",
        URL,
    ];
    let _curl = world.start(&world.client, "client", world.manyway(&curl));
    let flow = world.flow("curl", all_work);
    let id = flow["id"].as_str().unwrap();
    let set = ["set", id, "--primary", "wlan0"];
    let finished = world.run(&world.client, "set", &set);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished
            .stderr
            .contains("error: the flow has no path `wlan0`"),
        "{finished:?}"
    );
    assert!(
        finished.stderr.contains("hint: its paths are"),
        "{finished:?}"
    );
    // Both ends count from 1 and run on this host, so the number alone is ambiguous.
    assert!(id.contains('.'), "{id}");
    let (_, number) = id.split_once('.').unwrap();
    let finished = world.run(&world.client, "set", &["set", number, "--primary", "c2"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.stderr.contains("several brokers have a flow"),
        "{finished:?}"
    );
    assert!(
        finished.stderr.contains("hint: say which: "),
        "{finished:?}"
    );
}

#[test]
fn tables_line_up_and_name_every_path() {
    let Some(world) = World::build() else { return };
    world.random_file("data", 20_000_000);
    let _server = world.web_server(&[]);
    let curl = [
        "run",
        "--",
        "curl",
        "-sS",
        "--limit-rate",
        "1M",
        "-o",
        "copy",
        URL,
    ];
    let _curl = world.start(&world.client, "client", world.manyway(&curl));
    world.flow("curl", all_work);
    let flows = world.run(&world.client, "flows", &["flows"]);
    flows.assert_success();
    assert!(
        flows.stdout.lines().next().unwrap().contains("DESTINATION"),
        "{flows:?}"
    );
    assert!(flows.stdout.contains("10.1.0.2:8080"), "{flows:?}");
    let paths = world.run(&world.client, "paths", &["paths"]);
    paths.assert_success();
    for name in ["c1", "c2", "s1", "s2"] {
        assert!(paths.stdout.contains(&format!("  {name}  ")), "{paths:?}");
    }
}
