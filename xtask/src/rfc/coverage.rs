//! How far the requirements of a document are met: citations in the source put beside the ledger.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::citations::Citation;
use super::ledger::{Ledger, Requirement, wrong_place};

/// The citations of one document, each with the place where it stands.
#[derive(Debug, Default)]
pub(super) struct Cited(Vec<(Citation, String)>);

impl Cited {
    pub(super) fn push(&mut self, path: &Path, citation: Citation) {
        let place = format!("{}:{}", path.display(), citation.line);
        self.0.push((citation, place));
    }
}

/// A requirement with what was found for it.
#[derive(Debug)]
pub(super) struct Covered {
    pub(super) requirement: Requirement,
    pub(super) code: Vec<String>,
    pub(super) tests: Vec<String>,
}

impl Covered {
    pub(super) fn is_implemented(&self) -> bool {
        !self.code.is_empty()
    }

    pub(super) fn is_tested(&self) -> bool {
        !self.tests.is_empty()
    }

    pub(super) fn is_excused(&self) -> bool {
        self.requirement.excuse.is_some() && !self.is_implemented() && !self.is_tested()
    }

    /// What is missing, if anything: code and a test, or a reason why not.
    fn lack(&self) -> Option<&'static str> {
        match (self.is_implemented(), self.is_tested()) {
            (true, true) => None,
            _ if self.requirement.excuse.is_some() => None,
            (true, false) => Some("met by code that no test shows"),
            (false, true) => Some("shown by a test, but no code is named"),
            (false, false) => Some("neither cited nor excused"),
        }
    }

    /// Neither met, nor shown, nor excused.
    pub(super) fn is_open(&self) -> bool {
        !self.is_implemented() && !self.is_tested() && !self.is_excused()
    }
}

/// One document's requirements, and what is wrong with its ledger or its citations.
#[derive(Debug)]
pub(super) struct Coverage {
    pub(super) document: String,
    pub(super) title: String,
    pub(super) requirements: Vec<Covered>,
    /// Citations of sentences that are no requirement: explanations, steps of a list.
    pub(super) others: usize,
    pub(super) problems: Vec<String>,
}

impl Coverage {
    /// Puts a ledger and the citations of its document together.
    pub(super) fn new(root: &Path, document: String, ledger: Ledger, cited: &Cited) -> Self {
        let mut problems = Vec::new();
        let mut meant = vec![false; cited.0.len()];
        let mut requirements = Vec::new();
        for requirement in ledger.requirements {
            let of = |what: &str| format!("{document}, {}: {what}", requirement.section);
            let (mut code, mut tests) = (requirement.code.clone(), requirement.test.clone());
            for place in code.iter().chain(&tests) {
                problems.extend(wrong_place(root, place).map(|wrong| of(&wrong)));
            }
            for ((citation, place), meant) in cited.0.iter().zip(&mut meant) {
                let here = citation.section == requirement.section;
                if here && requirement.is_meant_by(&citation.words) {
                    *meant = true;
                    let places = if citation.is_test {
                        &mut tests
                    } else {
                        &mut code
                    };
                    places.push(place.clone());
                }
            }
            let covered = Covered {
                requirement,
                code,
                tests,
            };
            if let Some(lack) = covered.lack().filter(|_| covered.requirement.is_must()) {
                let Requirement { section, words, .. } = &covered.requirement;
                problems.push(format!("{document}, {section}: {lack}: {words}"));
            }
            requirements.push(covered);
        }
        Self {
            document,
            title: ledger.title,
            requirements,
            others: meant.iter().filter(|meant| !**meant).count(),
            problems,
        }
    }

    fn count(&self, must: bool, has: impl Fn(&Covered) -> bool) -> usize {
        let counted = |c: &&Covered| c.requirement.is_must() == must && has(c);
        self.requirements.iter().filter(counted).count()
    }
}

