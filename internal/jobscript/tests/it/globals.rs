//! The functions and objects that scripts see.

use crate::support::{Farm, ONE_TASK, names, submission};
use serde_json::json;

#[test]
fn frames() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("frameChunker('1..10,20..25,40,3..8', 4)", json!(["1-4", "5-8", "9,10,20,21", "22-25", "40"])),
        ("frameChunker('1-10', '3')", json!(["1-3", "4-6", "7-9", "10"])),
        ("frameChunker('1-10', 3.9)", json!(["1-3", "4-6", "7-9", "10"])),
        ("frameChunker(47, true)", json!(["47"])),
        ("frameChunker('10-1,5', 3)", json!(["5"])),
        ("frameChunker('0-12,34-56,78-90', 20).map(frameCount)", json!([20, 20, 9])),
        ("frameCount('10-1')", json!(0)),
        ("frameCount('9,10,20,21', 'extra')", json!(4)),
        // Real arrays.
        ("Array.isArray(frameChunker('1-3', 1))", json!(true)),
        ("frameChunker('1-3', 1).slice(-1)", json!(["3"])),
        ("[0].concat(frameChunker('1-3', 1))", json!([0, "1", "2", "3"])),
        ("[...frameChunker('1-3', 1), frameChunker('1-3', 1).length]", json!(["1", "2", "3", 3])),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
    for (expression, text) in [
        ("frameChunker('   ', 4)", "Error: empty range"),
        ("frameChunker()", "Error: empty range"),
        ("frameChunker(' 1 10', 4)", "1 10"),
        ("frameChunker('1-3')", "chunk size must be at least 1, not 0"),
        ("frameChunker('1-3', -2)", "not -2"),
        ("frameChunker('1-3', NaN)", "not 0"),
        ("frameChunker('1-3', Infinity)", "not 0"),
        ("frameCount('')", "invalid frame range"),
        ("frameChunker('1-9999999999', 1)", "at most 1000000"),
        ("frameChunker(Object.create(null), 1)", "TypeError"),
    ] {
        let error = farm.caught(expression);
        assert!(error.contains(text), "{expression}: {error}");
    }
}

#[test]
fn paths() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("path.basename(undefined)", json!(".")),
        ("path.basename(null)", json!(".")),
        ("path.basename()", json!(".")),
        ("path.basename('/Linux path/with spaces.txt')", json!("with spaces.txt")),
        (r"path.basename('C:\\ünicode\\is\\awésom.tar.gz')", json!("awésom.tar.gz")),
        (r"path.dirname('C:\\file-at-root')", json!("C:")),
        ("path.dirname()", json!(".")),
        ("path.dirname('{frames}/shot/######')", json!("{frames}/shot")),
        ("path.join()", json!("")),
        ("path.join('', null, 'a', undefined, 'b', 47, true)", json!("a/b/47/true")),
        (r"path.join('C:\\a\\b', '..', 'c')", json!("C:/a/c")),
        (r"path.join(path.dirname('\\\\NAS\\share\\x'), 'y')", json!("//NAS/share/y")),
        ("path.join('d', '.', 'merged')", json!("d/merged")),
        (
            "path.join('{clientStoragePath}', '{jobSubPath}', 'x.py')",
            json!("{clientStoragePath}/{jobSubPath}/x.py"),
        ),
        ("path.stem('stem.tar.gz')", json!("stem.tar")),
        ("path.stem()", json!("")),
        ("path.join('half \\ud800 pair')", json!("half \u{fffd} pair")),
        ("path.join('nul \\0 byte')", json!("nul \0 byte")),
        ("((path) => path)(3)", json!(3)),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn shell_words() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("shellSplit('')", json!([])),
        ("shellSplit(undefined)", json!([])),
        ("shellSplit(\"--python-expr 'print(1 + 1)'\")", json!(["--python-expr", "print(1 + 1)"])),
        ("['x'].concat(shellSplit('a b'))", json!(["x", "a", "b"])),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
    assert!(
        farm.caught("shellSplit(\"--python-expr invalid_quoting(1 + 1)'\")").contains("unterminated quote")
    );
    assert!(farm.caught(r"shellSplit('abc\\')").contains("nothing after the escape"));
}

