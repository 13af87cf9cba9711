//! Servers and clients of every make work through an association, and see each other's true addresses.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::world::{Finished, Running, SERVER, World};

/// The client's address on the way to the server.
const CLIENT: &str = "10.1.0.1";

/// Whether the programs are installed; says so when a test is skipped.
pub(crate) fn installed(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            println!("skipped: {program} is not installed");
        }
        found
    })
}

/// A world, if the programs are there too.
fn world_with(programs: &[&str]) -> Option<World> {
    installed(programs).then(World::build).flatten()
}

/// Starts a server program under `manyway run` and waits until peers can reach it.
fn serve(world: &World, program: &[&str]) -> Running {
    let args = [&["-v", "run", "--"], program].concat();
    let server = world.start(&world.server, "server", world.manyway(&args));
    server.await_stderr("peers can reach a program");
    server
}

/// Runs a client program under `manyway run`, which must succeed and have come by an association.
#[track_caller]
fn visit(world: &World, program: &[&str]) -> Finished {
    let args = [&["-v", "run", "--"], program].concat();
    let finished = world.run(&world.client, "client", &args);
    finished.assert_success();
    assert!(finished.stderr.contains("a flow is open"), "{finished:#?}");
    finished
}

#[track_caller]
fn fetch(world: &World, port: u16) -> String {
    let url = format!("http://{}:{port}/", SERVER[0]);
    visit(world, &["curl", "-sS", &url]).stdout
}

#[test]
fn the_log_of_a_python_web_server_names_the_client_and_ctrl_c_ends_it() {
    let Some(world) = world_with(&["python3", "curl"]) else {
        return;
    };
    let server = serve(&world, &["python3", "-u", "-m", "http.server", "8080"]);
    fetch(&world, 8080);
    server.await_stderr(&format!("{CLIENT} - - ["));
    assert!(
        !server.stderr().contains("127.0.0.1 - - ["),
        "{}",
        server.stderr()
    );
    server.signal(Signal::INT);
    server.wait();
}

/// A configuration for an nginx of one's own, with this server block.
fn nginx(world: &World, name: &str, server: &str) -> [String; 4] {
    let home = world.path(name);
    fs::create_dir(&home).unwrap();
    let home = home.to_str().unwrap();
    let text = format!(
        "daemon off; worker_processes 2; pid {home}/pid; error_log stderr;
         events {{ worker_connections 512; }}
         http {{
             access_log off;
             client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
             uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
             server {{ {server} }}
         }}"
    );
    let file = format!("{home}/nginx.conf");
    fs::write(&file, text).unwrap();
    ["nginx".to_owned(), "-q".to_owned(), "-c".to_owned(), file]
}

#[test]
fn nginx_serves_and_nginx_passes_on() {
    let Some(world) = world_with(&["nginx", "curl"]) else {
        return;
    };
    let data = world.random_file("data", 5_000_000);
    let directory = data.parent().unwrap().to_str().unwrap();
    let block = format!(
        "listen 8080; location = / {{ return 200 \"$remote_addr $server_addr\"; }}
         location / {{ root {directory}; }}"
    );
    let command = nginx(&world, "origin", &block);
    let _origin = serve(&world, &command.each_ref().map(String::as_str));
    assert_eq!(fetch(&world, 8080), format!("{CLIENT} {}", SERVER[0]));

    let block = "listen 127.0.0.1:8081; location / { proxy_pass http://10.1.0.2:8080; }";
    let command = nginx(&world, "proxy", block);
    let args = [
        &["-v", "run", "--"],
        &command.each_ref().map(String::as_str)[..],
    ]
    .concat();
    let proxy = world.start(&world.client, "proxy", world.manyway(&args));
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--retry",
        "30",
        "--retry-all-errors",
        "--retry-delay",
        "1",
        "-o",
    ])
    .args([
        world.path("copy").to_str().unwrap(),
        "http://127.0.0.1:8081/data",
    ]);
    world
        .start(&world.client, "curl", curl)
        .wait()
        .assert_success();
    assert!(
        fs::read(data).unwrap() == fs::read(world.path("copy")).unwrap(),
        "the copy differs"
    );
    assert!(
        proxy.stderr().contains("a flow is open"),
        "{}",
        proxy.stderr()
    );
}

