//! From the sockets to the engine.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use manyway_net::udp::{IcmpErrorKind, UdpSocket};
use manyway_proto::{Ecn, FourTuple};

use super::{Driver, Progress};

impl Driver {
    /// Receives one batch per socket.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut progress = Progress::None;
        // Refusals matter only to handshakes; looking for them costs two system calls.
        let connecting = self.shared.lock().connecting > 0;
        for bound in &self.sockets.bound {
            if connecting {
                self.learn_refusals(bound.packets(), bound.local, cx);
            }
            match bound.packets().poll_recv(cx, &mut self.batch) {
                Poll::Ready(Ok(_)) => progress = Progress::Some,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(local = %bound.local, %error, "cannot receive");
                    progress = Progress::Some;
                    continue;
                }
                Poll::Pending => continue,
            }
            let now = self.shared.now();
            let mut state = self.shared.lock();
            for received in self.batch.drain() {
                let local = match received.destination_ip {
                    Some(ip) if bound.local.ip().is_unspecified() => {
                        SocketAddr::new(ip, bound.local.port())
                    }
                    _ => bound.local,
                };
                let path = FourTuple {
                    local,
                    remote: received.source,
                };
                let mark = received.ecn.map(mark);
                for datagram in received.segments {
                    state
                        .proto
                        .handle_marked_datagram(now, path, mark, datagram);
                }
            }
        }
        progress
    }

    /// Hosts that say that nobody listens on a UDP port, or that they do not speak SCTP.
    fn learn_refusals(&self, socket: &UdpSocket, local: SocketAddr, cx: &mut Context<'_>) {
        while let Poll::Ready(Ok(error)) = socket.poll_error(cx) {
            tracing::trace!(?error, "ICMP");
            let refusals = [
                IcmpErrorKind::PortUnreachable,
                IcmpErrorKind::ProtocolUnreachable,
            ];
            if refusals.contains(&error.kind) {
                let path = FourTuple {
                    local,
                    remote: error.destination,
                };
                self.shared
                    .lock()
                    .proto
                    .handle_unreachable(self.shared.now(), path);
            }
        }
    }
}

/// A code point as the engine has it.
fn mark(ecn: manyway_net::udp::Ecn) -> Ecn {
    match ecn {
        manyway_net::udp::Ecn::Ect0 => Ecn::Ect0,
        manyway_net::udp::Ecn::Ect1 => Ecn::Ect1,
        manyway_net::udp::Ecn::Ce => Ecn::Ce,
    }
}
