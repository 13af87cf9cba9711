//! What routers say of our packets.

use manyway_wire::{Port, VerificationTag};

use super::{Endpoint, ReflectedKey};
use crate::path::FourTuple;
use crate::time::Instant;

impl Endpoint {
    /// A router dropped a packet that was sent on `path` because it was larger than `mtu` bytes,
    /// IP header included (ICMP "fragmentation needed", ICMPv6 "packet too big"). `quoted` is what
    /// it quotes of the packet's UDP payload.
    ///
    /// The message is believed only if it quotes ports and verification tag of an association that
    /// sends there, which nobody off the path knows, and then only as a hint for the search
    /// (RFC 8899, section 4.6). Others are counted in
    /// [`EndpointStats::ignored_too_big`](crate::EndpointStats::ignored_too_big).
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
    //# A PTB message that does not complete the validation MUST NOT be further utilized by the DPLPMTUD method
    pub fn handle_packet_too_big(
        &mut self,
        now: Instant,
        path: FourTuple,
        quoted: &[u8],
        mtu: usize,
    ) {
        self.advance(now);
        let id = quoted_key(quoted).and_then(|key| self.by_reflected.get(&key).copied());
        let slot = id.and_then(|id| self.slots.get_mut(&id));
        let told = slot.is_some_and(|slot| slot.assoc.handle_packet_too_big(self.now, &path, mtu));
        match id {
            Some(id) if told => self.touch(id),
            _ => self.stats.ignored_too_big += 1,
        }
    }
}

/// Whose packet it was: its source port is ours, its tag the peer's.
//= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
//# The PL MUST check the protocol information in the quoted packet carried in an ICMP PTB message payload to validate the message originated from the sending node
fn quoted_key(quoted: &[u8]) -> Option<ReflectedKey> {
    let &[s0, s1, d0, d1, t0, t1, t2, t3] = quoted.first_chunk::<8>()?;
    Some(ReflectedKey {
        peer_tag: VerificationTag(u32::from_be_bytes([t0, t1, t2, t3])),
        local_port: Port(u16::from_be_bytes([s0, s1])),
        peer_port: Port(u16::from_be_bytes([d0, d1])),
    })
}
