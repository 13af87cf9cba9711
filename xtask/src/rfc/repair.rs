//! Places in the ledgers whose files have moved, found again by their names.

use std::fs;

use super::ledger::{self, wrong_place};
use crate::workspace::{Failure, Workspace};

/// A source file: its path and what is in it.
type Source = (String, String);

/// What declares a name.
const KEYWORDS: [&str; 8] = [
    "fn", "struct", "enum", "const", "static", "type", "trait", "mod",
];

/// Rewrites the ledgers where a name that is missing is declared in one other file only.
pub(super) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let mut sources = Vec::new();
    for path in workspace.rust_files()? {
        let text = fs::read_to_string(workspace.root.join(&path))?;
        sources.push((path.display().to_string(), text));
    }
    for (document, ledger) in ledger::read_all(workspace)? {
        let path = workspace
            .root
            .join(ledger::FOLDER)
            .join(format!("{document}.toml"));
        let mut text = fs::read_to_string(&path)?;
        let places = ledger
            .requirements
            .iter()
            .flat_map(|r| r.code.iter().chain(&r.test));
        for old in places.filter(|place| wrong_place(&workspace.root, place).is_some()) {
            if let Some(new) = found_again(&sources, old) {
                println!("{document}: {old} is now {new}");
                text = text.replace(&format!("\"{old}\""), &format!("\"{new}\""));
            }
        }
        fs::write(&path, text)?;
    }
    Ok(())
}

/// Where a place has gone: within its crate, and from tests to tests, if that leaves one file.
fn found_again(sources: &[Source], place: &str) -> Option<String> {
    let (path, name) = place.split_once('#')?;
    let house = path.split('/').take(2).collect::<Vec<_>>().join("/");
    let is_test = |path: &str| path.contains("/tests");
    let mut found = sources
        .iter()
        .filter(|(at, _)| at.starts_with(&format!("{house}/")) && is_test(at) == is_test(path))
        .filter(|(_, text)| declares(text, name));
    let (only, more) = (found.next()?, found.next());
    more.is_none().then(|| format!("{}#{name}", only.0))
}

fn declares(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let ends = !text[at + name.len()..].starts_with(is_word);
        let before = text[..at].strip_suffix(' ').unwrap_or_default();
        ends && KEYWORDS.iter().any(|keyword| {
            before
                .strip_suffix(keyword)
                .is_some_and(|rest| !rest.ends_with(is_word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_where_one_file_alone_declares_its_name() {
        let source = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let sources = [
            source("crates/a/src/one.rs", "fn moved() { calls_twice() }"),
            source(
                "crates/a/src/two.rs",
                "pub(crate) fn twice() {} fn removed_it() {}",
            ),
            source("crates/a/src/three.rs", "const fn twice() {}"),
            source("crates/a/tests/one.rs", "fn moved() {} struct Shown;"),
            source("crates/b/src/one.rs", "fn elsewhere() {}"),
        ];
        let found = |place: &str| found_again(&sources, place);
        assert_eq!(
            found("crates/a/src/old.rs#moved").as_deref(),
            Some("crates/a/src/one.rs#moved")
        );
        assert_eq!(
            found("crates/a/tests/old.rs#Shown").as_deref(),
            Some("crates/a/tests/one.rs#Shown")
        );
        for lost in [
            "src/old.rs#twice",
            "src/old.rs#elsewhere",
            "src/old.rs#calls",
            "src/old.rs",
        ] {
            assert_eq!(found(&format!("crates/a/{lost}")), None, "{lost}");
        }
    }
}
