//! A broker on loopback that exposes a server, and peers that speak to it by the transport itself.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are no tests to the linter"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::Bytes;
use manyway::{Association, ConnectError, Endpoint, EndpointConfig, Message, Ppid, RecvError};
use manyway_api::{
    BrokerSocket, Client, ClientError, ErrorCode, FlowId, FlowState, PeerKind, Role, SetRequest,
    Wish,
};
use manyway_broker::{Broker, BrokerConfig, ServeError};
use tempfile::TempDir;

const OPEN: u32 = 0x4d57_0001;
const OPENED: u32 = 0x4d57_0002;
const DATA: u32 = 0x4d57_0003;
const EOF: u32 = 0x4d57_0004;

/// A well-formed OPEN for 192.0.2.1:80.
const OPEN_PAYLOAD: &[u8] = &[1, 1, 4, 0, 80, 192, 0, 2, 1, 0];

struct Host {
    broker: Broker,
    directory: TempDir,
    udp_port: u16,
}

impl Host {
    fn start(max_flows: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let udp_port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let broker = Broker::start(BrokerConfig {
            udp_port,
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            control_dir: Some(directory.path().to_owned()),
            max_flows,
            ..BrokerConfig::default()
        });
        Self {
            broker: broker.unwrap(),
            directory,
            udp_port,
        }
    }

    /// Not on the test's own thread: the call waits, and a runtime forbids that.
    fn expose(&self, port: u16) -> Result<(), ServeError> {
        std::thread::scope(|scope| scope.spawn(|| self.broker.expose(port)).join().unwrap())
    }

    fn client(&self) -> Client {
        Client::with_directories(vec![self.directory.path().to_owned()])
    }

    async fn connect(&self, port: u16) -> Association {
        self.try_connect(port).await.unwrap()
    }

    async fn try_connect(&self, port: u16) -> Result<Association, ConnectError> {
        let mut config = EndpointConfig::default();
        config.addresses = vec![Ipv4Addr::LOCALHOST.into()];
        let endpoint = Endpoint::bind(config).await.unwrap();
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, self.udp_port));
        endpoint.connect(&[remote], port).await
    }

    async fn open(&self, port: u16) -> Association {
        let association = self.connect(port).await;
        association.send(message(OPEN, OPEN_PAYLOAD)).await.unwrap();
        let opened = receive(&association).await;
        assert_eq!(
            (opened.ppid, &opened.payload[..]),
            (Ppid(OPENED), &[1, 0, 0, 0, 0][..])
        );
        association
    }
}

fn message(ppid: u32, payload: &[u8]) -> Message {
    Message {
        ppid: Ppid(ppid),
        ..Message::new(0, Bytes::copy_from_slice(payload))
    }
}

async fn receive(association: &Association) -> Message {
    tokio::time::timeout(Duration::from_secs(30), association.recv())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

/// A TCP server that answers every byte with the same byte, and the end with the end.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut &connection, &mut &connection);
            });
        }
    });
    port
}

/// A port that nobody listens on.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn a_flow_carries_bytes_both_ways_until_both_ends_have_finished() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let flow = host.open(port).await;
    flow.send(message(DATA, b"hello")).await.unwrap();
    let echoed = receive(&flow).await;
    assert_eq!(
        (echoed.ppid, &echoed.payload[..]),
        (Ppid(DATA), &b"hello"[..])
    );
    flow.send(message(EOF, &[1])).await.unwrap();
    assert_eq!(receive(&flow).await.ppid, Ppid(EOF));
    flow.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_plain_peer_that_sends_no_records_gets_its_bytes_through() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let peer = host.connect(port).await;
    for text in [&b"first"[..], b"second"] {
        peer.send(message(46, text)).await.unwrap();
        let echoed = receive(&peer).await;
        assert_eq!((echoed.ppid, &echoed.payload[..]), (Ppid(0), text));
    }
    let flows = host.client().flows().await.flows;
    assert_eq!(flows[0].peer, PeerKind::Plain);
    peer.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_programs_listener_is_told_exactly() {
    let (host, port) = (Host::start(10), dead_port());
    host.expose(port).unwrap();
    let peer = host.connect(port).await;
    peer.send(message(OPEN, OPEN_PAYLOAD)).await.unwrap();
    let answer = receive(&peer).await;
    // ECONNREFUSED is 111.
    assert_eq!(
        (answer.ppid, &answer.payload[..]),
        (Ppid(OPENED), &[1, 0, 0, 0, 111][..])
    );
    assert_eq!(peer.recv().await, Ok(None));
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_is_cut_off_and_others_are_not() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let good = host.open(port).await;
    for wrong in [
        message(OPEN, &[9]),
        message(DATA, b"no OPEN"),
        message(EOF, &[1]),
    ] {
        let bad = host.connect(port).await;
        bad.send(wrong).await.unwrap();
        assert!(matches!(bad.recv().await, Err(RecvError::Aborted(_))));
    }
    let bad = host.open(port).await;
    bad.send(message(OPEN, OPEN_PAYLOAD)).await.unwrap();
    assert!(matches!(bad.recv().await, Err(RecvError::Aborted(_))));
    good.send(message(DATA, b"still here")).await.unwrap();
    assert_eq!(&receive(&good).await.payload[..], b"still here");
}

