//! Root's powers over networks of one's own, without being root.

use std::io;

use rustix::process::{getgid, getuid};
use rustix::thread::{CapabilitySet, UnshareFlags, capabilities};

use super::{NamespaceError, detach_mounts, unshare};
use crate::link::{self, LinkError};

/// What this process may do about network namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privileges {
    /// It may create them (`CAP_SYS_ADMIN` and `CAP_NET_ADMIN`).
    Root,
    /// It may after [`become_root_in_user_namespace`], as far as the system's settings tell.
    UserNamespaces,
    /// It may not.
    None {
        /// Why not, and how to change that.
        reason: String,
    },
}

/// Why [`become_root_in_user_namespace`] failed.
#[derive(Debug, thiserror::Error)]
pub enum UserNamespaceError {
    /// This system does not let its users make user namespaces.
    #[error("{reason}")]
    UserNamespacesDisabled {
        /// Which setting forbids it, and how to change it.
        reason: String,
    },
    /// The process has more than one thread.
    #[error(
        "a user namespace can be entered only while there is one thread, and there are {threads}"
    )]
    NotSingleThreaded {
        /// How many there are.
        threads: usize,
    },
    /// The user and group could not be mapped to root.
    #[error("cannot write {file}: {source}")]
    Mapping {
        /// The file of `/proc/self` that could not be written.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The new namespaces could not be set up.
    #[error(transparent)]
    SetUp(#[from] NamespaceError),
    /// Anything else.
    #[error("cannot create a user namespace: {source}")]
    Io {
        /// What the system said.
        source: io::Error,
    },
}

impl From<LinkError> for UserNamespaceError {
    fn from(error: LinkError) -> Self {
        Self::SetUp(NamespaceError::Loopback(error))
    }
}

/// Settings that can forbid user namespaces: a file of `/proc/sys`, the value that does, and the
/// command that changes it.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "sysctl user.max_user_namespaces=10000",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// What this process may do about network namespaces. A container's seccomp filter can forbid
/// more than this sees.
pub fn privileges() -> Privileges {
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    if capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted)) {
        return Privileges::Root;
    }
    if let Some(reason) = forbidding_setting() {
        return Privileges::None { reason };
    }
    match std::fs::exists("/proc/self/ns/user") {
        Ok(true) => Privileges::UserNamespaces,
        _ => Privileges::None {
            reason: "this kernel has no user namespaces; run as root".to_owned(),
        },
    }
}

/// Moves this process into user, mount and network namespaces of its own, in which it is root.
/// Its loopback interface is up; nothing outside is reachable by network from then on.
///
/// Has to be called while the process has a single thread, so before any runtime is started.
///
/// # Errors
/// See [`UserNamespaceError`]. After [`Mapping`](UserNamespaceError::Mapping) and
/// [`SetUp`](UserNamespaceError::SetUp) the process is left without rights and should end.
pub fn become_root_in_user_namespace() -> Result<(), UserNamespaceError> {
    let threads = count_threads().map_err(|source| UserNamespaceError::Io { source })?;
    if threads != 1 {
        return Err(UserNamespaceError::NotSingleThreaded { threads });
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    unshare(flags).map_err(|error| match error {
        rustix::io::Errno::PERM | rustix::io::Errno::NOSPC | rustix::io::Errno::USERS => disabled(),
        _ => UserNamespaceError::Io {
            source: error.into(),
        },
    })?;
    // Group membership has to be given up before an unprivileged user may map a group
    // (`user_namespaces(7)`).
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {user} 1\n"))?;
    write("/proc/self/gid_map", &format!("0 {group} 1\n"))?;
    detach_mounts()?;
    link::set_up("lo")?;
    Ok(())
}

fn write(file: &'static str, content: &str) -> Result<(), UserNamespaceError> {
    std::fs::write(file, content).map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied && forbidding_setting().is_some() {
            // AppArmor lets the namespace be made and then takes its powers.
            return disabled();
        }
        UserNamespaceError::Mapping { file, source }
    })
}

fn disabled() -> UserNamespaceError {
    let reason = forbidding_setting().unwrap_or_else(|| {
        "this system forbids user namespaces (a container's seccomp filter or a security module); \
         run as root"
            .to_owned()
    });
    UserNamespaceError::UserNamespacesDisabled { reason }
}

fn forbidding_setting() -> Option<String> {
    SETTINGS.iter().find_map(|(file, forbidding, command)| {
        let value = std::fs::read_to_string(format!("/proc/sys/{file}")).ok()?;
        let name = file.replace('/', ".");
        (value.trim() == *forbidding).then(|| {
            format!(
                "user namespaces are disabled ({name}={forbidding}); run as root, or: {command}"
            )
        })
    })
}

fn count_threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}
