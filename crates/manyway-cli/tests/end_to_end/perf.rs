//! `manyway perf` between two hosts with two paths.

use rustix::process::Signal;
use serde_json::Value;

use crate::world::World;

#[test]
fn perf_measures_both_directions_and_both_ends() {
    let Some(world) = World::build() else { return };
    let server = world.start(&world.server, "server", world.manyway(&["perf", "-s"]));
    server.await_stderr("serving tests");
    for direction in [&[][..], &["--reverse"]] {
        let args = [&["perf", "-c", "10.1.0.2", "-t", "1", "--json"], direction].concat();
        let finished = world.run(&world.client, "client", &args);
        finished.assert_success();
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(result["goodput_mbps"].as_f64().unwrap() > 1.0, "{result:#}");
        assert!(
            result["cpu_seconds_per_gb"].as_f64().unwrap() > 0.0,
            "{result:#}"
        );
        let bytes = result["bytes"].as_u64().unwrap();
        let key = if direction.is_empty() {
            "bytes_sent"
        } else {
            "bytes_received"
        };
        let paths = result["paths"].as_array().unwrap();
        let carried: u64 = paths.iter().map(|path| path[key].as_u64().unwrap()).sum();
        assert!(carried >= bytes, "{result:#}");
    }
}

#[test]
fn perf_that_is_interrupted_ends_with_a_result() {
    let Some(world) = World::build() else { return };
    let server = world.start(&world.server, "server", world.manyway(&["perf", "-s"]));
    server.await_stderr("serving tests");
    for direction in [&[][..], &["--reverse"]] {
        let args = [
            &["perf", "-c", "10.1.0.2", "-t", "3600", "--json"],
            direction,
        ]
        .concat();
        let client = world.start(&world.client, "client", world.manyway(&args));
        // The line of the second second: data have flowed.
        client.await_stderr("   2 s  ");
        client.signal(Signal::INT);
        let finished = client.wait();
        finished.assert_success();
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(result["bytes"].as_u64() > Some(0), "{result:#}");
    }
}

/// One test with these options of the client.
fn measure(world: &World, options: &[&str]) -> Value {
    let args = [&["perf", "-c", "10.1.0.2", "-t", "1", "--json"], options].concat();
    let finished = world.run(&world.client, "client", &args);
    finished.assert_success();
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn perf_answers_each_message_of_a_thin_flow_and_says_how_long_they_took() {
    let Some(world) = World::build() else { return };
    let server = world.start(&world.server, "server", world.manyway(&["perf", "-s"]));
    server.await_stderr("serving tests");
    for direction in [&[][..], &["--reverse"]] {
        let options = [&["--messages", "200,100"], direction].concat();
        let result = measure(&world, &options);
        assert_eq!(result["messages_sent"], 100, "{result:#}");
        assert_eq!(result["bytes"], 20_000, "{result:#}");
        let latency = |key: &str| result["latency"][key].as_u64().unwrap();
        assert_eq!(latency("messages"), 100, "{result:#}");
        let times = ["min_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"].map(latency);
        assert!(times[0] > 0 && times.is_sorted(), "{result:#}");
    }
    let result = measure(&world, &["--messages", "1K"]);
    assert!(result["messages_sent"].as_u64() > Some(100), "{result:#}");
    assert_eq!(result["latency"]["messages"], result["messages_sent"]);
}

#[test]
fn perf_uses_the_scheduler_the_controller_and_the_paths_that_it_is_told_to_use() {
    let Some(world) = World::build() else { return };
    let buffers = ["perf", "-s", "--rcvbuf", "64K", "--sndbuf", "64K"];
    let server = world.start(&world.server, "server", world.manyway(&buffers));
    server.await_stderr("serving tests");
    let paths = |result: &Value| result["paths"].as_array().unwrap().len();
    let both = measure(&world, &["--rcvbuf", "64K", "--cc", "reno"]);
    assert_eq!(
        (paths(&both), &both["scheduler"]),
        (2, &Value::from("lowest-rtt"))
    );
    let one = measure(&world, &["--paths", "primary-only", "--scheduler", "ecf"]);
    assert_eq!((paths(&one), &one["scheduler"]), (1, &Value::from("ecf")));
    let four = measure(&world, &["--paths", "ndiffports:2"]);
    assert_eq!(paths(&four), 4, "{four:#}");
    // The server's sending is the client's choice as well.
    let reverse = measure(&world, &["--reverse", "--scheduler", "primary"]);
    let received = |n: usize| reverse["paths"][n]["bytes_received"].as_u64().unwrap();
    let (most, least) = (received(0).max(received(1)), received(0).min(received(1)));
    assert!(least * 10 < most, "{reverse:#}");
}
