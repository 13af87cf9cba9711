//! Whether the paths that the documents name exist.

use std::path::Path;
use std::{fs, io};

use crate::workspace::{Failure, Workspace};

/// The documents whose paths are checked.
const DOCUMENTS: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];

/// What a path of the workspace starts with.
const STARTS: &[&str] = &[
    "crates/", "xtask/", "docs/", "fuzz/", ".ci/", ".config/", ".cargo/",
];

/// Every path in the documents that does not exist.
pub(crate) fn problems(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for document in DOCUMENTS {
        match fs::read_to_string(workspace.root.join(document)) {
            Ok(text) => problems.extend(
                missing(&workspace.root, &text)
                    .map(|(line, path)| format!("{document}:{line}: `{path}` does not exist")),
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                problems.push(format!("{document} is missing"));
            }
            Err(error) => return Err(format!("cannot read {document}: {error}").into()),
        }
    }
    Ok(problems)
}

/// The paths that do not exist, each with the number of its line.
fn missing<'a>(root: &Path, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| paths(line).map(move |path| (index + 1, path)))
        .filter(move |(_, path)| !exists(root, path))
}

/// What stands between backticks and looks like a path of the workspace.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let fence = line.trim_start().starts_with("```");
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(move |_| !fence)
        .filter(|code| STARTS.iter().any(|start| code.starts_with(start)))
        .filter(|code| !code.contains(char::is_whitespace))
}

/// Whether a path exists. `{a,b}` stands for both, `*` and `<name>` for at least one file, and a line number at the
/// end for itself.
fn exists(root: &Path, path: &str) -> bool {
    if let Some((before, rest)) = path.split_once('{')
        && let Some((choices, after)) = rest.split_once('}')
    {
        return choices
            .split(',')
            .all(|choice| exists(root, &format!("{before}{}{after}", choice.trim())));
    }
    let path = match path.rsplit_once(':') {
        Some((path, line)) if line.bytes().all(|b| b.is_ascii_digit() || b == b'-') => path,
        _ => path,
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    matches(root, &parts)
}

fn matches(folder: &Path, parts: &[&str]) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return folder.exists();
    };
    let Some((before, after)) = wildcard(part) else {
        return matches(&folder.join(part), rest);
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.len() > before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
            && matches(&entry.path(), rest)
    })
}

/// What stands before and after the part of a name that may be anything.
fn wildcard(part: &str) -> Option<(&str, &str)> {
    part.split_once('*').or_else(|| {
        let (before, rest) = part.split_once('<')?;
        Some((before, rest.split_once('>')?.1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_in(text: &str) -> Vec<(usize, String)> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("crates/a/src/cmd")).unwrap();
        fs::write(folder.path().join("crates/a/src/lib.rs"), "").unwrap();
        fs::write(folder.path().join("crates/a/src/cmd/set.rs"), "").unwrap();
        missing(folder.path(), text)
            .map(|(line, path)| (line, path.to_owned()))
            .collect()
    }

    #[test]
    fn existing_files_and_folders_pass() {
        let text = "See `crates/a/src/`, `crates/a/src/lib.rs:12` and `crates/a`.";
        assert_eq!(missing_in(text), []);
    }

    #[test]
    fn a_path_that_is_not_there_is_told_with_its_line() {
        let text = "# Heading\nin `crates/a/src/lib.rs`, then `crates/a/src/gone.rs`";
        assert_eq!(missing_in(text), [(2, "crates/a/src/gone.rs".to_owned())]);
    }

    #[test]
    fn a_placeholder_needs_one_file_and_a_choice_all() {
        assert_eq!(
            missing_in("`crates/a/src/cmd/<verb>.rs` `crates/*/src/lib.rs`"),
            []
        );
        assert_eq!(missing_in("`crates/a/src/{lib,cmd/set}.rs`"), []);
        assert_eq!(missing_in("`crates/a/src/cmd/<verb>.c`").len(), 1);
        assert_eq!(missing_in("`crates/a/src/{lib,gone}.rs`").len(), 1);
    }

    #[test]
    fn commands_and_other_code_are_not_paths() {
        assert_eq!(
            missing_in("`cargo test -p crates/x` and `Vec<u8>` and crates/gone"),
            []
        );
    }
}
