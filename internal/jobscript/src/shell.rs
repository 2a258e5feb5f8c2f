//! Splitting text into words as a shell does, without expanding anything.

/// Splits `text` into words at spaces, tabs and line ends.
///
/// Single quotes keep everything; in double quotes and outside of quotes a backslash makes the next character
/// literal; `#` at the start of a word is a comment up to the end of the line.
///
/// # Errors
/// A sentence for the artist: a quote is not closed, or nothing follows a backslash.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    // `Some` as soon as a word has begun, so that `''` is an empty word.
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                characters.by_ref().find(|&skipped| skipped == '\n');
            }
            '\'' => single_quoted(&mut characters, word.get_or_insert_default(), text)?,
            '"' => double_quoted(&mut characters, word.get_or_insert_default(), text)?,
            '\\' => word.get_or_insert_default().push(escaped(&mut characters, text)?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(characters: &mut std::str::Chars<'_>, word: &mut String, text: &str) -> Result<(), String> {
    for character in characters {
        if character == '\'' {
            return Ok(());
        }
        word.push(character);
    }
    Err(format!("unterminated quote: a ' is never closed in {text:?}"))
}

fn double_quoted(characters: &mut std::str::Chars<'_>, word: &mut String, text: &str) -> Result<(), String> {
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok(()),
            '\\' => word.push(escaped(characters, text)?),
            other => word.push(other),
        }
    }
    Err(format!("unterminated quote: a \" is never closed in {text:?}"))
}

fn escaped(characters: &mut std::str::Chars<'_>, text: &str) -> Result<char, String> {
    characters
        .next()
        .ok_or_else(|| format!("there is nothing after the escape character \\ at the end of {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn split_table() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" \t\r\n ", &[]),
            ("--python-expr 'print(1 + 1)'", &["--python-expr", "print(1 + 1)"]),
            (r#"a\ b "c \"d\"" e#f #g"#, &["a b", r#"c "d""#, "e#f"]),
            ("a'b c'd", &["ab cd"]),
            ("''", &[""]),
            (r#""""#, &[""]),
            (r#""a\nb""#, &["anb"]),
            (r"'C:\dir\x'", &[r"C:\dir\x"]),
            ("a #b c\nd", &["a", "d"]),
            ("#only a comment", &[]),
            ("ü\u{a0}x", &["ü\u{a0}x"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text).unwrap(), *expected, "{text:?}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, expected) in [
            ("--python-expr invalid_quoting(1 + 1)'", "unterminated quote"),
            (r#"a "b"#, "unterminated quote"),
            (r"abc\", "nothing after the escape"),
            (r#""abc\"#, "nothing after the escape"),
        ] {
            let error = split(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn single_quotes_keep_everything(words in prop::collection::vec("[^']{0,12}", 0..6)) {
            let text = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&text).unwrap(), words);
        }

        #[test]
        fn any_text_gives_an_answer(text in "\\PC{0,60}") {
            let _ = split(&text);
        }
    }
}
