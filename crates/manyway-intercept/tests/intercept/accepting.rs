//! Accepts that ask who connects.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use manyway_intercept::{Handler, Program, Supervisor};
use socket2::{Domain, Socket, Type};
use tempfile::NamedTempFile;

use crate::common::{Plan, TestHandler, compiled, eventually, intercepted, native};

const PROBE: &str = include_str!("probes/accepting.c");

fn idle() -> Arc<TestHandler> {
    TestHandler::new(Plan::Direct, "127.0.0.1:1".parse().unwrap())
}

/// A Python server under the supervisor, with its output in a file.
struct Server {
    handler: Arc<TestHandler>,
    supervisor: Supervisor,
    output: NamedTempFile,
}

impl Server {
    fn start(script: &str) -> Self {
        let (handler, output) = (idle(), NamedTempFile::new().unwrap());
        let line = format!(
            "exec python3 -c \"$0\" > '{}' 2>&1",
            output.path().display()
        );
        let program = Program::new(["sh", "-c", &line, script]);
        let supervisor =
            Supervisor::spawn(program, Arc::clone(&handler) as Arc<dyn Handler>).unwrap();
        let server = Self {
            handler,
            supervisor,
            output,
        };
        eventually("the program listens", || {
            !server.handler.listening.lock().unwrap().is_empty()
        });
        server
    }

    fn address(&self) -> SocketAddr {
        let bound = self.handler.listening.lock().unwrap()[0].local_addr;
        SocketAddr::new([127, 0, 0, 1].into(), bound.port())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.output.path()).unwrap()
    }

    /// How it ended, and all it said.
    fn end(self) -> (Option<i32>, String) {
        let status = self.supervisor.wait().unwrap();
        let text = std::fs::read_to_string(self.output.path()).unwrap();
        (status.code(), text)
    }

    fn await_text(&self, text: &str) {
        eventually(text, || self.text().contains(text));
    }

    fn signal(&self, signal: &str) {
        let pid = self.supervisor.child_pid();
        let arguments = [format!("-{signal}"), pid.to_string()];
        let status = std::process::Command::new("kill").args(arguments).status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn one_program_sees_no_difference_to_the_kernels_own_accept() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled(directory.path(), PROBE, &["-pthread"]) else {
        return;
    };
    let program = [program.to_str().unwrap()];
    let natively = native(&program);
    // The kernel loses a connection whose address it cannot write. Here it is given to the next
    // call, which shows only when there is one.
    assert_eq!(intercepted(&idle(), &program), natively);
    assert!(natively.output.contains("unix 1"), "{natively:?}");
}

#[test]
fn accept_shows_the_true_client_in_both_families() {
    // The first is blocked in its accept when the connection comes, the second is not.
    let script = r"
import os, select, socket, sys
def show(listener):
    connection, address = listener.accept()
    print(address[:2], connection.getpeername()[:2] == address[:2], connection.getsockname()[:2], flush=True)
    connection.sendall(b'bye')
    connection.close()
listener = socket.create_server(('::', 0), family=socket.AF_INET6, dualstack_ipv6=True)
show(listener)
select.select([listener], [], [])
listener.setblocking(False)
show(listener)
";
    let server = Server::start(script);
    for client in ["198.51.100.4:4711", "[2001:db8::9]:4712"] {
        let broker = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        broker
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        let own = broker.local_addr().unwrap().as_socket().unwrap();
        let name = server.supervisor.peer_names().register_both(
            own,
            client.parse().unwrap(),
            "192.0.2.1:80".parse().unwrap(),
        );
        std::thread::sleep(Duration::from_millis(100));
        broker.connect(&server.address().into()).unwrap();
        let text = std::io::read_to_string(TcpStream::from(broker)).unwrap();
        assert_eq!(text, "bye");
        drop(name);
    }
    eventually("both lines", || server.text().lines().count() == 2);
    assert_eq!(
        server.text().lines().collect::<Vec<_>>(),
        [
            "('::ffff:198.51.100.4', 4711) True ('::ffff:192.0.2.1', 80)",
            "('2001:db8::9', 4712) True ('::ffff:192.0.2.1', 80)"
        ]
    );
    assert!(server.supervisor.wait().unwrap().success());
}

