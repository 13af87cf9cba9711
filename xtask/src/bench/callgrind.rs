//! Instructions, counted by valgrind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::is_installed;
use crate::workspace::Failure;

/// Functions whose names have this part are counted.
const MARK: &str = "counted_";

/// Fails with what to do if there is no valgrind.
pub(super) fn require() -> Result<(), Failure> {
    if is_installed("valgrind") {
        return Ok(());
    }
    Err(
        "valgrind counts the instructions and is not installed: install the package valgrind, or \
         pass --no-instructions"
            .into(),
    )
}

/// Runs a program under callgrind; the instructions in each counted function and what it calls, by
/// the name after the mark.
pub(super) fn count(
    program: &Path,
    args: &[String],
    folder: &Path,
) -> Result<BTreeMap<String, u64>, Failure> {
    fs::create_dir_all(folder)?;
    let file = folder.join("callgrind.out");
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output()?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        return Err(format!("valgrind ended with {}: {said}", ran.status).into());
    }
    Ok(inclusive(&fs::read_to_string(&file)?))
}

/// Callgrind's file has a block for each function: lines of its own costs, and after each
/// `calls=` line the cost of the function called. Both are costs of the function.
fn inclusive(text: &str) -> BTreeMap<String, u64> {
    let mut costs = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            current = counted(name);
        } else if let Some(function) = &current
            && line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
            && let Some(cost) = line.split(' ').nth(1).and_then(|c| c.parse::<u64>().ok())
        {
            *costs.entry(String::clone(function)).or_default() += cost;
        }
    }
    costs
}

fn counted(name: &str) -> Option<String> {
    let (_, door) = name.split_once(MARK)?;
    let end = door.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    Some(door[..end.unwrap_or(door.len())].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_and_those_of_calls_are_summed() {
        let text = "\
version: 1
events: Ir
fl=a.rs
fn=bench::counted_send_data
10 5
+1 7
cfn=engine::poll_transmit
calls=3 20
* 100
fn=engine::poll_transmit
20 100
fn=bench::counted_send_data'2
11 1
";
        let costs = inclusive(text);
        assert_eq!(costs.len(), 1);
        assert_eq!(costs["send_data"], 113);
    }

    #[test]
    fn hashes_after_a_name_are_no_part_of_it() {
        assert_eq!(
            counted("instructions::common::counted_fetch::h0123").as_deref(),
            Some("fetch")
        );
        assert_eq!(counted("main"), None);
    }
}
