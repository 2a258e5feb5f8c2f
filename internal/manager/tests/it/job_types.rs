//! Job type scripts in a running manager: edited, broken, greedy, and written long ago.

use std::fs;
use std::time::{Duration, Instant};

use flamenco_testkit::{FakeWorker, Method, TestManager};
use serde_json::{Value, json};

use crate::UNKNOWN;

pub(crate) fn script(label: &str, body: &str) -> String {
    format!(
        "const JOB_TYPE = {{ label: '{label}', settings: [] }};\nfunction compileJob(job) {{\n{body}\n}}\n"
    )
}

pub(crate) const ONE_TASK: &str = "job.addTask(author.Task('one', 'misc'));";

pub(crate) fn submission(job_type: &str, settings: Value) -> Value {
    json!({ "name": "job", "type": job_type, "priority": 50, "submitter_platform": "linux", "settings": settings })
}

pub(crate) async fn labels(farm: &TestManager) -> Vec<String> {
    let all = farm.get("/api/v3/jobs/types").await.expect(200).json();
    let all = all["job_types"].as_array().unwrap().iter();
    all.map(|kind| format!("{}: {}", kind["name"].as_str().unwrap(), kind["label"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn scripts_are_read_again_without_a_restart() {
    let farm = TestManager::sqlite().with_script("my_type.v2.js", &script("First", ONE_TASK)).start().await;
    let folder = farm.folder().join("scripts");
    assert!(labels(&farm).await.contains(&"my-type.v2: First".to_owned()));
    let old = farm.get("/api/v3/jobs/type/my-type.v2").await.expect(200).json();

    fs::write(folder.join("my_type.v2.js"), script("Second", "author.Task('x', 'y');")).unwrap();
    fs::write(folder.join("added.js"), script("Added", ONE_TASK)).unwrap();
    fs::write(folder.join("README.md"), "no script").unwrap();
    fs::write(folder.join("empty.js"), "").unwrap();
    let now = labels(&farm).await;
    assert!(
        now.contains(&"my-type.v2: Second".to_owned()) && now.contains(&"added: Added".to_owned()),
        "{now:?}"
    );
    assert!(!now.iter().any(|line| line.starts_with("README") || line.starts_with("empty")), "{now:?}");

    let mut outdated = submission("my-type.v2", json!({}));
    outdated["type_etag"] = old["etag"].clone();
    let _ = farm.post("/api/v3/jobs", &outdated).await.problem(412);
    let message = farm.post("/api/v3/jobs", &submission("my-type.v2", json!({}))).await.problem(400);
    assert!(message.contains("task"), "a job without tasks never ends: {message}");
    farm.submit_as(submission("added", json!({}))).await;
    fs::remove_file(folder.join("added.js")).unwrap();
    let _ = farm.post("/api/v3/jobs", &submission("added", json!({}))).await.problem(400);
    farm.stop().await;
}

#[tokio::test]
async fn a_broken_script_is_named_and_replaces_nothing() {
    let farm = TestManager::sqlite()
        .with_script("simple_blender_render.js", "const JOB_TYPE = {\n  label: 'Mine',\n  settings: [}\n};")
        .with_script("throws.js", &script("Throws", "const a = 1;\nthrow new Error('no such camera');"))
        .start()
        .await;
    let now = labels(&farm).await;
    assert!(
        !now.iter().any(|line| line.starts_with("simple-blender-render")),
        "no other script instead: {now:?}"
    );
    assert!(now.iter().any(|line| line.starts_with("echo-sleep-test")), "the others are there: {now:?}");
    let place = "simple_blender_render.js:3:14";
    let message = farm.get("/api/v3/jobs/type/simple-blender-render").await.problem(500);
    assert!(message.contains(place), "{message}");
    for path in ["/api/v3/jobs", "/api/v3/jobs/check"] {
        let message = farm.post(path, &submission("simple-blender-render", json!({}))).await.problem(400);
        assert!(message.contains(place), "{message}");
        let message = farm.post(path, &submission("throws", json!({}))).await.problem(400);
        assert!(message.starts_with("no such camera") && message.contains("throws.js:4:"), "{message}");
    }
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
    farm.stop().await;
}

#[tokio::test]
async fn scripts_without_end_or_measure_harm_nobody() {
    let farm = TestManager::sqlite()
        .with_yaml("script_time_limit: 500ms")
        .with_script("endless.js", &script("Endless", "while (true) {}"))
        .with_script("deep.js", &script("Deep", "const f = (n) => f(n + 1) + 1; f(0);"))
        .with_script(
            "greedy.js",
            &script("Greedy", "const all = []; for (;;) all.push(new ArrayBuffer(1 << 24));"),
        )
        .start()
        .await;
    let started = Instant::now();
    let bad = async {
        for (job_type, word) in [
            ("endless", "ran for more than 0.5 s"),
            ("deep", "Maximum call stack size exceeded"),
            ("greedy", "MiB"),
            ("endless", "ran for more than 0.5 s"),
        ] {
            let message = farm.post("/api/v3/jobs", &submission(job_type, json!({}))).await.problem(400);
            assert!(message.contains(word), "{job_type}: {message}");
            assert!(message.contains(&format!("{job_type}.js")), "{message}");
        }
    };
    let good = async {
        let settings = json!({ "message": "hi", "sleep_duration_seconds": 1, "sleep_repeats": 1 });
        for _ in 0..5 {
            let waited = Instant::now();
            farm.submit_as(submission("echo-sleep-test", settings.clone())).await;
            assert!(waited.elapsed() < Duration::from_secs(10), "a good job waits for bad ones");
        }
    };
    tokio::join!(bad, good);
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json()["jobs"].as_array().unwrap().len(), 5);
    farm.stop().await;
}

#[tokio::test]
async fn a_check_refuses_what_submitting_refuses() {
    let cycle = "const a = author.Task('a', 'x'), b = author.Task('b', 'x');\
                 a.addDependency(b); b.addDependency(a); job.addTask(a); job.addTask(b);";
    let stranger = "const a = author.Task('a', 'x'); a.addDependency(author.Task('b', 'x')); job.addTask(a);";
    let farm = TestManager::sqlite()
        .with_script("good.js", &script("Good", ONE_TASK))
        .with_script("cycle.js", &script("Cycle", cycle))
        .with_script("stranger.js", &script("Stranger", stranger))
        .with_script("none.js", &script("None", ""))
        .with_script("number.js", &script("Number", "author.Command('x', { f() {} , n: NaN }); return 7;"))
        .start()
        .await;
    let with = |key: &str, value: Value| {
        let mut submission = submission("good", json!({}));
        submission[key] = value;
        submission
    };
    let refused = [
        (submission("cycle", json!({})), 400),
        (submission("stranger", json!({})), 400),
        (submission("none", json!({})), 400),
        (submission("number", json!({})), 400),
        (submission("unknown", json!({})), 400),
        (with("worker_tag", json!(UNKNOWN)), 400),
        (with("worker_tag", json!("no id")), 400),
        (with("initial_status", json!("active")), 400),
        (with("name", json!(" ")), 400),
        (with("submitter_platform", json!("")), 400),
        (with("type_etag", json!("0000")), 412),
        (with("storage", json!({ "shaman_checkout_id": ".." })), 400),
    ];
    for (submission, status) in refused {
        let check = farm.post("/api/v3/jobs/check", &submission).await.problem(status);
        let submit = farm.post("/api/v3/jobs", &submission).await.problem(status);
        assert_eq!(check, submit);
    }
    farm.post("/api/v3/jobs/check", &submission("good", json!({}))).await.no_content();
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
    farm.stop().await;
}

/// As scripts were written before classes and modules, with what they can get from the manager.
#[tokio::test]
async fn an_old_third_party_script_makes_a_whole_job() {
    const OLD: &str = r#"
var JOB_TYPE = {
    "label": "Old style",
    "settings": [
        { key: "frames", type: "string", required: true },
        { key: "output", type: "string", required: true },
        { key: "suffix", type: "string" },
    ],
};
function Renderer(job) { this.job = job; this.tasks = []; }
Renderer.prototype.render = function () {
    var self = this, chunks = frameChunker(self.job.settings.frames, 3);
    for (var i = 0; i < chunks.length; i++) {
        var task = author.Task("frames " + chunks[i], "blender");
        // The setting may be missing; what comes out of it is part of the path that its users have.
        var folder = path.join(path.dirname(self.job.settings.output), path.basename(self.job.settings.suffix));
        task.addCommand(author.Command("blender-render", {
            exe: "{blender}", exeArgs: "{blenderArgs}", argsBefore: [], blendfile: "a.blend",
            args: ["-o", path.join(folder, '######'), "-f", chunks[i].replace(/-/g, "..")],
        }));
        self.tasks.push(task);
        self.job.addTask(task);
    }
};
function compileJob(job) {
    var renderer = new Renderer(job), merge = author.Task("merge", "misc");
    renderer.render();
    merge.addCommand(author.Command("echo", { message: "from " + process.platform }));
    renderer.tasks.forEach(function (task) { merge.addDependency(task); });
    job.addTask(merge);
}
"#;
    let farm = TestManager::sqlite().with_script("old_style.js", OLD).start().await;
    let settings = json!({ "frames": "1-4, 8", "output": "/render/shot/file.png" });
    let job = farm.submit_as(submission("old-style", settings)).await;
    let mut found = Vec::new();
    for id in farm.task_ids(&job).await {
        let task = farm.task(&id).await;
        found.push(json!([task["name"], task["commands"][0]["parameters"]["args"]]));
    }
    let args = |frames: &str| json!(["-o", "/render/shot/######", "-f", frames]);
    let wanted =
        [json!(["frames 1-3", args("1..3")]), json!(["frames 4,8", args("4,8")]), json!(["merge", null])];
    assert_eq!(found, wanted);
    let worker = farm.worker("w").await;
    let first = worker.take().await;
    worker.complete(&first).await;
    assert_eq!(worker.take().await.name, "frames 4,8");
    assert!(
        worker.take_if_any().await.is_some_and(|task| task.name == "frames 4,8"),
        "the last waits for both"
    );
    farm.stop().await;
}

/// What the shared scripts have in common: programs in Python in one argument, braces that are no variables, settings
/// that are removed, parameters that no worker knows, and objects printed as a whole.
const SHARED: &str = r#"
const JOB_TYPE = { label: 'Shared', settings: [
    { key: 'blender_cmd', type: 'string', default: '{blender}', visible: 'hidden' },
    { key: 'scale', type: 'int32', default: 100, propargs: { min: 1, max: 100 } },
    { key: 'blender_args_before', type: 'string' },
    { key: 'experimental_gp3', type: 'bool', default: false },
] };
function compileJob(job) {
    const settings = job.settings;
    print('compiling', job, settings, [1, { a: null }]);
    if (settings.scale !== 100) throw 'only at full size';
    const code = `
import bpy
values = {"x": 1, 'name': "${job.name}"}
print(f"tile {values['x']} {{literal}} {blender}" + '\\n' + "\t\"$HOME\" \`ls\`")`;
    const mixed = author.Task('mixed', 'misc');
    mixed.addCommand(author.Command('exec', { exe: 'mkdir', args: ['-p', '{renderSubPath}'], env: { A: { b: '{blender}' } } }));
    mixed.addCommand(author.Command('blender-render', {
        exe: settings.blender_cmd, blendfile: path.join('{clientStoragePath}', '{jobSubPath}', 'x.blend'),
        args: ['--python-expr', code, '-F', 24, 0.5].concat(shellSplit(settings.blender_args_before)),
    }, 3));
    job.addTask(mixed);
    for (const name of ['blender_args_before', 'experimental_gp3']) if (!settings[name]) delete settings[name];
}
"#;

#[tokio::test]
async fn what_a_shared_script_makes_reaches_the_worker_unchanged() {
    let variables = "variables:\n  blender: { values: [{ platform: linux, value: /opt/blender }] }\n  \
                     clientStoragePath: { values: [{ platform: all, value: /store }] }";
    let farm = TestManager::sqlite().with_yaml(variables).start().await;
    // As some of them are installed: by a link into the folder of scripts.
    let folder = farm.folder().join("scripts");
    fs::create_dir_all(&folder).unwrap();
    fs::write(farm.folder().join("shared_elsewhere.js"), SHARED).unwrap();
    std::os::unix::fs::symlink(farm.folder().join("shared_elsewhere.js"), folder.join("shared.js")).unwrap();

    let settings = |scale: Value| json!({ "blender_cmd": "{blender}", "scale": scale, "blender_args_before": "", "experimental_gp3": false });
    let job = farm.submit_as(submission("shared", settings(json!(100)))).await;
    assert_eq!(farm.job(&job).await["settings"], json!({ "blender_cmd": "{blender}", "scale": 100 }));
    let misc = FakeWorker::register(&farm, "misc", &["misc"]).await;
    misc.wake_up().await;
    let task = misc.take().await;
    let [first, second] = task.commands.as_slice() else { panic!("{:?}", task.commands) };
    assert_eq!(
        json!(first.parameters),
        json!({ "exe": "mkdir", "args": ["-p", "{renderSubPath}"], "env": { "A": { "b": "{blender}" } } })
    );
    let code = "\nimport bpy\nvalues = {\"x\": 1, 'name': \"job\"}\n\
                print(f\"tile {values['x']} {{literal}} /opt/blender\" + '\\n' + \"\t\"$HOME\" `ls`\")";
    assert_eq!(
        json!(second.parameters),
        json!({
            "exe": "/opt/blender", "blendfile": "/store/{jobSubPath}/x.blend",
            "args": ["--python-expr", code, "-F", 24, 0.5],
        })
    );
    assert_eq!(second.total_step_count, 3);

    // Whole numbers are whole, however they are written.
    let mut whole =
        submission("shared", settings(Value::Null)).to_string().replace("\"scale\":null", "\"scale\":100.0");
    let request = farm.request(Method::POST, "/api/v3/jobs/check");
    request.body("application/json", std::mem::take(&mut whole)).send().await.no_content();
    let message = farm.post("/api/v3/jobs", &submission("shared", settings(json!(50)))).await.problem(400);
    assert!(message.starts_with("only at full size"), "{message}");
    farm.stop().await;
}

/// With nothing but what the add-on always sends.
#[tokio::test]
async fn built_in_types_work_without_their_optional_settings() {
    let farm = TestManager::sqlite().start().await;
    let all = farm.get("/api/v3/jobs/types").await.expect(200).json();
    for kind in all["job_types"].as_array().unwrap() {
        // What has a default, or is worked out in Blender, is always there.
        let needed = |setting: &&Value| {
            let has = |key: &str| setting.get(key).is_some();
            setting["required"] == true || has("eval") || has("default")
        };
        let required = kind["settings"].as_array().unwrap().iter().filter(needed);
        let value =
            |setting: &Value| match (setting["key"].as_str().unwrap(), setting["type"].as_str().unwrap()) {
                ("frames", _) => json!("1-2"),
                ("format", _) => json!("PNG"),
                ("engine", _) => json!("CYCLES"),
                // The job type of these tests, which is there as well.
                ("plan", _) => json!("[{\"name\": \"one\"}]"),
                ("blendfile", _) => json!("/scene.blend"),
                (key, _) if key.ends_with("_path") => json!("/render/######.exr"),
                (_, "string") => setting.get("default").cloned().unwrap_or_else(|| json!("text")),
                (_, "bool") => json!(true),
                _ => setting.get("default").cloned().unwrap_or_else(|| json!(64)),
            };
        let settings: serde_json::Map<_, _> =
            required.map(|setting| (setting["key"].as_str().unwrap().to_owned(), value(setting))).collect();
        let name = kind["name"].as_str().unwrap();
        farm.post("/api/v3/jobs/check", &submission(name, Value::Object(settings))).await.no_content();
    }
    farm.stop().await;
}
