//! From the sockets to the engine.

use std::task::{Context, Poll};

use manyway_net::udp::IcmpErrorKind;
use manyway_proto::{Ecn, FourTuple};

use super::sockets::Bound;
use super::{Driver, Progress};

/// ICMP messages taken per socket and turn.
const MAX_ICMP: usize = 64;

impl Driver {
    /// Receives one batch per socket.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut progress = Progress::None;
        for bound in &self.sockets.bound {
            self.receive_icmp(bound, cx);
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
                let path = FourTuple {
                    local: bound.local_as(received.destination_ip),
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

    /// What routers and hosts say of the packets that were sent. What the engine makes of it is
    /// sent with the rest of this turn.
    fn receive_icmp(&self, bound: &Bound, cx: &mut Context<'_>) {
        for _ in 0..MAX_ICMP {
            let error = match bound.packets().poll_error(cx) {
                Poll::Ready(Ok(error)) => error,
                // The runtime ends, and with it this task.
                Poll::Ready(Err(_)) | Poll::Pending => return,
            };
            tracing::trace!(?error, "ICMP");
            self.shared.sockets.icmp.add_one();
            let path = FourTuple {
                local: bound.local_as(error.source_ip),
                remote: error.destination,
            };
            let (now, quoted) = (self.shared.now(), error.quote.as_bytes());
            let proto = &mut self.shared.lock().proto;
            match error.kind {
                IcmpErrorKind::PortUnreachable | IcmpErrorKind::ProtocolUnreachable => {
                    proto.handle_unreachable(now, path, quoted);
                }
                IcmpErrorKind::MessageTooLong { mtu } => {
                    proto.handle_packet_too_big(now, path, quoted, mtu as usize);
                }
                // Timers find out whether a path works.
                IcmpErrorKind::HostUnreachable | IcmpErrorKind::NetUnreachable => {}
            }
        }
        // The rest waits for the next turn.
        cx.waker().wake_by_ref();
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
