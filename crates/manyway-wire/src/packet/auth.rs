//! What an AUTH chunk authenticates in a received packet (RFC 4895 section 6.3).

use core::iter;
use core::ops::Range;

use crate::bytes::padded;
use crate::chunk::{AUTH_HEADER_LEN, Auth};
use crate::packet::{COMMON_HEADER_LEN, ChunkIter, ChunkType, Packet};

/// Stands for the HMAC field, however long it is.
static ZEROS: [u8; 64] = [0; 64];

/// The AUTH chunk of a packet, with the bytes that its HMAC covers.
///
/// Nothing is verified yet: whoever holds the key feeds [`pieces`](Self::pieces) to the hash
/// function and compares in constant time with the [`Auth::hmac`] of [`auth`](Self::auth).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authentication<'a> {
    auth: Auth<'a>,
    /// Where the AUTH chunk begins, from the packet's first byte.
    start: usize,
    /// From the AUTH chunk to the packet's end.
    covered: &'a [u8],
}

impl<'a> Authentication<'a> {
    /// The AUTH chunk.
    #[must_use]
    pub const fn auth(&self) -> Auth<'a> {
        self.auth
    }

    /// Which bytes of the packet the HMAC covers: from the AUTH chunk to the end, all padding
    /// included. The [`hmac_range`](Self::hmac_range) inside it counts as zeros.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.start + self.covered.len()
    }

    /// Which bytes of the packet are the HMAC.
    #[must_use]
    pub const fn hmac_range(&self) -> Range<usize> {
        let start = self.start + AUTH_HEADER_LEN;
        start..start + self.auth.hmac.len()
    }

    /// What the HMAC is computed of, in order: the covered bytes with zeros in place of the HMAC.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (head, rest) = self.covered.split_at(AUTH_HEADER_LEN);
        let hmac_len = self.auth.hmac.len();
        let zeros = (0..hmac_len)
            .step_by(ZEROS.len())
            .map(move |at| &ZEROS[..ZEROS.len().min(hmac_len - at)]);
        iter::once(head)
            .chain(zeros)
            .chain(iter::once(&rest[hmac_len..]))
    }

    /// The chunks that the AUTH chunk authenticates; those before it are not authenticated.
    #[must_use]
    pub fn chunks(&self) -> ChunkIter<'a> {
        let auth_len = padded(AUTH_HEADER_LEN + self.auth.hmac.len());
        ChunkIter::new(self.covered.get(auth_len..).unwrap_or_default())
    }
}

