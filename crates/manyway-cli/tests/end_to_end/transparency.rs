//! Programs must see no difference.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;

use crate::world::World;

const URL: &str = "http://10.1.0.2:8080/data";

#[test]
fn a_download_arrives_whole_over_an_association_with_both_paths() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 30_000_000);
    let _server = world.web_server(&[]);
    let curl = [
        "-v",
        "run",
        "--",
        "curl",
        "-sS",
        "--limit-rate",
        "6M",
        "-o",
        "copy",
        URL,
    ];
    let curl = world.start(&world.client, "client", world.manyway(&curl));
    let both = |flow: &serde_json::Value| flow["paths"].as_array().unwrap().len() >= 2;
    let flow = world.flow("curl", both);
    assert_eq!(flow["role"], "client");
    assert_eq!(flow["destination"], "10.1.0.2:8080");
    let interfaces: Vec<&str> = flow["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["interface"].as_str().unwrap())
        .collect();
    assert!(
        interfaces.contains(&"c1") && interfaces.contains(&"c2"),
        "{flow:#}"
    );
    let flow = world.flow("python3", both);
    assert_eq!(flow["role"], "server");
    let finished = curl.wait();
    finished.assert_success();
    assert!(finished.stderr.contains("a flow is open"), "{finished:?}");
    assert!(
        fs::read(data).unwrap() == fs::read(world.path("copy")).unwrap(),
        "the copy differs"
    );
}

#[test]
fn ordinary_clients_still_reach_the_server_itself() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 100_000);
    let _server = world.web_server(&[]);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-o"]).arg(world.path("copy")).arg(URL);
    world
        .start(&world.client, "client", curl)
        .wait()
        .assert_success();
    assert_eq!(
        fs::read(data).unwrap(),
        fs::read(world.path("copy")).unwrap()
    );
}

#[test]
fn a_host_without_manyway_is_reached_by_plain_tcp() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 100_000);
    let _server = world.web_server(&["--no-server"]);
    let get = [
        "curl",
        "-sS",
        "-H",
        "Connection: close",
        "-o",
        "copy",
        "-o",
        "copy2",
        URL,
        URL,
    ];
    let finished = world.run(
        &world.client,
        "client",
        &[&["-vv", "run", "--"], &get[..]].concat(),
    );
    finished.assert_success();
    assert!(finished.stderr.contains("plain TCP"), "{finished:?}");
    // The second connection does not ask again.
    assert!(
        finished
            .stderr
            .contains("it had no Manyway a short while ago"),
        "{finished:?}"
    );
    assert!(!finished.stderr.contains("a flow is open"), "{finished:?}");
    for copy in ["copy", "copy2"] {
        assert_eq!(
            fs::read(&data).unwrap(),
            fs::read(world.path(copy)).unwrap()
        );
    }
}

#[test]
fn destinations_to_be_left_alone_are() {
    let Some(world) = World::build() else { return };
    world.random_file("data", 1_000);
    let _server = world.web_server(&[]);
    let curl = [
        "-v",
        "run",
        "--direct",
        "10.1.0.0/24",
        "--",
        "curl",
        "-sS",
        "-o",
        "copy",
        URL,
    ];
    let finished = world.run(&world.client, "client", &curl);
    finished.assert_success();
    assert!(!finished.stderr.contains("a flow is open"), "{finished:?}");
}

#[test]
fn a_port_that_nobody_serves_is_refused_as_ever() {
    let Some(world) = World::build() else { return };
    let _server = world.web_server(&[]);
    let curl = ["run", "--", "curl", "-sS", "http://10.1.0.2:8081/"];
    let finished = world.run(&world.client, "client", &curl);
    // curl's status for a refused connection.
    assert_eq!(finished.status.code(), Some(7), "{finished:?}");
}

#[test]
fn a_server_that_dies_resets_its_clients() {
    let Some(world) = World::build() else { return };
    world.random_file("data", 50_000_000);
    let server = world.web_server(&[]);
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
    let curl = world.start(&world.client, "client", world.manyway(&curl));
    world.flow("curl", |flow| {
        flow["bytes_received"].as_u64() > Some(100_000)
    });
    server.signal(Signal::TERM);
    let finished = curl.wait();
    // Partial file, or a receive error: both say that the connection broke.
    assert!(
        matches!(finished.status.code(), Some(18 | 56)),
        "{finished:?}"
    );
}

