//! I-DATA (RFC 8260 section 2.1).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{DataFlags, EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::{Fsn, Mid, Ppid, StreamId, Tsn};

/// Bytes of an I-DATA chunk before its user data.
pub const I_DATA_HEADER_LEN: usize = 20;

/// Which fragment of its message an I-DATA chunk carries; decides the B bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fragment {
    /// The first one, B bit set. It names the message's payload protocol; its own fragment
    /// sequence number is 0.
    First(Ppid),
    /// A later one. 0 is legal here, since the number wraps in a very long message.
    Later(Fsn),
}

impl Fragment {
    /// The fragment sequence number.
    #[must_use]
    pub const fn fsn(self) -> Fsn {
        match self {
            Self::First(_) => Fsn(0),
            Self::Later(fsn) => fsn,
        }
    }
}

/// An I-DATA chunk: a user message or a fragment of one, which others may interleave with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IData<'a> {
    /// The chunk's transmission sequence number.
    pub tsn: Tsn,
    /// The stream that carries the message.
    pub stream: StreamId,
    /// The message; ordered and unordered messages of a stream are numbered apart.
    pub mid: Mid,
    /// I bit: the sender would like its SACK without delay.
    pub immediate: bool,
    /// U bit: the message is unordered.
    pub unordered: bool,
    /// The fragment's place in its message.
    pub fragment: Fragment,
    /// E bit: the last fragment of the message.
    pub end: bool,
    /// The user data; never empty on the wire.
    pub payload: &'a [u8],
}

impl<'a> IData<'a> {
    /// The flags as those of a DATA chunk, which has the same.
    #[must_use]
    pub const fn flags(&self) -> DataFlags {
        DataFlags {
            immediate: self.immediate,
            unordered: self.unordered,
            begin: matches!(self.fragment, Fragment::First(_)),
            end: self.end,
        }
    }

    /// Reads an I-DATA chunk; its reserved field is ignored.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the header is not whole, and [`DecodeError::EmptyData`]
    /// when no user data follows it.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::I_DATA)?;
        let (fields, payload) =
            take::<{ I_DATA_HEADER_LEN - CHUNK_HEADER_LEN }>(raw.value, "I-DATA")?;
        let &[t0, t1, t2, t3, s0, s1, _, _, m0, m1, m2, m3, p0, p1, p2, p3] = fields;
        let tsn = Tsn(u32::from_be_bytes([t0, t1, t2, t3]));
        if payload.is_empty() {
            return Err(DecodeError::EmptyData { tsn });
        }
        let flags = DataFlags::from_bits(raw.flags);
        let shared = u32::from_be_bytes([p0, p1, p2, p3]);
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
        //# If the B bit is set, this field contains the PPID of the user message.
        let fragment = if flags.begin {
            Fragment::First(Ppid(shared))
        } else {
            Fragment::Later(Fsn(shared))
        };
        Ok(Self {
            tsn,
            stream: StreamId(u16::from_be_bytes([s0, s1])),
            mid: Mid(u32::from_be_bytes([m0, m1, m2, m3])),
            immediate: flags.immediate,
            unordered: flags.unordered,
            fragment,
            end: flags.end,
            payload,
        })
    }
}

impl EncodeChunk for IData<'_> {
    fn encoded_len(&self) -> usize {
        I_DATA_HEADER_LEN + self.payload.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let flags = self.flags().bits();
        put_header(out, ChunkType::I_DATA, flags, self.encoded_len());
        out.extend_from_slice(&self.tsn.0.to_be_bytes());
        out.extend_from_slice(&self.stream.0.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.mid.0.to_be_bytes());
        let shared = match self.fragment {
            Fragment::First(Ppid(ppid)) => ppid,
            Fragment::Later(Fsn(fsn)) => fsn,
        };
        out.extend_from_slice(&shared.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const FIRST: [u8; 23] = [
        0x40, 0x0a, 0x00, 0x17, // type, I B, length 23
        0xff, 0xff, 0xff, 0xfe, // TSN
        0x00, 0x05, 0x00, 0x00, // stream 5, reserved
        0x00, 0x01, 0x00, 0x09, // message 65,545
        0x00, 0x00, 0x00, 0x33, // payload protocol 51
        b'a', b'b', b'c',
    ];

    const LAST: [u8; 21] = [
        0x40, 0x05, 0x00, 0x15, // type, U E, length 21
        0x00, 0x00, 0x00, 0x01, // TSN
        0x00, 0x05, 0x00, 0x00, // stream 5, reserved
        0x00, 0x00, 0x00, 0x02, // message 2
        0x00, 0x01, 0x00, 0x00, // fragment 65,536
        b'z',
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let first = IData {
            tsn: Tsn(0xffff_fffe),
            stream: StreamId(5),
            mid: Mid(65_545),
            immediate: true,
            unordered: false,
            fragment: Fragment::First(Ppid(51)),
            end: false,
            payload: b"abc",
        };
        assert_eq!(IData::decode(&raw(&FIRST)), Ok(first));
        assert_eq!(first.fragment.fsn(), Fsn(0));
        assert_round_trip(&FIRST);
    }

    #[test]
    fn a_later_fragment_has_a_number_where_the_first_has_its_protocol() {
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
        //= type=test
        //# If the B bit is set, this field contains the PPID of the user message.
        let last = IData {
            tsn: Tsn(1),
            stream: StreamId(5),
            mid: Mid(2),
            immediate: false,
            unordered: true,
            fragment: Fragment::Later(Fsn(65_536)),
            end: true,
            payload: b"z",
        };
        assert_eq!(IData::decode(&raw(&LAST)), Ok(last));
        assert_eq!(last.fragment.fsn(), Fsn(65_536));
        assert_round_trip(&LAST);

        let mut alone = LAST;
        alone[1] |= 2;
        let alone = IData::decode(&raw(&alone)).unwrap();
        assert_eq!(alone.fragment, Fragment::First(Ppid(65_536)));
        assert!(alone.flags().begin && alone.flags().end);
    }

    #[test]
    fn reserved_bits_are_ignored_and_sent_as_zero() {
        let mut reserved = FIRST;
        reserved[1] |= 0xf0;
        reserved[10..12].fill(0xff);
        let mut out = Vec::new();
        IData::decode(&raw(&reserved)).unwrap().encode(&mut out);
        assert_eq!(out, FIRST);
    }

    #[test]
    fn a_chunk_without_user_data_names_its_tsn() {
        let mut wire = FIRST[..20].to_vec();
        wire[3] = 20;
        let error = DecodeError::EmptyData {
            tsn: Tsn(0xffff_fffe),
        };
        assert_eq!(IData::decode(&raw(&wire)), Err(error));
    }

    #[test]
    fn a_header_cut_short_is_an_error() {
        let mut wire = FIRST[..19].to_vec();
        wire[3] = 19;
        let error = DecodeError::Truncated {
            what: "I-DATA",
            need: 16,
            have: 15,
        };
        assert_eq!(IData::decode(&raw(&wire)), Err(error));
    }
}