impl<'a> Packet<'a> {
    /// The packet's first AUTH chunk and what it authenticates; `None` if there is no
    /// well-formed one before the packet's end or its first malformed chunk.
    ///
    /// A second AUTH chunk, which no sender may add, is one of the authenticated chunks.
    #[must_use]
    pub fn authentication(&self) -> Option<Authentication<'a>> {
        let all = self.chunks().rest();
        let mut chunks = self.chunks();
        loop {
            let covered = chunks.rest();
            let raw = chunks.next()?.ok()?;
            if raw.kind == ChunkType::AUTH {
                return Some(Authentication {
                    auth: Auth::decode(&raw).ok()?,
                    start: COMMON_HEADER_LEN + all.len() - covered.len(),
                    covered,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::chunk::{CookieAck, Data, DataFlags, Ecne, EncodeChunk};
    use crate::packet::{ChecksumPolicy, CommonHeader, PacketWriter};
    use crate::serial::{HmacId, KeyId, Port, Ppid, Ssn, StreamId, Tsn, VerificationTag};

    const HEADER: CommonHeader = CommonHeader {
        source_port: Port(1),
        destination_port: Port(2),
        verification_tag: VerificationTag(3),
    };

    const ECNE: Ecne = Ecne { lowest_tsn: Tsn(5) };

    const DATA: Data<'static> = Data {
        tsn: Tsn(1),
        stream: StreamId(2),
        ssn: Ssn(3),
        ppid: Ppid(4),
        flags: DataFlags {
            immediate: false,
            unordered: false,
            begin: true,
            end: true,
        },
        payload: b"abcde",
    };

    /// A packet with one chunk before an AUTH chunk and one after it; also what its HMAC covers.
    fn authenticated(hmac: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut packet = Vec::new();
        let mut writer = PacketWriter::new(&mut packet, &HEADER, 1200);
        assert!(writer.push(&ECNE));
        assert!(writer.push_auth(KeyId(9), HmacId::SHA256, hmac.len()));
        assert!(writer.push(&DATA));
        let covered = writer.authenticated().unwrap().to_vec();
        assert!(writer.fill_hmac(hmac));
        writer.finish(true);
        (packet, covered)
    }

    #[test]
    fn both_ends_compute_the_hmac_of_the_same_bytes() {
        for hmac_len in [0, 1, 20, 32, 63, 64, 65, 200] {
            let hmac = Vec::from_iter((0..hmac_len).map(|i| 0x80 | i as u8));
            let (bytes, covered) = authenticated(&hmac);
            let packet = Packet::decode(&bytes, ChecksumPolicy::Verify).unwrap();
            let found = packet.authentication().unwrap();
            let auth = Auth {
                key_id: KeyId(9),
                hmac_id: HmacId::SHA256,
                hmac: &hmac,
            };
            assert_eq!(found.auth(), auth);
            assert_eq!(found.range(), 20..bytes.len());
            assert_eq!(bytes[found.hmac_range()], hmac);
            assert_eq!(found.pieces().collect::<Vec<_>>().concat(), covered);

            let mut zeroed = bytes.clone();
            zeroed[found.hmac_range()].fill(0);
            assert_eq!(zeroed[found.range()], covered);

            let chunks: Vec<_> = found.chunks().map(|raw| raw.unwrap().kind).collect();
            assert_eq!(chunks, [ChunkType::DATA]);
        }
    }

    #[test]
    fn the_padding_of_covered_chunks_is_covered() {
        let (_, covered) = authenticated(&[1; 21]);
        let mut expected = Vec::from([0x0f, 0, 0, 29, 0, 9, 0, 3]);
        expected.resize(32, 0);
        DATA.encode(&mut expected);
        expected.resize(32 + 24, 0);
        assert_eq!(covered, expected);
    }

    #[test]
    fn a_packet_without_a_sound_auth_chunk_authenticates_nothing() {
        let none = |chunks: &[&[u8]]| {
            let mut packet = Vec::new();
            PacketWriter::new(&mut packet, &HEADER, 1200).finish(false);
            packet.extend_from_slice(&chunks.concat());
            let packet = Packet::decode(&packet, ChecksumPolicy::Ignore).unwrap();
            packet.authentication().is_none()
        };
        let auth = &[0x0f, 0, 0, 8, 0, 0, 0, 1][..];
        assert!(none(&[]));
        assert!(none(&[&[11, 0, 0, 4]]));
        assert!(none(&[&[0x0f, 0, 0, 7, 0, 0, 0, 0], auth]));
        assert!(none(&[&[11, 0, 0, 3], auth]));
        assert!(!none(&[&[11, 0, 0, 4], auth, &[11, 0, 0, 3]]));
    }

    #[test]
    fn a_second_auth_chunk_is_just_another_chunk() {
        let (mut bytes, _) = authenticated(&[7; 32]);
        let again = bytes[20..60].to_vec();
        bytes.extend_from_slice(&again);
        let packet = Packet::decode(&bytes, ChecksumPolicy::Ignore).unwrap();
        let found = packet.authentication().unwrap();
        assert_eq!(found.range(), 20..bytes.len());
        let chunks: Vec<_> = found.chunks().map(|raw| raw.unwrap().kind).collect();
        assert_eq!(chunks, [ChunkType::DATA, ChunkType::AUTH]);
    }

    #[test]
    fn a_writer_takes_one_auth_chunk_and_nothing_after_its_hmac() {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-5.1
        //= type=test
        //# The control chunk AUTH MUST NOT appear more than once in an SCTP packet.
        let mut packet = Vec::new();
        let mut writer = PacketWriter::new(&mut packet, &HEADER, 60);
        assert!(!writer.fill_hmac(&[0; 20]));
        assert_eq!(writer.authenticated(), None);
        assert!(!writer.push_auth(KeyId(0), HmacId::SHA1, 41));
        assert!(!writer.push_auth(KeyId(0), HmacId::SHA1, usize::MAX));
        assert_eq!(writer.authenticated(), None);
        assert!(writer.push_auth(KeyId(0), HmacId::SHA1, 20));
        assert!(!writer.push_auth(KeyId(0), HmacId::SHA1, 0));
        assert!(writer.is_empty(), "an AUTH chunk alone says nothing");
        assert!(writer.push(&CookieAck));
        assert!(!writer.is_empty());
        assert_eq!(writer.remaining(), 16);
        assert!(!writer.fill_hmac(&[1; 19]));
        assert!(writer.fill_hmac(&[1; 20]));
        assert!(!writer.fill_hmac(&[2; 20]));
        assert_eq!(writer.remaining(), 0);
        assert!(!writer.push(&CookieAck));
        assert_eq!(writer.authenticated(), None);
        assert_eq!(writer.finish(true), 44);
        assert_eq!(packet[20..40], [1; 20]);
    }
}
