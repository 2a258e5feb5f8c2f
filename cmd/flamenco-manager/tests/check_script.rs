//! `flamenco-manager --check-script`, as a technical director runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const SCRIPT: &str = "\
const JOB_TYPE = {
    label: 'Mine',
    settings: [
        { key: 'frames', type: 'string', default: '1-4' },
        { key: 'chunk_size', type: 'int32', default: 2 },
        { key: 'output', type: 'string', required: true, eval: 'C.scene.render.filepath' },
        { key: 'notes', type: 'string' },
    ],
};
function compileJob(job) {
    const { settings } = job;
    print('job', job.name);
\tif (settings.frames === 'bad') { throw new Error('these frames are bad'); }
    const done = author.Task('done', 'misc');
    for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
        const task = author.Task(`render-${chunk}`, 'blender');
        task.addCommand(author.Command('blender-render', { args: [settings.output] }, frameCount(chunk)));
        job.addTask(task);
        done.addDependency(task);
    }
    done.priority = 70;
    job.addTask(done);
}
";

/// Exit code, standard output and standard error.
fn check(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flamenco-manager"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("my_type.js"), SCRIPT).unwrap();
    directory
}

#[test]
fn a_table_with_the_defaults() {
    let directory = directory();
    let (code, table, remarks) = check(directory.path(), &["--check-script", "my_type.js"]);
    assert_eq!(code, Some(0), "{remarks}");
    assert_eq!(
        table,
        "#  name        type     priority  commands        steps  depends on\n\
         1  render-1,2  blender        50  blender-render      2\n\
         2  render-3,4  blender        50  blender-render      2\n\
         3  done        misc           70  (none)              0  1,2\n\
         3 tasks, 4 steps\n"
    );
    assert!(
        remarks.contains("Settings with their default:\n  frames = \"1-4\"\n  chunk_size = 2\n"),
        "{remarks}"
    );
    let missing = "  output (string, required, in Blender: C.scene.render.filepath)\n  notes (string)\n";
    assert!(remarks.contains(missing), "{remarks}");
    // What the script prints is in the log.
    assert!(remarks.contains("job check"), "{remarks}");
    // No database and no storage were made.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn json_with_given_settings() {
    let directory = directory();
    std::fs::write(
        directory.path().join("settings.json"),
        r#"{"frames": "1-6", "chunk_size": 3, "output": "/o", "extra": 1}"#,
    )
    .unwrap();
    let arguments = [
        "-check-script",
        "my_type.js",
        "-settings",
        "@settings.json",
        "-json",
        "-job-name",
        "shot",
        "-quiet",
    ];
    let (code, text, remarks) = check(directory.path(), &arguments);
    assert_eq!(code, Some(0), "{remarks}");
    let expected = "Setting not given: notes (string)\nSetting that JOB_TYPE does not have: extra\n";
    assert!(remarks.starts_with(expected), "{remarks}");
    assert!(remarks.contains("job has tasks without commands"), "{remarks}");
    let job: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&job["name"], &job["type"]), (&json!("shot"), &json!("my-type")));
    assert_eq!(job["settings"]["extra"], 1);
    assert_eq!(
        job["tasks"][1],
        json!({
            "index": 2, "name": "render-4-6", "type": "blender", "priority": 50, "steps": 3, "depends_on": [],
            "commands": [{"name": "blender-render", "parameters": {"args": ["/o"]}, "total_step_count": 3}],
        })
    );
    assert_eq!(job["tasks"][2]["depends_on"], json!([1, 2]));
}

#[test]
fn errors_have_their_place_and_line() {
    let directory = directory();
    let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
    write("syntax.js", "const JOB_TYPE = {\n    settings: [,\n};\n");
    write(
        "text.js",
        "const JOB_TYPE = {settings: []};\nfunction compileJob(job) {\n  throw 'no \u{e9}';\n}\n",
    );
    write("module.js", "const JOB_TYPE = {settings: []};\nconst compileJob = require('./lib').run;\n");
    write("lib.js", "exports.run = () => {\n  author.Task('');\n};\n");
    write("loop.js", "const JOB_TYPE = {settings: []};\nfunction compileJob(job) {}\n");
    for (arguments, expected) in [
        (
            vec!["my_type.js", "--settings", r#"{"frames": "bad"}"#],
            "my_type.js:13:45: these frames are bad\n   13 | \tif (settings.frames === 'bad') { throw new Error",
        ),
        (vec!["my_type.js", "--settings", r#"{"frames": "1-x", "chunk_size": 1}"#], "my_type.js:15:"),
        (vec!["syntax.js"], "syntax.js:3:1: SyntaxError: "),
        (vec!["text.js"], "text.js:3:"),
        (vec!["text.js"], ": no \u{e9}\n    3 |   throw 'no \u{e9}';\n      |"),
        (vec!["module.js"], "lib.js:2:"),
        (vec!["module.js"], "    2 |   author.Task('');\n"),
        (vec!["loop.js"], "loop.js: the script made a job without tasks"),
        (vec!["absent.js"], "cannot read absent.js"),
        (vec!["."], "is not a file"),
        (vec!["my_type.js", "--settings", "[]"], "--settings must be a JSON object"),
        (vec!["my_type.js", "--settings", "{"], "--settings is not JSON"),
        (vec!["my_type.js", "--settings", "@absent.json"], "cannot read absent.json"),
    ] {
        let (code, table, text) =
            check(directory.path(), &[vec!["--quiet", "--check-script"], arguments.clone()].concat());
        assert_eq!((code, table.as_str()), (Some(1), ""), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn the_caret_is_below_the_error() {
    let directory = directory();
    let (_, _, text) = check(
        directory.path(),
        &["--quiet", "--check-script", "my_type.js", "--settings", r#"{"frames": "bad"}"#],
    );
    let lines: Vec<_> = text.lines().rev().take(2).collect();
    let column = lines[0].find('^').unwrap();
    assert!(lines[1][column..].starts_with("Error("), "{text}");
}

#[test]
fn its_options_need_a_script() {
    let directory = directory();
    for option in ["--json", "--settings={}", "--job-name=x"] {
        let (code, _, text) = check(directory.path(), &[option]);
        assert_eq!(code, Some(2), "{option}");
        assert!(text.contains("--check-script"), "{option}: {text}");
    }
}

/// With the allocator that the program brings, which is not the one that the engine is tested with.
#[test]
fn a_script_that_takes_all_memory_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let script = "const JOB_TYPE = { label: 'Greedy', settings: [] };
        function compileJob(job) { const all = []; for (;;) all.push('x'.repeat(1000) + all.length); }";
    std::fs::write(folder.path().join("greedy.js"), script).unwrap();
    let (code, out, error) = check(folder.path(), &["--check-script", "greedy.js"]);
    assert_ne!(code, Some(0));
    assert_eq!(out, "");
    assert!(error.contains("256 MiB"), "{error}");
}
