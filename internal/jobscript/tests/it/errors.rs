//! What a submitter is told.

use crate::support::{Farm, ONE_TASK};
use flamenco_jobscript::Error;
use serde_json::json;

#[test]
fn thrown_values_come_first_and_unprefixed() {
    let farm = Farm::new();
    for (body, message) in [
        ("throw new Error('no scene');", "no scene (test.js:2:11)"),
        ("throw new TypeError('bad thing');", "TypeError: bad thing (test.js:2:11)"),
        ("throw 'just text';", "just text (test.js:2:7)"),
        ("\n  throw `text\nof two lines`;", "text\nof two lines (test.js:3:1)"),
        ("throw 47;", "47 (test.js:2:7)"),
        ("throw new Error('half \\ud800');", "half \u{fffd} (test.js:2:11)"),
        ("throw new Error();", "Error (test.js:2:11)"),
        ("class Own extends Error { name = 'Own'; } throw new Own('mine');", "Own: mine (test.js:2:1)"),
        ("job.settings.missing.x;", "TypeError: cannot read property 'x' of undefined (test.js:2:1)"),
        ("nothing();", "ReferenceError: nothing is not defined (test.js:2:1)"),
        ("author.Task('', 'x');", "author.Task(name, type): the name is required (test.js:2:8)"),
        ("frameChunker('1-3', 0);", "chunk size must be at least 1, not 0 (test.js:2:1)"),
        ("[1].map(() => { throw new Error('inside'); });", "inside (test.js:2:27)"),
        ("eval('throw new Error(1)');", "1 (<input>:1:11)"),
        ("return Promise.reject(new Error('later'));", "later (test.js:2:27)"),
        ("return Promise.reject('later text');", "later text (test.js)"),
        (
            "return (async () => { await 1; throw new Error('after waiting'); })();",
            "after waiting (test.js:2:42)",
        ),
        (
            "throw {toString() { throw 1; }};",
            "the script threw a value that cannot be shown as text (test.js:2:27)",
        ),
        ("throw Symbol('s');", "the script threw a value that cannot be shown as text (test.js:2:7)"),
    ] {
        let error = farm.compile_body(body, json!({})).unwrap_err();
        assert!(matches!(error, Error::Script { .. }), "{body}: {error:?}");
        assert_eq!(error.to_string(), message, "{body}");
    }
}

#[test]
fn long_messages_are_kept() {
    let farm = Farm::new();
    let range = "x".repeat(2000);
    let error = farm
        .compile_body("frameChunker(job.settings.range, 1);", json!({"range": range}))
        .unwrap_err()
        .to_string();
    assert!(error.matches(&range).count() == 2, "{error}");
}

#[test]
fn a_promise_that_is_never_settled() {
    let error =
        Farm::new().compile_body(&format!("{ONE_TASK} return new Promise(() => 1);"), json!({})).unwrap_err();
    assert!(error.to_string().contains("never settled"), "{error}");
    let error =
        Farm::new().compile_body("return (async () => { throw 'rejected'; })();", json!({})).unwrap_err();
    assert!(error.to_string().starts_with("rejected"), "{error}");
}

#[test]
fn wrong_arguments_are_type_errors() {
    let farm = Farm::new();
    for (expression, text) in [
        ("author.Task()", "Error: author.Task(name, type): the name is required"),
        ("author.Task('  ', 'misc')", "the name is required"),
        ("author.Task('name', null)", "Error: author.Task(\"name\", type): the type is required"),
        ("author.Command('', {})", "the name is required"),
        (
            "author.Command('c', 'text')",
            "TypeError: author.Command(\"c\", parameters): the parameters must be an object, not string",
        ),
        ("author.Command('c', [1])", "not an array"),
        ("author.Command('c', () => 1)", "not function"),
        ("job.addTask()", "TypeError: addTask() needs a task made by author.Task(), not undefined"),
        ("job.addTask({name: 'a', type: 'b'})", "not object"),
        ("job.addTask(author.Command('c'))", "TypeError"),
        (
            "author.Task('a', 'b').addCommand({name: 'c', parameters: {}})",
            "TypeError: addCommand() needs a command",
        ),
        ("author.Task('a', 'b').addDependency('c')", "TypeError: addDependency() needs a task"),
        ("const t = author.Task('a', 'b'); t.addDependency(t)", "task \"a\" cannot depend on itself"),
        (
            "const t = author.Task('a', 'b'); job.addTask(t); job.addTask(t)",
            "task \"a\" is added to the job twice",
        ),
        ("author.Task('a', 'b').uuid = 'x'", "TypeError"),
    ] {
        let error = farm.caught(expression);
        assert!(error.contains(text), "{expression}: {error}");
    }
}

