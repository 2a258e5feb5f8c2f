//! Splits an argument string into words, and quotes words so that they can be pasted into a shell.

/// Why an argument string cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("a single quote (') is not closed")]
    SingleQuote,
    #[error("a double quote (\") is not closed")]
    DoubleQuote,
    #[error("it ends in a backslash; write it twice, or put Windows paths in single quotes")]
    Backslash,
}

/// Splits like a shell does, with one difference that existing job types rely on: inside double quotes a
/// backslash makes *any* next character literal and disappears.
pub fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                // A comment, up to the end of the line.
                chars.by_ref().find(|c| *c == '\n');
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(SplitError::SingleQuote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(SplitError::DoubleQuote)? {
                        '"' => break,
                        '\\' => word.push(chars.next().ok_or(SplitError::DoubleQuote)?),
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(SplitError::Backslash)?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// One line that can be pasted into a POSIX shell.
pub fn quote<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote_word).collect::<Vec<_>>().join(" ")
}

fn quote_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_table() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  \t\r\n ", &[]),
            ("-a  -b", &["-a", "-b"]),
            ("-v quiet", &["-v", "quiet"]),
            (
                r#" --factory-startup --python-expr "import bpy; print(\"hello world\")""#,
                &["--factory-startup", "--python-expr", r#"import bpy; print("hello world")"#],
            ),
            (r"'C:\tools\x.py'", &[r"C:\tools\x.py"]),
            (r"C:\tools\x.py", &["C:toolsx.py"]),
            (r#""C:\tools""#, &["C:tools"]),
            (r"a\ b", &["a b"]),
            (r#""" ''"#, &["", ""]),
            (r#"a"b c"'d e'f"#, &["ab cd ef"]),
            ("a#b", &["a#b"]),
            ("'#' \"#\"", &["#", "#"]),
            ("one # comment 'with quote\ntwo", &["one", "two"]),
            ("# only a comment", &[]),
            ("größe=‹x›", &["größe=‹x›"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text).unwrap(), *expected, "{text:?}");
        }
        assert_eq!(split("'open"), Err(SplitError::SingleQuote));
        assert_eq!(split("\"open"), Err(SplitError::DoubleQuote));
        assert_eq!(split("\"open\\"), Err(SplitError::DoubleQuote));
        assert_eq!(split("end\\"), Err(SplitError::Backslash));
    }

    #[test]
    fn quote_table() {
        let cases = [
            ("", "''"),
            ("/usr/bin/blender", "/usr/bin/blender"),
            ("a b", "'a b'"),
            ("it's", r#"'it'"'"'s'"#),
            ("größe", "'größe'"),
            ("100%+x@y:z,_=-", "100%+x@y:z,_=-"),
            ("$HOME", "'$HOME'"),
        ];
        for (word, expected) in cases {
            assert_eq!(quote_word(word), expected);
        }
        assert_eq!(quote(["echo", "a b", ""]), "echo 'a b' ''");
    }
}
