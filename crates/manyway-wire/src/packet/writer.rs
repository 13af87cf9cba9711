//! Writing packets into a buffer the caller keeps.

use alloc::vec::Vec;

use crate::bytes::{pad, padded};
use crate::chunk::{AUTH_HEADER_LEN, BlankAuth, EncodeChunk};
use crate::crc32c::packet_crc32c;
use crate::packet::{COMMON_HEADER_LEN, ChunkIter, ChunkType, CommonHeader};
use crate::serial::{HmacId, KeyId};

/// Writes one packet at the end of a buffer, which may already hold earlier packets.
///
/// Dropped without [`finish`](Self::finish), it removes what it wrote.
#[derive(Debug)]
pub struct PacketWriter<'b> {
    buf: &'b mut Vec<u8>,
    start: usize,
    max_len: usize,
    auth: AuthState,
    finished: bool,
}

/// How far the packet's AUTH chunk is.
#[derive(Clone, Copy, Debug)]
enum AuthState {
    /// There is none.
    None,
    /// Its HMAC is still zeros; what follows it is covered.
    Open {
        /// Where it begins in the buffer.
        start: usize,
        hmac_len: usize,
    },
    /// Its HMAC is there, so that the packet must not change any more.
    Filled,
}

impl<'b> PacketWriter<'b> {
    /// Begins a packet of at most `max_len` bytes, common header included.
    ///
    /// A `max_len` below [`COMMON_HEADER_LEN`] leaves room for no chunk.
    #[must_use]
    pub fn new(buf: &'b mut Vec<u8>, header: &CommonHeader, max_len: usize) -> Self {
        let start = buf.len();
        buf.extend_from_slice(&header.source_port.0.to_be_bytes());
        buf.extend_from_slice(&header.destination_port.0.to_be_bytes());
        buf.extend_from_slice(&header.verification_tag.0.to_be_bytes());
        buf.extend_from_slice(&[0; 4]);
        Self {
            buf,
            start,
            max_len: max_len.min(usize::from(u16::MAX)),
            auth: AuthState::None,
            finished: false,
        }
    }

    /// Bytes still free for one more chunk with its header. A chunk of this length fits with its
    /// padding. Nothing is free once the HMAC is [filled in](Self::fill_hmac).
    #[must_use]
    pub fn remaining(&self) -> usize {
        if matches!(self.auth, AuthState::Filled) {
            return 0;
        }
        // Every chunk ends on a word boundary, so a part of a word at the end is of no use.
        (self.max_len & !3).saturating_sub(self.len())
    }

    /// Whether no chunk was written yet, apart from an AUTH chunk by
    /// [`push_auth`](Self::push_auth), which alone says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.auth {
            AuthState::None | AuthState::Filled => self.len() == COMMON_HEADER_LEN,
            AuthState::Open { start, hmac_len } => {
                let end = start + padded(AUTH_HEADER_LEN + hmac_len);
                start == self.start + COMMON_HEADER_LEN && end == self.buf.len()
            }
        }
    }

    /// Whether any of the chunks written so far is of one of these types.
    #[must_use]
    pub fn contains_any(&self, kinds: &[ChunkType]) -> bool {
        let chunks = ChunkIter::new(&self.buf[self.start + COMMON_HEADER_LEN..]);
        chunks.flatten().any(|chunk| kinds.contains(&chunk.kind))
    }

    /// Bytes of this packet so far, common header included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len() - self.start
    }

    /// Appends `chunk` and its padding; returns false, and writes nothing, if it does not fit.
    #[must_use = "a chunk that does not fit is not sent"]
    pub fn push<C: EncodeChunk + ?Sized>(&mut self, chunk: &C) -> bool {
        let encoded_len = chunk.encoded_len();
        if encoded_len > self.remaining() {
            return false;
        }
        let before = self.buf.len();
        self.buf.reserve(padded(encoded_len));
        chunk.encode(self.buf);
        debug_assert_eq!(
            self.buf.len() - before,
            encoded_len,
            "encoded_len and encode differ"
        );
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
        //# If the length of the chunk is not a multiple of 4 bytes, the sender MUST pad the chunk with all zero bytes, and this padding is not included in the Chunk Length field.
        pad(self.buf, before);
        true
    }

    /// Appends an AUTH chunk whose HMAC of `hmac_len` bytes is filled in later, to authenticate
    /// the chunks pushed after it (RFC 4895 section 6.2); returns false, and writes nothing, if
    /// it does not fit or the packet already has one from here.
    #[must_use = "without the chunk nothing is authenticated"]
    pub fn push_auth(&mut self, key_id: KeyId, hmac_id: HmacId, hmac_len: usize) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-5.1
        //# The control chunk AUTH MUST NOT appear more than once in an SCTP packet.
        if !matches!(self.auth, AuthState::None) {
            return false;
        }
        let start = self.buf.len();
        let pushed = self.push(&BlankAuth {
            key_id,
            hmac_id,
            hmac_len,
        });
        if pushed {
            self.auth = AuthState::Open { start, hmac_len };
        }
        pushed
    }

    /// What the HMAC is to be computed of: everything since [`push_auth`](Self::push_auth), with
    /// zeros in place of the HMAC. `None` without an AUTH chunk from there, and once its HMAC is
    /// filled in.
    #[must_use]
    pub fn authenticated(&self) -> Option<&[u8]> {
        match self.auth {
            AuthState::Open { start, .. } => Some(&self.buf[start..]),
            AuthState::None | AuthState::Filled => None,
        }
    }

    /// Fills in the HMAC of what [`authenticated`](Self::authenticated) gives; no chunk fits
    /// into the packet afterwards. Returns false, and changes nothing, if no HMAC is missing or
    /// the missing one has another length.
    #[must_use = "a packet without its HMAC is discarded by its receiver"]
    pub fn fill_hmac(&mut self, hmac: &[u8]) -> bool {
        match self.auth {
            AuthState::Open { start, hmac_len } if hmac.len() == hmac_len => {
                let at = start + AUTH_HEADER_LEN;
                self.buf[at..at + hmac_len].copy_from_slice(hmac);
                self.auth = AuthState::Filled;
                true
            }
            _ => false,
        }
    }

    /// Completes the packet with its CRC32c, or with zero when `checksum` is false; returns its
    /// length in bytes.
    ///
    /// A zero checksum is only for peers that accept it (RFC 9653), or under a seal.
    pub fn finish(mut self, checksum: bool) -> usize {
        self.finished = true;
        let packet = &mut self.buf[self.start..];
        if checksum {
            let crc = packet_crc32c(packet);
            packet[COMMON_HEADER_LEN - 4..COMMON_HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
        }
        packet.len()
    }
}

impl Drop for PacketWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.buf.truncate(self.start);
        }
    }
}
