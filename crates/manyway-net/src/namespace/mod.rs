//! Network namespaces that live as long as their handle, and the privilege to make them.

mod spawner;
mod user;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, OnceLock};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::link::{self, LinkError};
use spawner::Spawner;

pub use user::{Privileges, UserNamespaceError, become_root_in_user_namespace, privileges};

/// Why something with a namespace failed.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A namespace could not be created.
    #[error("cannot create a namespace: {source}{}", hint(source))]
    Create {
        /// What the system said.
        source: io::Error,
    },
    /// A namespace could not be entered.
    #[error("cannot enter a namespace: {source}{}", hint(source))]
    Enter {
        /// What the system said.
        source: io::Error,
    },
    /// Something could not be mounted in a new mount namespace.
    #[error("cannot mount {what}: {source}")]
    Mount {
        /// What should have been mounted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The loopback interface could not be brought up.
    #[error(transparent)]
    Loopback(#[from] LinkError),
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "; it needs root (CAP_SYS_ADMIN), or a user namespace of one's own"
        }
        _ => "",
    }
}

/// What a [`Namespace`] has of its own besides the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NamespaceOptions {
    /// Programs inside see an empty `/run` of their own.
    pub private_run: bool,
    /// Programs inside see a `/sys` that shows this network namespace.
    pub own_sysfs: bool,
}

impl NamespaceOptions {
    fn needs_mounts(self) -> bool {
        self.private_run || self.own_sysfs
    }
}

/// A handle on a network namespace.
///
/// The namespace lives as long as a handle (or a process inside) does. Nothing named is left
/// behind, so a crash cleans up like a drop. Clones are handles on the same namespace.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptors: Arc<Descriptors>,
    spawner: OnceLock<Spawner>,
}

#[derive(Debug)]
struct Descriptors {
    network: OwnedFd,
    mount: Option<OwnedFd>,
}

impl Namespace {
    /// A new network namespace, with nothing in it but a loopback interface that is up.
    ///
    /// # Errors
    /// See [`NamespaceError`]; needs `CAP_SYS_ADMIN`.
    pub fn new() -> Result<Self, NamespaceError> {
        Self::with_options(NamespaceOptions::default())
    }

    /// A new network namespace, and a mount namespace when `options` need one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(options: NamespaceOptions) -> Result<Self, NamespaceError> {
        on_thread("namespace", || create(options)).map(Self::from_descriptors)
    }

    /// The network namespace of the calling thread.
    ///
    /// # Errors
    /// [`NamespaceError::Enter`] when the system does not give a handle on it.
    pub fn current() -> Result<Self, NamespaceError> {
        let network = open_own("net").map_err(|source| NamespaceError::Enter { source })?;
        Ok(Self::from_descriptors(Descriptors {
            network,
            mount: None,
        }))
    }

    fn from_descriptors(descriptors: Descriptors) -> Self {
        Self(Arc::new(Inner {
            descriptors: Arc::new(descriptors),
            spawner: OnceLock::new(),
        }))
    }

    /// Runs `work` on a thread of its own inside, and waits for it. Sockets and threads that
    /// `work` makes belong to this namespace wherever they are used later. A panic of `work`
    /// continues here.
    ///
    /// # Errors
    /// When the thread cannot be started or cannot enter; `work` has not run then.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        on_thread("in-namespace", || {
            self.0.descriptors.enter_for_good()?;
            Ok(work())
        })
    }

    /// Starts a program inside.
    ///
    /// It is killed when the last handle on this namespace is dropped, or when this process ends,
    /// however that happens.
    ///
    /// # Errors
    /// [`NamespaceError::Spawn`] when the program does not start; others when the namespace cannot
    /// be entered.
    pub fn spawn(&self, command: Command) -> Result<Child, NamespaceError> {
        let spawner = match self.0.spawner.get() {
            Some(spawner) => spawner,
            None => {
                let started = Spawner::start(Arc::clone(&self.0.descriptors))?;
                // Of two that were started at the same time, one is stopped again.
                self.0.spawner.get_or_init(|| started)
            }
        };
        spawner.spawn(command)
    }
}

impl AsFd for Namespace {
    /// The network namespace, as [`link::create_veth`] takes it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptors.network.as_fd()
    }
}

impl Descriptors {
    /// Moves the calling thread inside, with no way back.
    fn enter_for_good(&self) -> Result<(), NamespaceError> {
        let enter = |source: rustix::io::Errno| NamespaceError::Enter {
            source: source.into(),
        };
        move_into_link_name_space(self.network.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(enter)?;
        if let Some(mounts) = &self.mount {
            // A thread that shares its root and working directory may not change its mounts.
            unshare(UnshareFlags::FS).map_err(enter)?;
            move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
                .map_err(enter)?;
        }
        Ok(())
    }
}

/// Creates namespaces around the calling thread.
fn create(options: NamespaceOptions) -> Result<Descriptors, NamespaceError> {
    let create = |source: rustix::io::Errno| NamespaceError::Create {
        source: source.into(),
    };
    unshare(UnshareFlags::NEWNET).map_err(create)?;
    link::set_up("lo")?;
    let open = |kind| open_own(kind).map_err(|source| NamespaceError::Create { source });
    let mount = if options.needs_mounts() {
        unshare(UnshareFlags::NEWNS).map_err(create)?;
        mount_own(options)?;
        Some(open("mnt")?)
    } else {
        None
    };
    Ok(Descriptors {
        network: open("net")?,
        mount,
    })
}

/// Mounts what `options` ask for, in the mount namespace of the calling thread.
fn mount_own(options: NamespaceOptions) -> Result<(), NamespaceError> {
    detach_mounts()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    if options.private_run {
        mount("tmpfs", "/run", "tmpfs", flags, Some(c"mode=755,size=16m")).map_err(|source| {
            NamespaceError::Mount {
                what: "/run",
                source: source.into(),
            }
        })?;
    }
    if options.own_sysfs {
        mount("sysfs", "/sys", "sysfs", flags | MountFlags::NOEXEC, None).map_err(|source| {
            NamespaceError::Mount {
                what: "/sys",
                source: source.into(),
            }
        })?;
    }
    Ok(())
}

/// Keeps what is mounted from now on out of the mount namespace this one was copied from.
fn detach_mounts() -> Result<(), NamespaceError> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags).map_err(|source| NamespaceError::Mount {
        what: "/ privately",
        source: source.into(),
    })
}

#[expect(
    unsafe_code,
    reason = "unshare(2) can separate descriptor tables, which is not asked for"
)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: only CLONE_FILES makes descriptors of other threads unusable, and no caller in this
    // module passes it.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Opens a namespace of the calling thread.
fn open_own(kind: &str) -> io::Result<OwnedFd> {
    let path = Path::new("/proc/thread-self/ns").join(kind);
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// Runs `work` on a thread of its own and waits for it.
fn on_thread<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, NamespaceError> + Send,
) -> Result<T, NamespaceError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, work)
            .map_err(|source| NamespaceError::Thread { source })?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
