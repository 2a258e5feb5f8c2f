//! Tasks, commands, settings and metadata as they come out of a script.

use crate::support::{Farm, ONE_TASK, commands, names, script, submission};
use flamenco_jobscript::{Error, Interrupt};
use serde_json::json;

#[test]
fn tasks_have_defaults_and_can_be_changed() {
    let job = Farm::new()
        .compile_body(
            "const plain = author.Task('  plain ', ' misc '); job.addTask(plain);
             const made = new author.Task(47, true);
             job.settings.seen = [made.name, made.type, made.priority, made.commands.length, made.dependencies.length,
                                  made.uuid === made.uUID, made instanceof author.Task];
             job.settings.uuid = made.uuid;
             made.unknown = 1; job.unknown = 2;
             job.addTask(made);
             // Late changes count: nothing is copied when the task is added.
             made.name = 'late'; made.type = 'blender'; made.priority = '30'; made.addDependency(plain);
             const command = new author.Command('run', {a: 1}, 5);
             made.addCommand(command); command.name = 'walk'; command.totalStepCount = 6; command.parameters.b = 2;
             job.settings.length = job.tasks.length;",
            json!({}),
        )
        .unwrap();
    assert_eq!(names(&job), ["plain", "late"]);
    assert_eq!(job.settings["seen"], json!(["47", "true", 50, 0, 0, true, true]));
    assert_eq!(job.settings["uuid"], job.tasks[1].id.to_string());
    assert_eq!(job.settings["length"], 2);
    assert_eq!((job.tasks[0].priority, job.tasks[0].task_type.as_str()), (50, "misc"));
    assert_eq!((job.tasks[1].priority, job.tasks[1].task_type.as_str()), (30, "blender"));
    assert_eq!(job.tasks[1].dependencies, [0]);
    assert_eq!(commands(&job.tasks[0]), json!([]));
    assert_eq!(
        commands(&job.tasks[1]),
        json!([{"name": "walk", "parameters": {"a": 1, "b": 2}, "total_step_count": 6}])
    );
    assert_eq!((job.tasks[0].steps_total(), job.tasks[1].steps_total()), (0, 6));
}

#[test]
fn dependencies() {
    let job = Farm::new()
        .compile_body(
            "const [a, b, c] = ['a', 'b', 'c'].map((name) => author.Task(name, 'misc'));
             c.addDependency(b); c.addDependency(a); c.addDependency(b); c.addDependency(a); a.addDependency(b);
             job.addTask(c); job.addTask(a); job.addTask(b);",
            json!({}),
        )
        .unwrap();
    assert_eq!(names(&job), ["c", "a", "b"]);
    // Repetitions are dropped, the order of the script is kept, and later tasks can be depended on.
    assert_eq!(
        job.tasks.iter().map(|task| task.dependencies.as_slice()).collect::<Vec<_>>(),
        [&[2, 1][..], &[2], &[]]
    );
}

#[test]
fn parameters_are_copied_when_the_command_is_made() {
    let job = Farm::new()
        .compile_body(
            "const parameters = {args: ['-r', 24], env: {A: 'a'}}; const task = author.Task('t', 'misc');
             for (const frame of [1, 2]) {
                 parameters.frame = frame; parameters.args.push(frame);
                 task.addCommand(author.Command('exec', parameters));
             }
             parameters.env.A = 'late';
             const shared = author.Command('echo'); task.addCommand(shared); task.addCommand(shared);
             job.addTask(task);",
            json!({}),
        )
        .unwrap();
    assert_eq!(
        commands(&job.tasks[0]).to_string(),
        json!([
            {"name": "exec", "parameters": {"args": ["-r", 24, 1], "env": {"A": "a"}, "frame": 1}, "total_step_count": 0},
            {"name": "exec", "parameters": {"args": ["-r", 24, 1, 2], "env": {"A": "a"}, "frame": 2}, "total_step_count": 0},
            {"name": "echo", "parameters": {}, "total_step_count": 0},
            {"name": "echo", "parameters": {}, "total_step_count": 0},
        ])
        .to_string()
    );
    assert_eq!(job.tasks[0].steps_total(), 4);
}

