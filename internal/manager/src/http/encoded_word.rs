//! Encoded words of RFC 2047 in UTF-8, the way in which clients send names in headers. The crates for this bring a dozen
//! others and all encodings of the world.

use base64::Engine;

/// Decodes the encoded words in a text. What is none, or is broken or in another character set, stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut after_word = false;
    // Blanks stay with the word before them, so that nothing else is lost.
    for part in text.split_inclusive(' ') {
        let trimmed = part.trim_end_matches(' ');
        match word(trimmed) {
            Some(name) => {
                // The blanks between two encoded words only separate them.
                if after_word {
                    decoded.truncate(decoded.trim_end_matches(' ').len());
                }
                decoded.push_str(&name);
                decoded.push_str(&part[trimmed.len()..]);
                after_word = true;
            }
            None => {
                decoded.push_str(part);
                after_word &= trimmed.is_empty();
            }
        }
    }
    decoded
}

fn word(text: &str) -> Option<String> {
    let mut parts = text.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
    let (charset, encoding, content) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => base64::engine::general_purpose::STANDARD.decode(content).ok()?,
        "Q" | "q" => quoted(content.as_bytes())?,
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

fn quoted(content: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'_' => b' ',
            b'=' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                rest = &after[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_or_left_as_they_are() {
        for (header, name) in [
            ("", ""),
            ("wood.png", "wood.png"),
            ("with  two spaces.png", "with  two spaces.png"),
            ("=?utf-8?q?r=C3=A1ni=C3=B0.png?=", "ránið.png"),
            ("=?utf-8?b?csOhbmnDsC5wbmc=?=", "ránið.png"),
            ("=?UTF-8?Q?=D0=92=D0=B5=D1=81=D1=8B?= =?UTF-8?Q?_2.blend?=", "Весы 2.blend"),
            ("old =?utf-8?q?r=C3=A1n?= new", "old rán new"),
            ("=?utf-8?q?half", "=?utf-8?q?half"),
            ("=?utf-8?q?=C3?=", "=?utf-8?q?=C3?="),
            ("=?utf-8?q?=zz?=", "=?utf-8?q?=zz?="),
            ("=?utf-8?b?***?=", "=?utf-8?b?***?="),
            ("=?koi8-r?b?AAAA?=", "=?koi8-r?b?AAAA?="),
            ("=?=", "=?="),
            ("plain é.png", "plain é.png"),
        ] {
            assert_eq!(decode(header), name, "{header}");
        }
    }
}
