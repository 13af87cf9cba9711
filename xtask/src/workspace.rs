//! Where the workspace is and what is in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use cargo_metadata::{Metadata, MetadataCommand};

/// Why a task could not do its work: one line that says what happened and what to do.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The checkout that this program was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Its root folder.
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// Finds the workspace: cargo says where this crate lies, else the current folder is in it.
    pub(crate) fn find() -> Result<Self, Failure> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(manifest) => PathBuf::from(manifest),
            None => env::current_dir()?,
        };
        start
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").is_file() && folder.join("xtask").is_dir())
            .map(|root| Self {
                root: root.to_owned(),
            })
            .ok_or_else(|| "run this inside the workspace, as `cargo xtask`".into())
    }

    /// The crates and all that they depend on, for every target and feature.
    pub(crate) fn metadata(&self) -> Result<Metadata, Failure> {
        let mut command = MetadataCommand::new();
        command
            .manifest_path(self.root.join("Cargo.toml"))
            .features(cargo_metadata::CargoOpt::AllFeatures);
        Ok(command.exec()?)
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_folder(&self) -> Result<PathBuf, Failure> {
        let mut command = MetadataCommand::new();
        command
            .manifest_path(self.root.join("Cargo.toml"))
            .no_deps();
        Ok(command.exec()?.target_directory.into())
    }

    /// A command that runs in the root folder.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this task.
    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Every Rust file of the workspace's crates, sorted, relative to the root.
    pub(crate) fn rust_files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for folder in ["crates", "xtask"] {
            let folder = self.root.join(folder);
            if folder.is_dir() {
                collect(&folder, &mut files)?;
            }
        }
        files.sort();
        Ok(files
            .iter()
            .map(|file| file.strip_prefix(&self.root).unwrap_or(file).to_owned())
            .collect())
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file holds nothing but tests, benchmarks or examples.
pub(crate) fn is_test_file(path: &Path) -> bool {
    let in_test_folder = path.components().any(|part| {
        ["tests", "benches", "examples"]
            .map(AsRef::as_ref)
            .contains(&part.as_os_str())
    });
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("");
    in_test_folder || stem == "tests" || stem.ends_with("_tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_folder_or_file_name() {
        for path in [
            "crates/a/tests/net.rs",
            "crates/a/src/nat/tests.rs",
            "crates/a/src/nat/tests/pair.rs",
            "crates/a/benches/seal.rs",
            "crates/a/src/nat_tests.rs",
        ] {
            assert!(is_test_file(Path::new(path)), "{path}");
        }
        for path in ["crates/a/src/contests.rs", "crates/tester/src/lib.rs"] {
            assert!(!is_test_file(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn this_file_is_among_the_workspace_s_files() {
        let files = Workspace::find().unwrap().rust_files().unwrap();
        assert!(files.contains(&PathBuf::from("xtask/src/workspace.rs")));
        assert!(files.is_sorted());
    }
}
