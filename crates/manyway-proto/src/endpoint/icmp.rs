//! What routers say of our packets.

use manyway_wire::{COMMON_HEADER_LEN, ChunkType, Port, VerificationTag};

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

    /// The host at `path.remote` said that nobody listens on that UDP port, or that it does not
    /// speak SCTP. `quoted` is what it quotes of the packet's UDP payload: 20 bytes suffice.
    ///
    /// A handshake on that path goes on at the peer's other addresses, and ends with
    /// [`CloseReason::Refused`](crate::CloseReason::Refused) when all have said so. It takes the
    /// INIT's Initiate Tag, which nobody off the path knows. All else is counted in
    /// [`EndpointStats::ignored_unreachable`](crate::EndpointStats::ignored_unreachable): an
    /// association that was established has timers of its own and other paths, and does not end
    /// because one host on the way lost its state.
    //= https://www.rfc-editor.org/rfc/rfc6951#section-5.5
    //# If a received ICMP or ICMPv6 packet cannot be related to a specific SCTP association or the verification tag cannot be verified, it MUST be discarded silently.
    pub fn handle_unreachable(&mut self, now: Instant, path: FourTuple, quoted: &[u8]) {
        self.advance(now);
        let id = quoted_initiate_tag(quoted).and_then(|tag| self.by_tag.get(&tag).copied());
        let slot = id.and_then(|id| self.slots.get_mut(&id));
        let told = slot.is_some_and(|slot| slot.assoc.handle_unreachable(path));
        match id {
            Some(id) if told => self.touch(id),
            _ => self.stats.ignored_unreachable += 1,
        }
    }
}

/// The tag that the sender of an INIT, this side, chose for itself.
//= https://www.rfc-editor.org/rfc/rfc9260#section-10
//# If it is 0 and the ICMP message contains enough bytes to verify that the chunk type is an INIT chunk and that the Initiate Tag matches the tag of the peer, continue with ICMP7.
fn quoted_initiate_tag(quoted: &[u8]) -> Option<VerificationTag> {
    let tag = quoted_key(quoted)?.peer_tag;
    let &[kind, _, _, _, i0, i1, i2, i3] = quoted.get(COMMON_HEADER_LEN..)?.first_chunk()?;
    let is_init = tag == VerificationTag(0) && kind == ChunkType::INIT.0;
    is_init.then_some(VerificationTag(u32::from_be_bytes([i0, i1, i2, i3])))
}

/// Whose packet it was: its source port is ours, its tag the peer's.
//= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
//# The PL MUST check the protocol information in the quoted packet carried in an ICMP PTB message payload to validate the message originated from the sending node
//= https://www.rfc-editor.org/rfc/rfc9260#section-10
//# An implementation MUST use the payload of the ICMP message (v4 or v6) to locate the association that sent the message to which ICMP is responding.
//= https://www.rfc-editor.org/rfc/rfc9260#section-10
//# An implementation MUST validate that the Verification Tag contained in the ICMP message matches the Verification Tag of the peer.
fn quoted_key(quoted: &[u8]) -> Option<ReflectedKey> {
    let &[s0, s1, d0, d1, t0, t1, t2, t3] = quoted.first_chunk::<8>()?;
    Some(ReflectedKey {
        peer_tag: VerificationTag(u32::from_be_bytes([t0, t1, t2, t3])),
        local_port: Port(u16::from_be_bytes([s0, s1])),
        peer_port: Port(u16::from_be_bytes([d0, d1])),
    })
}
