//! Finding and describing job types.

use crate::support::{BUILT_IN, Farm, ONE_TASK, names, script, submission};
use flamenco_jobscript::{BrokenJobType, Error, JobType, Limits, Scripts};
use serde_json::json;

fn listed(farm: &Farm) -> (Vec<String>, Vec<BrokenJobType>) {
    let (mut good, mut broken) = (Vec::new(), Vec::new());
    for job_type in farm.scripts.job_types() {
        match job_type {
            Ok(job_type) => good.push(job_type.name),
            Err(reason) => broken.push(reason),
        }
    }
    (good, broken)
}

fn labelled(label: &str) -> String {
    format!("const JOB_TYPE = {{label: {label:?}, settings: []}}; function compileJob(job) {{ {ONE_TASK} }}")
}

fn describe(farm: &Farm, job_type: &str) -> Result<JobType, Error> {
    farm.write("described.js", job_type);
    farm.scripts.job_type("described")
}

#[test]
fn echo_sleep_test_has_the_known_etag() {
    let job_type = Farm::new().scripts.job_type("echo-sleep-test").unwrap();
    assert_eq!(
        job_type.to_json().to_string(),
        r#"{"etag":"eba586e16d6b55baaa43e32f9e78ae514b457fee","label":"Echo Sleep Test","name":"echo-sleep-test","settings":[{"key":"message","required":true,"type":"string"},{"default":1,"key":"sleep_duration_seconds","type":"int32"},{"default":1,"key":"sleep_repeats","type":"int32"}]}"#
    );
    assert_eq!(job_type.description, None);
}

