//! Flows that peers open to programs on this host.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use manyway::{Association, Listener};
use manyway_api::{PeerKind, Role};
use manyway_intercept::{PeerNameGuard, PeerNames};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::flow::{FlowOrigin, FlowTable};
use crate::records::{Errno, Record};
use crate::relay::{Framing, relay};

/// How long a peer may take to say what it wants.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the program's own listener may take to accept. Its queue being full is the only reason to wait.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(60);

/// A program's listener that peers can reach.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The port, the same for TCP and SCTP.
    pub(crate) port: u16,
    /// Where the program is reached on this host.
    pub(crate) target: SocketAddr,
    /// The file name of the program, empty when not known.
    pub(crate) program: String,
    /// Its process id.
    pub(crate) pid: Option<u32>,
    /// Tells the program the true addresses of its clients.
    pub(crate) names: Arc<OnceLock<PeerNames>>,
}

/// Where to connect to reach a listener that is bound to `bound`; `None` when it must not be reached from other
/// hosts, because its program bound it to loopback.
pub(crate) fn target_of(bound: SocketAddr) -> Option<SocketAddr> {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip if ip.to_canonical().is_loopback() => return None,
        ip => ip,
    };
    Some(SocketAddr::new(ip, bound.port()))
}

/// Accepts associations for one service until the listener is closed or this future is dropped, which also resets
/// flows that have not been opened yet. Open flows are moved to tasks of their own.
pub(crate) async fn serve(
    mut listener: Listener,
    service: Service,
    flows: FlowTable,
    drain: watch::Receiver<bool>,
) {
    let mut opening = JoinSet::new();
    loop {
        tokio::select! {
            association = listener.accept() => {
                let Some(association) = association else { return };
                if flows.is_full() || opening.len() >= flows.limit() {
                    tracing::warn!(port = service.port, "too many flows; one was refused");
                    association.abort(b"too many flows");
                    continue;
                }
                opening.spawn(accept(association, service.clone(), flows.clone(), drain.clone()));
            }
            Some(_) = opening.join_next(), if !opening.is_empty() => {}
        }
    }
}

/// Takes one association from its first message to the relay.
async fn accept(
    association: Association,
    service: Service,
    flows: FlowTable,
    drain: watch::Receiver<bool>,
) {
    let Some(request) = first_message(&association).await else {
        association.abort(b"no flow was asked for");
        return;
    };
    let ends = Ends {
        client: client_of(&association, service.target),
        own: request
            .destination()
            .filter(|own| own.port() == service.target.port() && is_own(own.ip())),
    };
    let (stream, name) = match connect(&service, ends).await {
        Ok(connected) => connected,
        Err(error) => {
            tracing::info!(port = service.port, %error, "the program did not accept a flow");
            refuse(association, &request, Errno::of(&error)).await;
            return;
        }
    };
    let (framing, peer, destination, first) = match request {
        Request::Open(destination) => {
            (Framing::Records, PeerKind::Manyway, Some(destination), None)
        }
        Request::Plain(bytes) => (Framing::Plain, PeerKind::Plain, None, Some(bytes)),
    };
    if framing == Framing::Records {
        let opened = Record::Opened { result: Ok(()) }.into_message();
        if association.send(opened).await.is_err() {
            return;
        }
    }
    let origin = FlowOrigin {
        program: service.program,
        pid: service.pid,
        role: Role::Server,
        peer,
        destination,
    };
    let Some(flow) = flows.add(origin, association.clone()) else {
        association.abort(b"too many flows");
        return;
    };
    // A flow outlives the listener it came through, as a TCP connection does.
    tokio::spawn(async move {
        if let Err(error) = relay(stream, &flow, framing, first, drain).await {
            tracing::info!(flow = flow.number, %error, "a flow was cut off");
        }
        drop(name);
    });
}

/// What a peer wants.
#[derive(Debug)]
enum Request {
    Open(SocketAddr),
    Plain(Bytes),
}

