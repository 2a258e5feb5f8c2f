//! Scripts that would hang or exhaust a manager end with a clear error, and leave it healthy.

use crate::support::{BUILT_IN, Farm, ONE_TASK, script, submission};
use flamenco_jobscript::{Error, Interrupt, Limits};
use serde_json::json;
use std::time::{Duration, Instant};

/// The manager still works after whatever happened.
fn assert_healthy(farm: &Farm) {
    let job = farm.compile_body(ONE_TASK, json!({})).unwrap();
    assert_eq!(job.tasks.len(), 1);
}

#[test]
fn endless_scripts_are_stopped() {
    let farm = Farm::strict();
    for body in [
        "while (true) {}",
        "while (true) { try { while (true) {} } catch {} }",
        "try { while (true) {} } finally { while (true) {} }",
        "for (;;) { try { throw 1; } catch { continue; } finally { continue; } }",
        "const f = () => { try { f(); } finally { f(); } }; f();",
        "return (async () => { while (true) await null; })();",
        "const again = () => Promise.resolve().then(again); return again();",
        "/^(a+)+$/.test('a'.repeat(40) + 'b');",
        "const text = '(x+x+)+y'; new RegExp(text).exec('x'.repeat(64));",
        "Object.defineProperty(job.settings, 'x', {enumerable: true, get() { while (true) {} }}); job.addTask(author.Task('a', 'b'));",
        "job.tasks = new Proxy([author.Task('a', 'b')], {get() { while (true) {} }});",
        "job.settings = new Proxy({}, {ownKeys() { while (true) {} }}); job.addTask(author.Task('a', 'b'));",
        "throw {toString() { while (true) {} }};",
        "throw Object.defineProperty(new Error('x'), 'message', {get() { while (true) {} }});",
        "author.Command('x', {get a() { while (true) {} }});",
        "print({toJSON() { while (true) {} }});",
        "path.join({toString() { while (true) {} }});",
        "let n = 2n; while (true) n = n * n % 1000000007n;",
        "new Array(4294967295).indexOf(1);",
        "Array.prototype.indexOf.call({length: Number.MAX_SAFE_INTEGER}, 1);",
        "new Array(4294967295).forEach(() => 0);",
        "function* endless() { while (true) yield 1; } for (const x of endless()) {}",
        "Array.from({length: 4294967295}, () => 0).length;",
    ] {
        let start = Instant::now();
        let error = farm.compile_body(body, json!({})).unwrap_err();
        assert!(matches!(error, Error::TimeLimit { .. } | Error::MemoryLimit { .. }), "{body}: {error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{body}: {:?}", start.elapsed());
        assert_healthy(&farm);
    }
}

/// Loops inside of the engine's own functions cannot all be interrupted. The submitter gets the same answer.
#[test]
fn endless_functions_of_the_engine_are_given_up() {
    let farm = Farm::strict();
    for body in ["new Array(400000000).join('');", "new Array(200000000).reverse();"] {
        let start = Instant::now();
        let error = farm.compile_body(body, json!({})).unwrap_err();
        assert!(matches!(error, Error::TimeLimit { .. }), "{body}: {error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{body}: {:?}", start.elapsed());
        assert_healthy(&farm);
    }
}

#[test]
fn endless_top_level_code_breaks_only_that_job_type() {
    let farm = Farm::strict();
    farm.write("endless.js", "const JOB_TYPE = {label: 'x', settings: []}; while (true) {}");
    let listed = farm.scripts.job_types();
    let broken: Vec<_> = listed.iter().filter_map(|listed| listed.as_ref().err()).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].name, "endless");
    assert!(broken[0].message.contains("endless.js"), "{}", broken[0]);
    assert_eq!(listed.len(), BUILT_IN.len() + 1);
    assert!(matches!(farm.scripts.job_type("endless"), Err(Error::TimeLimit { .. })));
    assert!(matches!(farm.scripts.compile(&submission("endless", json!({}))), Err(Error::TimeLimit { .. })));
}

