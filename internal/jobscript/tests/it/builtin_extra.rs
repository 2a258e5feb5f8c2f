//! The built-in job types beyond those of the reference: which tasks they make. What Blender makes of these is in
//! `blender`.

use crate::support::{Farm, names, submission, with};
use flamenco_jobscript::{AuthoredJob, AuthoredTask, Error};
use serde_json::{Value, json};

fn common() -> Value {
    json!({
        "render_output_path": r"{renders}\shot 1\{timestamp}\######",
        "blendfile": r"{projects}\shot.blend", "format": "PNG", "scene": "Main", "image_file_extension": ".png",
    })
}

fn compile(job_type: &str, settings: Value, changes: Value) -> Result<AuthoredJob, Error> {
    Farm::new().scripts.compile(&submission(job_type, with(with(common(), settings), changes)))
}

fn still(changes: Value) -> Result<AuthoredJob, Error> {
    let settings = json!({"frame": 7, "tiles_across": 2, "tiles_down": 2, "overlap": 3, "samples": 64});
    compile("single-image-render", settings, changes)
}

fn device(changes: Value) -> Result<AuthoredJob, Error> {
    compile(
        "cycles-device-render",
        json!({"frames": "1-4", "chunk_size": 3, "device": "HIP", "fps": 24}),
        changes,
    )
}

fn composite(changes: Value) -> Result<AuthoredJob, Error> {
    let settings =
        json!({"frames": "1-4", "chunk_size": 3, "input_path": r"{renders}\raw\####.exr", "fps": 24});
    compile("compositor-run", settings, changes)
}

