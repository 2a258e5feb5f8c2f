//! Finding a text in names without regard to case, for every script and the same on both databases.
//!
//! `LIKE` will not do: SQLite's knows only the letters A to Z, PostgreSQL's `ILIKE` depends on the language of the
//! server. So each letter becomes the class of its cases, which both databases have in their other pattern languages.

/// The condition that `column` has `part` in it, and the pattern that it is to be run with, in `placeholder`.
pub(super) fn contains(column: &str, placeholder: &str, part: &str, postgres: bool) -> (String, String) {
    if postgres {
        (format!("{column} ~ {placeholder}"), part.chars().map(regular).collect())
    } else {
        (format!("{column} GLOB {placeholder}"), format!("*{}*", part.chars().map(glob).collect::<String>()))
    }
}

fn glob(letter: char) -> String {
    let cases = cases(letter);
    if cases.len() > 1 || matches!(letter, '*' | '?' | '[') {
        format!("[{}]", cases.iter().collect::<String>())
    } else {
        letter.to_string()
    }
}

fn regular(letter: char) -> String {
    let cases = cases(letter);
    if cases.len() > 1 {
        format!("[{}]", cases.iter().collect::<String>())
    } else if letter.is_ascii_punctuation() {
        format!("\\{letter}")
    } else {
        letter.to_string()
    }
}

/// The letter itself and the single letters that differ from it only by case.
fn cases(letter: char) -> Vec<char> {
    let mut cases = vec![letter];
    for candidate in lower(letter).into_iter().chain(upper(letter)) {
        for case in [Some(candidate), lower(candidate), upper(candidate)].into_iter().flatten() {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    }
    cases
}

fn lower(letter: char) -> Option<char> {
    only(letter.to_lowercase())
}

fn upper(letter: char) -> Option<char> {
    only(letter.to_uppercase())
}

/// A letter whose other case is several letters has none here.
fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_classes_and_signs_lose_their_meaning() {
        for (part, glob, regular) in [
            ("aB", "*[aA][Bb]*", "[aA][Bb]"),
            ("ü7", "*[üÜ]7*", "[üÜ]7"),
            ("100%_", "*100%_*", "100\\%\\_"),
            ("*?[]^", "*[*][?][[]]^*", "\\*\\?\\[\\]\\^"),
            ("\\.(", "*\\.(*", "\\\\\\.\\("),
            ("σ", "*[σΣ]*", "[σΣ]"),
            ("ς", "*[ςΣσ]*", "[ςΣσ]"),
            ("ß", "*ß*", "ß"),
            ("影 ", "*影 *", "影 "),
        ] {
            assert_eq!(contains("n", "$1", part, false), ("n GLOB $1".to_owned(), glob.to_owned()), "{part}");
            assert_eq!(contains("n", "$1", part, true), ("n ~ $1".to_owned(), regular.to_owned()), "{part}");
        }
    }
}
