//! A configuration as it was written: a tree of values that know their line. Made from YAML or JSON.

use saphyr::{MarkedYaml, ScalarStyle, ScanError, YamlData, YamlLoader};
use saphyr_parser::Parser;
use serde_json::Value as Json;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Counted from 1. `None` when it did not come from a text.
    pub(super) line: Option<usize>,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(String),
    /// A YAML scalar without quotes: whoever reads it decides what it is.
    Plain(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: Option<usize>,
    pub(super) value: Node,
}

impl Node {
    /// Reads a YAML text with at most one document. An empty text is `Null`.
    pub(super) fn from_yaml(text: &str) -> Result<Self, (usize, String)> {
        let located = |error: ScanError| (error.marker().line(), error.info().to_owned());
        // Left unparsed, so that `0x10` or `1e3` as a name stays what was written.
        let mut loader: YamlLoader<MarkedYaml> = YamlLoader::default();
        loader.early_parse(false);
        // Editors on Windows like to put a byte order mark first.
        let mut parser = Parser::new_from_str(text.trim_start_matches('\u{feff}'));
        parser.load(&mut loader, true).map_err(located)?;
        if let Some(error) = loader.error() {
            return Err(located(error.clone()));
        }
        let mut documents = loader.into_documents();
        match documents.len() {
            0 => Ok(Self { line: None, content: Content::Null }),
            1 => Ok(Self::from_marked(documents.remove(0))),
            _ => Err((
                documents[1].span.start.line(),
                "there is a second document; remove the --- line".to_owned(),
            )),
        }
    }

    fn from_marked(yaml: MarkedYaml) -> Self {
        let line = Some(yaml.span.start.line());
        let content = match yaml.data {
            YamlData::Representation(text, ScalarStyle::Plain, _) => match text.as_ref() {
                "" | "~" | "null" | "Null" | "NULL" => Content::Null,
                text => Content::Plain(text.to_owned()),
            },
            YamlData::Representation(text, _, _) => Content::Text(text.into_owned()),
            YamlData::Sequence(items) => Content::List(items.into_iter().map(Self::from_marked).collect()),
            YamlData::Mapping(entries) => Content::Map(entries.into_iter().map(Entry::from_marked).collect()),
            YamlData::Tagged(_, inner) => Self::from_marked(*inner).content,
            // None of them comes out of a loader that does not parse early.
            YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => Content::Null,
        };
        Self { line, content }
    }

    /// Takes over a JSON value.
    pub(super) fn from_json(json: &Json) -> Self {
        let content = match json {
            Json::Null => Content::Null,
            Json::Bool(value) => Content::Bool(*value),
            Json::Number(number) => Content::Number(number.to_string()),
            Json::String(text) => Content::Text(text.clone()),
            Json::Array(items) => Content::List(items.iter().map(Self::from_json).collect()),
            Json::Object(map) => Content::Map(
                map.iter()
                    .map(|(key, value)| Entry { key: key.clone(), line: None, value: Self::from_json(value) })
                    .collect(),
            ),
        };
        Self { line: None, content }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Json {
        match &self.content {
            Content::Null => Json::Null,
            Content::Bool(value) => Json::Bool(*value),
            Content::Number(number) => number.parse().map_or(Json::Null, Json::Number),
            Content::Plain(text) | Content::Text(text) => Json::String(text.clone()),
            Content::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }

    /// Where the value of a key stands: `shaman.garbageCollect.period`.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        let Content::Map(entries) = &self.content else { return None };
        let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        let entry = entries.iter().find(|entry| entry.key == first)?;
        rest.map_or(entry.value.line, |rest| entry.value.line_of(rest))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { line: None, content: Content::Text(text.into()) }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self { line: None, content: Content::Bool(value) }
    }

    pub(super) fn number(value: impl Into<u64>) -> Self {
        Self { line: None, content: Content::Number(value.into().to_string()) }
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self { line: None, content: Content::List(items.into_iter().collect()) }
    }

    pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| Entry { key: key.into(), line: None, value });
        Self { line: None, content: Content::Map(entries.collect()) }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Bool(value) => value.to_string(),
            Content::Number(number) => number.clone(),
            Content::Plain(text) | Content::Text(text) => format!("{text:?}"),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a section with keys of its own".to_owned(),
        }
    }
}

impl Entry {
    fn from_marked((key, value): (MarkedYaml, MarkedYaml)) -> Self {
        let line = Some(key.span.start.line());
        let key = Node::from_marked(key);
        let name = match key.content {
            Content::Plain(text) | Content::Text(text) => text,
            _ => key.kind(),
        };
        Self { key: name, line, value: Node::from_marked(value) }
    }
}
