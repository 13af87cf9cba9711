//! Becoming root in a user namespace, as a user without privileges.
//!
//! That needs a process with a single thread, which the standard test harness does not leave. So
//! this program starts a copy of itself as `nobody`, and the copy does the work in its `main`.

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use manyway_net::link;
use manyway_net::namespace::{
    Namespace, NamespaceOptions, Privileges, UserNamespaceError, become_root_in_user_namespace,
    privileges,
};

const ROLE: &str = "MANYWAY_NET_TEST_ROLE";
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("single") => finish(make_networks()),
        Ok("threaded") => finish(try_with_two_threads()),
        _ => {
            let arguments = Arguments::from_args();
            let tests = vec![
                Trial::test("an_unprivileged_user_makes_networks_of_its_own", || {
                    run("single")
                }),
                Trial::test("a_process_with_threads_is_told_so", || run("threaded")),
            ];
            libtest_mimic::run(&arguments, tests).exit_code()
        }
    }
}

fn finish(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn report(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("stderr is writable");
}

/// Runs this program in a role, as `nobody` when we are root.
fn run(role: &str) -> Result<(), Failed> {
    // The build directory may be closed to other users.
    let folder = std::env::temp_dir().join(format!("manyway-net-{}-{role}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let result = run_copy(&folder, role);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn run_copy(folder: &Path, role: &str) -> Result<(), Failed> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    let program = folder.join("test");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let mut command = Command::new(&program);
    command.env(ROLE, role).current_dir("/");
    if privileges() == Privileges::Root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the copy ended with {status}").into())
    }
}

fn make_networks() -> Result<(), Box<dyn Error>> {
    match privileges() {
        Privileges::UserNamespaces => {}
        Privileges::None { reason } => {
            report(&format!("skipped: {reason}"));
            return Ok(());
        }
        Privileges::Root => return Err("nobody should have no privileges".into()),
    }
    if let Err(error) = Namespace::new() {
        if !error.to_string().contains("user namespace") {
            return Err(format!("the error does not say what to do: {error}").into());
        }
    } else {
        return Err("nobody could create a namespace without becoming root".into());
    }
    match become_root_in_user_namespace() {
        Ok(()) => {}
        Err(error @ UserNamespaceError::UserNamespacesDisabled { .. }) => {
            report(&format!("skipped: {error}"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    if privileges() != Privileges::Root {
        return Err("not root after becoming root".into());
    }
    let options = NamespaceOptions {
        private_run: true,
        own_sysfs: false,
    };
    let (a, b) = (Namespace::with_options(options)?, Namespace::new()?);
    a.enter(|| link::create_veth("a", "b", Some(std::os::fd::AsFd::as_fd(&b))))??;
    b.enter(|| link::set_up("b"))??;
    let status = a.spawn(Command::new("true"))?.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("true ended with {status}").into())
    }
}

fn try_with_two_threads() -> Result<(), Box<dyn Error>> {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || stopped.recv());
    let result = become_root_in_user_namespace();
    drop(stop);
    let _ = other.join();
    match result {
        Err(UserNamespaceError::NotSingleThreaded { threads: 2 }) => Ok(()),
        other => Err(format!("unexpected: {other:?}").into()),
    }
}
