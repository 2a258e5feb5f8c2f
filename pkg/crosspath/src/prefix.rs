//! Is one path inside another?

use crate::is_separator;

/// Whether `text` is the path `prefix` or something below it; gives the number of bytes of `text` that match.
///
/// Both separators count as the same character, and letters are compared one by one without regard to case. The
/// match must end where `text` ends, or before a separator, or `prefix` must itself end in one: `/render` does not
/// match `/render2/shot`. An empty prefix matches nothing.
///
/// The length counts bytes of `text`, not of `prefix`: upper and lower case of a letter can differ in length.
pub fn starts_with_path(text: &str, prefix: &str) -> Option<usize> {
    if prefix.is_empty() {
        return None;
    }
    let mut rest = text.chars();
    for wanted in prefix.chars() {
        let found = rest.next()?;
        if !same_character(found, wanted) {
            return None;
        }
    }
    let at_boundary =
        prefix.ends_with(is_separator) || rest.as_str().is_empty() || rest.as_str().starts_with(is_separator);
    at_boundary.then(|| text.len() - rest.as_str().len())
}

fn same_character(a: char, b: char) -> bool {
    a == b || (is_separator(a) && is_separator(b)) || a.to_lowercase().eq(b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_table() {
        for (text, prefix, rest) in [
            (r"K:\Data\farm\a\b.blend", r"K:\Data\farm", Some(r"\a\b.blend")),
            ("K:/Data/farm/a/b.blend", r"K:\Data\farm", Some("/a/b.blend")),
            (r"k:\DATA\farm\A\b.blend", r"K:\Data\farm", Some(r"\A\b.blend")),
            (r"/data\farm\a\b.blend", "/data/farm", Some(r"\a\b.blend")),
            ("/data/farm", "/data/farm", Some("")),
            ("F:/flamenco/x", r"F:\flamenco", Some("/x")),
            ("/projects/sprite-fright", "/projects/sprite-fright", Some("")),
            ("/backup/render/frames/x", "/render", None),
            ("/render2/x", "/render", None),
            ("/rendering", "/render", None),
            ("/render/x", "/render/", Some("x")),
            ("/render", "/render/", None),
            (r"K:\x", r"K:\", Some("x")),
            ("/renDER", "/RENder", Some("")),
            ("/x", "", None),
            ("", "", None),
            ("", "/x", None),
            ("/x", "/", Some("x")),
            // `ẞ` takes three bytes and `ß` two; `K` here is the Kelvin sign, three bytes for one.
            ("/stra\u{1e9e}e/x", "/straße", Some("/x")),
            ("\u{212a}:/x", "k:", Some("/x")),
            ("/ÜNÏ/ö", "/ünï", Some("/ö")),
            ("/ünö", "/ün", None),
        ] {
            let matched = starts_with_path(text, prefix);
            assert_eq!(matched.map(|length| &text[length..]), rest, "{text:?} in {prefix:?}");
        }
    }
}