impl Request {
    fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::Open(destination) => Some(*destination),
            Self::Plain(_) => None,
        }
    }
}

/// The ends of a flow as the program would see them if its client had come by plain TCP.
#[derive(Clone, Copy, Debug)]
struct Ends {
    client: Option<IpAddr>,
    own: Option<SocketAddr>,
}

/// The client's address, of a kind that a program listening at `target` can be shown.
fn client_of(association: &Association, target: SocketAddr) -> Option<IpAddr> {
    let addresses = association.remote_addresses();
    let mut canonical = addresses.iter().map(|address| address.ip().to_canonical());
    canonical.find(|ip| ip.is_ipv4() || target.is_ipv6())
}

/// Whether other hosts reach this one by the address. Behind a translator, or from a peer that lies, what was asked
/// for is none.
fn is_own(ip: IpAddr) -> bool {
    let is_ordinary =
        !(ip.is_unspecified() || ip.is_multicast() || ip.to_canonical().is_loopback());
    // Only an address of this host can be bound; a datagram socket disturbs no one.
    is_ordinary && std::net::UdpSocket::bind((ip, 0)).is_ok()
}

async fn first_message(association: &Association) -> Option<Request> {
    let message = tokio::time::timeout(OPEN_TIMEOUT, association.recv())
        .await
        .ok()?
        .ok()??;
    match Record::from_message(message) {
        Ok(Record::Open { destination }) => Some(Request::Open(destination)),
        Ok(Record::Plain(bytes)) => Some(Request::Plain(bytes)),
        Ok(record) => {
            tracing::debug!(?record, "a peer began with something other than OPEN");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "a peer began with nonsense");
            None
        }
    }
}

async fn refuse(association: Association, request: &Request, errno: Errno) {
    if matches!(request, Request::Open(_)) {
        let refusal = Record::Opened { result: Err(errno) }.into_message();
        if association.send(refusal).await.is_ok() && association.shutdown().await.is_ok() {
            return;
        }
    }
    association.abort(b"the program did not accept");
}

/// Connects to the program's own listener, having told it which client that is.
async fn connect(service: &Service, ends: Ends) -> io::Result<(TcpStream, Option<PeerNameGuard>)> {
    let socket = match service.target {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(service.target.ip(), 0))?;
    let broker = socket.local_addr()?;
    let name = service.names.get().zip(ends.client).map(|(names, ip)| {
        // The client's own port is not known here. This one tells its connections apart as well.
        let client = SocketAddr::new(ip, broker.port());
        match ends.own {
            Some(own) => names.register_both(broker, client, own),
            None => names.register(broker, client),
        }
    });
    let stream = tokio::time::timeout(ACCEPT_TIMEOUT, socket.connect(service.target))
        .await
        .map_err(|_elapsed| io::Error::from(rustix::io::Errno::TIMEDOUT))??;
    Ok((stream, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(bound: &str) -> Option<String> {
        target_of(bound.parse().unwrap()).map(|target| target.to_string())
    }

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        assert_eq!(target("0.0.0.0:80").unwrap(), "127.0.0.1:80");
        assert_eq!(target("[::]:80").unwrap(), "[::1]:80");
    }

    #[test]
    fn a_listener_on_one_address_is_reached_there() {
        assert_eq!(target("192.0.2.1:80").unwrap(), "192.0.2.1:80");
    }

    #[test]
    fn a_peer_cannot_make_a_program_believe_that_it_was_reached_by_another_address() {
        for ip in [
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "::1",
            "224.0.0.1",
            "203.0.113.1",
        ] {
            assert!(!is_own(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_listener_on_loopback_is_not_offered_to_other_hosts() {
        assert_eq!(target("127.0.0.1:5432"), None);
        assert_eq!(target("[::1]:5432"), None);
        assert_eq!(target("[::ffff:127.0.0.1]:5432"), None);
    }
}