#[test]
fn redis_serves_many_clients_and_knows_them() {
    let Some(world) = world_with(&["redis-server", "redis-cli", "redis-benchmark"]) else {
        return;
    };
    let args = [
        "redis-server",
        "--daemonize",
        "no",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--save",
        "",
    ];
    let _server = serve(&world, &args);
    let cli = ["redis-cli", "-h", SERVER[0]];
    assert_eq!(
        visit(&world, &[&cli[..], &["SET", "key", "value"]].concat()).stdout,
        "OK\n"
    );
    assert_eq!(
        visit(&world, &[&cli[..], &["GET", "key"]].concat()).stdout,
        "value\n"
    );
    let clients = visit(&world, &[&cli[..], &["CLIENT", "LIST"]].concat()).stdout;
    assert!(clients.contains(&format!("addr={CLIENT}:")), "{clients}");
    assert!(
        clients.contains(&format!("laddr={}:6379", SERVER[0])),
        "{clients}"
    );
    let benchmark = [
        "redis-benchmark",
        "-h",
        SERVER[0],
        "-n",
        "2000",
        "-c",
        "20",
        "-t",
        "set,get",
        "-q",
    ];
    let benchmark = visit(&world, &benchmark).stdout;
    assert!(
        benchmark.contains("GET: ") && !benchmark.contains("Error"),
        "{benchmark}"
    );
}

#[test]
fn iperf3_measures_both_ways() {
    let Some(world) = world_with(&["iperf3"]) else {
        return;
    };
    let server = serve(&world, &["iperf3", "-s", "--forceflush"]);
    for direction in [&[][..], &["-R"]] {
        let args = ["iperf3", "-c", SERVER[0], "-n", "5M", "-P", "2"];
        let finished = visit(&world, &[&args[..], direction].concat());
        assert!(finished.stdout.contains("receiver"), "{finished:#?}");
    }
    server.signal(Signal::TERM);
    let finished = server.wait();
    let greeting = format!("Accepted connection from {CLIENT}, port ");
    assert_eq!(
        finished.stdout.matches(&greeting).count(),
        2,
        "{finished:#?}"
    );
}

#[test]
fn a_server_that_forks_for_every_client_hands_each_its_connection() {
    let Some(world) = world_with(&["socat"]) else {
        return;
    };
    let _server = serve(
        &world,
        &[
            "socat",
            "TCP-LISTEN:9000,fork,reuseaddr",
            "SYSTEM:echo $SOCAT_PEERADDR $SOCAT_SOCKADDR; cat",
        ],
    );
    let expected = format!("{CLIENT} {}\n", SERVER[0]);
    let target = format!("TCP:{}:9000", SERVER[0]);
    for _ in 0..5 {
        assert_eq!(visit(&world, &["socat", "-", &target]).stdout, expected);
    }
}

#[test]
fn servers_with_event_loops_see_their_clients() {
    let asyncio = "
import asyncio
async def answer(reader, writer):
    await reader.readuntil(b'\\r\\n\\r\\n')
    body = writer.get_extra_info('peername')[0].encode()
    writer.write(b'HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(answer, '0.0.0.0', 8080)
    await server.serve_forever()
asyncio.run(main())
";
    let node = "require('http').createServer((request, response) =>
        response.end(request.socket.remoteAddress)).listen(8080, '0.0.0.0')";
    for program in [["python3", "-c", asyncio], ["node", "-e", node]] {
        let Some(world) = world_with(&[program[0], "curl"]) else {
            continue;
        };
        let _server = serve(&world, &program);
        for _ in 0..3 {
            assert_eq!(fetch(&world, 8080), CLIENT, "{}", program[0]);
        }
    }
}

#[test]
fn a_server_for_both_families_sees_mapped_clients() {
    let Some(world) = world_with(&["python3", "curl"]) else {
        return;
    };
    let script = "
import socket
listener = socket.create_server(('::', 8080), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, address = listener.accept()
    connection.recv(4096)
    body = address[0].encode()
    connection.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
    connection.close()
";
    let server = serve(&world, &["python3", "-c", script]);
    assert_eq!(fetch(&world, 8080), format!("::ffff:{CLIENT}"));
    server.signal(Signal::TERM);
    server.wait();
}
