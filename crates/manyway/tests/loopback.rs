//! The library on loopback: what handles promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use manyway::{
    Association, CloseReason, ConnectError, Endpoint, EndpointConfig, Event, Events, Extension,
    Message, PathError, ReconfigError, ReconfigFailure, ReconfigPolicy, RecvError, SendError,
    SocketStats, StreamDirection, StreamId,
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

async fn pair() -> (Endpoint, Endpoint, Association, Association) {
    let (server, client) = (endpoint().await, endpoint().await);
    let mut listener = server.listen(7).unwrap();
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    (server, client, here.unwrap(), there.unwrap())
}

/// The first event that `wanted` has something to say of.
async fn await_event<T>(events: &mut Events, wanted: impl Fn(Event) -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = wanted(events.next().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap()
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# Upon receipt of an INIT chunk in the COOKIE-WAIT state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged)
#[tokio::test]
async fn two_that_open_at_once_get_one_association() {
    let (one, two) = (endpoint().await, endpoint().await);
    let (ones, twos) = (one.local_addresses(), two.local_addresses());
    for (from, to) in [(5000, 6000), (5001, 5001)] {
        let (here, there) = tokio::join!(
            one.connect_from(from, &twos, to),
            two.connect_from(to, &ones, from)
        );
        let (here, there) = (here.unwrap(), there.unwrap());
        here.send(Message::new(0, "from one")).await.unwrap();
        there.send(Message::new(0, "from two")).await.unwrap();
        let (at_one, at_two) = tokio::join!(here.recv(), there.recv());
        assert_eq!(at_one.unwrap().unwrap().payload, "from two");
        assert_eq!(at_two.unwrap().unwrap().payload, "from one");
        let again = one.connect_from(from, &twos, to).await;
        assert!(matches!(again, Err(ConnectError::InUse)), "{again:?}");
        tokio::try_join!(here.shutdown(), there.shutdown()).unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_has_not_begun_refuses_and_may_be_asked_again() {
    let (one, two) = (endpoint().await, endpoint().await);
    let (ones, twos) = (one.local_addresses(), two.local_addresses());
    let refused = one.connect_from(5000, &twos, 6000).await;
    assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    let (here, there) = tokio::join!(
        one.connect_from(5000, &twos, 6000),
        two.connect_from(6000, &ones, 5000)
    );
    assert!(here.unwrap().is_alive() && there.unwrap().is_alive());
}

#[tokio::test]
async fn a_dry_sender_is_reported_at_once_and_each_time() {
    let (_server, _client, here, there) = pair().await;
    let mut events = here.events();
    let dry = |event| (event == Event::SenderDry).then_some(());
    here.report_sender_dry(true);
    await_event(&mut events, dry).await;
    for _ in 0..3 {
        here.send(Message::new(0, vec![1; 100_000])).await.unwrap();
        await_event(&mut events, dry).await;
        assert_eq!(here.send_backlog(), 0);
        there.recv().await.unwrap().unwrap();
    }
    here.report_sender_dry(false);
    here.send(Message::new(0, "x")).await.unwrap();
    there.recv().await.unwrap().unwrap();
    here.shutdown().await.unwrap();
    let last = await_event(&mut events, |event| {
        assert_ne!(event, Event::SenderDry);
        matches!(event, Event::Closed { .. }).then_some(())
    });
    last.await;
}

#[tokio::test]
async fn streams_are_reset_and_added_by_either_side_as_the_peer_allows() {
    let (_server, _client, here, there) = pair().await;
    let (mut ours, mut theirs) = (here.events(), there.events());
    let reset = |event| match event {
        Event::StreamsReset { direction, streams } => Some((direction, streams)),
        _ => None,
    };
    let (outgoing, incoming) = (StreamDirection::Outgoing, StreamDirection::Incoming);
    here.reset_streams(&[StreamId(1)]).unwrap();
    let seen = await_event(&mut ours, reset).await;
    assert_eq!(seen, (outgoing, vec![StreamId(1)]));
    let seen = await_event(&mut theirs, reset).await;
    assert_eq!(seen, (incoming, vec![StreamId(1)]));

    // A stream that was never used has nothing to reset.
    there.send(Message::new(2, "used")).await.unwrap();
    here.recv().await.unwrap().unwrap();
    here.request_stream_reset(&[StreamId(2)]).unwrap();
    let seen = await_event(&mut theirs, reset).await;
    assert_eq!(seen, (outgoing, vec![StreamId(2)]));

    here.add_streams(5, 0).unwrap();
    let added = await_event(&mut ours, |event| match event {
        Event::StreamsAdded { count, .. } => Some(count),
        _ => None,
    });
    assert_eq!(added.await, 5);
    here.send(Message::new(20, "on a new stream"))
        .await
        .unwrap();
    assert_eq!(there.recv().await.unwrap().unwrap().stream, StreamId(20));

    there.set_reconfig_policy(ReconfigPolicy::DENY_ALL).unwrap();
    here.reset_association().unwrap();
    let failed = await_event(&mut ours, |event| match event {
        Event::ReconfigFailed { failure, .. } => Some(failure),
        _ => None,
    });
    assert_eq!(failed.await, ReconfigFailure::Denied);
    there
        .set_reconfig_policy(ReconfigPolicy::default())
        .unwrap();
    here.reset_association().unwrap();
    let over = |event| (event == Event::AssociationReset).then_some(());
    await_event(&mut ours, over).await;
    await_event(&mut theirs, over).await;
    here.send(Message::new(0, "after")).await.unwrap();
    assert_eq!(there.recv().await.unwrap().unwrap().payload, "after");

    let unknown = here.reset_streams(&[StreamId(60_000)]);
    assert_eq!(unknown, Err(ReconfigError::InvalidStream(60_000)));
    here.abort(b"");
    assert_eq!(here.reset_streams(&[]), Err(ReconfigError::NotEstablished));
}

#[tokio::test]
async fn what_can_be_seen_of_an_association_is_what_was_agreed() {
    let (server, client, here, there) = pair().await;
    assert_eq!(here.outgoing_streams(), there.incoming_streams());
    assert_eq!(there.outgoing_streams(), here.incoming_streams());
    assert!(here.extensions().contains(Extension::StreamReconfig));
    assert_eq!(here.extensions(), there.extensions());
    assert_eq!(here.send_backlog(), 0);
    let room = here.send_room();
    here.try_send(Message::new(0, vec![0; 1000])).unwrap();
    assert_eq!(here.send_room(), room - 1000);
    let path = here.paths()[0].id;
    let mut thresholds = here.path_thresholds(path).unwrap();
    thresholds.failed += 1;
    here.set_path_thresholds(path, thresholds).unwrap();
    assert_eq!(here.path_thresholds(path), Some(thresholds));
    let foreign = here.add_path("[::1]:9".parse().unwrap(), None);
    assert_eq!(foreign, Err(PathError::NoRemote));
    here.shutdown().await.unwrap();
    for endpoint in [&server, &client] {
        assert_eq!(endpoint.socket_stats(), SocketStats::default());
    }
}

#[tokio::test]
async fn a_refusal_by_icmp_is_counted() {
    let (server, client) = (endpoint().await, endpoint().await);
    let addresses = server.local_addresses();
    server.close();
    let gone = async {
        loop {
            // The socket goes with the endpoint's task.
            match client.connect(&addresses, 7).await {
                Err(ConnectError::Refused) if client.socket_stats().icmp_messages > 0 => break,
                Err(ConnectError::Refused) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();
    assert_eq!(client.stats().ignored_unreachable, 0);
}
