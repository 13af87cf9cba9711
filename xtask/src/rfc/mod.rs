//! How the requirements of RFCs are met: cited beside the code, shown by tests, or excused.

mod citations;
mod coverage;
mod ledger;
mod repair;

use std::collections::BTreeMap;
use std::fs;

use coverage::{Coverage, Covered};

use crate::report;
use crate::workspace::{Failure, Workspace};

/// What to list.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// List the requirements of this document, such as rfc9260
    document: Option<String>,
    /// List only those that are neither implemented, nor tested, nor excused
    #[arg(long, conflicts_with_all = ["untested", "excused"])]
    open: bool,
    /// List only those that are implemented and not tested
    #[arg(long, conflicts_with = "excused")]
    untested: bool,
    /// List only those that are excused
    #[arg(long)]
    excused: bool,
    /// Find code and tests again that have moved to other files
    #[arg(long)]
    repair: bool,
}

impl Args {
    fn wants_listing(&self) -> bool {
        self.document.is_some() || self.open || self.untested || self.excused
    }

    fn wants(&self, covered: &Covered) -> bool {
        if self.open {
            covered.is_open()
        } else if self.untested {
            covered.is_implemented() && !covered.is_tested()
        } else if self.excused {
            covered.is_excused()
        } else {
            true
        }
    }
}

/// Prints the table or the listing. A failure: a citation that cannot be read, a place that is not
/// there, and a MUST that lacks code or a test without an excuse.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    if args.repair {
        repair::run(workspace)?;
    }
    let mut cited = BTreeMap::<String, coverage::Cited>::new();
    let mut problems = Vec::new();
    let files = workspace.rust_files()?.into_iter();
    // This task's own tests have citations in strings.
    for path in files.filter(|path| path.starts_with("crates")) {
        let text = fs::read_to_string(workspace.root.join(&path))?;
        for citation in citations::citations(&text) {
            match citation {
                Ok(citation) => {
                    let document = cited.entry(citation.document.clone()).or_default();
                    document.push(&path, citation);
                }
                Err((line, what)) => problems.push(format!("{}:{line}: {what}", path.display())),
            }
        }
    }
    let mut all = Vec::new();
    for (document, ledger) in ledger::read_all(workspace)? {
        let cited = cited.remove(&document).unwrap_or_default();
        let mut coverage = Coverage::new(&workspace.root, document, ledger, &cited);
        problems.append(&mut coverage.problems);
        all.push(coverage);
    }
    if let Some(wanted) = &args.document
        && !all.iter().any(|coverage| coverage.document == *wanted)
    {
        return Err(format!("there is no ledger {}/{wanted}.toml", ledger::FOLDER).into());
    }
    if args.wants_listing() {
        for coverage in &all {
            if args
                .document
                .as_ref()
                .is_none_or(|d| *d == coverage.document)
            {
                print!("{}", coverage::listing(coverage, |c| args.wants(c)));
            }
        }
    } else {
        print!("{}", coverage::table(&all));
    }
    for document in cited.keys() {
        println!("{document}: cited, without a ledger");
    }
    Ok(report("rfc", &problems))
}