fn arguments(task: &AuthoredTask) -> Vec<&str> {
    let [command] = task.commands.as_slice() else { panic!("{:?}", task.commands) };
    assert_eq!(command.name, "blender-render");
    assert_eq!(command.parameters["exe"], "{blender}");
    assert_eq!(command.parameters["blendfile"], r"{projects}\shot.blend");
    command.parameters["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect()
}

/// The arguments that the Python program gets.
fn values(task: &AuthoredTask) -> Vec<&str> {
    let arguments = arguments(task);
    let start = arguments.iter().position(|argument| *argument == "--").unwrap();
    arguments[start + 1..].to_vec()
}

#[test]
fn tiles_and_their_merge() {
    let job = still(json!({})).unwrap();
    assert_eq!(names(&job), ["render-1-1", "render-2-1", "render-1-2", "render-2-2", "merge"]);
    let directory = "{renders}/shot 1/2026-02-03_140506";
    let prefix = format!("{directory}/tiles/000007");
    for (task, (column, row)) in job.tasks.iter().zip([("0", "0"), ("1", "0"), ("0", "1"), ("1", "1")]) {
        assert_eq!(values(task), ["2", "2", "3", "0", column, row, "7", "64", "1", &prefix]);
        assert_eq!((task.task_type.as_str(), task.steps_total(), task.dependencies.len()), ("blender", 1, 0));
        assert_eq!(arguments(task)[..5], ["--scene", "Main", "--python-exit-code", "1", "--python-expr"]);
    }
    assert_eq!(job.tasks[4].dependencies, [0, 1, 2, 3]);
    let image = format!("{directory}/000007");
    assert_eq!(values(&job.tasks[4]), ["2", "2", "3", "0", "7", "1", &prefix, &image, "PNG"]);
    assert_eq!(job.settings["render_output_path"], r"{renders}\shot 1\2026-02-03_140506\######");

    // Only what has to be given, and a path without a place for the number.
    let changes = json!({"frame": -12, "overlap": null, "samples": null, "render_output_path": "/r/still", "scene": ""});
    let job = still(changes).unwrap();
    assert_eq!(
        values(&job.tasks[0]),
        ["2", "2", "0", "0", "0", "0", "-12", "0", "1", "/r/tiles/still--0012"]
    );
    assert_eq!(arguments(&job.tasks[0])[0], "--python-exit-code");
}

#[test]
fn python_has_no_comments_and_no_variables() {
    let pattern = |text: &str| {
        // What the manager would take for a variable when it sends the task.
        text.split('{').skip(1).any(|rest| {
            rest.split_once('}').is_some_and(|(name, _)| {
                !name.is_empty()
                    && name.chars().all(|character| character.is_alphanumeric() || character == '_')
            })
        })
    };
    assert!(pattern("x = {blender}") && !pattern("{'a': {}}"));
    for job in [still(json!({})), device(json!({})), composite(json!({}))] {
        for task in job.unwrap().tasks.iter().filter(|task| task.task_type == "blender") {
            let arguments = arguments(task);
            let python = arguments.iter().position(|argument| *argument == "--python-expr").unwrap() + 1;
            let program = arguments[python];
            assert!(program.starts_with("import bpy") && program.ends_with('\n'), "{program}");
            assert!(!pattern(program), "{program}");
            assert!(
                program.lines().all(|line| !line.is_empty() && !line.trim().starts_with('#')),
                "{program}"
            );
            // Windows allows 32,767 characters for all arguments.
            assert!(program.len() < 10_000, "{}", program.len());
        }
    }
}

#[test]
fn unusable_stills_are_explained() {
    for (changes, text) in [
        (json!({"format": "FFMPEG"}), "not the video format"),
        (json!({"format": "OPEN_EXR_MULTILAYER"}), "choose OPEN_EXR"),
        (json!({"format": null}), "\"format\" is missing"),
        (json!({"tiles_across": 0}), "\"tiles_across\" must be a whole number from 1, not 0"),
        (json!({"tiles_down": null}), "\"tiles_down\" must be a whole number from 1, not undefined"),
        (json!({"overlap": -1}), "\"overlap\" must be a whole number from 0, not -1"),
        (json!({"frame": 1.5}), "\"frame\" must be a whole number, not 1.5"),
        (json!({"samples": "many"}), "\"samples\" must be a whole number from 0, not many"),
        (json!({"tiles_across": 101, "tiles_down": 100}), "more than 10000 tiles"),
        (
            json!({"tiles_across": 11, "resolution_x": 20, "resolution_scale": 50}),
            "more than the image has pixels",
        ),
        (json!({"render_output_path": null}), "No render output path"),
    ] {
        let error = still(changes.clone()).unwrap_err();
        assert!(matches!(error, Error::Script { line: Some(_), .. }), "{changes}: {error:?}");
        assert!(error.to_string().contains(text), "{changes}: {error}");
    }
    assert!(still(json!({"tiles_across": 10, "resolution_x": 20, "resolution_scale": 50})).is_ok());
}

#[test]
fn devices() {
    let job = device(json!({})).unwrap();
    assert_eq!(names(&job), ["render-1-3", "render-4", "preview-video"]);
    assert_eq!(job.tasks[2].dependencies, [0, 1]);
    assert_eq!((job.tasks[0].steps_total(), job.tasks[1].steps_total()), (3, 1));
    let output = "{renders}/shot 1/2026-02-03_140506/######";
    let rendering = ["--render-output", output, "--render-format", "PNG", "--render-frame", "1..3", "--"];
    assert_eq!(arguments(&job.tasks[0])[6..13], rendering);
    for (changes, expected) in [
        (json!({}), ["HIP", "1", "0", "scene"]),
        (json!({"device": null}), ["CPU", "1", "0", "scene"]),
        (json!({"device": "optix", "cpu_fallback": false}), ["OPTIX", "0", "0", "scene"]),
        (json!({"samples": 12, "denoiser": "off", "engine": "CYCLES"}), ["HIP", "1", "12", "off"]),
        (json!({"denoiser": "OpenImageDenoise"}), ["HIP", "1", "0", "OPENIMAGEDENOISE"]),
        (json!({"denoiser": "OptiX"}), ["HIP", "1", "0", "OPTIX"]),
    ] {
        assert_eq!(values(&device(changes.clone()).unwrap().tasks[0]), expected, "{changes}");
    }
    for (changes, text) in [
        (json!({"device": "ABACUS"}), "There is no device \"ABACUS\"; choose one of OPTIX, CUDA"),
        (json!({"denoiser": "spoon"}), "There is no denoiser \"spoon\"; choose one of: as in the scene, off"),
        (json!({"samples": -1}), "The samples must be a whole number from 0, not -1"),
        (json!({"engine": "BLENDER_EEVEE"}), "made for BLENDER_EEVEE"),
        (json!({"format": "FFMPEG"}), "not the video format"),
        (json!({"render_output_path": ""}), "No render output path"),
    ] {
        let error = device(changes.clone()).unwrap_err().to_string();
        assert!(error.contains(text), "{changes}: {error}");
    }
}

#[test]
fn compositing() {
    let job = composite(json!({})).unwrap();
    assert_eq!(names(&job), ["composite-1-3", "composite-4", "preview-video"]);
    let output = "{renders}/shot 1/2026-02-03_140506/######";
    assert_eq!(values(&job.tasks[0]), ["1-3", "1", r"{renders}\raw\####.exr", output, "PNG"]);
    assert_eq!(job.tasks[0].steps_total(), 3);
    assert_eq!(
        values(&composite(json!({"redirect_file_outputs": false})).unwrap().tasks[1])[..2],
        ["4", "0"]
    );
    assert_eq!(composite(json!({"has_image_output": false})).unwrap().tasks.len(), 2);
    for (changes, text) in [
        (json!({"input_path": ""}), "No input path is set"),
        (json!({"input_path": "/r/1.exr"}), "has no # for the frame number"),
        (json!({"render_output_path": "/r/still"}), "has no # for the frame number"),
        (json!({"render_output_path": null}), "No render output path"),
        (json!({"format": null}), "\"format\" is missing"),
        (json!({"format": "AVI_RAW"}), "not the video format"),
    ] {
        let error = composite(changes.clone()).unwrap_err().to_string();
        assert!(error.contains(text), "{changes}: {error}");
    }
}

#[test]
fn what_artists_see() {
    let farm = Farm::new();
    for (name, label, visible) in [
        (
            "single-image-render",
            "Single Image Render",
            vec![
                "frame",
                "tiles_across",
                "tiles_down",
                "overlap",
                "samples",
                "resolution_scale",
                "use_compositor",
            ],
        ),
        (
            "cycles-device-render",
            "Cycles Device Render",
            vec!["frames", "device", "cpu_fallback", "samples", "denoiser"],
        ),
        ("compositor-run", "Compositor Run", vec!["frames", "input_path", "redirect_file_outputs"]),
    ] {
        let job_type = farm.scripts.job_type(name).unwrap();
        assert_eq!(job_type.label, label);
        assert!(job_type.description.is_some());
        let settings = job_type.settings.as_array().unwrap();
        let shown: Vec<_> = settings.iter().filter(|setting| setting.get("visible").is_none()).collect();
        let keys: Vec<_> = shown.iter().map(|setting| setting["key"].as_str().unwrap()).collect();
        assert_eq!(keys, [visible, vec!["render_output_path"]].concat(), "{name}");
        for setting in settings {
            let key = &setting["key"];
            assert!(shown.iter().all(|setting| setting.get("description").is_some()), "{name}: {key}");
            // Nothing has to be typed in but where the output goes.
            let automatic = setting.get("eval").is_some() || setting.get("default").is_some();
            assert!(automatic || key == "render_output_root" || key == "blendfile", "{name}: {key}");
        }
    }
}
