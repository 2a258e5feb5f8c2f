//! The built-in job types on a real Blender: what their commands make of real scenes.
//!
//! Uses `blender`, or the command in `FLAMENCO_TEST_BLENDER`.

mod compositor;
mod device;
mod still;

use crate::support::submission;
use flamenco_jobscript::{AuthoredJob, AuthoredTask, Limits, Scripts};
use image::Rgba32FImage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One at a time: several Blenders on few processors would only slow each other down.
static TURN: Mutex<()> = Mutex::new(());

/// A temporary directory with scenes and renders.
struct Studio {
    directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// What a Blender said, and whether it succeeded.
#[derive(Debug)]
struct Ran {
    success: bool,
    log: String,
}

impl Studio {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self { directory: tempfile::tempdir().unwrap(), _turn: turn }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes `NAME.blend`; `scene.py` knows what can be wished for.
    fn scene(&self, name: &str, wishes: &Value) -> String {
        let file = self.path(&format!("{name}.blend")).display().to_string();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/blender/scene.py");
        let script = script.display().to_string();
        let ran =
            blender(&["--python-exit-code", "1", "--python", &script, "--", &file, &wishes.to_string()]);
        assert!(ran.success && Path::new(&file).is_file(), "{}", ran.log);
        file
    }

    /// Renders frames in the ordinary way, to `NAME/000001.png` and so on.
    fn render(&self, scene: &str, name: &str, format: &str, frames: &str) {
        let output = self.path(name).join("######").display().to_string();
        let arguments =
            [scene, "--render-output", &output, "--render-format", format, "--render-frame", frames];
        let ran = blender(&arguments);
        assert!(ran.success, "{}", ran.log);
    }

    /// Compiles a job that writes to `output/######`.
    fn compile(&self, job_type: &str, scene: &str, settings: Value) -> AuthoredJob {
        let mut all = json!({
            "render_output_path": self.path("output").join("######"),
            "blendfile": scene,
            "scene": "Scene",
            "format": "PNG",
            "image_file_extension": ".png",
        });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let scripts = Scripts::new(Vec::new(), Limits::default());
        scripts.compile(&submission(job_type, all)).unwrap_or_else(|error| panic!("{job_type}: {error}"))
    }

    /// Runs all tasks as workers would, and gives everything they logged.
    fn run(&self, job: &AuthoredJob) -> String {
        let mut log = String::new();
        for (index, task) in job.tasks.iter().enumerate() {
            assert!(task.dependencies.iter().all(|&other| other < index), "{}", task.name);
            let ran = run_task(task);
            assert!(ran.success, "{}: {}", task.name, ran.log);
            log += &ran.log;
        }
        log
    }

    fn image(&self, name: &str) -> Rgba32FImage {
        let path = self.path(name);
        let image = image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        image.into_rgba32f()
    }

    /// Asserts that two pictures have the same pixels, bit by bit.
    fn assert_same(&self, left: &str, right: &str) {
        let difference = difference(&self.image(left), &self.image(right));
        assert_eq!(difference, 0.0, "{left} and {right} differ");
    }
}

/// The largest difference of two pictures in any channel of any pixel.
fn difference(left: &Rgba32FImage, right: &Rgba32FImage) -> f32 {
    assert_eq!(left.dimensions(), right.dimensions());
    let channels = left.as_raw().iter().zip(right.as_raw());
    channels.map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

fn blender(arguments: &[&str]) -> Ran {
    let program = std::env::var("FLAMENCO_TEST_BLENDER").unwrap_or_else(|_| "blender".to_owned());
    let mut words = program.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .args(["--background", "--factory-startup"])
        .args(arguments)
        .output()
        .expect("Blender starts; without it: apt-get install blender");
    let log = [output.stdout, output.stderr].concat();
    Ran { success: output.status.success(), log: String::from_utf8_lossy(&log).into_owned() }
}

/// Runs the only command of a task as a worker does.
fn run_task(task: &AuthoredTask) -> Ran {
    let [command] = task.commands.as_slice() else { panic!("{} has several commands", task.name) };
    assert_eq!(command.name, "blender-render");
    assert_eq!(
        (&command.parameters["exe"], &command.parameters["exeArgs"]),
        (&json!("{blender}"), &json!("{blenderArgs}"))
    );
    assert_eq!(command.parameters["argsBefore"], json!([]));
    let arguments =
        command.parameters["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let blendfile = command.parameters["blendfile"].as_str().unwrap();
    blender(&std::iter::once(blendfile).chain(arguments).collect::<Vec<_>>())
}
