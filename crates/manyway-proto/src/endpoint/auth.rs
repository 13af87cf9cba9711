//! AUTH before there is an association: COOKIE-ECHO (RFC 4895, section 6.3).

use bytes::Bytes;
use manyway_wire::{ChunkType, Packet};
use rand::Rng;

use super::Endpoint;
use super::cookie::Cookie;
use crate::assoc::{AssocId, Auth};
use crate::path::FourTuple;

/// Whether the packet's first chunk is AUTH.
pub(super) fn starts_with_auth(packet: &Packet<'_>) -> bool {
    let first = packet.chunks().flatten().next();
    first.is_some_and(|raw| raw.kind == ChunkType::AUTH)
}

impl Endpoint {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //# The Random Number should be generated in accordance with RFC 4086
    pub(super) fn fresh_auth_random(&mut self) -> [u8; 32] {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        random
    }

    /// Whether COOKIE-ECHO is accepted from nobody who does not authenticate it.
    pub(super) fn demands_authenticated_cookies(&self) -> bool {
        self.transport.auth.chunks.contains(&ChunkType::COOKIE_ECHO)
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# In this situation, the receiver MUST authenticate the chunks in the packet by using the RANDOM parameters, CHUNKS parameters and HMAC_ALGO parameters obtained from the COOKIE-ECHO chunk, and possibly a local shared secret as inputs to the authentication procedure specified in Section 6.3.
    /// Whether the AUTH chunk of a packet is the work of those whom the cookie in it is about.
    pub(super) fn authenticates(&self, packet: &Packet<'_>, cookie: &Cookie) -> bool {
        let config = &self.transport.auth;
        let offer = config.offer(self.transport.extensions, cookie.auth_random);
        let Some((offer, proof)) = offer.zip(packet.authentication()) else {
            return false;
        };
        let mut auth = Auth::new(config, offer);
        auth.negotiate(config, cookie.peer.auth.as_ref());
        auth.verify(&proof).is_ok()
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# If no association is found, the packet MUST be considered as out of the blue. The out of the blue handling MUST be based on the packet without taking the AUTH chunk into account.
    /// A packet without an association that begins with an AUTH chunk.
    pub(super) fn handle_auth_first(
        &mut self,
        path: FourTuple,
        packet: &Packet<'_>,
        datagram: &Bytes,
    ) {
        match packet.chunks().flatten().nth(1) {
            Some(echo) if echo.kind == ChunkType::COOKIE_ECHO => {
                self.handle_cookie_echo(path, packet, &echo, datagram);
            }
            _ => self.handle_stray(path, packet.header(), packet),
        }
    }

    /// Whether the packet has an AUTH chunk under the keys of an association.
    pub(super) fn proves(&mut self, id: AssocId, packet: &Packet<'_>) -> bool {
        let slot = self.slots.get_mut(&id);
        slot.is_some_and(|slot| slot.assoc.verifies(packet))
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# If the receiver has an STCB, it MUST process the AUTH chunk as described above using the STCB from the existing association to authenticate the COOKIE-ECHO chunk and all the chunks after it.
    /// Whether a new association may take the place of `old`: where COOKIE-ECHO has to be
    /// authenticated, only one who knows the key of the old one may restart it.
    pub(super) fn may_restart(&mut self, old: AssocId, packet: &Packet<'_>) -> bool {
        let demands = self.demands_authenticated_cookies();
        let slot = self.slots.get_mut(&old).filter(|_| demands);
        slot.is_none_or(|slot| slot.assoc.verifies(packet))
    }
}
