//! AUTH chunks in, and chunks that may not come without one (RFC 4895, section 6.3).

use manyway_wire::{Authentication, Cause, CauseList, ChunkType, HmacId, KeyId, Packet, RawChunk};
use subtle::ConstantTimeEq;

use super::Auth;
use crate::assoc::Association;
use crate::assoc::input::PacketContext;
use crate::assoc::outbox::Control;
use crate::event::Event;
use crate::path::PathId;

/// What becomes of a chunk before its handler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screened {
    /// Its handler gets it.
    Pass,
    /// The next one is looked at.
    Skip,
    /// The rest of the packet is dropped.
    Stop,
}

/// Why an AUTH chunk proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAuth {
    /// Its hash function was not offered.
    UnsupportedHmac(HmacId),
    /// No such key, or another HMAC than the one that the key gives.
    Wrong,
}

impl Auth {
    /// Whether chunks of this type are dropped unless an AUTH chunk came before them.
    pub(crate) fn expects(&self, kind: ChunkType) -> bool {
        self.expected.contains(kind)
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# The receiver MUST use the HMAC algorithm indicated in the HMAC Identifier field.
    /// Whether what the AUTH chunk covers is the peer's; the key that proves it.
    pub(crate) fn verify(&mut self, proof: &Authentication<'_>) -> Result<KeyId, BadAuth> {
        let chunk = proof.auth();
        if !self.local.accepts(chunk.hmac_id) {
            return Err(BadAuth::UnsupportedHmac(chunk.hmac_id));
        }
        let expected = self
            .tag(chunk.key_id, chunk.hmac_id, proof.pieces())
            .ok_or(BadAuth::Wrong)?;
        match bool::from(expected.bytes().ct_eq(chunk.hmac)) {
            true => Ok(chunk.key_id),
            false => Err(BadAuth::Wrong),
        }
    }
}

impl Association {
    /// Looks at a chunk before its handler does.
    pub(in crate::assoc) fn screen(
        &mut self,
        ctx: &mut PacketContext<'_>,
        packet: &Packet<'_>,
        raw: &RawChunk<'_>,
    ) -> Screened {
        let Some(auth) = &mut self.auth else {
            return Screened::Pass;
        };
        if raw.kind == ChunkType::AUTH && auth.peer.is_some() {
            return self.screen_auth(ctx, packet);
        }
        if ctx.authenticated || !auth.expects(raw.kind) {
            return Screened::Pass;
        }
        //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
        //# It MUST silently discard these chunks if they are not placed after an AUTH chunk in the packet.
        self.stats.unauthenticated_chunks += 1;
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
        //# If either authentication fails, or the AUTH chunk is missing, the receiver MUST silently discard this chunk and the rest of the packet.
        match raw.kind {
            ChunkType::ASCONF => Screened::Stop,
            _ => Screened::Skip,
        }
    }

    fn screen_auth(&mut self, ctx: &mut PacketContext<'_>, packet: &Packet<'_>) -> Screened {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-5.1
        //# The control chunk AUTH MUST NOT appear more than once in an SCTP packet.
        let again = ctx.authenticated;
        let proof = packet.authentication().filter(|_| !again);
        let Some((proof, auth)) = proof.zip(self.auth.as_mut()) else {
            self.stats.failed_authentications += 1;
            return Screened::Stop;
        };
        match auth.verify(&proof) {
            Ok(key) => {
                ctx.authenticated = true;
                if std::mem::replace(&mut auth.heard, key) != key {
                    self.events.push_back(Event::AuthKeyUsed { key });
                }
                Screened::Skip
            }
            Err(bad) => {
                //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
                //# If the field does not match the result of the calculation, all the chunks following the AUTH chunk MUST be silently discarded.
                self.stats.failed_authentications += 1;
                if let BadAuth::UnsupportedHmac(id) = bad {
                    self.report_hmac(ctx.path, id);
                }
                Screened::Stop
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# If this algorithm was not specified by the receiver in the HMAC-ALGO parameter in the INIT or INIT-ACK chunk during association setup, the AUTH chunk and all the chunks after it MUST be discarded and an ERROR chunk SHOULD be sent with the error cause defined in Section 4.1.
    fn report_hmac(&mut self, path: PathId, id: HmacId) {
        let mut causes = CauseList::new();
        causes.push(&Cause::UnsupportedHmacId(id));
        self.outbox.push(path, Control::Error(causes));
    }

    /// Whether the packet has an AUTH chunk under this association's keys.
    pub(crate) fn verifies(&mut self, packet: &Packet<'_>) -> bool {
        let proof = packet.authentication().zip(self.auth.as_mut());
        proof.is_some_and(|(proof, auth)| auth.verify(&proof).is_ok())
    }

    /// Whether chunks of this type count only with an AUTH chunk before them.
    pub(crate) fn expects_authenticated(&self, kind: ChunkType) -> bool {
        self.auth.as_ref().is_some_and(|auth| auth.expects(kind))
    }

    /// A chunk came that could not be authenticated, though it has to be.
    pub(crate) fn on_unauthenticated(&mut self) {
        self.stats.unauthenticated_chunks += 1;
    }
}
