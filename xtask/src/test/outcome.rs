//! What came out of a step, and what test runners say.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

/// Numbers of tests and steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that did what they should.
    pub(crate) passed: u64,
    /// Those that did not.
    pub(crate) failed: u64,
    /// Those that could not run here.
    pub(crate) skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// What came out of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Passed,
    /// Why not.
    Failed(String),
    /// Why it did not run.
    Skipped(String),
    /// The step was a number of tests.
    Tests(Counts),
}

impl Outcome {
    /// A run of tests. One that failed without a failed test, such as for a build error, counts as one failure.
    pub(crate) fn of_tests(mut counts: Counts, success: bool) -> Self {
        if !success && counts.failed == 0 {
            counts.failed = 1;
        }
        Self::Tests(counts)
    }

    /// What it adds to the sum.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self {
            Self::Passed => counts.passed = 1,
            Self::Failed(_) => counts.failed = 1,
            Self::Skipped(_) => counts.skipped = 1,
            Self::Tests(tests) => counts = *tests,
        }
        counts
    }
}

impl From<bool> for Outcome {
    fn from(success: bool) -> Self {
        if success {
            Self::Passed
        } else {
            Self::Failed("see above".to_owned())
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
            Self::Tests(counts) => write!(f, "{counts}"),
        }
    }
}

/// Reads nextest's `Summary [1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped`.
pub(crate) fn of_nextest(output: &str) -> Counts {
    let Some((_, results)) = output
        .lines()
        .rev()
        .filter(|line| line.trim_start().starts_with("Summary ["))
        .find_map(|line| line.split_once(" run: "))
    else {
        return Counts::default();
    };
    without_parentheses(results)
        .split(", ")
        .filter_map(|part| part.trim().split_once(' '))
        .map(|(number, word)| count(number, word.trim()))
        .sum()
}

fn count(number: &str, word: &str) -> Counts {
    let number = number.parse().unwrap_or(0);
    let mut counts = Counts::default();
    match word {
        "passed" => counts.passed = number,
        "skipped" | "ignored" => counts.skipped = number,
        "failed" | "exec failed" | "timed out" => counts.failed = number,
        _ => {}
    }
    counts
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            depth += u32::from(*c == '(');
            let keep = depth == 0;
            depth = depth.saturating_sub(u32::from(*c == ')'));
            keep
        })
        .collect()
}

/// Adds up libtest's lines `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
pub(crate) fn of_libtest(output: &str) -> Counts {
    output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test result: "))
        .filter_map(|line| line.split_once(". "))
        .flat_map(|(_, results)| results.split("; "))
        .filter_map(|part| part.trim().split_once(' '))
        .map(|(number, word)| count(number, word))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn the_closing_line_names_skipped_ones_when_there_are_any() {
        assert_eq!(counts(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(counts(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn nextest_s_summary_is_read() {
        let plain = "     Summary [   3.123s] 210 tests run: 210 passed, 4 skipped\n";
        assert_eq!(of_nextest(plain), counts(210, 0, 4));
        let worse = "        FAIL [ 0.1s] x 3 tests run: no\n     Summary [   9.9s] 12 tests run: 9 passed (1 slow, 2 leaky), 1 failed, 1 exec failed, 1 timed out, 0 skipped\n        FAIL [   0.1s] a b\n";
        assert_eq!(of_nextest(worse), counts(9, 3, 0));
        let stopped = "     Summary [   9.9s] 3/12 tests run: 2 passed, 1 failed, 0 skipped\n";
        assert_eq!(of_nextest(stopped), counts(2, 1, 0));
        assert_eq!(of_nextest("error: could not compile"), counts(0, 0, 0));
    }

    #[test]
    fn libtest_s_results_are_added_up() {
        let output = "running 6 tests\ntest result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";
        assert_eq!(of_libtest(output), counts(7, 1, 1));
    }

    #[test]
    fn a_run_that_fails_without_a_failed_test_is_a_failure() {
        assert_eq!(
            Outcome::of_tests(counts(0, 0, 0), false).counts(),
            counts(0, 1, 0)
        );
        assert_eq!(
            Outcome::of_tests(counts(5, 2, 0), false).counts(),
            counts(5, 2, 0)
        );
        assert_eq!(
            Outcome::of_tests(counts(5, 0, 0), true).counts(),
            counts(5, 0, 0)
        );
    }
}