/// One line per document, with sums.
pub(super) fn table(all: &[Coverage]) -> String {
    let mut text = String::from(
        "                     MUST                                  SHOULD\n\
         document   all  implemented  tested  excused  open   all  implemented  tested  excused  open\n",
    );
    let mut sums = BTreeMap::new();
    for coverage in all {
        let _ = write!(text, "{:<9}", coverage.document);
        for must in [true, false] {
            let counts = [
                coverage.count(must, |_| true),
                coverage.count(must, Covered::is_implemented),
                coverage.count(must, Covered::is_tested),
                coverage.count(must, Covered::is_excused),
                coverage.count(must, Covered::is_open),
            ];
            write_counts(&mut text, counts);
            let sum = sums.entry(must).or_insert([0; 5]);
            sum.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        let _ = writeln!(text, "   {}", coverage.title);
    }
    let _ = write!(text, "{:<9}", "sum");
    for must in [true, false] {
        write_counts(&mut text, sums.get(&must).copied().unwrap_or_default());
    }
    text.push('\n');
    text
}

fn write_counts(text: &mut String, [all, implemented, tested, excused, open]: [usize; 5]) {
    let _ = write!(
        text,
        "  {all:>4}  {implemented:>11}  {tested:>6}  {excused:>7}  {open:>4}"
    );
}

/// Every requirement that `wanted` wants, with its places.
pub(super) fn listing(coverage: &Coverage, wanted: impl Fn(&Covered) -> bool) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} requirements, {} other sentences cited",
        coverage.document,
        coverage.requirements.len(),
        coverage.others
    );
    for covered in coverage.requirements.iter().filter(|c| wanted(c)) {
        let Requirement { section, words, .. } = &covered.requirement;
        let _ = writeln!(text, "  {section}  {words}");
        for (kind, places) in [("code", &covered.code), ("test", &covered.tests)] {
            for place in places {
                let _ = writeln!(text, "      {kind} {place}");
            }
        }
        if let Some(excuse) = &covered.requirement.excuse {
            let _ = writeln!(text, "      excused: {excuse}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc::citations::citations;

    const CODE: &str = "fn a() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.10
    //# It MUST be so
    b();
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.9
    //# an explanation of the matter
}";

    const TEST: &str = "
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.10
    //= type=test
    //# It MUST be so.
";

    const LEDGER: &str = r#"
title = "SCTP"
[[requirement]]
section = "5.9"
level = "SHOULD"
words = "It SHOULD be like this."
[[requirement]]
section = "5.10"
level = "MUST"
words = "It MUST be so."
[[requirement]]
section = "6"
level = "MUST NOT"
words = "It MUST NOT be otherwise."
[[requirement]]
section = "6"
level = "MUST"
words = "IANA MUST do this."
excuse = "for IANA"
[[requirement]]
section = "7"
level = "MUST"
words = "It MUST be elsewhere."
code = ["nowhere.rs#name"]
"#;

    fn coverage() -> Coverage {
        let mut cited = Cited::default();
        for (path, text) in [("a.rs", CODE), ("tests.rs", TEST)] {
            for citation in citations(text) {
                cited.push(Path::new(path), citation.unwrap());
            }
        }
        let ledger = toml::from_str(LEDGER).unwrap();
        Coverage::new(Path::new("/"), "rfc9260".to_owned(), ledger, &cited)
    }

    #[test]
    fn each_requirement_is_counted_as_what_it_is() {
        let text = table(&[coverage()]);
        let numbers = |line: usize| -> Vec<usize> {
            let line = text.lines().nth(line).unwrap();
            line.split_whitespace()
                .skip(1)
                .flat_map(str::parse)
                .collect()
        };
        assert_eq!(numbers(2), [4, 2, 1, 1, 1, 1, 0, 0, 0, 1], "{text}");
        assert_eq!(numbers(3), numbers(2), "{text}");
    }

    #[test]
    fn a_must_that_lacks_code_or_test_and_a_place_that_is_not_there_are_problems() {
        let problems = coverage().problems;
        let expected = [
            "neither cited nor excused: It MUST NOT be otherwise",
            "nowhere.rs",
            "met by code that no test shows: It MUST be elsewhere",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.contains(expected), "{problems:?}");
        }
    }

    #[test]
    fn the_listing_has_places_and_excuses() {
        let text = listing(&coverage(), |_| true);
        assert!(text.starts_with("rfc9260: 5 requirements, 1 other sentences cited"));
        assert!(text.contains("5.10  It MUST be so.\n      code a.rs:2\n      test tests.rs:2"));
        assert!(text.contains("excused: for IANA"), "{text}");
    }
}
