//! How the ends of a test send and receive.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use manyway::{Association, ControllerKind, PathManager, SchedulerKind, TransportConfig};

use super::protocol::Start;

/// Least buffer that makes sense: a few full packets.
const MIN_BUFFER: u64 = 8 << 10;
/// Largest buffer.
const MAX_BUFFER: u64 = 1 << 30;
/// Largest message of [`Messages`].
const MAX_MESSAGE: u64 = 1 << 20;
/// Least message: its number.
const MIN_MESSAGE: u64 = 8;
/// Most messages per second that can be asked for.
const MAX_RATE: f64 = 1e6;

/// Options of the transport. Those of the sender count at the end that sends, whichever it is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Tuning {
    /// Which path each packet takes, at the end that sends: lowest-rtt, round-robin,
    /// weighted:WEIGHT,WEIGHT…, redundant or redundant:PERCENT, ecf, blest, primary, overflow or
    /// deadline:MILLISECONDS [default: lowest-rtt]
    #[arg(long, value_name = "NAME")]
    scheduler: Option<SchedulerKind>,
    /// The congestion control of the end that sends [default: cubic]
    #[arg(long, value_name = "NAME", value_parser = controllers())]
    cc: Option<ControllerKind>,
    /// Which addresses get paths: primary-only, per-interface, fullmesh or ndiffports:N
    #[arg(
        long,
        value_name = "MANAGER",
        default_value_t,
        conflicts_with = "server"
    )]
    paths: PathManager,
    /// Receive buffer of this end, in bytes, or with K, M or G [default: 4M]
    #[arg(long, value_name = "BYTES", value_parser = buffer)]
    rcvbuf: Option<usize>,
    /// Send buffer of this end, in bytes, or with K, M or G [default: 4M]
    #[arg(long, value_name = "BYTES", value_parser = buffer)]
    sndbuf: Option<usize>,
    /// A thin flow instead of bulk: messages of SIZE bytes, RATE of them per second (as fast as
    /// they go without it); measures how long each takes there and back
    #[arg(long, value_name = "SIZE[,RATE]", conflicts_with = "server")]
    messages: Option<Messages>,
}

impl Tuning {
    /// Takes over what an endpoint is told before it is bound.
    pub(super) fn apply(&self, config: &mut TransportConfig) {
        config.path_manager = self.paths;
        if let Some(scheduler) = &self.scheduler {
            config.scheduler = scheduler.clone();
        }
        if let Some(cc) = self.cc {
            config.controller = cc;
        }
        if let Some(bytes) = self.rcvbuf {
            config.receive_buffer = bytes;
        }
        if let Some(bytes) = self.sndbuf {
            config.send_buffer = bytes;
        }
    }

    pub(super) fn messages(&self) -> Option<Messages> {
        self.messages
    }

    /// What the server is told.
    pub(super) fn start(&self, reverse: bool, seconds: u32) -> Start {
        Start {
            reverse,
            seconds,
            messages: self.messages,
            scheduler: self.scheduler.as_ref().map(ToString::to_string),
            cc: self.cc.map(|cc| cc.to_string()),
        }
    }
}

/// What the client wants of the server's sending; names that this version does not know change
/// nothing.
pub(super) fn follow(association: &Association, start: &Start) {
    let scheduler = start.scheduler.as_deref().map(str::parse::<SchedulerKind>);
    if let Some(Ok(scheduler)) = scheduler {
        association.set_scheduler(scheduler.build());
    }
    if let Some(Ok(cc)) = start.cc.as_deref().map(str::parse) {
        association.set_congestion_control(cc);
    }
}

fn controllers() -> impl TypedValueParser<Value = ControllerKind> {
    PossibleValuesParser::new(ControllerKind::ALL.map(ControllerKind::name))
        .try_map(|name| name.parse())
}

/// Bytes, as `65536`, `64K`, `4M` or `1G` (powers of 1,024).
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    let count: Option<u64> = digits.parse().ok();
    count
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| "not a number of bytes, such as 65536, 64K or 4M".to_owned())
}

fn buffer(text: &str) -> Result<usize, String> {
    let size = bytes(text)?;
    match usize::try_from(size) {
        Ok(fits) if (MIN_BUFFER..=MAX_BUFFER).contains(&size) => Ok(fits),
        _ => Err("a buffer has 8K to 1G".to_owned()),
    }
}

/// A thin flow.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Messages {
    /// Bytes of each message.
    pub(super) size: usize,
    /// Messages per second; as many as go without it.
    pub(super) rate: Option<f64>,
}

impl Messages {
    /// Whether the numbers are within their bounds: those of a client are its own.
    pub(super) fn is_sane(&self) -> bool {
        let rate = self
            .rate
            .is_none_or(|rate| (0.01..=MAX_RATE).contains(&rate));
        rate && (MIN_MESSAGE..=MAX_MESSAGE).contains(&(self.size as u64))
    }
}

impl std::str::FromStr for Messages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (size, rate) = match text.split_once(',') {
            Some((size, rate)) => (size, Some(rate)),
            None => (text, None),
        };
        let rate = rate.map(|rate| rate.parse().map_err(|_| "the rate is no number"));
        let messages = Self {
            size: usize::try_from(bytes(size)?).map_err(|_| "too large")?,
            rate: rate.transpose()?,
        };
        match messages.is_sane() {
            true => Ok(messages),
            false => Err("messages have 8 to 1M bytes, 0.01 to 1000000 of them a second".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        for (text, size) in [
            ("8192", 8192),
            ("64K", 65_536),
            ("2m", 2 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(buffer(text), Ok(size));
        }
        for text in ["", "K", "64KB", "-1", "8191", "2G", "99999999999G", "1.5M"] {
            assert!(buffer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_have_a_size_and_perhaps_a_rate() {
        let thin = Messages {
            size: 200,
            rate: Some(10.0),
        };
        assert_eq!("200,10".parse(), Ok(thin));
        assert_eq!(
            "1K".parse(),
            Ok(Messages {
                size: 1024,
                rate: None
            })
        );
        for text in [
            "", "7", "2M", "200,", "200,0", "200,x", "200,NaN", "200,inf", "200,1,2",
        ] {
            assert!(text.parse::<Messages>().is_err(), "{text}");
        }
    }
}
