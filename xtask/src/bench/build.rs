//! Building a benchmark and finding it.

use std::path::PathBuf;
use std::process::Stdio;

use cargo_metadata::Message;

use crate::workspace::{Failure, Workspace};

/// Builds a benchmark of the engine; the program.
pub(super) fn benchmark(workspace: &Workspace, name: &str) -> Result<PathBuf, Failure> {
    let mut command = workspace.cargo();
    command.args(["bench", "--package", "manyway-proto", "--bench", name]);
    command.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("cargo has no output")?;
    let mut program = None;
    for message in Message::parse_stream(std::io::BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == name
        {
            program = artifact.executable.or(program);
        }
    }
    if !child.wait()?.success() {
        return Err(format!("the benchmark {name} does not build; see above").into());
    }
    let program = program.ok_or_else(|| format!("cargo built no program for {name}"))?;
    Ok(program.into())
}
