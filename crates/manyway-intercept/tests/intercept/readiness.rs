//! A non-blocking connect becomes writable exactly when the remote side is there.

use std::time::{Duration, Instant};

use crate::common::{
    Plan, REMOTE, TestHandler, compiled, echo_service, intercepted, native, probe, serve,
};

#[test]
fn a_successful_nonblocking_connect_shows_every_sign_of_a_native_one() {
    let server = serve("127.0.0.1:0", echo_service);
    let (script, port) = (probe("nonblocking.py"), server.port().to_string());
    for early in ["", "early"] {
        for order in ["epcc", "ccp", "per"] {
            let natively = native(&["python3", &script, "127.0.0.1", &port, order, early]);
            let handler = TestHandler::new(Plan::Succeed(Duration::from_millis(300)), server);
            let run = intercepted(&handler, &["python3", &script, REMOTE, "80", order, early]);
            assert_eq!(run, natively, "{order} {early}");
        }
    }
}

/// Registers with epoll before it connects, as nginx does, looks for premature writability, asks
/// for success by making a file, and then expects exactly one edge.
const EPOLL_FIRST: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = epoll_create1(0);
    struct epoll_event v = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = 42};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, argv[1], &a.sin_addr);
    epoll_ctl(e, EPOLL_CTL_ADD, s, &v);
    while (epoll_wait(e, &v, 1, 0) > 0);
    printf("connect %d\n", connect(s, (void *)&a, sizeof a) ? errno : 0);
    printf("early %d\n", epoll_wait(e, &v, 1, 700));
    printf("again %d\n", connect(s, (void *)&a, sizeof a) ? errno : 0);
    close(open(argv[2], O_CREAT | O_WRONLY, 0600));
    printf("events %d", epoll_wait(e, &v, 1, 20000));
    printf(" %x data %d\n", v.events, (int)v.data.u64);
    int error = -1;
    socklen_t n = sizeof error;
    getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &n);
    printf("error %d\n", error);
    printf("sent %d\n", (int)send(s, "ping", 4, 0));
    char b[8] = {0};
    while (recv(s, b, 4, 0) < 0 && errno == EAGAIN) epoll_wait(e, &v, 1, 20000);
    printf("echo %s\n", b);
    return 0;
}
"#;

#[test]
fn a_static_program_that_registers_before_connecting_sees_one_edge_at_success() {
    let server = serve("127.0.0.1:0", echo_service);
    let directory = tempfile::tempdir().unwrap();
    for flags in [&["-static"][..], &[]] {
        let Some(program) = compiled(directory.path(), EPOLL_FIRST, flags) else {
            return;
        };
        let go = directory.path().join(format!("go{}", flags.len()));
        let handler = TestHandler::new(Plan::SucceedOnceThereIs(go.clone()), server);
        let line = [program.to_str().unwrap(), REMOTE, go.to_str().unwrap()];
        let run = intercepted(&handler, &line);
        let expected = format!(
            "connect {}\nearly 0\nagain {}\nevents 1 4 data 42\nerror 0\nsent 4\necho ping\n",
            libc::EINPROGRESS,
            libc::EALREADY
        );
        assert_eq!(run.output, expected);
    }
}

/// One thread watches the socket while another one connects it: writability must not flash up
/// between the connect and the success.
const WATCHED: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static int e;
static volatile int flashes, armed, wakes;
static void *watch(void *unused) {
    struct epoll_event v;
    for (;;)
        if (epoll_wait(e, &v, 1, -1) > 0) flashes += armed, wakes++;
}
int main(int argc, char **argv) {
    e = epoll_create1(0);
    pthread_t t;
    pthread_create(&t, 0, watch, 0);
    for (int i = 0; i < 50; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct epoll_event v = {.events = EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLET};
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
        inet_pton(AF_INET, argv[1], &a.sin_addr);
        int before = wakes;
        epoll_ctl(e, EPOLL_CTL_ADD, s, &v);
        /* The kernel shows an unconnected socket as writable, once. */
        while (wakes == before) usleep(100);
        armed = 1;
        if (connect(s, (void *)&a, sizeof a) == 0 || errno != EINPROGRESS) return 1;
        usleep(2000);
        armed = 0;
    }
    printf("flashes %d\n", flashes);
    return 0;
}
"#;

#[test]
fn a_socket_watched_by_another_thread_never_flashes_writable() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled(directory.path(), WATCHED, &["-pthread"]) else {
        return;
    };
    let handler = TestHandler::new(Plan::Never, "127.0.0.1:1".parse().unwrap());
    let run = intercepted(&handler, &[program.to_str().unwrap(), REMOTE]);
    assert_eq!(run.output, "flashes 0\n");
}

/// Sends for a while on a non-blocking socket and prints bytes per second.
const GOODPUT: &str = r#"
import asyncio, sys, time
async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    block, sent, begin = bytes(1 << 18), 0, time.monotonic()
    while time.monotonic() - begin < 1:
        writer.write(block)
        await writer.drain()
        sent += len(block)
    writer.write_eof()
    await reader.read()
    print(int(sent / (time.monotonic() - begin)))
asyncio.run(main())
"#;

fn sink(mut stream: std::net::TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

#[test]
fn a_redirected_nonblocking_socket_is_not_crippled() {
    let server = serve("127.0.0.1:0", sink);
    let port = server.port().to_string();
    let rate = |output: &str| output.trim().parse::<f64>().unwrap();
    // The better of three: the machine may be busy with something else.
    let best = (0..3)
        .map(|_| {
            let natively = native(&["python3", "-c", GOODPUT, "127.0.0.1", &port]);
            let handler = TestHandler::new(Plan::Succeed(Duration::from_millis(50)), server);
            let run = intercepted(&handler, &["python3", "-c", GOODPUT, REMOTE, "80"]);
            rate(&run.output) / rate(&natively.output)
        })
        .fold(0.0, f64::max);
    println!("goodput ratio {best:.2}");
    assert!(best >= 0.3, "ratio {best}");
}

#[test]
fn many_connects_at_once_are_held_side_by_side() {
    let server = serve("127.0.0.1:0", echo_service);
    let script = r"
import asyncio, sys
async def one(i):
    reader, writer = await asyncio.open_connection(sys.argv[1], 80)
    writer.write(str(i).encode()); writer.write_eof()
    assert await reader.read() == str(i).encode()
    writer.close()
async def main():
    await asyncio.gather(*[one(i) for i in range(200)])
    print('all')
asyncio.run(main())
";
    let handler = TestHandler::new(Plan::Succeed(Duration::from_millis(300)), server);
    let begin = Instant::now();
    let run = intercepted(&handler, &["python3", "-c", script, REMOTE]);
    assert_eq!((run.output.trim(), handler.count()), ("all", 200));
    // One after the other would take a minute.
    assert!(begin.elapsed() < Duration::from_secs(30));
}