#[test]
fn simple_blender_render_has_its_settings_in_order() {
    let job_type = Farm::new().scripts.job_type("simple-blender-render").unwrap();
    assert_eq!(job_type.label, "Simple Blender Render");
    assert!(job_type.description.is_some());
    let table = [
        ("frames", "string", None),
        ("chunk_size", "int32", Some("submission")),
        ("render_output_root", "string", Some("submission")),
        ("add_path_components", "int32", Some("submission")),
        ("render_output_path", "string", None),
        ("blendfile", "string", Some("web")),
        ("fps", "float", Some("hidden")),
        ("format", "string", Some("web")),
        ("image_file_extension", "string", Some("hidden")),
        ("has_previews", "bool", Some("hidden")),
        ("scene", "string", Some("web")),
    ];
    let settings = job_type.settings.as_array().unwrap();
    assert_eq!(settings.len(), table.len());
    for (setting, (key, kind, visible)) in settings.iter().zip(table) {
        assert_eq!(setting["key"], key);
        assert_eq!(setting["type"], kind, "{key}");
        assert_eq!(setting.get("visible").and_then(|visible| visible.as_str()), visible, "{key}");
        let keys: Vec<_> = setting.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }
    assert_eq!(settings[0]["evalInfo"]["showLinkButton"], true);
    assert_eq!(settings[1]["default"], 1);
    assert_eq!(settings[2]["subtype"], "dir_path");
    assert_eq!(settings[3]["propargs"].to_string(), r#"{"max":32,"min":0}"#);
    assert_eq!(settings[3]["default"], 0);
    assert_eq!(settings[4]["subtype"], "file_path");
    assert_eq!(settings[4]["editable"], false);
    assert_eq!(settings[9]["required"], false);
    for (setting, required) in settings.iter().zip([1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1]) {
        assert_eq!(setting["required"] == true, required == 1, "{}", setting["key"]);
    }
}

#[test]
fn only_the_built_in_types_without_a_directory() {
    let farm = Farm::new();
    assert_eq!(listed(&farm), (BUILT_IN.map(str::to_owned).to_vec(), vec![]));
    let absent = Scripts::new(vec![farm.path().join("later")], Limits::default());
    assert_eq!(absent.job_types().len(), BUILT_IN.len());
    // The directory may be made while the manager runs.
    farm.write("later/my_type.js", &labelled("Mine"));
    assert_eq!(absent.job_types().len(), BUILT_IN.len() + 1);
    assert_eq!(absent.job_type("my-type").unwrap().label, "Mine");
}

#[test]
fn only_scripts_are_taken() {
    let farm = Farm::new();
    farm.write("README.md", "const JOB_TYPE = {label: 'no', settings: []};");
    farm.write("empty.js", "");
    farm.write("short.js", "1+1");
    farm.write("UPPER.JS", &labelled("no"));
    farm.write("folder/inside.js", &labelled("no"));
    farm.write("directory.js/x.js", &labelled("no"));
    farm.write(
        "broken.js",
        "module_like = 1; // sloppy code fails here\nconst JOB_TYPE = {label: 'x', settings: []};",
    );
    farm.write("module.js", "exports.helper = (x) => x; // works only where it is loaded");
    farm.write("library.js", "const helper = (x) => x;");
    farm.write("echo_and_sleep.js", &labelled("Echo"));
    farm.write("my_job.v2.js", &labelled("Version 2"));
    farm.write("bom.js", &format!("\u{feff}{}", labelled("With a byte order mark")));
    farm.write(
        "shebang.js",
        &format!("#!/usr/bin/env node\n{}\n//# sourceMappingURL=x.js.map", labelled("Shebang")),
    );
    std::fs::write(
        farm.path().join("latin1.js"),
        [b"// caf\xe9\n".as_slice(), labelled("Latin").as_bytes()].concat(),
    )
    .unwrap();
    let (good, broken) = listed(&farm);
    let own: Vec<_> = good.iter().filter(|name| !BUILT_IN.contains(&name.as_str())).collect();
    assert_eq!(own, ["bom", "echo-and-sleep", "latin1", "my-job.v2", "shebang"]);
    assert_eq!(good.len(), own.len() + BUILT_IN.len());
    assert!(good.is_sorted());
    assert_eq!(broken.iter().map(|broken| broken.name.as_str()).collect::<Vec<_>>(), ["broken"]);
}

#[test]
fn the_first_source_and_the_later_file_win() {
    let farm = Farm::new();
    farm.write("a/echo_sleep_test.js", &labelled("from a"));
    farm.write("b/echo_sleep_test.js", &labelled("from b"));
    farm.write("b/only_b.js", &labelled("only b"));
    farm.write("b/foo-bar.js", &labelled("dash"));
    farm.write("b/foo_bar.js", &labelled("underscore"));
    let scripts = Scripts::new(vec![farm.path().join("a"), farm.path().join("b")], Limits::default());
    for (name, label) in [
        ("echo-sleep-test", "from a"),
        ("only-b", "only b"),
        ("foo-bar", "underscore"),
        ("simple-blender-render", "Simple Blender Render"),
    ] {
        assert_eq!(scripts.job_type(name).unwrap().label, label);
    }
    assert_eq!(scripts.job_types().len(), BUILT_IN.len() + 2);
}

#[test]
fn edits_show_without_a_restart() {
    let farm = Farm::new();
    farm.write("edited.js", &labelled("one"));
    let first = farm.scripts.job_type("edited").unwrap();
    // Same length, same moment.
    farm.write("edited.js", &labelled("two"));
    let second = farm.scripts.job_type("edited").unwrap();
    assert_eq!((first.label.as_str(), second.label.as_str()), ("one", "two"));
    assert_ne!(first.etag, second.etag);
    std::fs::remove_file(farm.path().join("edited.js")).unwrap();
    assert_eq!(farm.scripts.job_type("edited"), Err(Error::Unknown { name: "edited".to_owned() }));
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_followed() {
    let (farm, elsewhere) = (Farm::new(), tempfile::tempdir().unwrap());
    std::fs::write(elsewhere.path().join("cloned.js"), labelled("Linked")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("cloned.js"), farm.path().join("linked.js")).unwrap();
    std::os::unix::fs::symlink(farm.path().join("gone.js"), farm.path().join("dangling.js")).unwrap();
    assert_eq!(farm.scripts.job_type("linked").unwrap().label, "Linked");
    assert_eq!(names(&farm.scripts.compile(&submission("linked", json!({}))).unwrap()), ["only"]);
    assert_eq!(listed(&farm).0.len(), BUILT_IN.len() + 1);
}

#[test]
fn a_broken_override_does_not_run_another_script() {
    let farm = Farm::new();
    farm.write("echo_sleep_test.js", "const JOB_TYPE = {label: 'Mine',\n settings: [};");
    let (good, broken) = listed(&farm);
    assert_eq!(good.len(), BUILT_IN.len() - 1);
    assert!(!good.contains(&"echo-sleep-test".to_owned()));
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].name, "echo-sleep-test");
    assert!(broken[0].file.ends_with("echo_sleep_test.js"));
    assert!(broken[0].message.starts_with("SyntaxError: "), "{}", broken[0]);
    assert!(broken[0].message.contains("(echo_sleep_test.js:2:"), "{}", broken[0]);
    let error = farm.scripts.compile(&submission("echo-sleep-test", json!({"message": "x"}))).unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert_eq!(error.to_string(), broken[0].message);

    // A helper file that hides a job type is worth a word, too.
    farm.write("echo_sleep_test.js", "const helper = 1;");
    assert!(listed(&farm).1[0].message.contains("JOB_TYPE is missing"));
}