#[test]
fn impossible_jobs_are_refused() {
    let farm = Farm::new();
    let three = "const [a, b, c] = ['a', 'b', 'c'].map((name) => author.Task(name, 'misc'));";
    for (body, text) in [
        ("", "a job without tasks"),
        ("job.tasks.push(3);", "job.tasks[0] must be a task made by author.Task(), not number"),
        ("job.tasks.length = 4e9;", "job.tasks[0] must be a task made by author.Task(), not undefined"),
        (
            "a.addDependency(b); job.addTask(a);",
            "task \"a\" depends on task \"b\", which is not part of the job",
        ),
        ("job.addTask(a); job.tasks.push(a);", "task \"a\" is added to the job twice"),
        ("a.dependencies.push(a); job.addTask(a);", "none of them could ever run: \"a\" → \"a\""),
        (
            "[a, b, c].forEach((t) => job.addTask(t)); a.addDependency(b); b.addDependency(c); c.addDependency(a);",
            "none of them could ever run: \"a\" → \"b\" → \"c\" → \"a\"",
        ),
        ("a.dependencies = [{}]; job.addTask(a);", "a dependency of task \"a\" is not a task but object"),
        ("a.dependencies = 3; job.addTask(a);", "must be arrays"),
        (
            "a.commands.push({name: 'x'}); job.addTask(a);",
            "a command of task \"a\" is not a command but object",
        ),
        ("a.name = ' '; job.addTask(b); job.addTask(a);", "task number 2 of the job has no name"),
        ("a.type = undefined; job.addTask(a);", "task number 1 of the job has no type"),
        (
            "a.addCommand(author.Command('c')); a.commands[0].name = ''; job.addTask(a);",
            "a command of task \"a\" has no name",
        ),
        (
            "a.addCommand(author.Command('c')); a.commands[0].parameters = 3; job.addTask(a);",
            "parameters must be an object",
        ),
        (
            "Object.defineProperty(job.settings, 'x', {enumerable: true, get() { job.addTask(b); }}); job.addTask(a);",
            "the job has been compiled",
        ),
    ] {
        let error = farm.compile_body(&format!("{three} {body}"), json!({})).unwrap_err();
        assert!(error.to_string().contains(text), "{body}: {error}");
        assert!(error.to_string().contains("test.js"), "{body}: {error}");
    }
}

#[test]
fn scripts_that_are_not_proper() {
    let farm = Farm::new();
    for (source, text) in [
        ("const JOB_TYPE = {settings: []};", "no function compileJob(job) (test.js)"),
        ("const JOB_TYPE = {settings: []}; const compileJob = 3;", "no function compileJob(job)"),
        ("function compileJob(job) {}", "JOB_TYPE is missing in the job type script"),
        ("const JOB_TYPE = {settings: []};\nfunction compileJob(job) {\n  let x = ;\n}", "SyntaxError: "),
        ("throw 'at the top'; const JOB_TYPE = {};", "at the top (test.js"),
        ("const JOB_TYPE = {settings: []}; import x from 'y';", "SyntaxError: "),
        ("const JOB_TYPE = \0;        ", "save it as UTF-8"),
    ] {
        let error = farm.compile_source(source, json!({})).unwrap_err();
        assert!(matches!(error, Error::Broken { .. }), "{source}: {error:?}");
        assert!(
            error.to_string().contains(text) && error.to_string().contains("test.js"),
            "{source}: {error}"
        );
    }
    let error = farm.compile_source(
        "const JOB_TYPE = {settings: []};\nfunction compileJob(job) {\n  let x = ;\n}",
        json!({}),
    );
    assert!(error.unwrap_err().to_string().contains("(test.js:3:11)"));
}