#[test]
fn timestamps() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("formatTimestampLocal(job.created)", json!("2026-02-03_140506")),
        ("formatTimestampLocal(new Date(2006, 0, 2, 15, 4, 5))", json!("2006-01-02_150405")),
        ("formatTimestampLocal('2006-01-02T15:04:05')", json!("2006-01-02_150405")),
        ("job.created instanceof Date", json!(true)),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
    for expression in [
        "formatTimestampLocal()",
        "formatTimestampLocal(3)",
        "formatTimestampLocal(new Date(NaN))",
        "formatTimestampLocal('never')",
    ] {
        assert!(farm.caught(expression).starts_with("TypeError"), "{expression}");
    }
}

#[test]
fn the_process_tells_little() {
    let farm = Farm::new();
    let platform = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    assert_eq!(farm.evaluate("process.platform"), platform);
    assert_eq!(farm.evaluate("process.cwd()"), std::env::current_dir().unwrap().to_str().unwrap());
    assert_eq!(farm.evaluate("Object.keys(process).sort()"), json!(["cwd", "platform"]));
    let absent =
        "['console', 'setTimeout', 'fetch', 'Buffer', 'URL', 'TextEncoder', 'window', 'global', 'std', 'os']";
    assert_eq!(farm.evaluate(&format!("{absent}.filter((name) => name in globalThis)")), json!([]));
}

#[test]
fn printing_never_throws() {
    let farm = Farm::new();
    let body = format!(
        "print(); alert('a', 1, null, undefined, Symbol('s'), 10n, () => 1, [1, {{a: 2}}], new Map(), job, job.settings);
         const circle = {{}}; circle.self = circle; print(circle, '\\ud800', new Error('x'), new Proxy({{}}, {{get() {{ throw 1; }}}}));
         print({{toJSON() {{ throw 1; }}}}, {{toString() {{ throw 1; }}, toJSON: undefined}}, 'x'.repeat(100000));
         {ONE_TASK} print(job.tasks, job.tasks[0]);
         for (let i = 0; i < 200; i++) print(i);"
    );
    assert_eq!(names(&farm.compile_body(&body, json!({"a": 1})).unwrap()), ["only"]);
}

#[test]
fn scripts_may_shadow_and_replace_globals() {
    let farm = Farm::new();
    let source = "const path = require('path'); const frameChunker = 3; function print() {} var alert = 4;
        const JOB_TYPE = {label: 'x', settings: []};
        String.prototype.replaceAll = function () { return 'mine'; }; Array.prototype.extra = 1; Object.prototype.more = 2;
        JSON.stringify = null; Math.trunc = null; Array.isArray = () => false; Object.keys = () => [];
        globalThis.String = undefined; globalThis.Date = undefined; globalThis.Set = undefined;
        function compileJob(job) {
            print('x'); const author2 = author; { const author = author2; }
            const task = author.Task(path.join('a', 'b'), 'misc', {});
            task.addCommand(author.Command('run', {list: [1, {a: null}]}, '3'));
            job.addTask(task);
            job.settings.frames = frameChunker + alert;
        }";
    let job = farm.compile_source(source, json!({"kept": [1]})).unwrap();
    assert_eq!(names(&job), ["a/b"]);
    assert_eq!(job.tasks[0].commands[0].parameters["list"], json!([1, {"a": null}]));
    assert_eq!(job.tasks[0].commands[0].total_step_count, 3);
    assert_eq!(job.settings["frames"], 7);
    assert_eq!(job.settings["kept"], json!([1]));
}

#[test]
fn each_compilation_starts_anew() {
    let farm = Farm::new();
    let body =
        format!("globalThis.count = (globalThis.count ?? 0) + 1; job.settings.count = count; {ONE_TASK}");
    for _ in 0..2 {
        assert_eq!(farm.compile_body(&body, json!({})).unwrap().settings["count"], 1);
    }
}

#[test]
fn scripts_run_in_strict_mode() {
    let farm = Farm::new();
    assert!(farm.caught("undeclared = 1").contains("ReferenceError"));
    assert_eq!(farm.evaluate("(function () { return this === undefined; })()"), true);
    let body = format!("job.settings.bound = this === undefined; {ONE_TASK} return 47;");
    assert_eq!(farm.compile_body(&body, json!({})).unwrap().settings["bound"], true);
}

