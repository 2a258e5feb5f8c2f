//! Writes settings as YAML: the default file with other values, so that its explanations stay.

use super::DEFAULT_FILE;
use super::node::{Content, Node};

/// Spaces per level in the default file.
const INDENT: usize = 2;

/// The default file with the values of a tree of settings.
pub(super) fn render(settings: &Node) -> String {
    let mut text = String::with_capacity(DEFAULT_FILE.len());
    // The keys around the current line, from the outside in.
    let mut path: Vec<&str> = Vec::new();
    let mut skipping_below: Option<usize> = None;
    for line in DEFAULT_FILE.lines() {
        let indent = line.len() - line.trim_start().len();
        if skipping_below.is_some_and(|level| indent > level && !line.trim().is_empty()) {
            continue;
        }
        skipping_below = None;
        let key = line.trim_start().split_once(':').map(|(key, _)| key).filter(|key| !key.starts_with('#'));
        let Some(key) = key else {
            push_line(&mut text, line);
            continue;
        };
        path.truncate(indent / INDENT);
        path.push(key);
        match find(settings, &path) {
            Some(node) if is_template_section(node, &path) => push_line(&mut text, line),
            Some(node) => {
                text.push_str(&line[..indent]);
                text.push_str(key);
                text.push(':');
                push_value(&mut text, node, indent);
                skipping_below = Some(indent);
            }
            None => push_line(&mut text, line),
        }
    }
    text
}

/// Sections whose keys are in the default file. Those of `variables` are names, and written from the settings.
fn is_template_section(node: &Node, path: &[&str]) -> bool {
    matches!(node.content, Content::Map(_)) && path != ["variables"]
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn find<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| match &node.content {
        Content::Map(entries) => entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value),
        _ => None,
    })
}

/// Writes what follows `key:`, with the newline.
fn push_value(text: &mut String, node: &Node, indent: usize) {
    match &node.content {
        Content::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        Content::List(items) if items.is_empty() => text.push_str(" []\n"),
        Content::Map(_) | Content::List(_) => {
            text.push('\n');
            push_block(text, node, indent + INDENT);
        }
        Content::Null => text.push('\n'),
        Content::Bool(value) => text.push_str(&format!(" {value}\n")),
        Content::Number(number) => text.push_str(&format!(" {number}\n")),
        Content::Plain(value) | Content::Text(value) => text.push_str(&format!(" {}\n", scalar(value))),
    }
}

fn push_block(text: &mut String, node: &Node, indent: usize) {
    let margin = " ".repeat(indent);
    match &node.content {
        Content::Map(entries) => {
            for entry in entries {
                text.push_str(&format!("{margin}{}:", scalar(&entry.key)));
                push_value(text, &entry.value, indent);
            }
        }
        Content::List(items) => {
            for item in items {
                let mut block = String::new();
                match item.content {
                    Content::Map(_) => push_block(&mut block, item, indent + INDENT),
                    _ => push_value(&mut block, item, indent + INDENT),
                }
                text.push_str(&format!("{margin}- {}", block.trim_start()));
            }
        }
        _ => push_value(text, node, indent),
    }
}

/// A text as a YAML scalar that every reader takes for the same text.
fn scalar(text: &str) -> String {
    if text.chars().any(needs_escape) {
        return double_quoted(text);
    }
    if is_safely_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn is_safely_plain(text: &str) -> bool {
    let safe =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '\\' | ' ' | '+' | '=' | '@');
    let looks_like_another_type = || {
        let word = text.to_ascii_lowercase();
        matches!(word.as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n")
            || text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '_' | '-' | '+' | 'x' | 'o'))
    };
    let starts_safely = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '.' | '\\');
    // Options such as `-b -y` start with a minus, which is only special before a blank.
    let is_option = text.starts_with('-') && text[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    // Durations start with a digit.
    let is_duration = text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h']);
    (text.starts_with(starts_safely) || is_option || is_duration)
        && text.chars().all(safe)
        && !text.ends_with(' ')
        && !looks_like_another_type()
}

/// Control characters, line breaks of any kind, and characters that a reader may refuse.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if needs_escape(c) => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalar_table() {
        for (text, expected) in [
            ("Flamenco", "Flamenco"),
            ("10m0s", "10m0s"),
            ("-b -y", "-b -y"),
            ("./store", "./store"),
            (r"C:\a\b.exe", r"'C:\a\b.exe'"),
            (r"\\nas\x", r"\\nas\x"),
            ("", "''"),
            (":8080", "':8080'"),
            ("it's", "'it''s'"),
            ("true", "'true'"),
            ("NO", "'NO'"),
            ("123", "'123'"),
            ("1e3", "'1e3'"),
            ("- x", "'- x'"),
            ("-", "'-'"),
            (" x", "' x'"),
            ("x ", "'x '"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a\nb\\\"\u{7}", "\"a\\nb\\\\\\\"\\U00000007\""),
        ] {
            assert_eq!(scalar(text), expected, "{text:?}");
        }
    }
}
