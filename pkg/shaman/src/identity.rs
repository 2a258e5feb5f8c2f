//! What a stored file is called: its checksum and its size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Invalid;

/// A SHA-256 sum. Written as 64 lower-case hexadecimal digits; read in either case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Reads 64 hexadecimal digits, upper or lower case.
    ///
    /// # Errors
    /// [`Invalid::Checksum`] for anything else, so that no checksum can ever carry a path separator or a wildcard.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::Checksum { given: text.to_owned() };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(refused());
        }
        let mut sum = [0; 32];
        for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (hex_value(pair[0]), hex_value(pair[1]));
            *byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or_else(refused)?;
        }
        Ok(Self(sum))
    }

    /// The checksum with these bytes, as a hash function gives them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl FromStr for Checksum {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Checksum {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Checksum> for String {
    fn from(sum: Checksum) -> Self {
        sum.to_string()
    }
}

/// The identity of a file's content: two files with the same identity are the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 of the content.
    #[serde(rename = "sha")]
    pub checksum: Checksum,
    /// Length of the content in bytes.
    pub size: u64,
}

impl Identity {
    /// Reads an identity as it comes over the wire.
    ///
    /// # Errors
    /// [`Invalid::Checksum`] or [`Invalid::Size`].
    pub fn parse(checksum: &str, size: i64) -> Result<Self, Invalid> {
        let size = u64::try_from(size).map_err(|_| Invalid::Size { given: size })?;
        Ok(Self { checksum: Checksum::parse(checksum)?, size })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.checksum, self.size)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const SUM: &str = "590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0b9";

    #[test]
    fn checksums_are_64_hexadecimal_digits() {
        let long = format!("{SUM}0");
        let upper = SUM.to_uppercase();
        let cases = [
            (SUM, true),
            (upper.as_str(), true),
            ("", false),
            ("5", false),
            ("abcdefxxx", false),
            ("da-checksum-is-long-enough-like-this", false),
            (&SUM[1..], false),
            (long.as_str(), false),
            ("../../../../../../../../../../../../../../../../../../etc/passwd0", false),
            ("590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0b*", false),
            ("590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a/b9", false),
            // 64 characters, more bytes.
            ("590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0bé", false),
            // 64 bytes, fewer characters.
            ("590c148428d5c35fab3ebad2f3365bb469ab9c531b60831f3e826c472027a0é", false),
        ];
        for (text, fits) in cases {
            let parsed = Checksum::parse(text);
            assert_eq!(parsed.is_ok(), fits, "{text:?}");
            if let Ok(sum) = parsed {
                assert_eq!(sum.to_string(), SUM, "written in lower case");
            }
        }
    }

    #[test]
    fn an_identity_needs_a_size_that_is_not_negative() {
        assert_eq!(Identity::parse(SUM, -1), Err(Invalid::Size { given: -1 }));
        assert_eq!(Identity::parse(SUM, 0).map(|identity| identity.size), Ok(0));
        assert_eq!(Identity::parse(SUM, i64::MAX).map(|identity| identity.size), Ok(i64::MAX as u64));
    }

    #[test]
    fn the_hash_is_plain_sha_256() {
        let vectors = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("hahaha", "be178c0543eb17f5f3043021c9e5fcf30285e557a4fc309cce97ff9ca6182912"),
            ("hähähä", "05b373f2ab421a112c779258ea456c17160fcc1d0fe0bb8282de26122873f6e2"),
        ];
        for (text, sum) in vectors {
            assert_eq!(Checksum::from_bytes(Sha256::digest(text).into()).to_string(), sum, "{text:?}");
        }
    }
}
