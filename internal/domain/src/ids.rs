//! Typed identifiers.
//!
//! On the wire an id is a UUID in its 36-character form and nothing else; each kind of thing has its own type, so
//! that mixing them up does not compile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that should have been an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a UUID of 36 characters, such as 6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11")]
pub struct InvalidId(pub String);

/// Reads a UUID in its 36-character form only; braces, URNs and the form without dashes are refused.
///
/// # Errors
/// [`InvalidId`] with the text as given.
pub fn parse_uuid(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId(text.to_owned()));
    }
    Uuid::parse_str(text).map_err(|_| InvalidId(text.to_owned()))
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id (UUID version 4).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_uuid(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

id_type!(
    /// Identifies a job.
    JobId
);
id_type!(
    /// Identifies a task.
    TaskId
);
id_type!(
    /// Identifies a worker.
    WorkerId
);
id_type!(
    /// Identifies a worker tag.
    TagId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_36_character_form_is_an_id() {
        let id = JobId::random();
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        for bad in [
            "",
            "x",
            "6a7b5c0e2f4d4f439d0a0c2f1f6f7b11",
            "{6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11}",
            "urn:uuid:6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11",
            "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b1g",
        ] {
            assert_eq!(bad.parse::<TaskId>(), Err(InvalidId(bad.to_owned())));
        }
    }
}
