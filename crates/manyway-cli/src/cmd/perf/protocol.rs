//! What the two ends of a test say to each other: JSON in messages whose PPID says what they are.

use bytes::Bytes;
use manyway::{Message, Ppid, StreamId};
use serde::{Deserialize, Serialize};

use super::report::EndReport;

const START: u32 = 0x4d57_0011;
const DATA: u32 = 0x4d57_0012;
const END: u32 = 0x4d57_0013;
const REPORT: u32 = 0x4d57_0014;

/// What the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    /// The server sends.
    pub(super) reverse: bool,
    /// How long to send, in seconds.
    pub(super) seconds: u32,
}

/// One message.
#[derive(Debug)]
pub(super) enum Word {
    /// The client begins.
    Start(Start),
    /// Some of the bulk.
    Data(Bytes),
    /// The sender has finished; from the receiver: it shall finish.
    End,
    /// What the server saw.
    Report(Box<EndReport>),
}

impl Word {
    /// The message that carries this word.
    pub(super) fn into_message(self) -> Message {
        let (ppid, payload) = match self {
            Self::Start(start) => (START, json(&start)),
            Self::Data(bytes) => (DATA, bytes),
            Self::End => (END, Bytes::from_static(b"{}")),
            Self::Report(report) => (REPORT, json(&report)),
        };
        Message {
            stream: StreamId(0),
            ppid: Ppid(ppid),
            unordered: false,
            payload,
        }
    }

    /// Reads a message; `None` when it makes no sense.
    pub(super) fn from_message(message: Message) -> Option<Self> {
        match message.ppid.0 {
            START => serde_json::from_slice(&message.payload)
                .ok()
                .map(Self::Start),
            DATA => Some(Self::Data(message.payload)),
            END => Some(Self::End),
            REPORT => serde_json::from_slice(&message.payload)
                .ok()
                .map(Self::Report),
            _ => None,
        }
    }
}

fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value)
        .expect("plain structures have no keys that JSON lacks")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_survives_the_journey() {
        let start = Start {
            reverse: true,
            seconds: 5,
        };
        let word = Word::from_message(Word::Start(start).into_message());
        assert!(matches!(word, Some(Word::Start(read)) if read == start));
    }

    #[test]
    fn nonsense_is_not_understood() {
        let mut message = Word::End.into_message();
        message.ppid = Ppid(START);
        assert!(Word::from_message(message.clone()).is_none());
        message.ppid = Ppid(7);
        assert!(Word::from_message(message).is_none());
    }
}
