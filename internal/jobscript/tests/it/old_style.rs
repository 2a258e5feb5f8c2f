//! Scripts in the JavaScript of ten years ago, and with the oddities that published ones depend on.

use crate::support::{Farm, commands, names};
use serde_json::{Value, json};

/// No `let`, arrow function, class or template; constructors with prototypes, and loops over keys.
const SCRIPT: &str = r#"
var JOB_TYPE = {
    'label': 'Ye Olde Render',
    'settings': [
        { 'key': 'frames', 'type': 'string', 'required': true },
        { 'key': 'chunk_size', 'type': 'int32', 'default': 1, 'propargs': { 'min': 1 } },
        { 'key': 'extra', 'type': 'string' }
    ]
};

var util = (function () {
    var counter = 0;
    function extend(target) {
        for (var i = 1; i < arguments.length; i++) {
            for (var key in arguments[i]) {
                if (Object.prototype.hasOwnProperty.call(arguments[i], key)) {
                    target[key] = arguments[i][key];
                }
            }
        }
        return target;
    }
    return { extend: extend, next: function () { return ++counter; } };
}());

function Renderer(job) {
    this.job = job;
    this.tasks = [];
}

Renderer.prototype.render = function (chunk) {
    var self = this;
    var task = author.Task('render-' + util.next() + '-' + chunk, 'blender');
    var args = ['-o', path.join(path.dirname(self.job.settings.output), path.basename(undefined), 'x####'), '-f', chunk.replace(/-/g, '..')];
    args = args.concat(shellSplit(self.job.settings.extra));
    task.addCommand(author.Command('blender-render', util.extend({ exe: '{blender}' }, { args: args, n: 1.0 })));
    self.tasks.push(task);
    return task;
};

function Mover() {
    Renderer.apply(this, arguments);
}
Mover.prototype = Object.create(Renderer.prototype);
Mover.prototype.constructor = Mover;
Mover.prototype.finish = function () {
    var task = author.Task('move', 'file-management'), i;
    task.addCommand(author.Command('move-directory', { src: '/a', dest: '/b' }));
    for (i = 0; i < this.tasks.length; i += 1) {
        task.addDependency(this.tasks[i]);
    }
    return task;
};

function compileJob(job) {
    var mover = new Mover(job), chunks = frameChunker(job.settings.frames, job.settings.chunk_size), i, message;
    try {
        frameChunker('', 1);
    } catch (e) {
        message = e.message;
    } finally {
        job.metadata.note = '' + (message.indexOf('empty range') !== -1);
    }
    switch (typeof job.settings.extra) {
    case 'undefined':
        job.settings.extra_given = false;
        break;
    default:
        job.settings.extra_given = !!job.settings.extra;
    }
    outer: for (i in chunks) {
        if (!chunks.hasOwnProperty(i)) { continue outer; }
        job.addTask(mover.render(chunks[i]));
    }
    job.addTask(mover.finish());
    if (job.settings.nothing == null && void 0 === job.settings.nothing) {
        job.settings.when = new Date(0);
        job.settings.stamp = formatTimestampLocal(job.created).substr(0, 10);
    }
    delete job.settings.secret;
}
"#;

fn settings(extra: Value) -> Value {
    let mut settings =
        json!({"frames": "1-5", "chunk_size": "3", "output": r"C:\out\shot\####", "secret": 1});
    if !extra.is_null() {
        settings["extra"] = extra;
    }
    settings
}

#[test]
fn constructors_and_prototypes() {
    let farm = Farm::new();
    let job = farm.compile_source(SCRIPT, settings(json!("--threads 4 'a b'"))).unwrap();
    assert_eq!(names(&job), ["render-1-1-3", "render-2-4,5", "move"]);
    assert_eq!(job.tasks[2].dependencies, [0, 1]);
    assert_eq!(
        commands(&job.tasks[0]).to_string(),
        json!([{
            "name": "blender-render",
            "parameters": {
                "exe": "{blender}",
                "args": ["-o", "C:/out/shot/x####", "-f", "1..3", "--threads", "4", "a b"],
                "n": 1,
            },
            "total_step_count": 0,
        }])
        .to_string()
    );
    assert_eq!(job.metadata, [("note".to_owned(), "true".to_owned())]);
    assert_eq!(job.settings["extra_given"], true);
    assert_eq!(job.settings["when"], "1970-01-01T00:00:00.000Z");
    assert_eq!(job.settings["stamp"], "2026-02-03");
    assert!(!job.settings.contains_key("secret"));
}

#[test]
fn without_its_optional_setting() {
    let job = Farm::new().compile_source(SCRIPT, settings(Value::Null)).unwrap();
    assert_eq!(job.settings["extra_given"], false);
    assert_eq!(job.tasks[1].commands[0].parameters["args"], json!(["-o", "C:/out/shot/x####", "-f", "4,5"]));
}

#[test]
fn oddities_that_scripts_depend_on() {
    let farm = Farm::new();
    for (expression, expected) in [
        ("path.basename(undefined)", json!(".")),
        ("path.basename(null)", json!(".")),
        ("path.basename()", json!(".")),
        ("path.join('d', path.basename(undefined), 'merged')", json!("d/merged")),
        ("path.dirname(undefined)", json!(".")),
        ("path.stem(undefined)", json!("")),
        ("path.join('a', undefined, 'b')", json!("a/b")),
        ("shellSplit(undefined)", json!([])),
        ("frameCount('9,10,20,21')", json!(4)),
        ("frameChunker('1-4', '2').slice(-1)", json!(["3,4"])),
        ("[].concat(frameChunker('1-2', 1), shellSplit('a b')).length", json!(4)),
        (
            "path.join('{clientStoragePath}', '{jobSubPath}', 'x.py')",
            json!("{clientStoragePath}/{jobSubPath}/x.py"),
        ),
    ] {
        assert_eq!(farm.evaluate(expression), expected, "{expression}");
    }
}
