//! The ledgers `docs/rfc/rfcNNNN.toml`: every requirement of a document, and for those that no
//! citation in the source covers, where they are met or why they need not be.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::workspace::{Failure, Workspace};

/// Where the ledgers lie.
pub(super) const FOLDER: &str = "docs/rfc";

/// All requirements of one document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ledger {
    /// What the document is called.
    pub(super) title: String,
    /// In the order of the document.
    #[serde(default, rename = "requirement")]
    pub(super) requirements: Vec<Requirement>,
}

/// One sentence with a key word of RFC 2119.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requirement {
    pub(super) section: String,
    /// `MUST`, `MUST NOT`, `SHOULD` or `SHOULD NOT`.
    pub(super) level: String,
    pub(super) words: String,
    /// Where it is met, as `path#name`: a file and something that is named in it.
    #[serde(default)]
    pub(super) code: Vec<String>,
    /// Which tests show it, as `path#name`.
    #[serde(default)]
    pub(super) test: Vec<String>,
    /// Why it is not met, or is no requirement of an implementation.
    pub(super) excuse: Option<String>,
}

impl Requirement {
    pub(super) fn is_must(&self) -> bool {
        self.level.starts_with("MUST")
    }

    /// Whether a citation with these words is about this requirement: each part between `...`
    /// stands in it, or it stands in the citation.
    pub(super) fn is_meant_by(&self, cited: &str) -> bool {
        let (own, cited) = (plain(&self.words), plain(cited));
        let parts = || cited.split("...").map(str::trim).filter(|p| !p.is_empty());
        // A part of one or two words would match by chance.
        let telling = |part: &&str| part.split(' ').count() > 2;
        cited.contains(&own)
            || parts()
                .filter(telling)
                .any(|part| own.contains(part) || part.contains(&own))
    }
}

/// The words alone: quotation marks and the end of the sentence differ between editions.
fn plain(words: &str) -> String {
    let kept: String = words
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '*'))
        .collect();
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    kept.trim_end_matches(['.', ':', ';']).to_owned()
}

/// Reads all ledgers, each with the document's name.
pub(super) fn read_all(workspace: &Workspace) -> Result<Vec<(String, Ledger)>, Failure> {
    let folder = workspace.root.join(FOLDER);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .map_err(|error| format!("cannot read {FOLDER}: {error}"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    let mut ledgers = Vec::new();
    for name in names {
        let path = folder.join(format!("{name}.toml"));
        let text = fs::read_to_string(&path)?;
        let ledger =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        ledgers.push((name, ledger));
    }
    Ok(ledgers)
}

/// What is wrong with a place `path#name`, if anything.
pub(super) fn wrong_place(root: &Path, place: &str) -> Option<String> {
    let Some((path, name)) = place.split_once('#') else {
        return Some(format!("`{place}` is not path#name"));
    };
    match fs::read_to_string(root.join(path)) {
        Ok(text) if text.contains(name) => None,
        Ok(_) => Some(format!("`{place}`: nothing is named so in that file")),
        Err(_) => Some(format!("`{place}`: no such file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(words: &str) -> Requirement {
        Requirement {
            words: words.to_owned(),
            ..Requirement::default()
        }
    }

    #[test]
    fn a_citation_means_the_sentence_that_it_is_a_part_of() {
        let own = requirement("If \"T1\" expires, the endpoint MUST retransmit the INIT chunk.");
        assert!(own.is_meant_by("the endpoint MUST retransmit the INIT chunk"));
        assert!(own.is_meant_by("Before ... the endpoint MUST retransmit the INIT ... after"));
        assert!(own.is_meant_by(
            "Old. If T1 expires, the endpoint MUST retransmit the INIT chunk. This MUST be repeated."
        ));
        assert!(!own.is_meant_by("the endpoint MUST retransmit the COOKIE ECHO chunk"));
        assert!(!own.is_meant_by("the endpoint"));
    }

    #[test]
    fn a_place_names_a_file_and_what_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.rs"), "fn there() {}").unwrap();
        assert_eq!(wrong_place(root.path(), "a.rs#there"), None);
        for wrong in ["a.rs", "b.rs#there", "a.rs#elsewhere"] {
            assert!(wrong_place(root.path(), wrong).is_some(), "{wrong}");
        }
    }
}
