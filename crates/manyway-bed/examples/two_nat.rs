//! Runs one shell command on the client and, meanwhile, one on the server of the reference
//! network: `two_nat CLIENT_COMMAND [SERVER_COMMAND] [MBIT1 MBIT2]`. Prints the paths' counters.
#![expect(clippy::print_stdout, reason = "the counters are what it is for")]

use std::process::Command;
use std::time::Duration;

use manyway_bed::{Bed, BedConfig, Rate};
use manyway_net::namespace::{Privileges, become_root_in_user_namespace, privileges};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match privileges() {
        Privileges::Root => {}
        Privileges::UserNamespaces => become_root_in_user_namespace()?,
        Privileges::None { reason } => return Err(reason.into()),
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(on_client) = arguments.first() else {
        return Err("usage: two_nat CLIENT_COMMAND [SERVER_COMMAND] [MBIT1 MBIT2]".into());
    };
    let mut config = BedConfig::default();
    if let Some(rates) = arguments.get(2..) {
        let rates = rates
            .iter()
            .map(|rate| Ok((Rate::from_mbit(rate.parse()?), DELAY)));
        let rates = rates.collect::<Result<Vec<_>, std::num::ParseIntError>>()?;
        if !rates.is_empty() {
            config = BedConfig::behind_nats(&rates);
        }
    }
    let bed = Bed::build(&config)?;
    let shell = |line: &String| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        shell
    };
    let server = arguments
        .get(1)
        .map(|line| bed.server().spawn(shell(line)))
        .transpose()?;
    std::thread::sleep(Duration::from_millis(200)); // the server's time to listen
    bed.client().spawn(shell(on_client))?.wait()?;
    for path in bed.paths() {
        println!("{:#?}", path.counters());
    }
    if let Some(mut server) = server {
        server.kill()?;
        server.wait()?;
    }
    Ok(())
}

const DELAY: Duration = Duration::from_millis(10);
