//! Modules.

use crate::support::{Farm, ONE_TASK, script};
use serde_json::json;

#[test]
fn the_provided_modules_are_the_globals() {
    let farm = Farm::new();
    let same = "[require('author') === author, require('path') === path, require('process') === process]";
    assert_eq!(farm.evaluate(same), json!([true, true, true]));
}

#[test]
fn files_are_loaded_relative_to_who_asks() {
    let farm = Farm::new();
    farm.write("lib/a.js", "#!/usr/bin/env node\nexports.name = 'a'; exports.b = require('./deep/b').name; exports.self = this === exports;");
    farm.write(
        "lib/deep/b.js",
        "module.exports = {name: 'b', data: require('../../data.json'), a: require('../a')};",
    );
    farm.write("data.json", r#"{"list": [1, {"x": null}]}"#);
    farm.write("node_modules/pkg/package.json", r#"{"main": "main.js"}"#);
    farm.write("node_modules/pkg/main.js", "implicit = 5; module.exports = () => implicit; // sloppy mode");
    assert_eq!(
        farm.evaluate("{a: require('./lib/a'), data: require('./data').list, pkg: require('pkg')()}"),
        json!({"a": {"name": "a", "b": "b", "self": true}, "data": [1, {"x": null}], "pkg": 5})
    );
    assert_eq!(farm.evaluate("require('./lib/a') === require('./lib/a.js')"), true);
}

#[test]
fn a_helper_can_change_without_a_restart() {
    let farm = Farm::new();
    farm.write("helper.js", "exports.label = 'one';");
    farm.write("dynamic.js", "const JOB_TYPE = {label: require('./helper').label, settings: []};");
    assert_eq!(farm.scripts.job_type("dynamic").unwrap().label, "one");
    farm.write("helper.js", "exports.label = 'two';");
    assert_eq!(farm.scripts.job_type("dynamic").unwrap().label, "two");
}

#[test]
fn what_cannot_be_loaded_is_an_error() {
    let farm = Farm::new();
    farm.write("broken.json", "{");
    farm.write("throws.js", "exports.before = 1; throw new Error('while loading');");
    farm.write("syntax.js", "\n\nlet let = 1;");
    let outside = farm.path().parent().unwrap().join(format!("outside-{}.js", std::process::id()));
    std::fs::write(&outside, "exports.secret = 1;").unwrap();
    let climb = format!("require('../{}')", outside.file_name().unwrap().to_str().unwrap());
    let absolute = format!("require({outside:?})");
    for (expression, text) in [
        ("require('./absent')", "Invalid module"),
        ("require('fs')", "Invalid module"),
        ("require()", "Invalid module"),
        ("require('constructor')", "Invalid module"),
        (climb.as_str(), "Invalid module"),
        (absolute.as_str(), "Invalid module"),
        ("require('./lib/../../../etc/passwd')", "outside of the directory"),
        ("require('./broken.json')", "Invalid module: broken.json is not JSON"),
        ("require('./throws')", "while loading"),
        ("require('./syntax')", "SyntaxError"),
    ] {
        assert!(farm.caught(expression).contains(text), "{expression}: {}", farm.caught(expression));
    }
    std::fs::remove_file(outside).unwrap();
    // A second attempt fails the same way; it does not get a half-loaded module.
    let twice = "(() => { try { require('./throws') } catch {} require('./throws') })()";
    assert!(farm.caught(twice).contains("while loading"));
}

#[test]
fn errors_in_modules_name_the_module() {
    let farm = Farm::new();
    farm.write("lib/fails.js", "exports.run = () => {\n  throw new Error('in a module');\n};");
    let error = farm
        .compile_source(&script(&format!("require('./lib/fails').run(); {ONE_TASK}")), json!({}))
        .unwrap_err();
    assert_eq!(error.to_string(), "in a module (lib/fails.js:2:13)");
}

#[test]
fn modules_of_the_language_are_not_available() {
    let farm = Farm::new();
    let error = farm.compile_body("return import('./x.js');", json!({})).unwrap_err();
    assert!(error.to_string().contains("could not load module"), "{error}");
}

#[test]
fn programs_in_python_are_given_as_text() {
    let farm = Farm::new();
    farm.write("tile.py", "import bpy\nprint('é')\n");
    assert_eq!(farm.evaluate("require('./tile.py')"), json!("import bpy\nprint('é')\n"));
}

#[test]
fn modules_of_the_program_cannot_be_replaced() {
    let farm = Farm::new();
    farm.write("flamenco/frames.js", "exports.blenderFrames = () => 'mine';");
    farm.write("node_modules/flamenco/frames.js", "exports.blenderFrames = () => 'mine';");
    assert_eq!(farm.evaluate("require('flamenco/frames').blenderFrames('1-3')"), json!("1..3"));
    assert_eq!(farm.evaluate("require('./flamenco/frames').blenderFrames('1-3')"), json!("mine"));
    assert!(farm.caught("require('flamenco/absent')").contains("Invalid module"));
}
