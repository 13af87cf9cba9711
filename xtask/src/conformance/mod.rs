//! `cargo xtask conformance`: what our conformance tests show, by the families of test purposes that ETSI TS 102 369
//! names, and by the documents of the extensions.

mod families;

use serde::Serialize;

use crate::process;
use crate::test::outcome::Counts;
use crate::workspace::{Failure, Workspace};
use families::FAMILIES;

/// How to show the table.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Print the families only, not each case
    #[arg(long, conflicts_with = "json")]
    summary: bool,
}

/// One test, named by what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Case {
    shows: String,
    /// Where it is: test binary, modules and function.
    test: String,
    passed: bool,
}

/// A family and what came out of it.
#[derive(Debug, Serialize)]
struct Row {
    code: &'static str,
    name: &'static str,
    passed: u64,
    failed: u64,
    cases: Vec<Case>,
}

#[derive(Debug, Serialize)]
struct Table {
    passed: u64,
    failed: u64,
    families: Vec<Row>,
}

/// Runs the conformance tests and prints the table; false if a case failed or none ran.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    let mut command = workspace.cargo();
    command.args(["test", "-p", "manyway-proto", "--test", "*"]);
    command.args(["--no-fail-fast", "--", "--format=pretty"]);
    let ran = process::run(command)?;
    let table = Table::of(cases(&ran.output));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&table)?);
    } else {
        print!("{}", table.text(!args.summary));
    }
    Ok(ran.status.success() && table.failed == 0 && table.passed > 0)
}

/// Reads what cargo and libtest say: `Running tests/NAME/main.rs (…)`, then `test MODULE::CASE ... ok`.
fn cases(output: &str) -> Vec<Case> {
    let mut binary = "";
    let mut cases = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("Running tests/") {
            let path = path.split(' ').next().unwrap_or(path);
            binary = path.split(['/', '.']).next().unwrap_or(path);
        } else if let Some((name, result)) = result(line) {
            let shows = name.rsplit("::").next().unwrap_or(name).replace('_', " ");
            cases.push(Case {
                shows,
                test: format!("{binary}::{name}"),
                passed: result == "ok",
            });
        }
    }
    cases
}

fn result(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    // A test that is expected to panic says so after its name.
    let name = name.split(' ').next()?;
    matches!(result, "ok" | "FAILED").then_some((name, result))
}

impl Table {
    fn of(cases: Vec<Case>) -> Self {
        let mut families: Vec<Row> = FAMILIES.iter().map(Row::new).collect();
        for case in cases {
            let at = families::of(&case.test);
            families[at].cases.push(case);
        }
        for row in &mut families {
            row.cases.sort_by(|a, b| a.shows.cmp(&b.shows));
            row.failed = row.cases.iter().filter(|case| !case.passed).count() as u64;
            row.passed = row.cases.len() as u64 - row.failed;
        }
        Self {
            passed: families.iter().map(|row| row.passed).sum(),
            failed: families.iter().map(|row| row.failed).sum(),
            families,
        }
    }

    fn text(&self, with_cases: bool) -> String {
        let mut lines = Vec::new();
        for row in &self.families {
            let title = format!("{} ({})", row.name, row.code);
            let counts = counts(row.passed, row.failed);
            lines.push(format!("{title:<56} {counts}"));
            let shown = row.cases.iter().filter(|_| with_cases);
            lines.extend(shown.map(|case| {
                let result = if case.passed { "ok    " } else { "FAILED" };
                format!("  {result} {}", case.shows)
            }));
        }
        lines.push(counts(self.passed, self.failed).to_string());
        lines.join("\n") + "\n"
    }
}

fn counts(passed: u64, failed: u64) -> Counts {
    Counts {
        passed,
        failed,
        skipped: 0,
    }
}

impl Row {
    fn new(family: &families::Family) -> Self {
        Self {
            code: family.code,
            name: family.name,
            passed: 0,
            failed: 0,
            cases: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "   Compiling manyway-proto v0.1.0
     Running tests/rfc3758/main.rs (target/debug/deps/rfc3758-1)
running 1 test
test receiver::a_gap_is_closed ... ok
     Running tests/rfc9260/main.rs (target/debug/deps/rfc9260-2)
running 4 tests
test set_up::a_cookie_is_stale ... ok
test termination::a_shutdown_ends ... FAILED
test whatever::is_new - should panic ... ok
test set_up::left_out ... ignored
test result: FAILED. 2 passed; 1 failed; 1 ignored
";

    #[test]
    fn cases_are_named_by_what_they_show_and_put_into_families() {
        let table = Table::of(cases(OUTPUT));
        assert_eq!((table.passed, table.failed), (3, 1));
        let of = |code: &str| table.families.iter().find(|row| row.code == code).unwrap();
        assert_eq!(of("AS").cases[0].shows, "a cookie is stale");
        assert_eq!((of("AS").passed, of("AS").failed), (1, 0));
        assert_eq!(of("AT").failed, 1);
        assert_eq!(of("M").cases[0].test, "rfc9260::whatever::is_new");
        assert_eq!(of("RFC 3758").passed, 1);
        assert!(table.text(true).contains("  FAILED a shutdown ends\n"));
        assert!(table.text(false).ends_with("\n3 passed, 1 failed\n"));
        assert!(!table.text(false).contains("a shutdown ends"));
    }
}