#[test]
fn job_type_may_be_declared_in_any_way() {
    let farm = Farm::new();
    let body = "{label: 'x', settings: []}";
    for declaration in [
        format!("const JOB_TYPE = {body}; const compileJob = (job) => {{ {ONE_TASK} }};"),
        format!("let JOB_TYPE = {body}; let compileJob = function (job) {{ {ONE_TASK} }};"),
        format!("var JOB_TYPE = {body}; var compileJob = (job) => {{ {ONE_TASK} }};"),
        format!("globalThis.JOB_TYPE = {body}; globalThis.compileJob = (job) => {{ {ONE_TASK} }};"),
        format!(
            "this.JOB_TYPE = {body}; class C {{ static run(job) {{ {ONE_TASK} }} }}; const compileJob = C.run;"
        ),
        format!(
            "const path = require('path'); function print() {{}} let author2 = author; const JOB_TYPE = {body}; async function compileJob(job) {{ await 0; {ONE_TASK} }}"
        ),
    ] {
        let job = farm.compile_source(&declaration, json!({})).unwrap();
        assert_eq!(names(&job), ["only"], "{declaration}");
        assert_eq!(farm.scripts.job_type("test").unwrap().label, "x");
    }
}

#[test]
fn settings_are_sent_as_the_script_says() {
    let farm = Farm::new();
    let job_type = describe(
        &farm,
        r#"const JOB_TYPE = {label: 'All', description: 'About <it>', name: 'ignored', etag: 'ignored', steps: 3,
            helper() {}, settings: [
            {visible: 'hidden', type: 'string', subtype: 'file_path', required: false, propargs: {min: 1.0, max: 2.5},
             label: '', key: 'all', evalInfo: {}, eval: 'x', editable: true, description: null, default: '',
             choices: [], unknown: () => 1},
            {key: 'few', type: 'float', default: 1.0, evalInfo: {showLinkButton: true, description: 'd', more: 1}},
            {key: 'zero', type: 'bool', default: false, choices: ['a', 1], required: 1, label: undefined},
        ]};"#,
    )
    .unwrap();
    assert_eq!(
        job_type.settings.to_string(),
        r#"[{"choices":[],"default":"","editable":true,"eval":"x","evalInfo":{"description":"","showLinkButton":false},"key":"all","label":"","propargs":{"max":2.5,"min":1},"required":false,"subtype":"file_path","type":"string","visible":"hidden"},{"default":1,"evalInfo":{"description":"d","showLinkButton":true},"key":"few","type":"float"},{"choices":["a","1"],"default":false,"key":"zero","required":true,"type":"bool"}]"#
    );
    assert_eq!((job_type.name.as_str(), job_type.description.as_deref()), ("described", Some("About <it>")));
    let keys: Vec<_> = job_type.to_json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["description", "etag", "label", "name", "settings"]);
}