#[test]
fn values_are_stored_as_json() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("24.0", "24"),
        ("-0", "0"),
        ("23.976", "23.976"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("2 ** 53", "9007199254740992"),
        ("1e21", "1e+21"),
        ("10n", "10"),
        ("'ünï\\u2028\\0'", "\"ünï\u{2028}\\u0000\""),
        ("'\\ud83d'", "\"\u{fffd}\""),
        ("{'\\ud83d': 1}", "{\"\u{fffd}\":1}"),
        ("{a: undefined, b: [undefined, null, , 1]}", r#"{"a":null,"b":[null,null,null,1]}"#),
        ("new Date(Date.UTC(2026, 1, 3, 14, 5, 6, 70))", r#""2026-02-03T14:05:06.070Z""#),
        ("new Set([1, 'a', new Set()])", r#"[1,"a",[]]"#),
        ("[new String('s'), new Number(4), new Boolean(false)]", r#"["s",4,false]"#),
        ("{z: 1, a: 2, m: {y: 1, b: 2}}", r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#),
        ("{['__proto__']: {x: 1}, constructor: 2}", r#"{"__proto__":{"x":1},"constructor":2}"#),
        (
            "Object.create({inherited: 1}, {own: {value: 2, enumerable: true}, hidden: {value: 3}})",
            r#"{"own":2}"#,
        ),
        (
            "{[Symbol('s')]: 1, get computed() { return 2; }, toJSON: undefined}",
            r#"{"computed":2,"toJSON":null}"#,
        ),
        ("new (class { x = 1; #y = 2; z() {} })()", r#"{"x":1}"#),
        ("Object.create(null)", "{}"),
        ("new Proxy({a: 1}, {})", r#"{"a":1}"#),
        ("/x/g", "{}"),
    ] {
        assert_eq!(farm.evaluate(expression).to_string(), expected, "{expression}");
        // The same rules for parameters of commands.
        let body = format!(
            "const task = author.Task('t', 't'); task.addCommand(author.Command('c', {{value: {expression}}}));
             const live = author.Command('c', {{}}); live.parameters.value = {expression}; task.addCommand(live); job.addTask(task);"
        );
        let job = farm.compile_body(&body, json!({})).unwrap();
        for command in &job.tasks[0].commands {
            assert_eq!(command.parameters["value"].to_string(), expected, "{expression}");
        }
    }
}

#[test]
fn values_that_json_cannot_hold_are_errors() {
    let farm = Farm::new();
    for (value, text) in [
        ("NaN", "is NaN"),
        ("0 / 0", "is NaN"),
        ("Infinity", "is inf"),
        ("-Infinity", "is -inf"),
        ("() => 1", "is a function"),
        ("class {}", "is a function"),
        ("Symbol('s')", "is a symbol"),
        ("new Map()", "is a Map or a Promise"),
        ("Promise.resolve(1)", "is a Map or a Promise"),
        ("new Date(NaN)", "is NaN"),
    ] {
        let error = farm.caught(&format!("author.Command('render', {{args: ['a', {{b: {value}}}]}})"));
        let expected = format!("Error: author.Command(\"render\", parameters).args[1].b {text}");
        assert!(error.starts_with(&expected), "{value}: {error}");

        let error =
            farm.compile_body(&format!("job.settings.bad = [{value}]; {ONE_TASK}"), json!({})).unwrap_err();
        assert!(error.to_string().starts_with(&format!("job.settings.bad[0] {text}")), "{error}");

        let late = format!(
            "const task = author.Task('t', 't'); task.addCommand(author.Command('c')); job.addTask(task);
             task.commands[0].parameters.bad = {value};"
        );
        let error = farm.compile_body(&late, json!({})).unwrap_err().to_string();
        assert!(error.starts_with(&format!("task \"t\", command \"c\": parameters.bad {text}")), "{error}");
    }
}

#[test]
fn step_counts_are_whole_and_not_negative() {
    let farm = Farm::new();
    let seen = farm.evaluate(
        "[undefined, null, '3', 2.9, true, -5, NaN, Infinity, 7].map((n) => author.Command('c', {}, n).totalStepCount)",
    );
    assert_eq!(seen, json!([0, 0, 3, 2, 1, 0, 0, 0, 7]));
}

#[test]
fn settings_and_metadata_can_be_changed() {
    let farm = Farm::new();
    farm.write(
        "test.js",
        &crate::support::script(&format!(
            "job.settings.added = 1; delete job.settings.removed; job.settings.undef = undefined;
             job.metadata.number = 3; job.metadata.none = undefined; job.metadata.truth = true; delete job.metadata.gone;
             job.name = 47; job.priority = '12.9'; {ONE_TASK}"
        )),
    );
    let mut submission =
        crate::support::submission("test", json!({"first": 100.0, "removed": 1, "last": "x"}));
    submission.metadata =
        [("a", "b"), ("gone", "x")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let job = farm.scripts.compile(&submission).unwrap();
    let settings = serde_json::Value::Object(job.settings);
    assert_eq!(settings.to_string(), r#"{"first":100,"last":"x","added":1,"undef":null}"#);
    let metadata: Vec<_> = job.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("a", "b"), ("number", "3"), ("none", ""), ("truth", "true")]);
    assert_eq!((job.name.as_str(), job.priority), ("47", 12));
}

#[test]
fn settings_and_metadata_can_be_replaced() {
    let farm = Farm::new();
    let job = farm
        .compile_body(
            &format!("job.settings = {{new: true}}; job.metadata = {{k: 'v'}}; {ONE_TASK}"),
            json!({"old": 1}),
        )
        .unwrap();
    assert_eq!(serde_json::Value::Object(job.settings), json!({"new": true}));
    assert_eq!(job.metadata, [("k".to_owned(), "v".to_owned())]);
    let job = farm
        .compile_body(&format!("job.settings = null; job.metadata = undefined; {ONE_TASK}"), json!({"a": 1}))
        .unwrap();
    assert!(job.settings.is_empty() && job.metadata.is_empty());
    for body in ["job.settings = 'text';", "job.settings = [1];", "job.metadata = 3;", "job.tasks = {};"] {
        let error = farm.compile_body(&format!("{ONE_TASK} {body}"), json!({})).unwrap_err().to_string();
        assert!(error.contains("must be an"), "{body}: {error}");
    }
}

#[test]
fn settings_with_any_keys_survive() {
    let settings = json!({"__proto__": 1, "constructor": {"a": []}, "": "", "ü\u{2028}\"": null, "toString": "x", "nul\0": 1});
    let job = Farm::new().compile_body(ONE_TASK, settings.clone()).unwrap();
    assert_eq!(serde_json::Value::Object(job.settings).to_string(), settings.to_string());
}

#[test]
fn asynchronous_scripts() {
    let farm = Farm::new();
    let body = format!(
        "return (async () => {{ await null; for await (const x of [1, 2]) await x; {ONE_TASK} }})();"
    );
    assert_eq!(names(&farm.compile_body(&body, json!({})).unwrap()), ["only"]);
    // What is left for later runs before the job is used, also without a returned promise.
    let body = format!("Promise.resolve().then(() => {{ {ONE_TASK} }});");
    assert_eq!(names(&farm.compile_body(&body, json!({})).unwrap()), ["only"]);
}

#[test]
fn tasks_come_while_others_are_still_made() {
    let farm = Farm::new();
    let body = "const shared = author.Command('run', {args: ['x']}); const all = [];
                for (let i = 0; i < 1000; i++) { const task = author.Task('task ' + i, 'misc'); task.addCommand(shared);
                    task.addCommand(author.Command('own', {i})); all.push(task); job.addTask(task); }
                all[1].addCommand(all[0].commands[1]);";
    farm.write("test.js", &script(body));
    let (job, tasks) =
        farm.scripts.compile_gradually(&submission("test", json!({})), &Interrupt::default()).unwrap();
    assert_eq!((job.name.as_str(), job.tasks.len()), ("lighting v3", 0));
    let tasks: Vec<_> = tasks.map(Result::unwrap).collect();
    assert_eq!(tasks.len(), 1000);
    for (index, task) in tasks.iter().enumerate() {
        assert_eq!(task.name, format!("task {index}"));
        assert_eq!(task.commands[0].parameters["args"], json!(["x"]), "a command that all tasks have");
        assert_eq!(task.commands[1].parameters["i"], index);
    }
    assert_eq!(tasks[1].commands[2].parameters["i"], 0, "one that two tasks have");
}

#[test]
fn a_mistake_in_a_late_task_comes_after_the_good_ones() {
    let farm = Farm::new();
    let many = "for (let i = 0; i < 1000; i++) job.addTask(author.Task('task ' + i, 'misc'));";
    for (mistake, text) in [
        ("job.tasks[990].name = '';", "task number 991 of the job has no name"),
        (
            "job.tasks[990].addDependency(job.tasks[991]); job.tasks[991].addDependency(job.tasks[990]);",
            "\"task 990\" → \"task 991\"",
        ),
    ] {
        farm.write("test.js", &script(&format!("{many} {mistake}")));
        let submission = submission("test", json!({}));
        let (_, tasks) = farm.scripts.compile_gradually(&submission, &Interrupt::default()).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = tasks.partition(Result::is_ok);
        assert!(good.len() < 1000, "the last ones are held back until all is well");
        let [Err(error)] = bad.as_slice() else { panic!("one mistake: {bad:?}") };
        assert!(error.to_string().contains(text), "{error}");
        let whole: Result<_, Error> = farm.scripts.compile(&submission);
        assert_eq!(whole.unwrap_err(), *error);
    }
}