#[test]
fn endless_top_level_code_is_run_once_until_the_file_changes() {
    let farm = Farm::strict();
    let farm_file = |body: &str| {
        farm.write("endless.js", &format!("const JOB_TYPE = {{label: 'x', settings: []}};\n{body}"));
    };
    let why = || {
        let listed = farm.scripts.job_types();
        listed.into_iter().find_map(Result::err).map(|broken| broken.message)
    };
    for body in ["while (true) {}", "const other = require('./other.js'); while (true) {}"] {
        farm.write("other.js", "exports.a = 1;");
        farm_file(body);
        let first = why().unwrap();
        let started = Instant::now();
        for _ in 0..20 {
            assert_eq!(why().as_ref(), Some(&first), "it still tells why");
            assert!(matches!(farm.scripts.job_type("endless"), Err(Error::TimeLimit { .. })));
        }
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "each took all of its time: {:?}",
            started.elapsed()
        );
        farm_file("function compileJob(job) {}");
        assert_eq!(why(), None, "a file that changed is looked at at once");
    }
}

#[test]
fn a_script_can_be_ended_early() {
    let farm = Farm::with_limits(Limits { cpu: Duration::from_secs(30), ..Limits::default() });
    for body in [
        "while (true) {}",
        "for (;;) { try { while (true) {} } catch {} }",
        // While its tasks are turned into plain data.
        "const task = author.Task('a', 'b'), command = author.Command('x', {}); command.parameters = {get a() { while (true) {} }}; \
         task.addCommand(command); job.addTask(task);",
    ] {
        farm.write("test.js", &script(body));
        let started = Instant::now();
        let interrupt = Interrupt::default();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let (_, mut tasks) =
                    farm.scripts.compile_gradually(&submission("test", json!({})), &interrupt)?;
                tasks.try_for_each(|task| task.map(drop))
            });
            std::thread::sleep(Duration::from_millis(100));
            assert!(!running.is_finished(), "{body}");
            interrupt.interrupt();
            assert!(matches!(running.join().unwrap(), Err(Error::TimeLimit { .. })), "{body}");
        });
        assert!(started.elapsed() < Duration::from_secs(3), "{body}: {:?}", started.elapsed());
        assert_healthy(&farm);
    }
}

#[test]
fn greedy_scripts_are_stopped() {
    let farm = Farm::with_limits(Limits { memory: 32 << 20, ..Limits::default() });
    for body in [
        "const all = []; while (true) all.push('x'.repeat(1000) + all.length);",
        "'x'.repeat(1 << 29);",
        "new Array(1 << 28).fill(0);",
        "new ArrayBuffer(1 << 30);",
        "const map = new Map(); for (let i = 0; ; i++) map.set(i, {});",
        "let list = null; while (true) list = {list};",
        "const o = {}; for (let i = 0; ; i++) o['key' + i] = i;",
        "'x'.repeat(20000000).split('');",
        "JSON.stringify(new Array(1e7).fill('xxxxxxxx'));",
        "let f = () => 0; while (true) { const g = f; f = () => g; }",
        "for (;;) job.addTask(author.Task('name', 'type'));",
        "for (;;) author.Command('x', {text: 'y'.repeat(1000)});",
        "const big = 'x'.repeat(10000000); for (let i = 0; i < 10; i++) { const t = author.Task('t', 't'); t.addCommand(author.Command('x', {big, big2: big})); job.addTask(t); }",
        "const big = 'x'.repeat(1000000); job.settings.a = new Array(1000).fill(big); job.addTask(author.Task('a', 'b'));",
        "let tree = {}; for (let i = 0; i < 60; i++) tree = {a: tree, b: tree}; author.Command('x', tree);",
        "Symbol.prototype.x = []; for (;;) Symbol.prototype.x.push(Symbol('y'));",
        "let s = ''; for (let i = 0; i < 25; i++) s = `${s}${s}xxxx`; s.replaceAll('x', 'yyyyyyyyyyyyyyyy');",
        "const out = []; for (;;) { try { out.push(new Uint8Array(1 << 20)); } catch (e) { throw e; } }",
    ] {
        let error = farm.compile_body(body, json!({})).unwrap_err();
        assert!(matches!(error, Error::MemoryLimit { .. }), "{body}: {error}");
        assert!(error.to_string().contains("32 MiB"), "{error}");
        assert_healthy(&farm);
    }
}

