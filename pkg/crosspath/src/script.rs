//! The functions of the `path` object of job type scripts.
//!
//! They accept both separators, on every platform, and always answer with `/`, so that a script gives the same tasks
//! whatever the artist and the manager run on. Braces of variables such as `{jobs}` are ordinary characters.

use crate::to_slash;

/// The last part of a path, without trailing separators. `.` for an empty path, `/` for a root.
pub fn basename(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let path = to_slash(path);
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned(),
    }
}

/// Everything before the last separator. `.` when there is none, `/` when it is the first character.
///
/// Nothing is cleaned up, so the leading `//` of a share survives; `/a/b/` gives `/a/b`.
pub fn dirname(path: &str) -> String {
    let path = to_slash(path);
    match path.rfind('/') {
        None => ".".to_owned(),
        Some(0) => "/".to_owned(),
        Some(index) => path[..index].to_owned(),
    }
}

/// Joins the parts that are not empty with `/`, and resolves `.`, `..` and repeated separators.
///
/// The `//` before the server name of a share is kept. Without any non-empty part the result is empty.
pub fn join<S: AsRef<str>>(parts: &[S]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|part| to_slash(part.as_ref())).filter(|part| !part.is_empty()).collect();
    let Some(first) = parts.first() else {
        return String::new();
    };
    // Decided by the first part alone: joining "/" and "a" also makes text that starts with two slashes.
    let is_share = first.strip_prefix("//").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let cleaned = clean(&parts.join("/"));
    if is_share && cleaned != "/" { format!("/{cleaned}") } else { cleaned }
}

/// The last part of a path without its last extension. Empty for a path that is only an extension.
pub fn stem(path: &str) -> String {
    let mut name = basename(path);
    if let Some(dot) = name.rfind('.') {
        name.truncate(dot);
    }
    name
}

/// Resolves `.`, `..` and repeated slashes in a path that has only slashes. `..` stops at the root.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(".."),
            },
            name => kept.push(name),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basename_table() {
        for (input, expected) in [
            ("", "."),
            ("justafile.txt", "justafile.txt"),
            ("/Linux path/with spaces.txt", "with spaces.txt"),
            (r"C:\ünicode\is\awésom.tar.gz", "awésom.tar.gz"),
            (r"\\?\UNC\ComputerName\SharedFolder\Resource with ext.ension", "Resource with ext.ension"),
            ("/", "/"),
            ("//", "/"),
            (r"\", "/"),
            ("/a/b/", "b"),
            ("{jobs}/a/######", "######"),
        ] {
            assert_eq!(basename(input), expected, "{input:?}");
        }
    }

    #[test]
    fn dirname_table() {
        for (input, expected) in [
            ("", "."),
            ("justafile.txt", "."),
            ("/", "/"),
            ("/file-at-root", "/"),
            (r"C:\file-at-root", "C:"),
            ("/Linux path/with spaces.txt", "/Linux path"),
            (r"/Mixed path\with/slash.txt", "/Mixed path/with"),
            (r"C:\ünicode\is\awésom.tar.gz", "C:/ünicode/is"),
            (r"\\SERVER\ünicode\is\awésom.tar.gz", "//SERVER/ünicode/is"),
            (r"\\?\UNC\ComputerName\SharedFolder\Resource", "//?/UNC/ComputerName/SharedFolder"),
            ("/a/b/", "/a/b"),
            ("a//b", "a/"),
            ("{frames}/shot/######", "{frames}/shot"),
        ] {
            assert_eq!(dirname(input), expected, "{input:?}");
        }
    }

    #[test]
    fn join_table() {
        let cases: &[(&[&str], &str)] = &[
            (&[], ""),
            (&[""], ""),
            (&["", ""], ""),
            (&["", "", "a", "", "b", ""], "a/b"),
            (&["/", "file-at-root"], "/file-at-root"),
            (&["C:", "file-at-root"], "C:/file-at-root"),
            (&["/Linux path", "with spaces.txt"], "/Linux path/with spaces.txt"),
            (&[r"C:\ünicode", r"is\awésom.tar.gz"], "C:/ünicode/is/awésom.tar.gz"),
            (&[r"\\SERVER", "mount", "dir", "file.txt"], "//SERVER/mount/dir/file.txt"),
            (
                &[r"\\?\UNC\ComputerName", r"SharedFolder\Resource"],
                "//?/UNC/ComputerName/SharedFolder/Resource",
            ),
            // Backslashes are converted before `..` is resolved, and a share keeps both slashes.
            (&[r"C:\a\b", "..", "c"], "C:/a/c"),
            (&["//SERVER/share", "x"], "//SERVER/share/x"),
            (&["//SERVER/share/dir", "..", "x"], "//SERVER/share/x"),
            (&["//", "SERVER"], "/SERVER"),
            (&["/", "/a"], "/a"),
            (&["///a", "b"], "/a/b"),
            (&["d", ".", "merged"], "d/merged"),
            (&["a", "..", "..", "b"], "../b"),
            (&["/a", "..", "..", "b"], "/b"),
            (&["a", ".."], "."),
            (&["//SERVER", ".."], "/"),
            (&["{clientStoragePath}", "{jobSubPath}", "x.py"], "{clientStoragePath}/{jobSubPath}/x.py"),
        ];
        for (parts, expected) in cases {
            assert_eq!(join(parts), *expected, "{parts:?}");
        }
    }

    #[test]
    fn stem_table() {
        for (input, expected) in [
            ("", ""),
            ("stem.txt", "stem"),
            ("stem.tar.gz", "stem.tar"),
            ("/path/to/file.txt", "file"),
            (r"C:\path\to\file.txt", "file"),
            (r"C:\path\to/mixed/slashes/file.txt", "file"),
            (r"C:\path/to\mixed/slashes\file.txt", "file"),
            (r"\\?\UNC\ComputerName\SharedFolder\Resource with ext.ension", "Resource with ext"),
            (".bashrc", ""),
            ("no extension", "no extension"),
        ] {
            assert_eq!(stem(input), expected, "{input:?}");
        }
    }
}
