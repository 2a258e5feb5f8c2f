//! The name of a platform.

use std::fmt;

/// A platform by the name used on the wire and in configuration files: `linux`, `windows`, `darwin`, or any other
/// text, which behaves like a POSIX platform.
///
/// Names are compared exactly; nothing is lower-cased or trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform(String);

impl Platform {
    /// A platform of the given name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The platform this program was compiled for. macOS is called `darwin` on the wire.
    pub fn current() -> Self {
        match std::env::consts::OS {
            "macos" => Self::new("darwin"),
            name => Self::new(name),
        }
    }

    /// The name, as given to [`Platform::new`].
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether paths of this platform have drives and backslashes.
    pub fn is_windows(&self) -> bool {
        self.0 == "windows"
    }

    /// The separator that this platform writes between the parts of a path.
    pub fn separator(&self) -> char {
        if self.is_windows() { '\\' } else { '/' }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Platform {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_per_platform() {
        for (name, separator) in [
            ("linux", '/'),
            ("windows", '\\'),
            ("darwin", '/'),
            ("freebsd", '/'),
            ("Windows", '/'),
            ("", '/'),
        ] {
            assert_eq!(Platform::new(name).separator(), separator, "{name:?}");
            assert_eq!(Platform::new(name).to_string(), name);
        }
    }

    #[test]
    fn current_never_says_macos() {
        assert_ne!(Platform::current().as_str(), "macos");
        assert_eq!(Platform::current().is_windows(), cfg!(windows));
        assert_eq!(Platform::current().as_str() == "darwin", cfg!(target_os = "macos"));
    }
}
