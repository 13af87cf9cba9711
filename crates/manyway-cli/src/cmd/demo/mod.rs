//! `manyway demo`
//!
//! | file | what |
//! |---|---|
//! | `programs` | the ordinary programs that take part |
//! | `plain_server`, `plain_client` | where none are installed |
//! | `payload` | the random file and its checksum |
//! | `scene` | network, server and client, from start to end |
//! | `faults` | what goes wrong on purpose, and when |
//! | `watch` | what is seen of the flow while it runs |
//! | `screen` | what is shown meanwhile |
//! | `report` | what is printed at the end |

mod faults;
mod payload;
mod plain_client;
mod plain_server;
pub(crate) mod programs;
mod report;
mod scene;
mod screen;
mod watch;

use std::process::ExitCode;
use std::str::FromStr;

use manyway_net::namespace::{Privileges, become_root_in_user_namespace, privileges};

use crate::cmd::block_on;
use crate::failure::Failure;
use crate::printer::Printer;

/// Show an unmodified download over two paths, with failures
///
/// Builds a network of namespaces on this host: a client with two interfaces, a NAT with random ports on each, a
/// server with two addresses. An ordinary web server and an ordinary client run in it under `manyway run`. While the
/// download runs, one path is cut, one NAT gets another address, and the flow is switched to another primary path.
/// Nothing of this touches the host's own network, and nothing is left behind.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rates of the two paths in Mbit/s
    #[arg(long, value_name = "MBIT,MBIT", value_delimiter = ',', num_args = 1, default_values_t = [50, 20],
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    rates: Vec<u64>,
    /// Size of the download, as 64MiB or 10MB
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    size: Size,
    /// Let nothing go wrong
    #[arg(long)]
    no_faults: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// A number of bytes with an optional unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit {
            "" | "B" => 1,
            "kB" => 1000,
            "KiB" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "GB" => 1_000_000_000,
            "GiB" => 1 << 30,
            _ => return Err("units are B, kB, KiB, MB, MiB, GB, GiB".to_owned()),
        };
        let number: u64 = number
            .parse()
            .map_err(|_| "a size is a number and a unit, as 64MiB".to_owned())?;
        let bytes = number
            .checked_mul(factor)
            .filter(|b| (1..=1 << 33).contains(b));
        bytes
            .map(Self)
            .ok_or_else(|| "a size lies between 1 B and 8 GiB".to_owned())
    }
}

/// Runs the command. Must be called before the process has threads.
pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    if args.rates.len() != 2 {
        return Err(Failure::new(
            "the demo network has two paths; give two rates, as --rates 50,20",
        )
        .with_status(2));
    }
    become_root()?;
    block_on(scene::play(args, printer))
}

fn become_root() -> Result<(), Failure> {
    let hint = "run it as root, or allow unprivileged user namespaces \
                (sysctl kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0)";
    match privileges() {
        Privileges::Root => Ok(()),
        Privileges::UserNamespaces => become_root_in_user_namespace()
            .map_err(|error| Failure::new(error.to_string()).with_hint(hint)),
        Privileges::None { reason } => {
            Err(Failure::new(format!("cannot build a test network: {reason}")).with_hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        assert_eq!("64MiB".parse(), Ok(Size(64 << 20)));
        assert_eq!("10MB".parse(), Ok(Size(10_000_000)));
        assert_eq!("7".parse(), Ok(Size(7)));
        for bad in ["", "MiB", "1TiB", "0", "9999GiB", "-1"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
