//! The requirements of RFCs that code and tests cite.
//!
//! A citation is a line `//= https://www.rfc-editor.org/rfc/rfcNNNN#section-N.N`, in a test followed by the line
//! `//= type=test`, then `//#` with the requirement's words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::report;
use crate::workspace::{Failure, Workspace};

const HOME: &str = "https://www.rfc-editor.org/rfc/";

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this document, such as rfc9260
    document: Option<String>,
    /// Only how many requirements of each document are cited
    #[arg(long)]
    summary: bool,
    /// Only the requirements that code cites and no test
    #[arg(long)]
    untested: bool,
}

/// One requirement as one file cites it.
#[derive(Debug, PartialEq, Eq)]
struct Citation {
    document: String,
    section: String,
    words: String,
    is_test: bool,
    line: usize,
}

/// Where a requirement is cited.
#[derive(Debug, Default)]
struct Places {
    code: Vec<String>,
    tests: Vec<String>,
}

/// Every cited requirement by document, section and words.
type Requirements = BTreeMap<String, BTreeMap<(Section, String), Places>>;

/// A section, with its numbers in their order: 5.10 comes after 5.9.
type Section = (Vec<u32>, String);

/// Lists the citations; those that cannot be read are a failure.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    let mut requirements = Requirements::new();
    let mut problems = Vec::new();
    let files = workspace.rust_files()?.into_iter();
    // This task's own tests have citations in strings.
    for path in files.filter(|path| path.starts_with("crates")) {
        let text = fs::read_to_string(workspace.root.join(&path))?;
        for citation in citations(&text) {
            match citation {
                Ok(citation) => add(&mut requirements, &path, citation),
                Err((line, what)) => problems.push(format!("{}:{line}: {what}", path.display())),
            }
        }
    }
    print!("{}", listing(&requirements, args));
    Ok(problems.is_empty() || report("rfc", &problems))
}

fn add(requirements: &mut Requirements, path: &Path, citation: Citation) {
    let document = requirements.entry(citation.document).or_default();
    let numbers = citation.section.split('.').flat_map(str::parse).collect();
    let places = document
        .entry(((numbers, citation.section), citation.words))
        .or_default();
    let place = format!("{}:{}", path.display(), citation.line);
    if citation.is_test {
        places.tests.push(place);
    } else {
        places.code.push(place);
    }
}

fn listing(requirements: &Requirements, args: &Args) -> String {
    let mut text = String::new();
    for (document, cited) in requirements {
        if args
            .document
            .as_ref()
            .is_some_and(|wanted| wanted != document)
        {
            continue;
        }
        let count = |has: fn(&Places) -> bool| cited.values().filter(|places| has(places)).count();
        let _ = writeln!(
            text,
            "{document}: {} requirements cited, {} in code, {} in tests, {} in both",
            cited.len(),
            count(|places| !places.code.is_empty()),
            count(|places| !places.tests.is_empty()),
            count(|places| !places.code.is_empty() && !places.tests.is_empty()),
        );
        if args.summary {
            continue;
        }
        for (((_, section), words), places) in cited {
            if args.untested && !places.tests.is_empty() {
                continue;
            }
            let _ = writeln!(text, "  {section}  {words}");
            for (kind, places) in [("code", &places.code), ("test", &places.tests)] {
                for place in places {
                    let _ = writeln!(text, "      {kind} {place}");
                }
            }
        }
    }
    text
}

/// The citations of a file; for those that cannot be read, the line and why.
fn citations(text: &str) -> Vec<Result<Citation, (usize, &'static str)>> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let Some(address) = line.strip_prefix("//= ") else {
            if line.starts_with("//# ") {
                found.push(Err((
                    index + 1,
                    "a requirement without the address of its section",
                )));
            }
            continue;
        };
        let is_test = lines
            .next_if(|(_, line)| *line == "//= type=test")
            .is_some();
        let mut words = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("//#")) {
            words.push(line.trim_start_matches("//#").trim());
        }
        found.push(citation(
            address.trim(),
            words.join(" "),
            is_test,
            index + 1,
        ));
    }
    found
}

fn citation(
    address: &str,
    words: String,
    is_test: bool,
    line: usize,
) -> Result<Citation, (usize, &'static str)> {
    let (document, section) = address
        .strip_prefix(HOME)
        .and_then(|rest| {
            rest.split_once("#section-")
                .or_else(|| rest.split_once("#appendix-"))
        })
        .ok_or((
            line,
            "not https://www.rfc-editor.org/rfc/rfcNNNN#section-N.N",
        ))?;
    let number = document.strip_prefix("rfc").unwrap_or("");
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err((line, "the document is not rfcNNNN"));
    }
    if words.is_empty() {
        return Err((
            line,
            "a citation without a `//#` line with the requirement's words",
        ));
    }
    Ok(Citation {
        document: document.to_owned(),
        section: section.to_owned(),
        words,
        is_test,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn a() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.10
    //# It MUST be so.
    b();
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.9
    //# It SHOULD be
    //# like this.
}";

    const TEST: &str = "
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.10
    //= type=test
    //# It MUST be so.
";

    fn requirements() -> Requirements {
        let mut requirements = Requirements::new();
        for (path, text) in [("a.rs", CODE), ("tests.rs", TEST)] {
            for citation in citations(text) {
                add(&mut requirements, Path::new(path), citation.unwrap());
            }
        }
        requirements
    }

    fn list(summary: bool, untested: bool) -> String {
        let args = Args {
            document: None,
            summary,
            untested,
        };
        listing(&requirements(), &args)
    }

    #[test]
    fn a_requirement_in_code_and_test_is_one_requirement() {
        assert_eq!(
            list(true, false),
            "rfc9260: 2 requirements cited, 2 in code, 1 in tests, 1 in both\n"
        );
    }

    #[test]
    fn sections_are_in_their_order_with_their_places() {
        let text = list(false, false);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "  5.9  It SHOULD be like this.",
                "      code a.rs:5",
                "  5.10  It MUST be so.",
                "      code a.rs:2",
                "      test tests.rs:2",
            ]
        );
    }

    #[test]
    fn what_no_test_cites_can_be_listed_alone() {
        let text = list(false, true);
        assert!(text.contains("5.9  It SHOULD"), "{text}");
        assert!(!text.contains("5.10  It MUST"), "{text}");
    }

    #[test]
    fn a_citation_that_cannot_be_read_is_told() {
        for (text, at) in [
            ("//# words alone", 1),
            ("//= https://www.rfc-editor.org/rfc/rfc9260#section-5\n", 1),
            ("\n//= https://example.org/rfc9260#section-5\n//# Words.", 2),
            (
                "//= https://www.rfc-editor.org/rfc/rfc#section-5\n//# Words.",
                1,
            ),
        ] {
            let found = citations(text);
            assert!(
                matches!(found[..], [Err((line, _))] if line == at),
                "{text}: {found:?}"
            );
        }
    }
}
