//! Finds the pictures of a glob pattern, in the order a person would put them.
//!
//! A directory or file that is literally named like a part of the pattern is taken literally, so that brackets
//! and braces in the names of real directories do no harm.

use std::cmp::Ordering;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

/// All files that match, as absolute paths in natural order: `f2.png` before `f10.png`.
///
/// # Errors
/// When a directory cannot be read, or the pattern cannot be understood. A missing directory is no error, and
/// matches nothing.
pub fn find(pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    let absolute = std::path::absolute(pattern)?;
    let mut found = vec![PathBuf::new()];
    for component in absolute.components() {
        let mut next = Vec::new();
        for directory in &found {
            match component {
                Component::Normal(name) => expand(directory, &name.to_string_lossy(), &mut next)?,
                other => next.push(directory.join(other)),
            }
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    found.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

fn expand(directory: &Path, name: &str, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let literal = directory.join(name);
    if !name.contains(['*', '?', '[', '{']) || literal.exists() {
        found.push(literal);
        return Ok(());
    }
    let matcher = Regex::new(&to_regex(name)).map_err(std::io::Error::other)?;
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let file_name = entry?.file_name();
        let text = file_name.to_string_lossy();
        let hidden = text.starts_with('.') && !name.starts_with('.');
        if !hidden && matcher.is_match(&text) {
            found.push(directory.join(&file_name));
        }
    }
    Ok(())
}

/// Translates `*`, `?`, `[…]` and `{a,b}` of one path component. Brackets and braces that are not closed stand for
/// themselves.
fn to_regex(pattern: &str) -> String {
    let mut regex = String::from("(?s)^");
    let mut open_braces = 0;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => match class(rest) {
                Some((class, after)) => {
                    regex.push_str(&class);
                    rest = after;
                }
                None => regex.push_str(r"\["),
            },
            '{' if rest.contains('}') => {
                open_braces += 1;
                regex.push_str("(?:");
            }
            ',' if open_braces > 0 => regex.push('|'),
            '}' if open_braces > 0 => {
                open_braces -= 1;
                regex.push(')');
            }
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(&")".repeat(open_braces));
    regex + "$"
}

/// A class of characters, from after its `[`: as a regular expression, and what follows it.
fn class(text: &str) -> Option<(String, &str)> {
    let (negated, body_start) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    // A `]` right at the start belongs to the class.
    let first = body_start.chars().next()?.len_utf8();
    let end = first + body_start[first..].find(']')?;
    let body =
        body_start[..end].replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]").replace('&', r"\&");
    Some((format!("[{}{body}]", if negated { "^" } else { "" }), &body_start[end + 1..]))
}

/// Compares texts with numbers in them: runs of digits count by value, everything else by character.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (left.chars().next(), right.chars().next()) {
            (None, None) => return a.cmp(b),
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (number_a, rest_a) = split_digits(left);
                let (number_b, rest_b) = split_digits(right);
                let by_value = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
                if by_value != Ordering::Equal {
                    return by_value;
                }
                (left, right) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) if x != y => return x.cmp(&y),
            (Some(x), Some(_)) => (left, right) = (&left[x.len_utf8()..], &right[x.len_utf8()..]),
        }
    }
}

/// A run of digits without leading zeros, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, files: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = find(directory.path().join(pattern).to_str().unwrap()).unwrap();
        let strip =
            |path: &PathBuf| path.strip_prefix(directory.path()).unwrap().to_str().unwrap().to_owned();
        found.iter().map(strip).collect()
    }

    #[test]
    fn patterns() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("*.png", &["a.png", "b.jpg", ".hidden.png", "sub/c.png"], &["a.png"]),
            ("f?.png", &["f1.png", "f12.png"], &["f1.png"]),
            ("f[0-4].png", &["f1.png", "f5.png"], &["f1.png"]),
            ("f[!0-4].png", &["f1.png", "f5.png"], &["f5.png"]),
            ("f.{png,jpg}", &["f.png", "f.jpg", "f.exr"], &["f.jpg", "f.png"]),
            ("*/f.png", &["a/f.png", "b/f.png", "b/g.png"], &["a/f.png", "b/f.png"]),
            ("shot [01]/*.png", &["shot [01]/a.png", "shot 0/b.png"], &["shot [01]/a.png"]),
            ("{x}/*.png", &["{x}/a.png"], &["{x}/a.png"]),
            ("open[/*.png", &["open[/a.png"], &["open[/a.png"]),
            ("a+b.*", &["a+b.png", "aab.png"], &["a+b.png"]),
            ("none/*.png", &["a.png"], &[]),
            ("a.png", &["a.png"], &["a.png"]),
            ("*", &["f10.png", "f9.png", "f1.png"], &["f1.png", "f9.png", "f10.png"]),
        ];
        for (pattern, files, expected) in cases {
            assert_eq!(names(pattern, files), *expected, "{pattern}");
        }
    }

    #[test]
    fn natural_order_table() {
        let mut names = ["f10", "f2", "f002", "f1", "g", "f", "f1b", "f1a", "-1", "999999999999999999999999"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["-1", "999999999999999999999999", "f", "f1", "f1a", "f1b", "f002", "f2", "f10", "g"]
        );
    }
}
