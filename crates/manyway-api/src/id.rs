//! The name of a flow.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a flow, short enough to type.
///
/// Written `12`, the flow with that number of the only broker on the host which has one, or `4711.12`, flow 12
/// of the broker whose process id is 4711. Lists use the short form wherever it is unique at that moment; the
/// long form is always understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId {
    /// The process id of the broker, when it is named.
    pub broker: Option<u32>,
    /// The number the broker gave the flow; never used twice by one broker.
    pub number: u64,
}

impl FlowId {
    /// The flow with this number, of whichever broker has it.
    pub const fn short(number: u64) -> Self {
        Self {
            broker: None,
            number,
        }
    }

    /// The flow with this number of the broker with this process id.
    pub const fn long(broker: u32, number: u64) -> Self {
        Self {
            broker: Some(broker),
            number,
        }
    }

    /// Whether this name can mean flow `number` of the broker with process id `broker`.
    pub fn matches(self, broker: u32, number: u64) -> bool {
        self.number == number && self.broker.is_none_or(|named| named == broker)
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.broker {
            Some(broker) => write!(f, "{broker}.{}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}

/// The text is not the name of a flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not name a flow: expected a number such as 12, or 4711.12")]
pub struct ParseFlowIdError {
    text: String,
    #[source]
    source: ParseIntError,
}

impl FromStr for FlowId {
    type Err = ParseFlowIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |source| ParseFlowIdError {
            text: text.to_owned(),
            source,
        };
        match text.split_once('.') {
            Some((broker, number)) => Ok(Self::long(
                broker.parse().map_err(wrong)?,
                number.parse().map_err(wrong)?,
            )),
            None => Ok(Self::short(text.parse().map_err(wrong)?)),
        }
    }
}

impl Serialize for FlowId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FlowId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_alike() {
        for text in ["12", "4711.12"] {
            assert_eq!(text.parse::<FlowId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "x",
            "1.2.3",
            "-1",
            "1 ",
            "99999999999.1",
        ] {
            assert!(text.parse::<FlowId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_short_form_means_any_broker_and_the_long_form_only_one() {
        assert!(FlowId::short(3).matches(10, 3));
        assert!(FlowId::long(10, 3).matches(10, 3));
        assert!(!FlowId::long(11, 3).matches(10, 3));
        assert!(!FlowId::short(4).matches(10, 3));
    }

    #[test]
    fn json_carries_it_as_text() {
        let json = serde_json::to_string(&FlowId::long(7, 1)).unwrap();
        assert_eq!(json, "\"7.1\"");
        assert_eq!(
            serde_json::from_str::<FlowId>(&json).unwrap(),
            FlowId::long(7, 1)
        );
    }
}
