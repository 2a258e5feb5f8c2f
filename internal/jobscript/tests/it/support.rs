//! Scripts in a temporary directory, and submissions for them.

use chrono::{Local, TimeZone, Utc};
use flamenco_jobscript::{AuthoredJob, AuthoredTask, Error, Limits, Scripts, Submission};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// A manager's scripts: a directory of its own, and the built-in ones.
pub struct Farm {
    directory: tempfile::TempDir,
    pub scripts: Scripts,
}

impl Farm {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let scripts = Scripts::new(vec![directory.path().to_owned()], limits);
        Self { directory, scripts }
    }

    /// Limits that end a test quickly.
    pub fn strict() -> Self {
        Self::with_limits(Limits { cpu: Duration::from_millis(300), memory: 32 << 20, ..Limits::default() })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, file: &str, source: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, source).unwrap();
    }

    /// Compiles a job with a script `test.js` that has this source.
    pub fn compile_source(&self, source: &str, settings: Value) -> Result<AuthoredJob, Error> {
        self.write("test.js", source);
        self.scripts.compile(&submission("test", settings))
    }

    /// Compiles a job with a proper `JOB_TYPE` and this body of `compileJob`.
    pub fn compile_body(&self, body: &str, settings: Value) -> Result<AuthoredJob, Error> {
        self.compile_source(&script(body), settings)
    }

    /// The values that an expression has when a script evaluates it, as they are stored in a setting.
    pub fn evaluate(&self, expression: &str) -> Value {
        let body = format!("job.settings.result = {expression}; {ONE_TASK}");
        match self.compile_body(&body, json!({})) {
            Ok(mut job) => job.settings.remove("result").unwrap(),
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// The text of the error that an expression throws; it must be a real `Error`.
    pub fn caught(&self, expression: &str) -> String {
        let value = self.evaluate(&format!(
            "(() => {{ try {{ {expression}; }} catch (error) {{ return error instanceof Error && String(error); }} }})()"
        ));
        value.as_str().unwrap_or_else(|| panic!("{expression} gives {value}")).to_owned()
    }
}

/// The job types that are part of the program.
pub const BUILT_IN: [&str; 5] = [
    "compositor-run",
    "cycles-device-render",
    "echo-sleep-test",
    "simple-blender-render",
    "single-image-render",
];

/// Adds a task, without which a job is refused.
pub const ONE_TASK: &str = "job.addTask(author.Task('only', 'misc'));";

/// A script in which the body of `compileJob` starts at line 2, column 1.
pub fn script(body: &str) -> String {
    format!("const JOB_TYPE = {{label: 'Test', settings: []}}; function compileJob(job) {{\n{body}\n}}")
}

pub fn submission(job_type: &str, settings: Value) -> Submission {
    let Value::Object(settings) = settings else { panic!("settings must be an object") };
    Submission {
        name: "lighting v3".to_owned(),
        job_type: job_type.to_owned(),
        type_etag: None,
        priority: 50,
        settings,
        metadata: Vec::new(),
        worker_tag: None,
        shaman_checkout_id: None,
        now: Local.with_ymd_and_hms(2026, 2, 3, 14, 5, 6).unwrap().with_timezone(&Utc),
    }
}

/// Settings with some of them replaced; null removes one.
pub fn with(settings: Value, changes: Value) -> Value {
    let mut settings: Map<String, Value> = serde_json::from_value(settings).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            settings.remove(key);
        } else {
            settings.insert(key.clone(), value.clone());
        }
    }
    Value::Object(settings)
}

pub fn names(job: &AuthoredJob) -> Vec<&str> {
    job.tasks.iter().map(|task| task.name.as_str()).collect()
}

/// The commands of a task as they are stored.
pub fn commands(task: &AuthoredTask) -> Value {
    let command = |command: &flamenco_jobscript::AuthoredCommand| {
        json!({
            "name": command.name,
            "parameters": command.parameters,
            "total_step_count": command.total_step_count,
        })
    };
    task.commands.iter().map(command).collect()
}
