//! The `variables` section: reads and writes [`Definition`]s, and says which of them cannot work.

use std::collections::BTreeMap;

use flamenco_domain::variables::{ALL_PLATFORMS, Audience, DefinedValue, Definition, JOBS};

use super::node::{Content, Node};
use super::section::Section;

/// The variable that nearly every job needs.
const BLENDER: &str = "blender";

/// Platforms that workers run on.
const PLATFORMS: [&str; 3] = ["linux", "windows", "darwin"];

/// What people call a platform, and what its programs call it.
const PLATFORM_NICKNAMES: [(&str, &str); 6] = [
    ("macos", "darwin"),
    ("mac", "darwin"),
    ("osx", "darwin"),
    ("win", "windows"),
    ("win32", "windows"),
    ("win64", "windows"),
];

/// The variables of a farm that defines none.
pub(super) fn default() -> BTreeMap<String, Definition> {
    let define = |values: &[(&str, &str)]| {
        let value = |(platform, value): &(&str, &str)| DefinedValue {
            audience: None,
            platforms: vec![(*platform).to_owned()],
            value: (*value).to_owned(),
        };
        Definition { is_twoway: false, values: values.iter().map(value).collect() }
    };
    let blender = define(&[("linux", "blender"), ("windows", "blender.exe"), ("darwin", "blender")]);
    BTreeMap::from([
        (BLENDER.to_owned(), blender),
        ("blenderArgs".to_owned(), define(&[(ALL_PLATFORMS, "-b -y")])),
    ])
}

/// Reads all definitions.
pub(super) fn read(section: &Section<'_>) -> BTreeMap<String, Definition> {
    let mut definitions = BTreeMap::new();
    for entry in section.entries() {
        let name = entry.key.trim();
        if name.is_empty() || name.contains(['{', '}']) {
            section.problem(&entry.key, "the name of a variable must not be blank or contain { or }");
        } else if name == JOBS {
            section.warning(JOBS, "this variable is set by the manager itself; the definition is ignored");
        } else {
            let mut variable = section.child(&entry.key, &entry.value);
            definitions.insert(name.to_owned(), read_definition(&mut variable));
            variable.finish();
        }
    }
    warn_about_blender(section, &definitions);
    definitions
}

fn read_definition(variable: &mut Section<'_>) -> Definition {
    let mut definition = Definition::default();
    variable.boolean("is_twoway", &mut definition.is_twoway);
    variable.legacy(&[("direction", "write is_twoway: true or is_twoway: false")]);
    let Some(node) = variable.get("values") else {
        variable.warning("values", "missing, so this variable stands for nothing");
        return definition;
    };
    let Content::List(items) = &node.content else {
        let message = format!("expected a list, each item with platform: and value:, found {}", node.kind());
        variable.problem("values", message);
        return definition;
    };
    for (index, item) in items.iter().enumerate() {
        let mut value = variable.child(&format!("values[{index}]"), item);
        definition.values.extend(read_value(&mut value));
        value.finish();
    }
    definition
}

fn read_value(section: &mut Section<'_>) -> Option<DefinedValue> {
    let (mut audience, mut platform) = (String::new(), String::new());
    let (mut platforms, mut value) = (Vec::new(), String::new());
    section.text("audience", &mut audience);
    section.text("platform", &mut platform);
    section.texts("platforms", &mut platforms);
    match section.get("value") {
        Some(_) => section.text("value", &mut value),
        None => section.warning("value", "missing; taken for an empty text"),
    }
    let audience = match audience.trim() {
        "" | "all" => None,
        "workers" => Some(Audience::Workers),
        "users" => Some(Audience::Users),
        other => {
            section.warning(
                "audience",
                format!("{other:?} is unknown, value ignored; write all, workers or users"),
            );
            return None;
        }
    };
    if !platform.is_empty() && !platforms.is_empty() {
        section.warning("platform", "both platform and platforms are given; they are merged into platforms");
    }
    if !platform.is_empty() && !platforms.contains(&platform) {
        platforms.insert(0, platform);
    }
    if platforms.is_empty() {
        section
            .warning("platform", "no platform, so this value is never used; write for example platform: all");
    }
    for (nickname, name) in PLATFORM_NICKNAMES {
        if platforms.iter().any(|platform| platform.to_lowercase() == nickname) {
            section
                .warning("platform", format!("no program calls itself {nickname:?}; did you mean {name}?"));
        }
    }
    Some(DefinedValue { audience, platforms, value })
}

fn warn_about_blender(section: &Section<'_>, definitions: &BTreeMap<String, Definition>) {
    let Some(blender) = definitions.get(BLENDER) else {
        section.warning(BLENDER, "not defined, so the built-in job types cannot render");
        return;
    };
    let has = |wanted: &str| blender.values.iter().flat_map(|value| &value.platforms).any(|p| p == wanted);
    let missing: Vec<_> =
        PLATFORMS.into_iter().filter(|platform| !has(platform) && !has(ALL_PLATFORMS)).collect();
    if !missing.is_empty() {
        let message = format!("no value for {}, so workers there cannot render", missing.join(" and "));
        section.warning(BLENDER, message);
    }
}

/// The tree that [`read`] reads.
pub(super) fn to_node(definitions: &BTreeMap<String, Definition>) -> Node {
    Node::map(definitions.iter().map(|(name, definition)| {
        let twoway = definition.is_twoway.then(|| ("is_twoway", Node::boolean(true)));
        let values = ("values", Node::list(definition.values.iter().map(value_to_node)));
        (name.clone(), Node::map(twoway.into_iter().chain([values])))
    }))
}

fn value_to_node(value: &DefinedValue) -> Node {
    let audience = match value.audience {
        None => "all",
        Some(Audience::Workers) => "workers",
        Some(Audience::Users) => "users",
    };
    let platforms = match value.platforms.as_slice() {
        [] => None,
        [platform] => Some(("platform", Node::text(platform))),
        platforms => Some(("platforms", Node::list(platforms.iter().map(Node::text)))),
    };
    let first = [("audience", Node::text(audience))];
    let last = [("value", Node::text(&value.value))];
    Node::map(first.into_iter().chain(platforms).chain(last))
}
