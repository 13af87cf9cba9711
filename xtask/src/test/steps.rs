//! The steps, in their order: what is quick to fail comes first.

use crate::test::outcome::Outcome;
use crate::test::{fuzz, install, suites};
use crate::workspace::{Failure, Workspace};
use crate::{layers, licences, lines, process, rfc};

/// A part of the whole that can be run alone.
#[derive(Debug)]
pub(crate) struct Step {
    /// What `--only` names it.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// Whether `--quick` runs it.
    pub(crate) quick: bool,
    /// Whether it makes what later steps need.
    pub(crate) is_build: bool,
    /// Whether it makes no sense when the build failed.
    pub(crate) needs_build: bool,
    /// Runs it; the flag says whether quickly.
    pub(crate) run: fn(&Workspace, bool) -> Outcome,
}

impl Step {
    const fn new(
        name: &'static str,
        purpose: &'static str,
        run: fn(&Workspace, bool) -> Outcome,
    ) -> Self {
        Self {
            name,
            purpose,
            quick: false,
            is_build: false,
            needs_build: false,
            run,
        }
    }

    const fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    const fn build(mut self) -> Self {
        self.is_build = true;
        self
    }

    const fn needs_build(mut self) -> Self {
        self.needs_build = true;
        self
    }
}

/// Every step.
pub(crate) const STEPS: &[Step] = &[
    Step::new("install", "the programs that tests run", |workspace, _| {
        install::run(workspace)
    }),
    Step::new("fmt", "formatting", |workspace, _| {
        cargo(workspace, &["fmt", "--all", "--check"])
    })
    .quick(),
    Step::new("layers", "which crate may use which", |workspace, _| {
        judged(layers::run(workspace))
    })
    .quick(),
    Step::new("lines", "long files and functions", |workspace, _| {
        judged(lines::run(workspace))
    })
    .quick(),
    Step::new("rfc", "requirements of the standards", |workspace, _| {
        judged(rfc::run(workspace, &rfc::Args::default()))
    })
    .quick(),
    Step::new("licences", "licences of dependencies", |workspace, _| {
        judged(licences::run(workspace))
    })
    .quick(),
    Step::new("clippy", "lints", |workspace, _| {
        let lints = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        cargo(workspace, &lints)
    })
    .quick(),
    Step::new(
        "docs",
        "documentation of every public item",
        |workspace, _| {
            let mut command = workspace.cargo();
            command
                .args(["doc", "--no-deps", "--workspace"])
                .env("RUSTDOCFLAGS", "-D warnings");
            ran(command)
        },
    ),
    Step::new("build", "the optimised binary", |workspace, _| {
        cargo(workspace, &["build", "--release", "--bin", "manyway"])
    })
    .build(),
    Step::new("tests", "unit and integration tests", suites::tests)
        .quick()
        .needs_build(),
    Step::new(
        "doctests",
        "examples in the documentation",
        |workspace, _| suites::doctests(workspace),
    )
    .needs_build(),
    Step::new(
        "demo",
        "the demonstration, with little data",
        |workspace, _| judged(demo(workspace)),
    )
    .needs_build(),
    Step::new("fuzz", "every fuzz target", |workspace, _| {
        judged(fuzz::run(workspace))
    }),
];

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let mut command = workspace.cargo();
    command.args(arguments);
    ran(command)
}

fn ran(command: std::process::Command) -> Outcome {
    judged(
        process::run(command)
            .map(|ran| ran.status.success())
            .map_err(Failure::from),
    )
}

fn judged(result: Result<impl Into<Outcome>, Failure>) -> Outcome {
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

fn demo(workspace: &Workspace) -> Result<Outcome, Failure> {
    let binary = workspace.target_folder()?.join("release/manyway");
    if !process::succeeds(workspace.command(&binary).args(["demo", "--help"])) {
        return Ok(Outcome::Skipped("this `manyway` has no demo".to_owned()));
    }
    let mut demo = workspace.command(&binary);
    demo.args(["demo", "--json", "--size", "8MiB"]);
    Ok(process::run(demo)?.status.success().into())
}
