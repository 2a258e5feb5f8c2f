//! `cargo xtask unimplemented`: which operations the manager does not have yet.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::generate;

/// Where the manager's tests keep the list, from the root of the repository.
const LIST: &str = "internal/manager/tests/it/unimplemented.txt";

/// Prints the number of operations, then their names.
pub fn run(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let known = generate::operation_ids(root)?;
    let listed = parse(&text);
    let unknown: Vec<_> =
        listed.iter().filter(|id| !known.iter().any(|known| known == *id)).copied().collect();
    ensure!(
        unknown.is_empty(),
        "{LIST} names operations that openapi.yaml does not have: {}",
        unknown.join(", ")
    );
    println!("{} of {} operations are not implemented", listed.len(), known.len());
    for id in listed {
        println!("{id}");
    }
    Ok(())
}

/// One name a line; `#` starts a comment.
fn parse(text: &str) -> Vec<&str> {
    let names = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_no_operations() {
        let text = "# later\nfetchJob\n\n  submitJob  # needs the store\n#deleteJob\n";
        assert_eq!(parse(text), ["fetchJob", "submitJob"]);
        assert_eq!(parse(""), Vec::<&str>::new());
    }
}
