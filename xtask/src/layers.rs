//! Which crate may use which. Arrows point one way.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::workspace::{Failure, Workspace};
use crate::{documents, report};

/// Each crate of the workspace and the workspace's crates it may use.
const HOUSE: &[(&str, &[&str])] = &[
    ("manyway-wire", &[]),
    ("manyway-proto", &["manyway-wire"]),
    ("manyway-sim", &["manyway-proto"]),
    ("manyway-net", &[]),
    ("manyway-bed", &["manyway-net", "manyway-sim"]),
    ("manyway", &["manyway-net", "manyway-proto"]),
    ("manyway-plugin", &[]),
    ("manyway-services", &["manyway-plugin"]),
    ("manyway-intercept", &[]),
    ("manyway-mptcp", &[]),
    ("manyway-api", &[]),
    (
        "manyway-broker",
        &[
            "manyway",
            "manyway-api",
            "manyway-intercept",
            "manyway-mptcp",
            "manyway-net",
            "manyway-plugin",
            "manyway-proto",
            "manyway-services",
            "manyway-wire",
        ],
    ),
    (
        "manyway-cli",
        &[
            "manyway",
            "manyway-api",
            "manyway-bed",
            "manyway-broker",
            "manyway-intercept",
            "manyway-net",
        ],
    ),
    ("xtask", &["manyway-bed"]),
];

/// The test networks, which the tests of every crate may use.
const TEST_NETWORKS: &[&str] = &["manyway-bed", "manyway-sim"];

/// Crates without a clock, a socket or a thread of their own.
const SANS_IO: &[&str] = &["manyway-wire", "manyway-proto"];

/// What brings clocks, sockets or threads in.
const IO: &[&str] = &[
    "async-io",
    "libc",
    "mio",
    "nix",
    "quinn-udp",
    "rustix",
    "smol",
    "socket2",
    "tokio",
];

/// Checks the arrows, and the paths by which the documents point into the house.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, Failure> {
    let mut problems = problems(&workspace.metadata()?);
    problems.extend(documents::problems(workspace)?);
    Ok(report("layers", &problems))
}

type House = BTreeMap<&'static str, &'static [&'static str]>;

/// Every arrow that the house does not have.
fn problems(metadata: &Metadata) -> Vec<String> {
    let house: House = HOUSE.iter().copied().collect();
    let mut problems = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if house.contains_key(name) {
            problems.extend(forbidden(&house, package));
        } else {
            problems.push(format!(
                "{name} is not in the table of xtask/src/layers.rs; say there what it may use"
            ));
        }
    }
    problems
}

fn forbidden(house: &House, package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let may_use = house[name];
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        let is_test = dependency.kind == DependencyKind::Development;
        let is_ours = dependency.path.is_some();
        let tests_may = || TEST_NETWORKS.contains(&to) || is_below(house, to, name);
        if is_ours && !may_use.contains(&to) && !(is_test && tests_may()) {
            found.push(format!("{name} must not use {to}; it may use {may_use:?}"));
        }
        if SANS_IO.contains(&name) && !is_test && IO.contains(&to) {
            found.push(format!(
                "{name} must not use {to}: time, bytes and randomness come in"
            ));
        }
    }
    found
}

/// Whether arrows lead from one crate to another, with others between them.
fn is_below(house: &House, below: &str, above: &str) -> bool {
    house.get(above).is_some_and(|may_use| {
        may_use
            .iter()
            .any(|to| *to == below || is_below(house, below, to))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use cargo_metadata::MetadataCommand;

    use super::*;

    /// Makes a workspace of these crates, each with the lines of its manifest below `[package]`.
    fn problems_of(crates: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("Cargo.toml"),
            "[workspace]\nmembers = [\"*\"]\n",
        )
        .unwrap();
        for (name, rest) in crates {
            write_crate(&folder.path().join(name), name, rest);
        }
        let metadata = MetadataCommand::new()
            .current_dir(folder.path())
            .no_deps()
            .exec()
            .unwrap();
        problems(&metadata)
    }

    fn write_crate(folder: &Path, name: &str, rest: &str) {
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/lib.rs"), "").unwrap();
        let package = format!("[package]\nname = {name:?}\nedition = \"2024\"\n{rest}\n");
        fs::write(folder.join("Cargo.toml"), package).unwrap();
    }

    const WIRE_BELOW: &str = "[dependencies]\nmanyway-wire = { path = \"../manyway-wire\" }";
    const PROTO_BELOW: &str = "[dependencies]\nmanyway-proto = { path = \"../manyway-proto\" }";

    #[test]
    fn an_arrow_of_the_house_passes() {
        let found = problems_of(&[("manyway-wire", ""), ("manyway-proto", WIRE_BELOW)]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn an_arrow_upwards_is_a_problem() {
        let found = problems_of(&[("manyway-wire", PROTO_BELOW), ("manyway-proto", "")]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("manyway-wire must not use manyway-proto"),
            "{found:?}"
        );
    }

    #[test]
    fn an_arrow_of_a_build_script_or_of_one_target_counts() {
        for table in ["build-dependencies", "target.'cfg(windows)'.dependencies"] {
            let below = PROTO_BELOW.replace("dependencies", table);
            let found = problems_of(&[("manyway-net", &below), ("manyway-proto", "")]);
            assert_eq!(found.len(), 1, "{table}");
        }
    }

    #[test]
    fn tests_may_use_what_is_below_what_they_test() {
        let wire = WIRE_BELOW.replace("dependencies", "dev-dependencies");
        let sim = |below: &str| problems_of(&[("manyway-sim", below), ("manyway-wire", "")]);
        assert_eq!(sim(&wire), [""; 0]);
        assert_eq!(sim(WIRE_BELOW).len(), 1);
    }

    #[test]
    fn tests_may_use_the_test_networks_but_nothing_else_above() {
        let dev = |name| format!("[dev-dependencies]\n{name} = {{ path = \"../{name}\" }}");
        let net = |below: &str| {
            problems_of(&[
                ("manyway-net", below),
                ("manyway-bed", ""),
                ("manyway-api", ""),
            ])
        };
        assert_eq!(net(&dev("manyway-bed")), [""; 0]);
        assert_eq!(net(&dev("manyway-api")).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_a_problem() {
        let found = problems_of(&[("manyway-shed", "")]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("manyway-shed is not in the table"),
            "{found:?}"
        );
    }

    #[test]
    fn a_sans_io_crate_with_sockets_is_a_problem() {
        let sockets = "[dependencies]\nsocket2 = \"0.6\"";
        assert_eq!(problems_of(&[("manyway-proto", sockets)]).len(), 1);
        assert_eq!(problems_of(&[("manyway-net", sockets)]), [""; 0]);
    }

    #[test]
    fn the_table_points_one_way() {
        let mut above = Vec::new();
        for (name, may_use) in HOUSE {
            assert!(may_use.iter().all(|below| above.contains(below)), "{name}");
            above.push(name);
        }
    }
}
