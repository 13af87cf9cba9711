//! What two brokers say to each other on an association.
//!
//! Everything travels on stream 0, in order. The payload protocol identifier (PPID) says what a message is:
//!
//! | PPID | record | payload |
//! |---|---|---|
//! | `4d570001` | OPEN, client to server, first | version 1, kind, destination, chain |
//! | `4d570002` | OPENED, the answer | version 1, errno (4 bytes) |
//! | `4d570003` | DATA | bytes of the program |
//! | `4d570004` | EOF: this end has finished sending | version 1 |
//!
//! The destination is `family (4 or 6), port (2 bytes), address`; the chain is the number of service names that
//! follow it, which is 0 in this version. Numbers are in network byte order; `errno` has Linux's numbers, 0 meaning
//! success.
//!
//! A plain peer knows nothing of this and uses PPIDs of its own: its messages are the bytes of the flow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use manyway::{Message, Ppid, StreamId};

/// The version of the records.
const VERSION: u8 = 1;

/// The only kind of flow so far: a stream of bytes.
const KIND_STREAM: u8 = 1;

/// The largest errno of Linux.
const MAX_ERRNO: u32 = 4095;

const OPEN: u32 = 0x4d57_0001;
const OPENED: u32 = 0x4d57_0002;
const DATA: u32 = 0x4d57_0003;
const EOF: u32 = 0x4d57_0004;

/// An error number as Linux has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    /// The number behind an I/O error, or that of a generic failure.
    pub(crate) fn of(error: &std::io::Error) -> Self {
        let generic = rustix::io::Errno::IO.raw_os_error();
        Self(error.raw_os_error().unwrap_or(generic))
    }
}

/// One message between brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Asks for a flow to the program that listens on the association's port.
    Open {
        /// The address the client's program asked for.
        destination: SocketAddr,
    },
    /// Answers an OPEN.
    Opened {
        /// Why not, if not.
        result: Result<(), Errno>,
    },
    /// Bytes of the program.
    Data(Bytes),
    /// No more data in this direction.
    Eof,
    /// A message of a plain peer.
    Plain(Bytes),
}

/// A record that breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// Shorter or longer than its kind is.
    #[error("a record has the wrong length")]
    Length,
    /// A version this broker does not know.
    #[error("the peer speaks version {0} of the records; this broker speaks {VERSION}")]
    Version(u8),
    /// A kind of flow this broker does not know.
    #[error("the peer asks for a kind of flow ({0}) that this broker does not have")]
    Kind(u8),
    /// Neither IPv4 nor IPv6.
    #[error("the destination has an unknown address family ({0})")]
    Family(u8),
    /// A chain of services is asked for.
    #[error("the peer asks for a chain of services, which this broker does not have")]
    Chain,
    /// Not an error number.
    #[error("{0} is not an error number")]
    Errno(u32),
    /// Not in stream 0.
    #[error("a record came on stream {0}")]
    Stream(u16),
}