#[test]
fn missing_parts_of_job_type() {
    let farm = Farm::new();
    let job_type = describe(&farm, "const JOB_TYPE = {}; // nothing in it").unwrap();
    assert_eq!((job_type.label.as_str(), job_type.settings), ("", json!([])));
    for (source, text) in [
        ("const OTHER = {};", "JOB_TYPE is missing"),
        ("const JOB_TYPE = 3;  ", "is not proper: it must be an object"),
        ("const JOB_TYPE = null;", "is not proper: it must be an object"),
        ("const JOB_TYPE = [];  ", "is not proper: it must be an object"),
        ("const JOB_TYPE = {settings: {}};", "settings must be an array"),
        ("const JOB_TYPE = {settings: [3]};", "settings[0] must be an object"),
        ("const JOB_TYPE = {settings: [{type: 'string'}]};", "settings[0].key is missing"),
        (
            "const JOB_TYPE = {settings: [{key: 'a', type: 'string'}, {key: 'a'}]};",
            "settings[1].type is missing",
        ),
        ("const JOB_TYPE = {settings: [{key: 'a', type: 'x', default: NaN}]};", "settings[0].default is NaN"),
        (
            "const JOB_TYPE = {settings: [{key: 'a', type: 'x', default: () => 1}]};",
            "settings[0].default is a function",
        ),
        (
            "const JOB_TYPE = {settings: [{key: 'a', type: 'x', choices: 'b'}]};",
            "choices must be a list of texts",
        ),
        ("throw new Error('at the top');", "at the top (described.js:1:"),
        ("const a = 1;\nlet a = 2;", "SyntaxError"),
        (
            "const JOB_TYPE = {get settings() { throw new TypeError('no'); }};",
            "TypeError: no (described.js:1:",
        ),
        ("undeclared = 1;", "ReferenceError"),
    ] {
        let error = describe(&farm, source).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(text), "{source}: {message}");
        assert!(message.contains("described.js"), "{source}: {message}");
        assert!(farm.scripts.job_types().len() >= BUILT_IN.len());
        assert!(matches!(
            farm.scripts.compile(&submission("described", json!({}))),
            Err(Error::Broken { .. } | Error::Script { .. })
        ));
    }
}

#[test]
fn etags_guard_submissions() {
    let farm = Farm::new();
    farm.write("test.js", &script(ONE_TASK));
    let etag = farm.scripts.job_type("test").unwrap().etag;
    let mut job = submission("test", json!({}));
    for accepted in [None, Some(String::new()), Some(etag.clone())] {
        job.type_etag = accepted;
        assert!(farm.scripts.compile(&job).is_ok(), "{:?}", job.type_etag);
    }
    job.type_etag = Some("other".to_owned());
    let error = farm.scripts.compile(&job).unwrap_err();
    assert_eq!(
        error,
        Error::EtagMismatch { name: "test".to_owned(), submitted: "other".to_owned(), current: etag.clone() }
    );
    // The body of compileJob is not part of the etag, and the mismatch is found before it is looked at.
    farm.write("test.js", "const JOB_TYPE = {label: 'Test', settings: []};");
    assert_eq!(farm.scripts.job_type("test").unwrap().etag, etag);
    assert!(matches!(farm.scripts.compile(&job), Err(Error::EtagMismatch { .. })));
    job.type_etag = Some(etag);
    let error = farm.scripts.compile(&job).unwrap_err().to_string();
    assert!(error.contains("compileJob") && error.contains("test.js"), "{error}");
}

#[test]
fn unknown_job_types_are_named() {
    let error = Farm::new().scripts.compile(&submission("no-such-type", json!({}))).unwrap_err();
    assert_eq!(error, Error::Unknown { name: "no-such-type".to_owned() });
    assert!(error.to_string().starts_with("job type unknown"));
}

#[test]
fn one_file_by_itself() {
    let farm = Farm::new();
    farm.write("lib.js", "exports.task = (job) => job.addTask(author.Task('only', 'misc'));");
    farm.write(
        "my_type.js",
        "const JOB_TYPE = {label: 'Mine', settings: []}; const compileJob = require('./lib').task;",
    );
    // Two files of the same name as a job type: the one that was named is taken.
    farm.write("my-type.js", &labelled("Other"));
    for (file, label) in [("my_type.js", "Mine"), ("my-type.js", "Other")] {
        let (scripts, name) = Scripts::of_file(&farm.path().join(file), Limits::default()).unwrap();
        assert_eq!((name.as_str(), scripts.job_types().len()), ("my-type", 1));
        assert_eq!(scripts.job_type("my-type").unwrap().label, label);
        assert_eq!(names(&scripts.compile(&submission("my-type", json!({}))).unwrap()), ["only"]);
    }
    farm.write("short.js", "1");
    farm.write("readme.md", "const JOB_TYPE = {};");
    for (file, text) in [
        ("absent.js", "cannot read"),
        (".", "is not a file"),
        ("readme.md", "must end in .js"),
        ("short.js", "too short"),
    ] {
        let error = Scripts::of_file(&farm.path().join(file), Limits::default()).unwrap_err();
        assert!(error.contains(text), "{file}: {error}");
    }
}
