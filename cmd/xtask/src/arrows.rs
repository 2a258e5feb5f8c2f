//! `cargo xtask arrows`: the architecture's arrows, checked against `cargo metadata`.
//!
//! Cargo lets every crate of a workspace depend on every other one. What may depend on what is written down here, as
//! drawn in the design; a new arrow is a decision and has to be added on purpose.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// One of our crates and what it may know.
struct Rule {
    name: &'static str,
    /// Our crates that it may depend on.
    ours: &'static [&'static str],
    /// Our crates that its tests may depend on beyond these; the testkit is always one of them.
    in_tests: &'static [&'static str],
    /// Foreign crates that it must not depend on.
    forbidden: &'static [&'static str],
}

/// Databases, and what serves or speaks HTTP: each belongs to one place.
const DATABASE: &[&str] = &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite"];

/// What the tests of a program need in order to talk to it.
const SPEAKS_THE_WIRE: &[&str] = &["flamenco-client", "flamenco-api"];

const RULES: &[Rule] = &[
    Rule {
        name: "flamenco-manager",
        ours: &["flamenco-manager-core"],
        in_tests: SPEAKS_THE_WIRE,
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum", "reqwest"],
    },
    Rule {
        name: "flamenco-worker",
        ours: &["flamenco-worker-core"],
        // Its system tests also look into the manager's database after a crash.
        in_tests: &["flamenco-client", "flamenco-api", "flamenco-store"],
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum", "reqwest"],
    },
    Rule {
        name: "flamenco-cli",
        ours: &["flamenco-client"],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum"],
    },
    Rule {
        name: "xtask",
        ours: &["flamenco-client"],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "axum"],
    },
    Rule {
        name: "flamenco-domain",
        ours: &["flamenco-crosspath"],
        in_tests: &[],
        forbidden: &["tokio", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum", "http", "reqwest"],
    },
    Rule {
        name: "flamenco-store",
        ours: &["flamenco-domain"],
        in_tests: &[],
        forbidden: &["axum", "socketioxide", "http", "reqwest", "rumqttc"],
    },
    Rule {
        name: "flamenco-jobscript",
        ours: &["flamenco-domain", "flamenco-crosspath"],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum", "http", "reqwest"],
    },
    Rule {
        name: "flamenco-manager-core",
        ours: &[
            "flamenco-domain",
            "flamenco-store",
            "flamenco-jobscript",
            "flamenco-shaman",
            "flamenco-api",
            "flamenco-crosspath",
            "flamenco-logtail",
            "flamenco-pictures",
            "flamenco-ssdp",
        ],
        in_tests: &[],
        forbidden: DATABASE,
    },
    Rule {
        name: "flamenco-worker-core",
        ours: &[
            "flamenco-client",
            "flamenco-api",
            "flamenco-crosspath",
            "flamenco-logtail",
            "flamenco-pictures",
            "flamenco-ssdp",
        ],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "axum", "socketioxide"],
    },
    Rule {
        name: "flamenco-testkit",
        ours: &[
            "flamenco-manager-core",
            "flamenco-worker-core",
            "flamenco-store",
            "flamenco-jobscript",
            "flamenco-domain",
            "flamenco-client",
            "flamenco-api",
            "flamenco-shaman",
            "flamenco-crosspath",
        ],
        in_tests: &[],
        forbidden: &[],
    },
    Rule {
        name: "flamenco-api",
        ours: &[],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "socketioxide", "reqwest", "tokio"],
    },
    Rule {
        name: "flamenco-client",
        ours: &["flamenco-api"],
        in_tests: &[],
        forbidden: &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite", "axum", "socketioxide"],
    },
    Rule {
        name: "flamenco-shaman",
        ours: &[],
        in_tests: &[],
        forbidden: &["axum", "http", "reqwest", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite"],
    },
    Rule {
        name: "flamenco-ssdp",
        ours: &[],
        in_tests: &[],
        forbidden: &["axum", "http", "reqwest", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite"],
    },
    Rule {
        name: "flamenco-logtail",
        ours: &[],
        in_tests: &[],
        forbidden: &["tokio", "axum", "http", "reqwest", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite"],
    },
    Rule {
        name: "flamenco-pictures",
        ours: &[],
        in_tests: &[],
        forbidden: &["tokio", "axum", "http", "reqwest", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite"],
    },
    Rule {
        name: "flamenco-crosspath",
        ours: &[],
        in_tests: &[],
        forbidden: &["tokio", "axum", "http", "reqwest", "sea-orm", "sea-orm-migration", "sqlx", "rusqlite"],
    },
];

/// What only tests may use.
const TESTKIT: &str = "flamenco-testkit";

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    kind: Option<String>,
    /// Set for a crate of this workspace.
    path: Option<String>,
}

/// Checks the workspace at `root`.
pub fn run(root: &Path) -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let found = check(&metadata);
    if !found.is_empty() {
        bail!("these dependencies are not in the architecture:\n  {}", found.join("\n  "));
    }
    println!("{} crates, no arrow that is not drawn", metadata.packages.len());
    Ok(())
}

/// Every arrow that must not be, as a sentence.
fn check(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        match RULES.iter().find(|rule| rule.name == package.name) {
            Some(rule) => found.extend(package.dependencies.iter().filter_map(|one| complaint(rule, one))),
            None => {
                found.push(format!("{}: a crate that cmd/xtask/src/arrows.rs does not know", package.name))
            }
        }
    }
    found
}

