//! Conversion between `/` and `\`, roots, drives and UNC paths.

use crate::Platform;

/// Whether a character separates the parts of a path on any platform.
pub fn is_separator(character: char) -> bool {
    matches!(character, '/' | '\\')
}

/// Replaces every backslash by a slash.
pub fn to_slash(path: &str) -> String {
    path.replace('\\', "/")
}

/// Replaces every separator by the one of `platform`, and changes nothing else.
pub fn to_native(path: &str, platform: &Platform) -> String {
    let separator = platform.separator();
    path.chars().map(|character| if is_separator(character) { separator } else { character }).collect()
}

/// Whether a path is the root of a file system: `/`, or a drive with at most one separator behind it.
pub fn is_root(path: &str) -> bool {
    path == "/" || drive_rest(path).is_some_and(|rest| matches!(rest, "" | "/" | "\\"))
}

/// Whether a path says where it starts, in the style of any platform: it begins with a separator, or with a drive
/// that is followed by a separator or by nothing. A drive-relative path such as `C:file` is not absolute.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with(is_separator)
        || drive_rest(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(is_separator))
}

/// Whether a path names a network share or a device in the Windows way: it starts with two backslashes.
/// A leading `//` does not count, because that is how Blender writes "beside the blend file".
pub fn is_unc(path: &str) -> bool {
    path.starts_with(r"\\")
}

/// Writes a path with the separators of `platform`.
///
/// Repeated and trailing separators are dropped, but leading ones are kept, so that `\\nas\share` stays a share and
/// `/` stays the root. On Windows a bare drive becomes absolute ([`make_drive_absolute`]).
pub fn to_platform(path: &str, platform: &Platform) -> String {
    let separator = platform.separator();
    let body = path.trim_start_matches(is_separator);
    // Both separators are one byte long, so this is also their number.
    let leading = path.len() - body.len();

    let mut result = String::with_capacity(path.len() + 1);
    result.extend(std::iter::repeat_n(separator, leading));
    for (index, part) in body.split(is_separator).filter(|part| !part.is_empty()).enumerate() {
        if index > 0 {
            result.push(separator);
        }
        result.push_str(part);
    }
    if platform.is_windows() { make_drive_absolute(&result) } else { result }
}

/// Drops all trailing separators. Of a text that has nothing else, the first character is kept.
pub fn trim_trailing_separator(path: &str) -> &str {
    let trimmed = path.trim_end_matches(is_separator);
    if trimmed.is_empty() { path.get(..1).unwrap_or(path) } else { trimmed }
}

/// Inserts a backslash after a drive that is not followed by a separator: `F:file` becomes `F:\file`.
///
/// Workers run in a directory of their own, so "relative to the current directory of drive F" means nothing there.
pub fn make_drive_absolute(path: &str) -> String {
    match drive_rest(path) {
        Some(rest) if !rest.starts_with(is_separator) => {
            let (drive, rest) = path.split_at(path.len() - rest.len());
            format!("{drive}\\{rest}")
        }
        _ => path.to_owned(),
    }
}

/// What follows the drive of a path, or `None` when the path does not start with a letter and a colon.
fn drive_rest(path: &str) -> Option<&str> {
    path.strip_prefix(|letter: char| letter.is_ascii_alphabetic())?.strip_prefix(':')
}

#[cfg(test)]
mod tests;
