//! `cargo xtask generate`: everything that is made from `openapi.yaml`.
//!
//! The document is read into a plain model ([`model`], by [`document`]), from which the writers for Rust and Python
//! work. The same document always gives the same files, byte for byte.

mod document;
mod model;
mod python;
mod rust;
mod schema;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Generates all files below `root`, the root of the repository. With `check`, nothing is written, and it is an error
/// if anything would change.
pub fn run(root: &Path, check: bool) -> Result<()> {
    let api = document::read(&root.join("openapi.yaml"))?;
    let mut files = rust::files(&api)?;
    files.extend(python::files(&api)?);
    let changed: Vec<_> =
        files.iter().filter(|(path, text)| !is_up_to_date(&root.join(path), text)).collect();
    if check {
        return report(&changed.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>());
    }
    for (path, text) in &changed {
        write(&root.join(path), text)?;
        println!("wrote {path}");
    }
    println!("{} operations, {} files, {} of them changed", api.operations.len(), files.len(), changed.len());
    Ok(())
}

/// The names of all operations of the document, in its order.
pub fn operation_ids(root: &Path) -> Result<Vec<String>> {
    let api = document::read(&root.join("openapi.yaml"))?;
    Ok(api.operations.into_iter().map(|operation| operation.id).collect())
}

fn is_up_to_date(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|current| current == text)
}

fn report(changed: &[&str]) -> Result<()> {
    if changed.is_empty() {
        println!("all generated files are up to date");
        return Ok(());
    }
    bail!(
        "these files are not what openapi.yaml gives; run `cargo xtask generate` and commit them:\n  {}",
        changed.join("\n  ")
    );
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