/// Ten connections at a time, each of which must be answered.
fn visit(address: SocketAddr, rounds: usize) {
    for _ in 0..rounds {
        let mut streams: Vec<_> = (0..10)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for stream in &mut streams {
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            stream.write_all(b"x").unwrap();
            let mut answer = [0];
            stream.read_exact(&mut answer).unwrap();
        }
    }
}

#[test]
fn many_threads_and_processes_accept_on_one_listener_and_none_is_lost() {
    // One of the threads of each process takes connections without asking for the address.
    let script = r"
import ctypes, os, signal, socket, threading
listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
libc = ctypes.CDLL(None, use_errno=True)
def serve(asks):
    while True:
        if asks:
            connection, _ = listener.accept()
        else:
            number = libc.accept(listener.fileno(), None, None)
            if number < 0: os.write(1, b'no connection\n')
            connection = socket.socket(fileno=number)
        with connection: connection.sendall(connection.recv(1))
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        for n in range(4): threading.Thread(target=serve, args=(n > 0,)).start()
        threading.Event().wait()
    children.append(child)
def end(*_):
    for child in children: os.kill(child, signal.SIGKILL)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print('up', flush=True)
signal.pause()
";
    let server = Server::start(script);
    server.await_text("up");
    let address = server.address();
    let visitors: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(move || visit(address, 20)))
        .collect();
    for visitor in visitors {
        visitor.join().unwrap();
    }
    server.signal("TERM");
    assert_eq!(server.end().1, "up\n");
}

#[test]
fn a_process_killed_in_its_accept_takes_no_connection_with_it() {
    let script = r"
import os, signal, socket, time
listener = socket.create_server(('127.0.0.1', 0))
def serve():
    while True:
        with listener.accept()[0] as connection: connection.sendall(connection.recv(1))
children = []
for _ in range(4):
    child = os.fork()
    if not child: serve()
    children.append(child)
time.sleep(0.3)
for child in children[:3]: os.kill(child, signal.SIGKILL)
for child in children[:3]: os.waitpid(child, 0)
signal.signal(signal.SIGTERM, lambda *_: (os.kill(children[3], signal.SIGKILL), os._exit(0)))
print('up', flush=True)
signal.pause()
";
    let server = Server::start(script);
    server.await_text("up");
    visit(server.address(), 1);
    server.signal("TERM");
    assert_eq!(server.end().1, "up\n");
}

#[test]
fn a_server_blocked_in_accept_ends_at_its_signal() {
    let script = r"
import signal, socket, sys, threading
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if THREADS: threading.Thread(target=threading.Event().wait, daemon=True).start()
listener = socket.create_server(('127.0.0.1', 0))
print('up', flush=True)
listener.accept()
";
    for (signal, threads) in [("TERM", 0), ("INT", 0), ("TERM", 1), ("INT", 1)] {
        let server = Server::start(&script.replace("THREADS", &threads.to_string()));
        server.await_text("up");
        std::thread::sleep(Duration::from_millis(200));
        server.signal(signal);
        let (code, text) = server.end();
        match signal {
            "TERM" => assert_eq!(code, Some(7), "{text}"),
            _ => assert!(text.contains("KeyboardInterrupt"), "{text}"),
        }
    }
}

#[test]
fn a_connection_whose_address_cannot_be_written_goes_to_the_next_call() {
    let script = r"
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
length = ctypes.c_int(16)
for _ in range(2):
    print(libc.accept(listener.fileno(), ctypes.c_void_p(16), ctypes.byref(length)),
          errno.errorcode[ctypes.get_errno()])
listener.setblocking(False)
connection, address = listener.accept()
print(address == client.getsockname(), connection.getpeername() == address)
client.sendall(b'x')
print(connection.recv(1))
";
    let run = intercepted(&idle(), &["python3", "-c", script]);
    assert_eq!(run.output, "-1 EFAULT\n-1 EFAULT\nTrue True\nb'x'\n");
}
