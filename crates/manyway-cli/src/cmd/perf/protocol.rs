//! What the two ends of a test say to each other: JSON in messages whose PPID says what they are.

use bytes::Bytes;
use manyway::{Message, Ppid, StreamId};
use serde::{Deserialize, Serialize};

use super::report::EndReport;
use super::tuning::Messages;

const START: u32 = 0x4d57_0011;
const DATA: u32 = 0x4d57_0012;
const END: u32 = 0x4d57_0013;
const REPORT: u32 = 0x4d57_0014;
const MESSAGE: u32 = 0x4d57_0015;
const ANSWER: u32 = 0x4d57_0016;

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    /// The server sends.
    pub(super) reverse: bool,
    /// How long to send, in seconds.
    pub(super) seconds: u32,
    /// A thin flow instead of bulk.
    #[serde(default)]
    pub(super) messages: Option<Messages>,
    /// The scheduler of a server that sends.
    #[serde(default)]
    pub(super) scheduler: Option<String>,
    /// The congestion control of a server that sends.
    #[serde(default)]
    pub(super) cc: Option<String>,
}

/// One message.
#[derive(Debug)]
pub(super) enum Word {
    /// The client begins.
    Start(Start),
    /// Some of the bulk.
    Data(Bytes),
    /// One of a thin flow, to be answered.
    Message(Bytes),
    /// The message with this number has arrived.
    Answer(u64),
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
            Self::Message(bytes) => (MESSAGE, bytes),
            Self::Answer(number) => (ANSWER, Bytes::copy_from_slice(&number.to_be_bytes())),
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
            MESSAGE => Some(Self::Message(message.payload)),
            ANSWER => {
                let number = message.payload.as_ref().try_into().ok();
                number.map(|number| Self::Answer(u64::from_be_bytes(number)))
            }
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
            messages: Some(Messages {
                size: 200,
                rate: Some(10.0),
            }),
            scheduler: Some("ecf".to_owned()),
            cc: None,
        };
        let word = Word::from_message(Word::Start(start.clone()).into_message());
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
