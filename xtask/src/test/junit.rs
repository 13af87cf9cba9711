//! Tests that found they could not run.
//!
//! A test that lacks something, such as root, prints a line `skipped: why` and returns, which is success to every
//! runner. nextest's JUnit report holds what each test printed.

use std::collections::BTreeMap;

/// How many tests of a JUnit report said that they skipped themselves, by what they said.
pub(crate) fn self_skipped(report: &str) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::new();
    for case in report.split("<testcase ").skip(1) {
        let case = case.split("</testcase>").next().unwrap_or(case);
        if case.contains("<failure") || case.contains("<error") {
            continue;
        }
        if let Some(reason) = case.lines().find_map(reason) {
            *reasons.entry(reason).or_insert(0) += 1;
        }
    }
    reasons
}

/// What a line says after `skipped: `, which may follow the tag that begins the output.
fn reason(line: &str) -> Option<String> {
    let line = line.trim();
    let line = match line.rsplit_once("<system-out>") {
        Some((_, text)) => text.trim_start(),
        None => line,
    };
    let reason = line.strip_prefix("skipped: ")?;
    let reason = reason.split("</system-").next().unwrap_or(reason);
    Some(
        reason
            .replace("&apos;", "'")
            .replace("&quot;", "\"")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?>
<testsuites><testsuite name="a" tests="4">
<testcase name="one" classname="a"><system-out>
running 1 test
skipped: needs root
test one ... ok
</system-out></testcase>
<testcase name="two" classname="a"><system-out>skipped: needs root</system-out></testcase>
<testcase name="three" classname="a"><system-out>nothing was skipped: all ran
</system-out></testcase>
<testcase name="four" classname="a"><failure type="x"/><system-out>
skipped: one part
</system-out></testcase>
<testcase name="five" classname="a"/>
</testsuite></testsuites>"#;

    #[test]
    fn tests_that_said_so_are_counted_once_unless_they_failed() {
        let skipped = self_skipped(REPORT);
        assert_eq!(
            skipped.into_iter().collect::<Vec<_>>(),
            [("needs root".to_owned(), 2)]
        );
    }
}
