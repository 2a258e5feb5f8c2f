//! What a checkout will consist of, decided before anything is written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::Invalid;
use crate::identity::Identity;
use crate::paths::{RelativePath, fold};

/// One file of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutFile {
    /// Which stored file.
    pub identity: Identity,
    /// Where it shall appear below the checkout.
    pub path: RelativePath,
}

/// Checks that all files fit into one directory tree, drops repetitions, and sorts by path.
///
/// With `one_case` set, names that differ only in case (or in their spelling of accents) count as the same.
/// Directories may differ in case: where that matters, they become one directory.
///
/// # Errors
/// [`Invalid::TwoContents`], [`Invalid::CaseClash`] or [`Invalid::FileIsDirectory`].
pub(crate) fn plan(files: &[CheckoutFile], one_case: bool) -> Result<Vec<&CheckoutFile>, Invalid> {
    let key = |path: &str| if one_case { fold(path) } else { path.to_owned() };
    let mut planned: HashMap<String, &CheckoutFile> = HashMap::with_capacity(files.len());
    for file in files {
        match planned.entry(key(file.path.as_str())) {
            Entry::Vacant(place) => {
                place.insert(file);
            }
            Entry::Occupied(first) if first.get().path != file.path => {
                return Err(Invalid::CaseClash {
                    one: first.get().path.to_string(),
                    other: file.path.to_string(),
                });
            }
            Entry::Occupied(first) if first.get().identity != file.identity => {
                return Err(Invalid::TwoContents { path: file.path.to_string() });
            }
            Entry::Occupied(_) => tracing::warn!(path = %file.path, "file is listed twice in a checkout"),
        }
    }
    for file in files {
        let path = file.path.as_str();
        for (end, _) in path.match_indices('/') {
            if let Some(above) = planned.get(&key(&path[..end])) {
                return Err(Invalid::FileIsDirectory { path: above.path.to_string() });
            }
        }
    }
    let mut sorted = planned.into_values().collect::<Vec<_>>();
    // By component, so that all files of a directory follow each other.
    sorted.sort_by(|a, b| a.path.components().cmp(b.path.components()));
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::NameRules;

    fn file(path: &str, content: u8) -> CheckoutFile {
        let checksum = crate::Checksum::from_bytes([content; 32]);
        let path = RelativePath::parse(path, NameRules::Unix).expect("valid");
        CheckoutFile { identity: Identity { checksum, size: 1 }, path }
    }

    #[test]
    fn files_must_fit_into_one_tree() {
        let same = Err(Invalid::TwoContents { path: "a".into() });
        let clash = |one: &str, other: &str| Err(Invalid::CaseClash { one: one.into(), other: other.into() });
        let directory = |path: &str| Err(Invalid::FileIsDirectory { path: path.into() });
        type Row = (&'static [(&'static str, u8)], bool, Result<&'static [&'static str], Invalid>);
        let rows: &[Row] = &[
            (&[], false, Ok(&[])),
            (&[("b", 1), ("a", 1)], false, Ok(&["a", "b"])),
            (&[("a", 1), ("a", 1)], false, Ok(&["a"])),
            (&[("a", 1), ("a", 2)], false, same),
            (&[("a", 1), ("A", 2)], false, Ok(&["A", "a"])),
            (&[("a", 1), ("A", 2)], true, clash("a", "A")),
            (&[("a", 1), ("A", 1)], true, clash("a", "A")),
            (
                &[("tex/e\u{301}.png", 1), ("tex/\u{e9}.png", 2)],
                true,
                clash("tex/e\u{301}.png", "tex/\u{e9}.png"),
            ),
            (&[("Tex/a", 1), ("tex/b", 2)], true, Ok(&["Tex/a", "tex/b"])),
            (&[("a", 1), ("a/b", 2)], false, directory("a")),
            (&[("a/b/c", 1), ("a/b", 2)], false, directory("a/b")),
            (&[("A", 1), ("a/b", 2)], false, Ok(&["A", "a/b"])),
            (&[("A", 1), ("a/b", 2)], true, directory("A")),
            // Sorted by component: `a!` must not separate the files of `a`.
            (&[("a/2", 1), ("a!/1", 1), ("a/1", 1)], false, Ok(&["a/1", "a/2", "a!/1"])),
        ];
        for (files, one_case, expected) in rows {
            let files = files.iter().map(|(path, content)| file(path, *content)).collect::<Vec<_>>();
            let planned = plan(&files, *one_case)
                .map(|plan| plan.into_iter().map(|file| file.path.as_str()).collect::<Vec<_>>());
            assert_eq!(planned, expected.clone().map(<[_]>::to_vec), "{files:?}");
        }
    }
}
