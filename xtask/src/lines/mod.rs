//! Files and functions that have outgrown their room.

mod scan;

use std::fs;
use std::path::Path;

use crate::lines::scan::{Function, Source};
use crate::report;
use crate::workspace::{Failure, Workspace, is_test_file};

/// Lines that one thing may have.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// Above this it is worth a look.
    hint: usize,
    /// Above this it has to be split.
    most: usize,
}

const FILE: Limit = Limit {
    hint: 300,
    most: 600,
};
const FUNCTION: Limit = Limit {
    hint: 60,
    most: 100,
};

/// What is longer than it should be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    problems: Vec<String>,
    hints: Vec<String>,
}

/// Checks every Rust file that is not a test.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, Failure> {
    let mut findings = Findings::default();
    for path in workspace.rust_files()? {
        if is_test_file(&path) {
            continue;
        }
        let text = fs::read_to_string(workspace.root.join(&path))?;
        findings.check(&path, &text);
    }
    for hint in &findings.hints {
        println!("lines: hint: {hint}");
    }
    Ok(report("lines", &findings.problems))
}

impl Findings {
    fn check(&mut self, path: &Path, text: &str) {
        let path = path.display();
        let source = match Source::scan(text) {
            Ok(source) => source,
            Err(line) => {
                self.problems
                    .push(format!("{path}:{line}: a brace without its other one"));
                return;
            }
        };
        self.judge(
            format!("{path}"),
            text.lines().count(),
            source.lines_without_tests,
            FILE,
        );
        for Function { name, line, lines } in &source.functions {
            self.judge(format!("{path}:{line}: `{name}`"), *lines, *lines, FUNCTION);
        }
    }

    /// Tests beside the code count for what is too long, not for what is worth a look.
    fn judge(&mut self, what: String, lines: usize, lines_without_tests: usize, limit: Limit) {
        if lines > limit.most {
            self.problems.push(format!(
                "{what} has {lines} lines, more than {}",
                limit.most
            ));
        } else if lines_without_tests > limit.hint {
            self.hints
                .push(format!("{what} has {lines_without_tests} lines"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Findings {
        let mut findings = Findings::default();
        findings.check(Path::new("a.rs"), text);
        findings
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_may_have_a_hundred_lines() {
        assert_eq!(findings(&function(60)), Findings::default());
        assert_eq!(findings(&function(100)).problems, [""; 0]);
        assert_eq!(
            findings(&function(100)).hints,
            ["a.rs:1: `long` has 100 lines"]
        );
        assert_eq!(
            findings(&function(101)).problems,
            ["a.rs:1: `long` has 101 lines, more than 100"]
        );
    }

    #[test]
    fn a_file_may_have_six_hundred_lines() {
        assert_eq!(findings(&"//\n".repeat(300)), Findings::default());
        assert_eq!(findings(&"//\n".repeat(600)).hints.len(), 1);
        assert_eq!(
            findings(&"//\n".repeat(601)).problems,
            ["a.rs has 601 lines, more than 600"]
        );
    }

    #[test]
    fn tests_beside_the_code_may_be_long() {
        let text = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(301));
        assert_eq!(findings(&text), Findings::default());
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_a_problem() {
        assert_eq!(
            findings("fn a() {\n").problems,
            ["a.rs:1: a brace without its other one"]
        );
    }
}