#[test]
fn a_text_has_a_largest_length() {
    let farm = Farm::new();
    let error = farm.compile_body("let text = 'x'; while (true) text += text;", json!({})).unwrap_err();
    assert_eq!(error.to_string(), "InternalError: string too long (test.js:2:38)");
    assert_healthy(&farm);
}

#[test]
fn a_script_that_survives_its_memory_limit_may_go_on() {
    let farm = Farm::strict();
    let body =
        format!("try {{ 'x'.repeat(1 << 29); }} catch (error) {{ job.name = String(error); }} {ONE_TASK}");
    assert_eq!(farm.compile_body(&body, json!({})).unwrap().name, "InternalError: out of memory");
}

#[test]
fn unbounded_recursion_is_an_error_of_the_script() {
    let farm = Farm::new();
    for body in [
        "const f = (n) => f(n + 1) + 1; f(0);",
        "class A { get x() { return this.x; } } new A().x;",
        "const o = {toString() { return `${o}`; }}; print(1); path.join(o);",
        "author.Command('x', {get a() { compileJob(job); return 1; }});",
        "let deep = '['.repeat(500000); JSON.parse(deep);",
        "eval('('.repeat(100000));",
        "new RegExp('('.repeat(100000) + ')'.repeat(100000));",
        "const p = new Proxy({}, {get: (t, k, r) => r[k]}); p.x;",
        "[1].map(function f() { return [1].map(f); });",
    ] {
        let error = farm.compile_body(body, json!({})).unwrap_err();
        assert!(matches!(error, Error::Script { .. }), "{body}: {error}");
        assert_healthy(&farm);
    }
    let error = farm.compile_body("const f = (n) => f(n + 1) + 1;\nf(0);", json!({})).unwrap_err();
    assert!(error.to_string().contains("Maximum call stack size exceeded (test.js:2:"), "{error}");
}

#[test]
fn deep_values_do_not_hurt() {
    let farm = Farm::new();
    for (body, text) in [
        ("let d = {}; for (let i = 0; i < 100000; i++) d = {d}; author.Command('x', d);", "100 levels"),
        (
            "let d = []; for (let i = 0; i < 200; i++) d = [d]; job.settings.d = d; job.addTask(author.Task('a', 'b'));",
            "100 levels",
        ),
        ("const d = {}; d.a = [d]; author.Command('x', d);", "parameters).a[0] contains itself"),
        (
            "job.settings.self = job.settings; job.addTask(author.Task('a', 'b'));",
            "job.settings.self contains itself",
        ),
    ] {
        let error = farm.compile_body(body, json!({})).unwrap_err().to_string();
        assert!(error.contains(text), "{body}: {error}");
    }
    // The same object twice is no circle.
    let twice = farm.evaluate("(() => { const o = {x: 1}; return {a: o, b: o, c: [o, o]}; })()");
    assert_eq!(twice, json!({"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}));
}

#[test]
fn the_frame_limit_is_configurable() {
    let farm = Farm::with_limits(Limits { max_frames: 10, ..Limits::default() });
    assert_eq!(farm.evaluate("frameChunker('1-10', 5)"), json!(["1-5", "6-10"]));
    assert!(farm.caught("frameChunker('1-11', 5)").contains("at most 10"));
    assert!(farm.caught("frameCount('1-9999999999')").contains("at most 10"));
}

#[test]
fn compilations_run_side_by_side() {
    let farm = Farm::new();
    farm.write("test.js", &script(ONE_TASK));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| farm.scripts.compile(&submission("test", json!({}))).unwrap().tasks[0].id)
            })
            .collect();
        let ids: std::collections::HashSet<_> =
            threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 16);
    });
}