#[tokio::test]
async fn a_flow_too_many_is_refused() {
    let (host, port) = (Host::start(1), echo_server());
    host.expose(port).unwrap();
    let first = host.open(port).await;
    // The refusal may come before the connect is seen to succeed.
    if let Ok(second) = host.try_connect(port).await {
        assert!(matches!(second.recv().await, Err(RecvError::Aborted(_))));
    }
    first.send(message(DATA, b"x")).await.unwrap();
    assert_eq!(&receive(&first).await.payload[..], b"x");
}

#[tokio::test]
async fn a_port_is_exposed_once_and_a_udp_port_that_is_taken_names_its_holder() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    assert!(matches!(host.expose(port), Err(ServeError::InUse(_))));
    let mut other = Host::start(10);
    other.broker = Broker::start(BrokerConfig {
        udp_port: host.udp_port,
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        control_dir: Some(other.directory.path().to_owned()),
        ..BrokerConfig::default()
    })
    .unwrap();
    let error = other.expose(port).unwrap_err().to_string();
    assert!(
        error.contains(&format!("(process {})", std::process::id())),
        "{error}"
    );
}

#[tokio::test]
async fn the_control_api_lists_and_changes_flows() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let association = host.open(port).await;
    association.send(message(DATA, b"hello")).await.unwrap();
    receive(&association).await;
    let client = host.client();
    let found = client.flows().await;
    assert!(found.failures.is_empty(), "{:?}", found.failures);
    let [flow] = &found.flows[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (flow.role, flow.peer, flow.state),
        (Role::Server, PeerKind::Manyway, FlowState::Open)
    );
    assert_eq!(flow.id, FlowId::short(1));
    assert_eq!((flow.bytes_sent, flow.bytes_received), (5, 5));
    assert_eq!(flow.destination, Some("192.0.2.1:80".parse().unwrap()));
    let [path] = &flow.paths[..] else {
        panic!("{flow:?}")
    };
    assert_eq!(path.interface.as_deref(), Some("lo"));
    assert!(
        path.primary && path.bytes_sent > 0 && path.bytes_received > 0,
        "{path:?}"
    );

    let request = SetRequest {
        path: Some("lo".to_owned()),
        wish: Some(Wish::Backup),
        ..SetRequest::default()
    };
    let response = client.set(flow.id, &request).await.unwrap();
    assert_eq!(response.flow.paths[0].wish, Wish::Backup);
    let long = FlowId::long(std::process::id(), 1);
    let request = SetRequest {
        primary: Some(path.id.to_string()),
        ..SetRequest::default()
    };
    assert!(client.set(long, &request).await.unwrap().flow.paths[0].primary);
}

#[tokio::test]
async fn what_the_control_api_refuses_it_refuses_with_a_code_and_a_hint() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let _association = host.open(port).await;
    let socket = BrokerSocket::new(host.broker.control_path());
    let version = socket.version().await.unwrap();
    assert_eq!((version.api, version.broker_pid), (1, std::process::id()));
    let wish = || SetRequest {
        wish: Some(Wish::Active),
        ..SetRequest::default()
    };
    let path = |name: &str| SetRequest {
        path: Some(name.to_owned()),
        ..SetRequest::default()
    };
    let nowhere = SetRequest {
        primary: Some("wlan9".to_owned()),
        ..SetRequest::default()
    };
    for (number, request, code) in [
        (1, SetRequest::default(), ErrorCode::BadRequest),
        (1, wish(), ErrorCode::BadRequest),
        (1, path("lo"), ErrorCode::BadRequest),
        (
            1,
            SetRequest {
                path: Some("lo9".to_owned()),
                ..wish()
            },
            ErrorCode::NotFound,
        ),
        (1, nowhere, ErrorCode::NotFound),
        (2, wish(), ErrorCode::NotFound),
    ] {
        let error = socket.set(number, &request).await.unwrap_err();
        let ClientError::Api(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.code, code, "{request:?}: {error}");
        assert!(error.hint.is_some(), "{request:?}: {error}");
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_get_an_error_and_not_a_hang() {
    let host = Host::start(10);
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(host.broker.control_path()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let rest = "Host: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    for (line, body, status) in [
        ("GET /v1/nothing HTTP/1.1", "", "404"),
        ("GET /v2/flows HTTP/1.1", "", "404"),
        ("GET /v1/flows/one HTTP/1.1", "", "404"),
        ("DELETE /v1/flows HTTP/1.1", "", "405"),
        ("POST /v1/flows/1/set HTTP/1.1", "{", "400"),
        (
            "POST /v1/flows/1/set HTTP/1.1",
            "{\"primray\":\"c1\"}",
            "400",
        ),
        ("nonsense", "", "400"),
    ] {
        let length = body.len();
        let answer = ask(&format!(
            "{line}\r\n{rest}Content-Length: {length}\r\n\r\n{body}"
        ));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{line}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_broker_that_ends_resets_its_flows_and_leaves_no_socket() {
    let (host, port) = (Host::start(10), echo_server());
    host.expose(port).unwrap();
    let association = host.open(port).await;
    let path = host.broker.control_path().to_owned();
    assert!(fs::exists(&path).unwrap());
    drop(host);
    assert!(!fs::exists(&path).unwrap());
    let end = tokio::time::timeout(Duration::from_secs(30), association.recv())
        .await
        .unwrap();
    assert!(matches!(end, Err(RecvError::Aborted(_))), "{end:?}");
}
