//! Programs see the true names of their connections.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use manyway_intercept::{Handler, Program, Supervisor};
use socket2::{Domain, Socket, Type};

use crate::common::{
    Plan, REMOTE, TestHandler, compiled, echo_service, eventually, intercepted, serve,
};

/// Asks for the peer with a length too short, and checks that nothing is written beyond it.
const SHORT_BUFFER: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
int main(int argc, char **argv) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, argv[1], &a.sin_addr);
    if (connect(s, (void *)&a, sizeof a)) return 1;
    unsigned char b[32];
    for (int room = 0; room <= 16; room += 4) {
        memset(b, 0xee, sizeof b);
        socklen_t n = room;
        int r = getpeername(s, (void *)b, &n), clean = 1;
        for (int i = room; i < 32; i++) clean &= b[i] == 0xee;
        printf("%d %d %d %d\n", r, (int)n, clean, memcmp(b, &a, room) == 0);
    }
    socklen_t n = -1;
    int r = getpeername(s, (void *)b, &n);
    printf("%d %d\n", r, errno == EINVAL);
    n = sizeof a;
    getsockname(s, (void *)&a, &n);
    printf("local %d\n", (ntohl(a.sin_addr.s_addr) >> 24) != 127);
    return 0;
}
"#;

#[test]
fn the_peer_is_the_true_remote_and_never_more_than_the_buffer_holds() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled(directory.path(), SHORT_BUFFER, &["-static"]) else {
        return;
    };
    let server = serve("127.0.0.1:0", echo_service);
    let handler = TestHandler::new(Plan::Succeed(Duration::ZERO), server);
    let run = intercepted(&handler, &[program.to_str().unwrap(), REMOTE]);
    let lines: Vec<&str> = run.output.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "0 16 1 1", "0 16 1 1", "0 16 1 1", "0 16 1 1", "0 16 1 1", "-1 1"
        ]
    );
    // Without any route the local address cannot be told.
    if std::net::UdpSocket::bind("0.0.0.0:0")
        .unwrap()
        .connect((REMOTE, 80))
        .is_ok()
    {
        assert_eq!(lines[6], "local 1");
    }
}

#[test]
fn a_server_sees_the_true_client_of_a_connection_the_broker_opens() {
    let script = r"
import socket
server = socket.create_server(('127.0.0.1', 0))
connection, address = server.accept()
print(connection.getpeername())
connection.sendall(b'bye')
";
    let handler = TestHandler::new(Plan::Direct, "127.0.0.1:1".parse().unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("exec python3 -c \"$0\" > '{}' 2>&1", file.path().display());
    let program = Program::new(["sh", "-c", &line, script]);
    let supervisor = Supervisor::spawn(program, Arc::clone(&handler) as Arc<dyn Handler>).unwrap();
    eventually("the program listens", || {
        !handler.listening.lock().unwrap().is_empty()
    });
    let listener = handler.listening.lock().unwrap()[0].clone();
    assert!(listener.local_addr.ip().is_loopback());
    assert_ne!((listener.port(), listener.cookie), (0, 0));

    let broker = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    broker
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let own = broker.local_addr().unwrap().as_socket().unwrap();
    let client: SocketAddr = "198.51.100.4:4711".parse().unwrap();
    let name = supervisor.peer_names().register(own, client);
    broker.connect(&listener.local_addr.into()).unwrap();
    let text = std::io::read_to_string(TcpStream::from(broker)).unwrap();
    assert_eq!(text, "bye");
    assert!(supervisor.wait().unwrap().success());
    drop(name);
    let output = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(output.trim(), "('198.51.100.4', 4711)");
    assert_eq!(*handler.closed.lock().unwrap(), [listener.cookie]);
}

#[test]
fn a_closed_listener_is_noticed_while_the_program_goes_on() {
    let script = "import socket, time\n\
                  server = socket.create_server(('127.0.0.1', 0))\n\
                  server.close()\n\
                  time.sleep(60)";
    let handler = TestHandler::new(Plan::Direct, "127.0.0.1:1".parse().unwrap());
    let program = Program::new(["python3", "-c", script]);
    let supervisor = Supervisor::spawn(program, Arc::clone(&handler) as Arc<dyn Handler>).unwrap();
    eventually("the close is noticed", || {
        !handler.closed.lock().unwrap().is_empty()
    });
    kill(supervisor.child_pid(), libc::SIGKILL);
    supervisor.wait().unwrap();
}

fn kill(pid: u32, signal: i32) {
    let status = std::process::Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
