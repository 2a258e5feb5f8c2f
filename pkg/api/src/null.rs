//! Programs written in Go send `null` for a list or an object without entries.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the empty value.
pub fn as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
