//! Tells the program which commit it was built from, when that is known.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=FLAMENCO_COMMIT");
    // Packagers build from archives without a repository, and can say it themselves.
    let commit = std::env::var("FLAMENCO_COMMIT").ok().or_else(|| {
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
            .filter(|path| std::fs::exists(path).is_ok_and(|found| found))
        {
            println!("cargo:rerun-if-changed={log}");
        } else {
            println!("cargo:rerun-if-changed=build.rs");
        }
        git(&["rev-parse", "--short=9", "HEAD"])
    });
    let version = env!("CARGO_PKG_VERSION");
    let commit = commit.filter(|commit| !commit.is_empty());
    println!("cargo:rustc-env=FLAMENCO_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    match commit {
        Some(commit) => println!("cargo:rustc-env=FLAMENCO_VERSION={version} ({commit})"),
        None => println!("cargo:rustc-env=FLAMENCO_VERSION={version}"),
    }
}

/// What git prints; nothing without git, without a repository, or without a commit.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
