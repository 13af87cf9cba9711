//! The schedulers by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::sched::{
    Blest, Deadline, Ecf, LowestRtt, Overflow, Primary, Redundant, RoundRobin, Scheduler, Weighted,
};

/// Most weights that [`SchedulerKind::Weighted`] takes from a text.
const MAX_WEIGHTS: usize = 64;

/// Which scheduler a flow gets, as configuration and command lines name it.
///
/// ```
/// use manyway_proto::SchedulerKind;
///
/// let kind: SchedulerKind = "weighted:3,1".parse()?;
/// assert_eq!(kind, SchedulerKind::Weighted(vec![3, 1]));
/// assert_eq!(kind.to_string(), "weighted:3,1");
/// assert_eq!(kind.build().name(), "weighted");
/// # Ok::<(), manyway_proto::UnknownScheduler>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchedulerKind {
    /// [`LowestRtt`]: `lowest-rtt`.
    #[default]
    LowestRtt,
    /// [`RoundRobin`]: `round-robin`.
    RoundRobin,
    /// [`Weighted`] with these weights: `weighted:3,1`.
    Weighted(Vec<u32>),
    /// [`Redundant`] with this budget in percent, up to 100: `redundant`, `redundant:50`.
    Redundant {
        /// Bytes copied per hundred bytes of new data.
        percent: u8,
    },
    /// [`Ecf`]: `ecf`.
    Ecf,
    /// [`Blest`]: `blest`.
    Blest,
    /// [`Primary`]: `primary`.
    Primary,
    /// [`Overflow`]: `overflow`.
    Overflow,
    /// [`Deadline`] within this time, whole milliseconds: `deadline:50`.
    Deadline(Duration),
}

impl SchedulerKind {
    /// How each is written, for help texts.
    pub const SYNTAX: &'static [&'static str] = &[
        "lowest-rtt",
        "round-robin",
        "weighted:WEIGHT,WEIGHT…",
        "redundant[:PERCENT]",
        "ecf",
        "blest",
        "primary",
        "overflow",
        "deadline:MILLISECONDS",
    ];

    /// The scheduler itself.
    pub fn build(&self) -> Box<dyn Scheduler> {
        match self {
            Self::LowestRtt => Box::new(LowestRtt),
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::Weighted(weights) => Box::new(Weighted::new(weights.iter().copied())),
            Self::Redundant { percent } => Box::new(Redundant::new(f64::from(*percent) / 100.0)),
            Self::Ecf => Box::new(Ecf::default()),
            Self::Blest => Box::new(Blest::default()),
            Self::Primary => Box::new(Primary),
            Self::Overflow => Box::new(Overflow),
            Self::Deadline(within) => Box::new(Deadline::new(*within)),
        }
    }
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weighted(weights) => {
                let weights: Vec<String> = weights.iter().map(u32::to_string).collect();
                write!(f, "weighted:{}", weights.join(","))
            }
            Self::Redundant { percent } => write!(f, "redundant:{percent}"),
            Self::Deadline(within) => write!(f, "deadline:{}", within.as_millis()),
            Self::LowestRtt => f.write_str("lowest-rtt"),
            Self::RoundRobin => f.write_str("round-robin"),
            Self::Ecf => f.write_str("ecf"),
            Self::Blest => f.write_str("blest"),
            Self::Primary => f.write_str("primary"),
            Self::Overflow => f.write_str("overflow"),
        }
    }
}

/// A text that names no scheduler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no scheduler; there are {}", SchedulerKind::SYNTAX.join(", "))]
pub struct UnknownScheduler {
    given: String,
}

impl FromStr for SchedulerKind {
    type Err = UnknownScheduler;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let kind = match (name, argument) {
            ("lowest-rtt", None) => Some(Self::LowestRtt),
            ("round-robin", None) => Some(Self::RoundRobin),
            ("ecf", None) => Some(Self::Ecf),
            ("blest", None) => Some(Self::Blest),
            ("primary", None) => Some(Self::Primary),
            ("overflow", None) => Some(Self::Overflow),
            ("redundant", None) => Some(Self::Redundant { percent: 100 }),
            ("redundant", Some(percent)) => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                percent.map(|percent| Self::Redundant { percent })
            }
            ("weighted", Some(weights)) => parse_weights(weights).map(Self::Weighted),
            ("deadline", Some(millis)) => {
                let millis = millis.parse::<u32>().ok();
                millis.map(|ms| Self::Deadline(Duration::from_millis(ms.into())))
            }
            _ => None,
        };
        kind.ok_or_else(|| UnknownScheduler {
            given: text.to_owned(),
        })
    }
}

/// Weights of which at least one is not 0.
fn parse_weights(text: &str) -> Option<Vec<u32>> {
    let weights: Option<Vec<u32>> = text.split(',').map(|w| w.parse().ok()).collect();
    weights.filter(|all| all.len() <= MAX_WEIGHTS && all.iter().any(|w| *w > 0))
}
