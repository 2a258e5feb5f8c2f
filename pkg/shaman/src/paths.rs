//! Paths that clients send. Everything here is a pure function on text: a value of these types can be joined to a
//! directory without leaving it, on every platform.

use std::fmt;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::error::Invalid;

/// The directory inside `jobs` where checkouts are built before they get their name, and dismantled after.
pub(crate) const BUILDING: &str = ".flamenco-building";

/// Longest component in bytes: the limit of all common file systems.
const COMPONENT_LIMIT: usize = 255;
/// Longest checkout path in bytes; leaves room for the storage in front and the files behind it.
const CHECKOUT_LIMIT: usize = 1024;
/// Longest path of a file below its checkout, in bytes.
const FILE_LIMIT: usize = 2800;
/// Most components of one path: the directories that lead to a file are held open while it is linked.
const DEPTH_LIMIT: usize = 100;
/// What [`CheckoutPath::with_suffix`] adds.
const SUFFIX_LENGTH: usize = 5;

/// Which names are allowed, beside the rules that always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRules {
    /// Only Linux and macOS will see the files.
    Unix,
    /// Windows may see the files too: its reserved names, trailing dots and spaces and `<>:"|?*` are refused.
    Portable,
}

impl NameRules {
    /// The rules of the platform that this program runs on.
    #[must_use]
    pub fn native() -> Self {
        if cfg!(windows) { Self::Portable } else { Self::Unix }
    }
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Starts with a separator or a drive letter.
    #[error("is absolute")]
    Absolute,
    /// Two separators in a row, or one at the end.
    #[error("has an empty part (a slash too many)")]
    EmptyPart,
    /// A component `.` or `..`.
    #[error("contains {0:?} as a part")]
    Dots(&'static str),
    /// A character that is not allowed.
    #[error("contains the character {0:?}")]
    Character(char),
    /// A name that Windows keeps for devices, or that the storage keeps for itself.
    #[error("uses a reserved name")]
    Reserved,
    /// Windows drops these silently.
    #[error("has a part that ends in a dot or a space")]
    TrailingDotOrSpace,
    /// Longer than a file system takes, or in too many directories.
    #[error("is too long or has too many parts")]
    TooLong,
}

/// The path of a checkout below `jobs`, and its ID. Separated by `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CheckoutPath(String);

impl CheckoutPath {
    /// Checks a path that a client sent. It is never rewritten.
    ///
    /// # Errors
    /// [`Invalid::CheckoutPath`].
    pub fn parse(text: &str, rules: NameRules) -> Result<Self, Invalid> {
        match checkout_fault(text, rules) {
            None => Ok(Self(text.to_owned())),
            Some(fault) => Err(Invalid::CheckoutPath { path: text.to_owned(), fault }),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; never empty, none of them `.` or `..`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// This path and the paths above it, longest first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = CheckoutPath> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
        std::iter::once(self.0.len()).chain(ends.into_iter().rev()).map(|end| Self(self.0[..end].to_owned()))
    }

    /// The same path with `-suffix` added to the component number `at`, counted from 0.
    pub(crate) fn with_suffix(&self, at: usize, suffix: &str) -> Self {
        let mut parts = self.components().map(str::to_owned).collect::<Vec<_>>();
        if let Some(part) = parts.get_mut(at) {
            part.push('-');
            part.push_str(suffix);
        }
        Self(parts.join("/"))
    }
}

impl fmt::Display for CheckoutPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CheckoutPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The path of a file below its checkout. Separated by `/`, whatever the client sent.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelativePath(String);

impl RelativePath {
    /// Checks a path that a client sent, after turning each `\` into `/`: packers on Windows send native paths.
    ///
    /// # Errors
    /// [`Invalid::FilePath`].
    pub fn parse(text: &str, rules: NameRules) -> Result<Self, Invalid> {
        let slashed = text.replace('\\', "/");
        match file_fault(&slashed, rules) {
            None => Ok(Self(slashed)),
            Some(fault) => Err(Invalid::FilePath { path: text.to_owned(), fault }),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; never empty, none of them `.` or `..`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The one spelling that stands for all that a file system without upper and lower case may take for the same name.
pub(crate) fn fold(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

fn checkout_fault(path: &str, rules: NameRules) -> Option<PathFault> {
    if let Some(odd) = path.chars().find(|c| "?*:;{}\\".contains(*c) || c.is_control()) {
        return Some(PathFault::Character(odd));
    }
    if path.len() > CHECKOUT_LIMIT {
        return Some(PathFault::TooLong);
    }
    let mut parts = path.split('/');
    if parts.next().is_some_and(|first| fold(first) == BUILDING) {
        return Some(PathFault::Reserved);
    }
    shape_fault(path)
        .or_else(|| path.split('/').find_map(|part| part_fault(part, COMPONENT_LIMIT - SUFFIX_LENGTH, rules)))
}

fn file_fault(path: &str, rules: NameRules) -> Option<PathFault> {
    if path.contains('\0') {
        return Some(PathFault::Character('\0'));
    }
    if path.len() > FILE_LIMIT {
        return Some(PathFault::TooLong);
    }
    shape_fault(path).or_else(|| path.split('/').find_map(|part| part_fault(part, COMPONENT_LIMIT, rules)))
}

fn shape_fault(path: &str) -> Option<PathFault> {
    let bytes = path.as_bytes();
    match bytes {
        _ if path.split('/').count() > DEPTH_LIMIT => Some(PathFault::TooLong),
        [] => Some(PathFault::Empty),
        [b'/', ..] => Some(PathFault::Absolute),
        [drive, b':', ..] if drive.is_ascii_alphabetic() => Some(PathFault::Absolute),
        _ => None,
    }
}

fn part_fault(part: &str, limit: usize, rules: NameRules) -> Option<PathFault> {
    match part {
        "" => return Some(PathFault::EmptyPart),
        "." => return Some(PathFault::Dots(".")),
        ".." => return Some(PathFault::Dots("..")),
        _ if part.len() > limit => return Some(PathFault::TooLong),
        _ => {}
    }
    match rules {
        NameRules::Unix => None,
        NameRules::Portable => windows_fault(part),
    }
}

fn windows_fault(part: &str) -> Option<PathFault> {
    if let Some(odd) = part.chars().find(|c| "<>:\"|?*".contains(*c) || c.is_control()) {
        return Some(PathFault::Character(odd));
    }
    if part.ends_with(['.', ' ']) {
        return Some(PathFault::TrailingDotOrSpace);
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ').to_uppercase();
    let device = match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => {
            let number = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
            number.is_some_and(|n| n.chars().count() == 1 && n.chars().all(|c| "0123456789¹²³".contains(c)))
        }
    };
    device.then_some(PathFault::Reserved)
}

#[cfg(test)]
mod tests;
