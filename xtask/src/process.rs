//! Running other programs.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its stdout and stderr, in the order in which they came.
    pub(crate) output: String,
}

/// Runs a program to its end, showing on stderr what it says.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run(mut command: Command) -> io::Result<Ran> {
    let (reader, writer) = io::pipe()?;
    command
        // What it says is read, too.
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    // It holds writing ends of the pipe, which would then never end.
    drop(command);
    let mut reader = BufReader::new(reader);
    let mut output = String::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        // With stderr gone there is nobody to show it to.
        let _ = io::stderr().write_all(text.as_bytes());
        output.push_str(&text);
        line.clear();
    }
    let status = child.wait()?;
    Ok(Ran { status, output })
}

/// Whether a program runs and says that all is well, without showing what it says.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program of this name is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        // Debian keeps administrators' programs out of other users' PATH.
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_kept_in_order_with_the_status() {
        let ran = run(shell("echo one; echo two >&2; echo three; exit 3")).unwrap();
        assert_eq!(ran.output, "one\ntwo\nthree\n");
        assert_eq!(ran.status.code(), Some(3));
    }

    #[test]
    fn success_is_told_from_failure_and_absence() {
        assert!(succeeds(&mut shell("exit 0")));
        assert!(!succeeds(&mut shell("exit 1")));
        assert!(!succeeds(&mut Command::new("no-such-program-here")));
    }

    #[test]
    fn installed_programs_are_found() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-here"));
    }
}
