//! AUTH chunks out (RFC 4895, section 6.2).

use manyway_wire::{ChunkType, PacketWriter};

use super::Auth;
use crate::assoc::outbox::Control;
use crate::assoc::{Association, Extension};
use crate::path::PathId;
use crate::seal::Protection;

impl Auth {
    /// Whether the peer drops chunks of this type that come unauthenticated.
    fn must_authenticate(&self, kind: ChunkType) -> bool {
        self.required.contains(kind)
    }

    fn push(&self, writer: &mut PacketWriter<'_>) {
        let pushed = writer.push_auth(self.keys.active(), self.hmac, self.hmac_len());
        debug_assert!(pushed, "an AUTH chunk fits any packet that has none");
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.2
    //# The sender MUST calculate the Message Authentication Code (MAC)
    fn fill(&mut self, writer: &mut PacketWriter<'_>) {
        let (key, hmac) = (self.keys.active(), self.hmac);
        let Some(covered) = writer.authenticated() else {
            return;
        };
        let tag = self.tag(key, hmac, std::iter::once(covered));
        let filled = tag.is_some_and(|tag| writer.fill_hmac(tag.bytes()));
        debug_assert!(filled, "the active key is always there");
    }
}

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.2
    //# To send chunks in an authenticated way, the sender MUST include these chunks after an AUTH chunk. This means that a sender MUST bundle chunks in order to authenticate them.
    /// Begins a packet with an AUTH chunk if something in it may have to be authenticated;
    /// `control` says whether control chunks for the path go into it.
    pub(in crate::assoc) fn begin_auth(
        &self,
        path: PathId,
        control: bool,
        writer: &mut PacketWriter<'_>,
    ) {
        let Some(auth) = &self.auth else { return };
        let changes_addresses = |c: &Control| match c {
            Control::Asconf(_) => auth.must_authenticate(ChunkType::ASCONF),
            Control::AsconfAck(_) => auth.must_authenticate(ChunkType::ASCONF_ACK),
            _ => false,
        };
        if auth.overhead() > 0 || control && self.outbox.any_for(path, changes_addresses) {
            auth.push(writer);
        }
    }

    /// COOKIE-ECHO is about to be pushed: it comes first unless it has to be authenticated.
    pub(in crate::assoc) fn auth_before_cookie(&self, writer: &mut PacketWriter<'_>) {
        let auth = self.auth.as_ref();
        if let Some(auth) = auth.filter(|a| a.must_authenticate(ChunkType::COOKIE_ECHO)) {
            auth.push(writer);
        }
    }

    /// COOKIE-ECHO was pushed, and data may follow.
    pub(in crate::assoc) fn auth_after_cookie(&self, writer: &mut PacketWriter<'_>) {
        let has_data = self.sender.outstanding.has_lost() || !self.sender.queue.is_empty();
        if let Some(auth) = self.auth.as_ref().filter(|a| a.overhead() > 0)
            && has_data
            && writer.authenticated().is_none()
            && writer.remaining() > auth.overhead()
        {
            auth.push(writer);
        }
    }

    /// Completes a packet: its HMAC, if it has an AUTH chunk, then what protects the whole of it.
    pub(in crate::assoc) fn complete(
        &mut self,
        protection: Protection,
        mut writer: PacketWriter<'_>,
    ) -> usize {
        if let Some(auth) = &mut self.auth {
            auth.fill(&mut writer);
        }
        protection.protect(writer, self.has(Extension::ZeroChecksum))
    }
}