fn complaint(rule: &Rule, dependency: &Dependency) -> Option<String> {
    let Dependency { name, kind, path } = dependency;
    let only_tests = kind.as_deref() == Some("dev");
    let allowed = if path.is_some() {
        // A crate may ask itself for a feature that its tests need.
        let for_tests = name == TESTKIT || name == rule.name || rule.in_tests.contains(&name.as_str());
        (only_tests && for_tests) || rule.ours.contains(&name.as_str())
    } else {
        only_tests || !rule.forbidden.contains(&name.as_str())
    };
    let kind = kind.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    (!allowed).then(|| format!("{} -> {name}{kind}", rule.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dependencies`: name, kind, whether it is one of ours.
    fn complaints(name: &str, dependencies: &[(&str, Option<&str>, bool)]) -> Vec<String> {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind, ours)| Dependency {
                name: (*name).to_owned(),
                kind: kind.map(str::to_owned),
                path: ours.then(|| format!("/repository/{name}")),
            })
            .collect();
        check(&Metadata { packages: vec![Package { name: name.to_owned(), dependencies }] })
    }

    #[test]
    fn drawn_arrows_are_allowed() {
        for (from, to) in [
            ("flamenco-manager", "flamenco-manager-core"),
            ("flamenco-manager-core", "flamenco-store"),
            ("flamenco-store", "flamenco-domain"),
            ("flamenco-jobscript", "flamenco-domain"),
            ("flamenco-worker-core", "flamenco-client"),
            ("flamenco-client", "flamenco-api"),
            ("flamenco-manager-core", "flamenco-ssdp"),
            ("flamenco-worker-core", "flamenco-ssdp"),
            ("flamenco-cli", "flamenco-client"),
        ] {
            assert_eq!(complaints(from, &[(to, None, true)]), Vec::<String>::new(), "{from} -> {to}");
        }
    }

    #[test]
    fn other_arrows_are_named() {
        for (from, to) in [
            ("flamenco-worker-core", "flamenco-domain"),
            ("flamenco-worker-core", "flamenco-store"),
            ("flamenco-store", "flamenco-api"),
            ("flamenco-domain", "flamenco-store"),
            ("flamenco-api", "flamenco-domain"),
            ("flamenco-client", "flamenco-domain"),
            ("flamenco-crosspath", "flamenco-domain"),
            ("flamenco-manager", "flamenco-store"),
            ("flamenco-manager-core", "flamenco-client"),
        ] {
            assert_eq!(complaints(from, &[(to, None, true)]), [format!("{from} -> {to}")]);
        }
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let testkit = "flamenco-testkit";
        assert_eq!(complaints("flamenco-worker", &[(testkit, Some("dev"), true)]), Vec::<String>::new());
        assert_eq!(
            complaints("flamenco-worker", &[(testkit, None, true)]),
            ["flamenco-worker -> flamenco-testkit"]
        );
        assert_eq!(
            complaints("flamenco-domain", &[(testkit, Some("build"), true)]),
            ["flamenco-domain -> flamenco-testkit (build)"]
        );
    }

    #[test]
    fn tests_do_not_open_other_arrows_between_our_crates() {
        assert_eq!(
            complaints("flamenco-worker-core", &[("flamenco-store", Some("dev"), true)]),
            ["flamenco-worker-core -> flamenco-store (dev)"]
        );
    }

    #[test]
    fn the_database_belongs_to_the_store() {
        assert_eq!(complaints("flamenco-store", &[("sea-orm", None, false)]), Vec::<String>::new());
        for from in ["flamenco-domain", "flamenco-manager-core", "flamenco-worker-core", "flamenco-jobscript"]
        {
            assert_eq!(complaints(from, &[("sea-orm", None, false)]), [format!("{from} -> sea-orm")]);
        }
    }

    #[test]
    fn http_stays_at_the_rim() {
        assert_eq!(complaints("flamenco-manager-core", &[("axum", None, false)]), Vec::<String>::new());
        for from in ["flamenco-domain", "flamenco-store", "flamenco-worker-core", "flamenco-shaman"] {
            assert_eq!(complaints(from, &[("axum", None, false)]), [format!("{from} -> axum")]);
        }
        // In tests, a worker may well be given a manager to talk to.
        assert_eq!(complaints("flamenco-client", &[("axum", Some("dev"), false)]), Vec::<String>::new());
    }

    #[test]
    fn a_new_crate_has_to_be_drawn_first() {
        let found = complaints("flamenco-helpers", &[]);
        assert!(found[0].starts_with("flamenco-helpers: "), "{found:?}");
    }
}