#[test]
fn half_a_close_ends_one_direction_and_the_other_goes_on() {
    let Some(world) = World::build() else { return };
    fs::write(world.path("server.py"), HALF_CLOSE_SERVER).unwrap();
    fs::write(world.path("client.py"), HALF_CLOSE_CLIENT).unwrap();
    let args = ["-v", "run", "--", "python3", "server.py"];
    let server = world.start(&world.server, "server", world.manyway(&args));
    server.await_stderr("peers can reach a program");
    let args = ["-v", "run", "--", "python3", "client.py"];
    let finished = world.run(&world.client, "client", &args);
    finished.assert_success();
    assert!(finished.stderr.contains("a flow is open"), "{finished:?}");
    assert_eq!(finished.stdout, "3000000 10.1.0.2:9000\n");
    let finished = server.wait();
    finished.assert_success();
    assert_eq!(
        finished.stdout, "10.1.0.1\n",
        "the server sees its true client"
    );
}

/// Counts what comes until the end of the stream, and only then answers, says who asked, and ends.
const HALF_CLOSE_SERVER: &str = "
import socket
listener = socket.create_server(('0.0.0.0', 9000))
connection, _ = listener.accept()
print(connection.getpeername()[0], flush=True)
count = 0
while data := connection.recv(65536): count += len(data)
connection.sendall(str(count).encode())
connection.close()
";

const HALF_CLOSE_CLIENT: &str = "
import socket
connection = socket.create_connection(('10.1.0.2', 9000))
name = '%s:%d' % connection.getpeername()
connection.sendall(b'x' * 3000000)
connection.shutdown(socket.SHUT_WR)
answer = b''
while data := connection.recv(65536): answer += data
print(answer.decode(), name)
";

#[test]
fn what_a_program_sent_before_it_ended_still_arrives() {
    let Some(world) = World::build() else { return };
    fs::write(world.path("server.py"), HALF_CLOSE_SERVER).unwrap();
    let args = ["-v", "run", "--", "python3", "server.py"];
    let server = world.start(&world.server, "server", world.manyway(&args));
    server.await_stderr("peers can reach a program");
    let script = "import socket; c = socket.create_connection(('10.1.0.2', 9000)); \
                  c.sendall(b'x' * 1000000)";
    let args = ["-v", "run", "--", "python3", "-c", script];
    let finished = world.run(&world.client, "client", &args);
    finished.assert_success();
    assert!(finished.stderr.contains("a flow is open"), "{finished:?}");
    server.wait().assert_success();
}

#[test]
fn a_server_that_runs_already_can_be_exposed() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 1_000_000);
    let mut python = Command::new("python3");
    python
        .args([
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "8080",
            "--directory",
        ])
        .arg(data.parent().unwrap());
    let _server = world.start(&world.server, "python", python);
    let expose = world.manyway(&["expose", "8080"]);
    let expose = world.start(&world.server, "expose", expose);
    expose.await_stderr("peers reach port 8080 on UDP port 9899");
    // It listens on loopback only: plain TCP cannot reach it, so a copy can only have come through an association.
    let curl = [
        "run",
        "--",
        "curl",
        "-sS",
        "--retry",
        "9",
        "--retry-all-errors",
        "-o",
        "copy",
        URL,
    ];
    world.run(&world.client, "client", &curl).assert_success();
    assert!(
        fs::read(data).unwrap() == fs::read(world.path("copy")).unwrap(),
        "the copy differs"
    );
    expose.signal(Signal::INT);
    expose.wait().assert_success();
}

#[test]
fn a_udp_port_that_is_taken_is_named_with_its_holder_and_the_program_goes_on() {
    let Some(world) = World::build() else { return };
    let data = world.random_file("data", 1_000);
    let holder = world.start(&world.server, "holder", world.manyway(&["perf", "-s"]));
    holder.await_stderr("serving tests");
    let args = ["run", "--", "python3", "-m", "http.server", "8080"];
    let server = world.start(&world.server, "server", world.manyway(&args));
    server.await_stderr("UDP port 9899 cannot be used: manyway (process ");
    world.await_port(8080);
    let curl = ["run", "--", "curl", "-sS", "-o", "copy", URL];
    world.run(&world.client, "client", &curl).assert_success();
    assert_eq!(
        fs::read(data).unwrap(),
        fs::read(world.path("copy")).unwrap()
    );
}

#[test]
fn a_signal_reaches_the_program_and_the_control_socket_goes() {
    let Some(world) = World::build() else { return };
    let server = world.web_server(&[]);
    let sockets = || -> Vec<_> {
        fs::read_dir(world.path("run"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    let [socket] = &sockets()[..] else {
        panic!("{:?}", sockets())
    };
    assert_eq!(
        fs::metadata(socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    server.signal(Signal::TERM);
    let finished = server.wait();
    assert_eq!(finished.status.code(), Some(128 + 15), "{finished:?}");
    assert!(sockets().is_empty());
}