impl Record {
    /// The message that carries this record.
    pub(crate) fn into_message(self) -> Message {
        let (ppid, payload) = match self {
            Self::Open { destination } => (OPEN, encode_open(destination)),
            Self::Opened { result } => {
                let mut out = BytesMut::with_capacity(5);
                out.put_u8(VERSION);
                out.put_i32(result.err().map_or(0, |errno| errno.0));
                (OPENED, out.freeze())
            }
            Self::Data(bytes) => (DATA, bytes),
            Self::Eof => (EOF, Bytes::from_static(&[VERSION])),
            Self::Plain(bytes) => (0, bytes),
        };
        Message {
            stream: StreamId(0),
            ppid: Ppid(ppid),
            unordered: false,
            payload,
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When its PPID is one of ours and its content is not exactly as described in this module.
    pub(crate) fn from_message(message: Message) -> Result<Self, RecordError> {
        let ours = matches!(message.ppid.0, OPEN..=EOF);
        if ours && message.stream.0 != 0 {
            return Err(RecordError::Stream(message.stream.0));
        }
        let payload = message.payload;
        match message.ppid.0 {
            OPEN => decode_open(&payload),
            OPENED => decode_opened(&payload),
            DATA => Ok(Self::Data(payload)),
            EOF => Reader::versioned(&payload)?.end().map(|()| Self::Eof),
            _ => Ok(Self::Plain(payload)),
        }
    }
}

fn encode_open(destination: SocketAddr) -> Bytes {
    let mut out = BytesMut::with_capacity(22);
    out.put_u8(VERSION);
    out.put_u8(KIND_STREAM);
    match destination.ip() {
        IpAddr::V4(address) => {
            out.put_u8(4);
            out.put_u16(destination.port());
            out.put_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.put_u8(6);
            out.put_u16(destination.port());
            out.put_slice(&address.octets());
        }
    }
    out.put_u8(0);
    out.freeze()
}

fn decode_open(payload: &[u8]) -> Result<Record, RecordError> {
    let mut reader = Reader::versioned(payload)?;
    let [kind] = reader.array()?;
    if kind != KIND_STREAM {
        return Err(RecordError::Kind(kind));
    }
    let [family] = reader.array()?;
    let port = u16::from_be_bytes(reader.array()?);
    let address: IpAddr = match family {
        4 => Ipv4Addr::from(reader.array::<4>()?).into(),
        6 => Ipv6Addr::from(reader.array::<16>()?).into(),
        other => return Err(RecordError::Family(other)),
    };
    let [services] = reader.array()?;
    if services != 0 {
        return Err(RecordError::Chain);
    }
    reader.end()?;
    Ok(Record::Open {
        destination: SocketAddr::new(address, port),
    })
}

fn decode_opened(payload: &[u8]) -> Result<Record, RecordError> {
    let mut reader = Reader::versioned(payload)?;
    let errno = u32::from_be_bytes(reader.array()?);
    reader.end()?;
    let result = match i32::try_from(errno) {
        Ok(0) => Ok(()),
        Ok(number) if errno <= MAX_ERRNO => Err(Errno(number)),
        _ => return Err(RecordError::Errno(errno)),
    };
    Ok(Record::Opened { result })
}

/// Takes a payload apart from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn versioned(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Self(payload);
        match reader.array()? {
            [VERSION] => Ok(reader),
            [other] => Err(RecordError::Version(other)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(*head)
    }

    fn end(self) -> Result<(), RecordError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(RecordError::Length)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(ppid: u32, payload: &[u8]) -> Message {
        Message {
            stream: StreamId(0),
            ppid: Ppid(ppid),
            unordered: false,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    #[test]
    fn an_open_has_the_documented_bytes() {
        let record = Record::Open {
            destination: "192.0.2.1:80".parse().unwrap(),
        };
        let message = record.into_message();
        assert_eq!(message.ppid.0, 0x4d57_0001);
        assert_eq!(&message.payload[..], &[1, 1, 4, 0, 80, 192, 0, 2, 1, 0]);
    }

    #[test]
    fn messages_with_other_ppids_are_the_bytes_of_a_plain_peer() {
        for ppid in [0, 1, 46, 0x4d57_0000, 0x4d57_0005] {
            let record = Record::from_message(message(ppid, b"hello")).unwrap();
            assert_eq!(record, Record::Plain(Bytes::from_static(b"hello")));
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        let wrong =
            |ppid, payload: &[u8]| Record::from_message(message(ppid, payload)).unwrap_err();
        assert_eq!(wrong(OPEN, &[]), RecordError::Length);
        assert_eq!(wrong(OPEN, &[2]), RecordError::Version(2));
        assert_eq!(wrong(OPEN, &[1, 9]), RecordError::Kind(9));
        assert_eq!(wrong(OPEN, &[1, 1, 5, 0, 80]), RecordError::Family(5));
        assert_eq!(wrong(OPEN, &[1, 1, 4, 0, 80, 1, 2, 3]), RecordError::Length);
        assert_eq!(
            wrong(OPEN, &[1, 1, 4, 0, 80, 1, 2, 3, 4, 1]),
            RecordError::Chain
        );
        assert_eq!(
            wrong(OPEN, &[1, 1, 4, 0, 80, 1, 2, 3, 4, 0, 0]),
            RecordError::Length
        );
        assert_eq!(wrong(OPENED, &[1, 0, 0, 16, 0]), RecordError::Errno(4096));
        assert_eq!(wrong(EOF, &[]), RecordError::Length);
        assert_eq!(wrong(EOF, &[1, 1]), RecordError::Length);
    }

    #[test]
    fn records_on_another_stream_are_refused_and_plain_messages_are_not() {
        let mut ours = message(EOF, &[1]);
        ours.stream = StreamId(3);
        assert_eq!(Record::from_message(ours), Err(RecordError::Stream(3)));
        let mut plain = message(0, b"x");
        plain.stream = StreamId(3);
        assert!(Record::from_message(plain).is_ok());
    }

    fn any_record() -> impl Strategy<Value = Record> {
        prop_oneof![
            any::<SocketAddr>().prop_map(|destination| Record::Open {
                // Flow labels and scopes mean nothing to another host and are not carried.
                destination: SocketAddr::new(destination.ip(), destination.port())
            }),
            Just(Record::Opened { result: Ok(()) }),
            (1..=4095).prop_map(|errno| Record::Opened {
                result: Err(Errno(errno))
            }),
            any::<Vec<u8>>().prop_map(|bytes| Record::Data(bytes.into())),
            Just(Record::Eof),
            any::<Vec<u8>>().prop_map(|bytes| Record::Plain(bytes.into())),
        ]
    }

    proptest! {
        #[test]
        fn every_record_survives_the_journey(record in any_record()) {
            let read = Record::from_message(record.clone().into_message()).unwrap();
            prop_assert_eq!(read, record);
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused_and_what_is_read_is_canonical(
            ppid in 0x4d57_0000u32..0x4d57_0006,
            payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(record) = Record::from_message(message(ppid, &payload))
                && !matches!(record, Record::Plain(_))
            {
                let again = record.into_message();
                prop_assert_eq!(again.ppid.0, ppid);
                prop_assert_eq!(&again.payload[..], &payload[..]);
            }
        }

        #[test]
        fn a_truncated_open_is_never_accepted(destination: SocketAddr, cut in 0usize..22) {
            let payload = encode_open(destination);
            if cut < payload.len() {
                prop_assert!(Record::from_message(message(OPEN, &payload[..cut])).is_err());
            }
        }
    }
}
