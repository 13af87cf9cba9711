//! The library on loopback: what handles promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use manyway::{
    CloseReason, ConnectError, Endpoint, EndpointConfig, Event, Message, RecvError, SendError,
};

async fn endpoint() -> Endpoint {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse().unwrap()];
    Endpoint::bind(config).await.unwrap()
}

#[tokio::test]
async fn an_association_that_is_over_at_once_still_gives_its_messages() {
    let (server, client) = (endpoint().await, endpoint().await);
    let mut listener = server.listen(7).unwrap();
    tokio::spawn(async move {
        while let Some(peer) = listener.accept().await {
            let _ = peer.send(Message::new(0, "no")).await;
            let _ = peer.shutdown().await;
        }
    });
    for _ in 0..100 {
        let first = Message::new(0, "may I?");
        let peer = client
            .connect_with(&server.local_addresses(), 7, first)
            .await
            .unwrap();
        assert_eq!(&peer.recv().await.unwrap().unwrap().payload[..], b"no");
        assert_eq!(peer.recv().await, Ok(None));
    }
}

#[tokio::test]
async fn listeners_outlive_the_endpoints_handle() {
    let (server, client) = (endpoint().await, endpoint().await);
    let mut listener = server.listen(7).unwrap();
    let addresses = server.local_addresses();
    drop(server);
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here.unwrap(), there.unwrap());
    here.send(Message::new(0, "x")).await.unwrap();
    assert_eq!(&there.recv().await.unwrap().unwrap().payload[..], b"x");
}

#[tokio::test]
async fn closing_an_endpoint_tells_every_peer_and_ends_accept() {
    let (server, client) = (endpoint().await, endpoint().await);
    let mut listener = server.listen(7).unwrap();
    let mut peers = Vec::new();
    for _ in 0..200 {
        peers.push(client.connect(&server.local_addresses(), 7).await.unwrap());
    }
    let mut accepted = Vec::new();
    for _ in 0..200 {
        accepted.push(listener.accept().await.unwrap());
    }
    server.close();
    assert!(listener.accept().await.is_none());
    for peer in peers {
        let ended = tokio::time::timeout(Duration::from_secs(10), peer.recv())
            .await
            .unwrap();
        assert!(matches!(ended, Err(RecvError::Aborted(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn a_first_message_that_cannot_be_sent_is_an_error() {
    let (server, client) = (endpoint().await, endpoint().await);
    let _listener = server.listen(7).unwrap();
    let empty = Message::new(0, "");
    let refused = client
        .connect_with(&server.local_addresses(), 7, empty)
        .await;
    let error = refused.unwrap_err();
    assert!(
        matches!(error, ConnectError::FirstMessage(SendError::BadLength(0))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses_at_once() {
    let (server, client) = (endpoint().await, endpoint().await);
    let refused = client.connect(&server.local_addresses(), 7).await;
    assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    drop(server);
}

#[test]
fn handles_of_a_runtime_that_ended_do_not_hang() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (server, mut listener) = first.block_on(async {
        let server = endpoint().await;
        let listener = server.listen(7).unwrap();
        (server, listener)
    });
    drop(first);
    let ended = runtime()
        .block_on(async { tokio::time::timeout(Duration::from_secs(10), listener.accept()).await });
    assert!(ended.unwrap().is_none());
    drop(server);
}

#[tokio::test]
async fn events_tell_of_paths_and_of_the_end() {
    let (server, client) = (endpoint().await, endpoint().await);
    let mut listener = server.listen(7).unwrap();
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here.unwrap(), there.unwrap());
    let mut events = here.events();
    there.abort(b"enough");
    let last = loop {
        match events.next().await.unwrap() {
            Event::Closed { reason } => break reason,
            event => assert!(!matches!(event, Event::Readable | Event::Writable)),
        }
    };
    assert!(matches!(last, CloseReason::PeerAbort { .. }), "{last:?}");
    assert_eq!(events.next().await, None);
    let mut late = here.events();
    assert_eq!(late.next().await, Some(Event::Closed { reason: last }));
    assert_eq!(late.next().await, None);
}
