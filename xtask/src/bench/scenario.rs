//! The scenarios of the benchmark `instructions`, and what they say.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::workspace::Failure;

/// A scenario: its name, and the sizes it is given when all is measured, and when time is short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    size: Option<u64>,
    quick: Option<u64>,
}

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("bulk", None, None),
    Scenario::new("two-paths", None, None),
    Scenario::new("small", None, None),
    Scenario::new("handshake", Some(200), Some(50)),
    Scenario::new("inits", Some(1_000_000), Some(20_000)),
    Scenario::new("crowd", Some(100_000), Some(2_000)),
    Scenario::new("in-flight-5M", Some(5 << 20), Some(5 << 20)),
    Scenario::new("in-flight-80M", Some(80 << 20), Some(20 << 20)),
    Scenario::new("in-flight-1G", Some(1 << 30), Some(80 << 20)),
];

impl Scenario {
    const fn new(name: &'static str, size: Option<u64>, quick: Option<u64>) -> Self {
        Self { name, size, quick }
    }

    /// The arguments of the benchmark.
    pub(super) fn args(&self, quick: bool) -> Vec<String> {
        let size = if quick { self.quick } else { self.size };
        let size = size.map(|size| size.to_string());
        std::iter::once(self.name.to_owned()).chain(size).collect()
    }
}

/// What one scenario costs, per data packet that arrived. For `handshake`, per handshake packet
/// that came to the server.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Costs {
    pub(super) scenario: String,
    /// Packets that came to the server.
    pub(super) packets: u64,
    /// Instructions per packet at each door.
    pub(super) instructions: BTreeMap<String, f64>,
    /// Allocations per packet at each door.
    pub(super) allocations: BTreeMap<String, f64>,
    /// Bytes of memory per association of one end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_per_association: Option<u64>,
    /// Bytes of memory that all of it left behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<u64>,
    /// Bytes in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outstanding: Option<u64>,
}

/// Runs a scenario at full speed: its packets and allocations.
pub(super) fn run(program: &Path, args: &[String]) -> Result<Costs, Failure> {
    let ran = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !ran.status.success() {
        return Err(format!("the scenario {} ended with {}", args[0], ran.status).into());
    }
    read(&args[0], &String::from_utf8(ran.stdout)?)
}

fn read(scenario: &str, text: &str) -> Result<Costs, Failure> {
    let mut doors = BTreeMap::new();
    let mut costs = Costs {
        scenario: scenario.to_owned(),
        ..Costs::default()
    };
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [door, count, allocations] = words[..] else {
            return Err(format!("the scenario {scenario} said {line:?}").into());
        };
        let (count, allocations): (u64, u64) = (count.parse()?, allocations.parse()?);
        match door {
            "memory" => costs.bytes_per_association = Some(count),
            "left" => costs.left = Some(count),
            "outstanding" => costs.outstanding = Some(count),
            _ => {
                doors.insert(door.to_owned(), (count, allocations));
            }
        }
    }
    costs.packets = doors.get("receive_data").map_or(0, |door| door.0);
    if costs.packets == 0 {
        return Err(format!("the scenario {scenario} moved no packet").into());
    }
    let each = |number: u64| number as f64 / costs.packets as f64;
    costs.allocations = doors
        .iter()
        .map(|(door, (_, allocations))| (door.clone(), each(*allocations)))
        .collect();
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scenario_prints_is_read_per_packet() {
        let text = "memory 4096 0\nsend_data 20 0\nreceive_data 10 5\n";
        let costs = read("crowd", text).unwrap();
        assert_eq!(
            (costs.packets, costs.bytes_per_association),
            (10, Some(4096))
        );
        assert_eq!(costs.allocations["receive_data"], 0.5);
        assert!(read("crowd", "send_data 1 0\n").is_err(), "nothing arrived");
        assert!(read("crowd", "what is this\n").is_err());
    }
}
