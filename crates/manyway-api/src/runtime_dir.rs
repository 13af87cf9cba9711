//! Where control sockets live, and which of those places to trust.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The environment variable that names the only directory for control sockets.
const OVERRIDE: &str = "MANYWAY_RUNTIME_DIR";

/// The directory for control sockets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirError {
    /// It could not be made or looked at.
    #[error("cannot use {path} for the control socket: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put sockets there.
    #[error("{path} is not a directory that only this user can write to")]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}

/// Every directory in which this user may find control sockets, most specific first.
///
/// `$MANYWAY_RUNTIME_DIR` alone when it is set. Otherwise `$XDG_RUNTIME_DIR/manyway`, `/run/manyway` and
/// `/tmp/manyway-UID`; for root also the directories of every logged-in user. Directories that do not exist, and
/// those into which somebody other than root, their owner and this user could put a socket, are left out.
pub fn runtime_dirs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in candidates() {
        if !found.contains(&path) && is_trusted(&path) {
            found.push(path);
        }
    }
    found
}

fn candidates() -> Vec<PathBuf> {
    if let Some(only) = from_environment(OVERRIDE) {
        return vec![only];
    }
    let uid = geteuid();
    let mut paths = Vec::new();
    if let Some(xdg) = from_environment("XDG_RUNTIME_DIR") {
        paths.push(xdg.join("manyway"));
    }
    paths.push(PathBuf::from("/run/manyway"));
    paths.push(temporary(uid.as_raw()));
    if uid.is_root() {
        paths.extend(children("/run/user").map(|user| user.join("manyway")));
        paths.extend(children("/tmp").filter(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"manyway-"))
        }));
    }
    paths
}

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

fn temporary(uid: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/manyway-{uid}"))
}

fn children(directory: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

/// A directory is trusted when it is no symbolic link and only its owner, who is root or this user (for root:
/// anyone), can write to it.
fn is_trusted(path: &Path) -> bool {
    let uid = geteuid();
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.mode() & 0o022 == 0
            && (uid.is_root() || metadata.uid() == 0 || metadata.uid() == uid.as_raw())
    })
}

/// The directory for this user's control sockets, made with mode 0700 when it does not exist.
///
/// `$MANYWAY_RUNTIME_DIR`, `$XDG_RUNTIME_DIR/manyway` when that directory is this user's, `/run/manyway` for root,
/// else `/tmp/manyway-UID`.
///
/// # Errors
/// When it cannot be made, or when it exists and is not only this user's.
pub fn create_runtime_dir() -> Result<PathBuf, RuntimeDirError> {
    let uid = geteuid();
    let path = if let Some(only) = from_environment(OVERRIDE) {
        only
    } else if let Some(xdg) = from_environment("XDG_RUNTIME_DIR").filter(|path| is_own(path)) {
        xdg.join("manyway")
    } else if uid.is_root() {
        PathBuf::from("/run/manyway")
    } else {
        temporary(uid.as_raw())
    };
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(RuntimeDirError::Io { path, source }),
    }
    if is_own(&path) {
        Ok(path)
    } else {
        Err(RuntimeDirError::NotOurs { path })
    }
}

fn is_own(path: &Path) -> bool {
    is_trusted(path)
        && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() == geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_can_write_to_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("manyway");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(is_trusted(&inner));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o722)).unwrap();
        assert!(!is_trusted(&inner));
    }

    #[test]
    fn a_symbolic_link_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink(directory.path(), &link).unwrap();
        assert!(!is_trusted(&link));
    }

    #[test]
    fn a_missing_directory_is_not_trusted() {
        assert!(!is_trusted(Path::new("/nonexistent/manyway")));
    }
}