#[test]
fn the_language_is_recent_enough() {
    let farm = Farm::new();
    for (expression, expected) in [
        (
            "((a, {b = 2, ...rest} = {c: 3}, ...more) => `${a}${b}${rest.c}${more}`)(1, undefined, 4, 5)",
            json!("1234,5"),
        ),
        ("new (class A { #x = 1; static y = 2; get z() { return this.#x + A.y; } })().z", json!(3)),
        ("[...(function* () { yield* [1, 2]; })()]", json!([1, 2])),
        ("({a: {b: null}}).a?.b?.c ?? 2 ** 3", json!(8)),
        ("'a-b-c'.replaceAll('-', '..')", json!("a..b..c")),
        ("'x'.padStart(3, '.') + ' y '.trimEnd() + 'abc'.at(-1)", json!("..x yc")),
        ("[...'a1b2'.matchAll(/\\d/g)].map((m) => m[0])", json!(["1", "2"])),
        (
            "[[1, [2]], 3].flat(Infinity).concat([1, 2].flatMap((x) => [x, x]), [1, 2, 3].findLast((x) => x < 3))",
            json!([1, 2, 3, 1, 1, 2, 2, 2]),
        ),
        ("Object.fromEntries(Object.entries({a: 1}).map(([k, v]) => [k + k, v]))", json!({"aa": 1})),
        (
            "/(?=a)a/uy.test('a') && new Map([[1, 2]]).get(1) === 2 && new WeakMap() instanceof WeakMap",
            json!(true),
        ),
        ("Reflect.ownKeys(new Proxy({a: 1}, {}))", json!(["a"])),
        ("new Uint8Array([1, 258])[1] + Number(Symbol.iterator in [])", json!(3)),
        ("(() => { try { throw 1; } catch { return 'caught'; } })()", json!("caught")),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn old_style_scripts_work() {
    let source = "var JOB_TYPE = {};
        JOB_TYPE.label = 'Old';
        JOB_TYPE.settings = [{key: 'n', type: 'int32', 'default': 2}];
        function Maker(job) { this.job = job; }
        Maker.prototype.make = function (i) {
            var that = this, task = author.Task('task-' + i, 'misc');
            task.addCommand(author.Command('echo', {'message': 'n ' + i}));
            that.job.addTask(task);
            return task;
        };
        var compileJob = function (job) {
            var maker = new Maker(job), last = null;
            for (var i = 0; i < job.settings.n; i++) {
                var task = maker.make(i);
                if (last !== null) { task.addDependency(last); }
                last = task;
            }
        };";
    let job = Farm::new().compile_source(source, json!({"n": 3})).unwrap();
    assert_eq!(names(&job), ["task-0", "task-1", "task-2"]);
    assert_eq!(job.tasks[2].dependencies, [1]);
}

#[test]
fn what_scripts_see_of_the_job() {
    let farm = Farm::new();
    farm.write(
        "test.js",
        &crate::support::script(&format!(
            "job.settings.seen = {{...job, tasks: job.tasks.length, created: job.created, settings: 0}}; {ONE_TASK}"
        )),
    );
    let mut submission = submission("test", json!({"z": 1, "a": {"y": 2, "x": 1.5}}));
    submission.metadata = vec![("user.name".to_owned(), "me".to_owned())];
    submission.worker_tag = Some("tag".to_owned());
    submission.shaman_checkout_id = Some("Весы/Синтел".to_owned());
    submission.priority = 7;
    let job = farm.scripts.compile(&submission).unwrap();
    assert_eq!(
        job.settings["seen"],
        json!({
            "jobID": job.id.to_string(),
            "name": "lighting v3",
            "jobType": "test",
            "priority": 7,
            "status": "under-construction",
            "created": submission.now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "workerTagUUID": "tag",
            "settings": 0,
            "metadata": {"user.name": "me"},
            "storage": {"shamanCheckoutID": "Весы/Синтел"},
            "tasks": 0,
        })
    );
    assert_eq!(job.settings.keys().collect::<Vec<_>>(), ["z", "a", "seen"]);
    submission.worker_tag = None;
    submission.shaman_checkout_id = None;
    let job = farm.scripts.compile(&submission).unwrap();
    assert_eq!(job.settings["seen"]["workerTagUUID"], "");
    assert_eq!(job.settings["seen"]["storage"]["shamanCheckoutID"], "");
}
