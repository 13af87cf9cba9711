//! Whether every dependency's licence is one that we accept.

use cargo_metadata::{Metadata, Package};
use spdx::{Expression, LicenseReq, ParseMode};

use crate::process;
use crate::report;
use crate::workspace::{Failure, Workspace};

/// What we accept, by SPDX identifier. `deny.toml` has the same list.
const ACCEPTED: &[&str] = &[
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Checks every dependency, for all targets and features, and asks cargo-deny too when it is installed.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, Failure> {
    let metadata = workspace.metadata()?;
    let accepted = report("licences", &problems(&metadata));
    if !process::succeeds(workspace.cargo().args(["deny", "--version"])) {
        println!("licences: cargo-deny is not installed; its checks are left out");
        return Ok(accepted);
    }
    let mut deny = workspace.cargo();
    deny.args(["deny", "check", "licenses", "bans"]);
    Ok(process::run(deny)?.status.success() && accepted)
}

fn problems(metadata: &Metadata) -> Vec<String> {
    metadata.packages.iter().filter_map(problem).collect()
}

fn problem(package: &Package) -> Option<String> {
    let reason = match package.license.as_deref() {
        None => "states no licence".to_owned(),
        Some(licence) => judge(licence).err()?,
    };
    Some(format!("{} {} {reason}", package.name, package.version))
}

/// Whether a licence expression can be met with what we accept.
fn judge(licence: &str) -> Result<(), String> {
    // Old crates write `MIT/Apache-2.0` for a choice.
    let expression = Expression::parse_mode(licence, ParseMode::LAX).map_err(|error| {
        format!(
            "has the licence {licence:?}, which is no SPDX expression: {}",
            error.reason
        )
    })?;
    if expression.evaluate(is_accepted) {
        Ok(())
    } else {
        Err(format!(
            "has the licence {licence:?}, which needs one that we do not accept"
        ))
    }
}

fn is_accepted(requirement: &LicenseReq) -> bool {
    let id = requirement.license.id();
    // An exception only adds to what its licence permits.
    id.is_some_and(|id| ACCEPTED.contains(&id.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_needs_one_accepted_side_and_a_sum_both() {
        for licence in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR BSD-3-Clause",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert_eq!(judge(licence), Ok(()), "{licence}");
        }
        for licence in [
            "GPL-3.0-only",
            "MIT AND GPL-2.0-or-later",
            "(MIT OR Apache-2.0) AND NCSA",
            "LicenseRef-ours",
            "MPL-2.0",
        ] {
            assert!(judge(licence).is_err(), "{licence}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert!(judge("see LICENSE").is_err());
        assert!(judge("").is_err());
    }

    #[test]
    fn deny_toml_accepts_the_same() {
        let root = Workspace::find().unwrap().root;
        let deny = std::fs::read_to_string(root.join("deny.toml")).unwrap();
        let list = deny
            .split_once("allow = [")
            .unwrap()
            .1
            .split_once(']')
            .unwrap()
            .0;
        let listed: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, ACCEPTED);
    }
}
