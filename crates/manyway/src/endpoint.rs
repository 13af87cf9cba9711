//! The endpoint's handle.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use manyway_net::interfaces::route;
use manyway_proto::{CloseReason, Connect, ListenError, Message, Port};
use rand::TryRng;
use tokio::sync::{mpsc, oneshot};

use crate::association::Association;
use crate::config::EndpointConfig;
use crate::driver::{Driver, Sockets};
use crate::error::{BindError, ConnectError};
use crate::listener::Listener;
use crate::shared::{ACCEPT_BACKLOG, Shared};
use crate::stats::SocketStats;

/// A set of UDP sockets and the associations over them. Cheap to clone. It lives until it is
/// closed, or all handles of it, its listeners and its associations are gone.
#[derive(Clone, Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
    _guard: Arc<Guard>,
}

/// Notices when the last of the endpoint's own handles is gone.
#[derive(Debug)]
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.wake_driver();
    }
}

impl Endpoint {
    /// Binds sockets and starts to drive them on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// See [`BindError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn bind(config: EndpointConfig) -> Result<Self, BindError> {
        let mut seed = [0; 32];
        rand::rngs::SysRng
            .try_fill_bytes(&mut seed)
            .map_err(|error| BindError::Addresses(std::io::Error::other(error)))?;
        let mut proto_config = manyway_proto::EndpointConfig::default();
        proto_config.transport = config.transport.clone();
        let mut proto = manyway_proto::Endpoint::new(proto_config, seed);
        let sockets = Sockets::bind(&config)?;
        let locals = sockets.local_addresses();
        let shared_now = manyway_proto::Instant::ZERO;
        proto.set_local_addresses(shared_now, &locals);
        let shared = Arc::new(Shared::new(proto, locals));
        tokio::spawn(Driver::new(
            Arc::clone(&shared),
            sockets,
            config.transport.max_packet_size,
        ));
        Ok(Self {
            _guard: Arc::new(Guard(Arc::clone(&shared))),
            shared,
        })
    }

    /// Opens an association with the peer that has the UDP addresses `remotes`, to its SCTP port.
    /// Every local address becomes a path within a round trip of the first.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up.
    pub async fn connect(
        &self,
        remotes: &[SocketAddr],
        port: u16,
    ) -> Result<Association, ConnectError> {
        self.open(None, remotes, port, None).await
    }

    /// As [`Endpoint::connect`], from a chosen SCTP port. If the peer opens the same association,
    /// from `port` to `local_port`, at the same time, both ends get one and the same (RFC 9260,
    /// section 5.2.1): so can two hosts meet neither of which listens, each behind a NAT that lets
    /// in only answers.
    ///
    /// A peer that has not begun yet refuses, unless its NAT drops what it does not expect; begin
    /// again then.
    ///
    /// ```
    /// # use manyway::{Association, ConnectError, Endpoint};
    /// # use std::net::SocketAddr;
    /// # async fn example(us: Endpoint, them: SocketAddr) -> Result<Association, ConnectError> {
    /// loop {
    ///     match us.connect_from(5000, &[them], 5000).await {
    ///         Err(ConnectError::Refused) => {
    ///             tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    ///         }
    ///         other => return other,
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConnectError::InUse`] if this endpoint has an association between these ports and one of
    /// the addresses; otherwise see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up.
    pub async fn connect_from(
        &self,
        local_port: u16,
        remotes: &[SocketAddr],
        port: u16,
    ) -> Result<Association, ConnectError> {
        self.open(Some(local_port), remotes, port, None).await
    }

    /// As [`Endpoint::connect`], with a first message that travels with the handshake: it arrives
    /// after one and a half round trips instead of two and a half.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up; the message may have arrived.
    pub async fn connect_with(
        &self,
        remotes: &[SocketAddr],
        port: u16,
        first: Message,
    ) -> Result<Association, ConnectError> {
        self.open(None, remotes, port, Some(first)).await
    }

    async fn open(
        &self,
        local_port: Option<u16>,
        remotes: &[SocketAddr],
        port: u16,
        first: Option<Message>,
    ) -> Result<Association, ConnectError> {
        self.want_loopback(remotes).await?;
        let association = self.begin(local_port, remotes, port, first)?;
        match association.settled().await {
            None => Ok(association),
            Some(CloseReason::Refused) => Err(ConnectError::Refused),
            Some(CloseReason::HandshakeTimeout) => Err(ConnectError::TimedOut),
            Some(reason) => Err(ConnectError::Closed(reason)),
        }
    }

    fn begin(
        &self,
        local_port: Option<u16>,
        remotes: &[SocketAddr],
        port: u16,
        first: Option<Message>,
    ) -> Result<Association, ConnectError> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if state.closing {
            return Err(ConnectError::EndpointClosed);
        }
        let locals = order_locals(&state.locals, remotes);
        let request = Connect {
            locals,
            remotes: remotes.to_vec(),
            port: Port(port),
        };
        let opened = match local_port {
            Some(from) => state.proto.connect_from(now, Port(from), request),
            None => state.proto.connect(now, request),
        };
        let id = opened.map_err(|error| match error {
            manyway_proto::ConnectError::TooManyAssociations => ConnectError::TooMany,
            manyway_proto::ConnectError::InUse => ConnectError::InUse,
            _ => ConnectError::Unreachable,
        })?;
        if let (Some(first), Some(assoc)) = (first, state.proto.association_mut(now, id))
            && let Err(error) = assoc.send(first)
        {
            state.proto.release(id);
            return Err(ConnectError::FirstMessage(error.into()));
        }
        let signals = state.add_entry(id, false);
        state.wake_driver();
        drop(state);
        Ok(Association::new(
            Arc::clone(&self.shared),
            id,
            signals,
            port,
        ))
    }

    /// Peers on this very host are reached from a loopback address; its socket is bound when it is
    /// first needed.
    async fn want_loopback(&self, remotes: &[SocketAddr]) -> Result<(), ConnectError> {
        for ip in remotes
            .iter()
            .map(SocketAddr::ip)
            .filter(IpAddr::is_loopback)
        {
            let bound = {
                let mut state = self.shared.lock();
                let serves = |l: &SocketAddr| l.ip().is_loopback() && l.is_ipv4() == ip.is_ipv4();
                if state.closing || state.locals.iter().any(serves) {
                    continue;
                }
                let (answer, bound) = oneshot::channel();
                state.wanted_loopback.push((ip, answer));
                state.wake_driver();
                bound
            };
            bound.await.map_err(|_| ConnectError::EndpointClosed)??;
        }
        Ok(())
    }

    /// Accepts associations on an SCTP port.
    ///
    /// # Errors
    ///
    /// [`ListenError::InUse`] if the endpoint listens on it already.
    pub fn listen(&self, port: u16) -> Result<Listener, ListenError> {
        let mut state = self.shared.lock();
        state.proto.listen(Port(port))?;
        let (sender, incoming) = mpsc::channel(ACCEPT_BACKLOG);
        state.listeners.insert(port, sender);
        drop(state);
        Ok(Listener {
            shared: Arc::clone(&self.shared),
            port,
            incoming,
        })
    }

    /// The UDP addresses that peers can connect to.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.shared.lock().locals.clone()
    }

    /// Counters of what concerns the endpoint as a whole: handshakes, packets of nobody, ICMP
    /// messages that were not believed.
    pub fn stats(&self) -> manyway_proto::EndpointStats {
        self.shared.lock().proto.stats()
    }

    /// Counters of the sockets: what was not sent, and what ICMP said.
    pub fn socket_stats(&self) -> SocketStats {
        self.shared.sockets.snapshot()
    }

    /// Aborts all associations and closes the sockets.
    pub fn close(&self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.closing = true;
        state.listeners.clear();
        let open: Vec<_> = state.proto.associations().map(|a| a.id()).collect();
        for id in open {
            if let Some(assoc) = state.proto.association_mut(now, id) {
                assoc.abort(now, bytes::Bytes::new());
            }
        }
        state.wake_driver();
    }
}

/// Local addresses of the families of `remotes`, the one that the route to the first remote
/// prefers first; loopback addresses only for loopback peers.
fn order_locals(locals: &[SocketAddr], remotes: &[SocketAddr]) -> Vec<SocketAddr> {
    let to_loopback = remotes.iter().any(|r| r.ip().is_loopback());
    let mut locals: Vec<SocketAddr> = locals
        .iter()
        .copied()
        .filter(|l| l.ip().is_loopback() == to_loopback)
        .collect();
    let preferred = remotes
        .first()
        .and_then(|r| route::to(r.ip(), None).ok())
        .map(|r| r.source);
    locals.sort_by_key(|l| Some(l.ip()) != preferred);
    locals
}
