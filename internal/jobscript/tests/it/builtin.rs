//! The job types that are part of the program: exactly these tasks.

use crate::support::{Farm, commands, names, submission, with};
use flamenco_jobscript::{AuthoredJob, Error};
use serde_json::{Value, json};

const EXPRESSION: &str = "import bpy; render = bpy.context.scene.render; render.use_file_extension = True; \
                          render.use_overwrite = False; render.use_placeholder = False";

fn render_settings() -> Value {
    json!({
        "frames": "1-10",
        "chunk_size": 3,
        "render_output_root": "/render/sf",
        "add_path_components": 2,
        "render_output_path": "/render/sf/shots/010/lighting v3/{timestamp}/######",
        "blendfile": "{jobs}/lighting v3/010_light.blend",
        "fps": 24.0,
        "format": "PNG",
        "image_file_extension": ".png",
        "has_previews": false,
        "scene": "Scene",
    })
}

fn render(changes: Value) -> Result<AuthoredJob, Error> {
    Farm::new().scripts.compile(&submission("simple-blender-render", with(render_settings(), changes)))
}

/// A parameter of the first command of a task.
fn parameter(job: &AuthoredJob, task: usize, name: &str) -> Value {
    job.tasks[task].commands[0].parameters.get(name).cloned().unwrap_or_default()
}

/// The argument that follows `option`.
fn argument(job: &AuthoredJob, task: usize, option: &str) -> Value {
    let arguments = parameter(job, task, "args");
    let arguments = arguments.as_array().unwrap();
    let index = arguments.iter().position(|argument| argument == option).unwrap();
    arguments[index + 1].clone()
}

#[test]
fn echo_sleep_example() {
    let settings = json!({"message": "hello {blender}", "sleep_duration_seconds": 3, "sleep_repeats": 2});
    let job = Farm::new().scripts.compile(&submission("echo-sleep-test", settings.clone())).unwrap();
    assert_eq!(names(&job), ["echo", "sleep", "sleep"]);
    let sleep = json!([{"name": "sleep", "parameters": {"duration_in_seconds": 3}, "total_step_count": 0}]);
    assert_eq!(
        commands(&job.tasks[0]).to_string(),
        r#"[{"name":"echo","parameters":{"message":"hello {blender}"},"total_step_count":0}]"#
    );
    assert_eq!(commands(&job.tasks[1]).to_string(), sleep.to_string());
    assert_eq!(commands(&job.tasks[2]).to_string(), sleep.to_string());
    assert_eq!(
        job.tasks.iter().map(|task| task.dependencies.clone()).collect::<Vec<_>>(),
        [vec![], vec![0], vec![0]]
    );
    for task in &job.tasks {
        assert_eq!((task.task_type.as_str(), task.priority, task.steps_total()), ("misc", 50, 1));
    }
    assert_eq!(Value::Object(job.settings), settings);
}

#[test]
fn echo_sleep_without_its_settings() {
    let farm = Farm::new();
    let job = farm.scripts.compile(&submission("echo-sleep-test", json!({"message": "hi"}))).unwrap();
    assert_eq!(names(&job), ["echo"]);
    let job = farm.scripts.compile(&submission("echo-sleep-test", json!({}))).unwrap();
    assert_eq!(commands(&job.tasks[0])[0]["parameters"], json!({"message": null}));
}

#[test]
fn render_example() {
    let job = render(json!({})).unwrap();
    let directory = "/render/sf/shots/010/lighting v3/2026-02-03_140506";

    assert_eq!(names(&job), ["render-1-3", "render-4-6", "render-7-9", "render-10", "preview-video"]);
    for (task, (frames, steps)) in job.tasks.iter().zip([("1..3", 3), ("4..6", 3), ("7..9", 3), ("10", 1)]) {
        let expected = json!([{
            "name": "blender-render",
            "parameters": {
                "exe": "{blender}",
                "exeArgs": "{blenderArgs}",
                "argsBefore": [],
                "blendfile": "{jobs}/lighting v3/010_light.blend",
                "args": [
                    "--scene", "Scene",
                    "--python-expr", EXPRESSION,
                    "--render-output", format!("{directory}/######"),
                    "--render-format", "PNG",
                    "--render-frame", frames,
                ],
            },
            "total_step_count": steps,
        }]);
        // As text, so that the order of keys and the form of numbers count too.
        assert_eq!(commands(task).to_string(), expected.to_string());
        assert_eq!((task.task_type.as_str(), task.priority, task.steps_total()), ("blender", 50, steps));
        assert!(task.dependencies.is_empty());
    }
    let video = &job.tasks[4];
    let expected = json!([{
        "name": "frames-to-video",
        "parameters": {
            "exe": "ffmpeg",
            "fps": 24,
            "inputGlob": format!("{directory}/*.png"),
            "outputFile": format!("{directory}/010_light-1-10.mp4"),
            "args": [
                "-c:v", "h264", "-crf", "20", "-g", "18", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                "-pix_fmt", "yuv420p", "-r", 24, "-y",
            ],
        },
        "total_step_count": 0,
    }]);
    assert_eq!(commands(video).to_string(), expected.to_string());
    assert_eq!((video.task_type.as_str(), video.priority, video.steps_total()), ("ffmpeg", 50, 1));
    assert_eq!(video.dependencies, [0, 1, 2, 3]);
    assert_eq!(job.tasks.iter().map(|task| task.steps_total()).sum::<i64>(), 11);

    let stored =
        with(render_settings(), json!({"render_output_path": format!("{directory}/######"), "fps": 24}));
    assert_eq!(Value::Object(job.settings.clone()), stored);
    let ids: std::collections::HashSet<_> = job.tasks.iter().map(|task| task.id).chain([job.id]).collect();
    assert_eq!(ids.len(), 6);
    assert!(ids.iter().all(|id| id.get_version_num() == 4));
}

#[test]
fn render_without_scene() {
    let job = render(json!({"scene": null})).unwrap();
    let arguments = parameter(&job, 0, "args");
    assert_eq!(arguments[0], "--python-expr");
    assert_eq!(arguments[6], "--render-frame");
    assert_eq!(arguments.as_array().unwrap().len(), 8);
    let job = render(json!({"scene": "Test Scene"})).unwrap();
    assert_eq!(argument(&job, 0, "--scene"), "Test Scene");
}

#[test]
fn previews_and_videos() {
    for (changes, glob) in [
        (json!({"format": "OPEN_EXR", "has_previews": true}), Some("*.jpg")),
        (json!({"format": "OPEN_EXR_MULTILAYER", "has_previews": true}), Some("*.jpg")),
        (json!({"format": "OPEN_EXR", "has_previews": false}), None),
        (json!({"format": "OPEN_EXR", "has_previews": null}), None),
        (json!({"format": "EXR", "has_previews": null}), None),
        (json!({"format": "MULTILAYER", "has_previews": null}), None),
        (json!({"format": "JPEG", "image_file_extension": ".jpeg", "has_previews": true}), Some("*.jpeg")),
        (json!({"fps": 0}), None),
        (json!({"fps": null}), None),
        (json!({"fps": null, "image_file_extension": null}), None),
    ] {
        let job = render(changes.clone()).unwrap();
        match glob {
            Some(glob) => {
                assert_eq!(job.tasks.len(), 5, "{changes}");
                let found = parameter(&job, 4, "inputGlob");
                assert!(found.as_str().unwrap().ends_with(&format!("/{glob}")), "{changes}: {found}");
            }
            None => {
                assert_eq!(names(&job), ["render-1-3", "render-4-6", "render-7-9", "render-10"], "{changes}")
            }
        }
    }
}

#[test]
fn frame_ranges() {
    for (frames, chunk_size, tasks, arguments, steps, video) in [
        (
            "0-12,34-56,78-90",
            20,
            vec!["render-0-12,34-40", "render-41-56,78-81", "render-82-90", "preview-video"],
            vec!["0..12,34..40", "41..56,78..81", "82..90"],
            vec![20, 20, 9],
            "010_light-0-90.mp4",
        ),
        ("1,4,10", 10, vec!["render-1,4,10", "preview-video"], vec!["1,4,10"], vec![3], "010_light-1-10.mp4"),
        ("5, 1-2", 10, vec!["render-1,2,5", "preview-video"], vec!["1,2,5"], vec![3], "010_light-1-5.mp4"),
        ("47", 3, vec!["render-47", "preview-video"], vec!["47"], vec![1], "010_light-47.mp4"),
        ("1..10", 10, vec!["render-1-10", "preview-video"], vec!["1..10"], vec![10], "010_light-1..10.mp4"),
    ] {
        let job = render(json!({"frames": frames, "chunk_size": chunk_size})).unwrap();
        assert_eq!(names(&job), tasks);
        for (index, (argument_expected, steps)) in arguments.iter().zip(&steps).enumerate() {
            assert_eq!(argument(&job, index, "--render-frame"), *argument_expected);
            assert_eq!(job.tasks[index].commands[0].total_step_count, *steps);
        }
        let output = parameter(&job, tasks.len() - 1, "outputFile");
        assert!(output.as_str().unwrap().ends_with(&format!("/{video}")), "{frames}: {output}");
    }
}

#[test]
fn windows_paths() {
    let job = render(json!({
        "blendfile": r"R:\sf\jobs\scene123.blend",
        "render_output_path": r"R:\sprites\farm_output\promo\square_ellie\######",
    }))
    .unwrap();
    let directory = "R:/sprites/farm_output/promo/square_ellie";
    assert_eq!(parameter(&job, 0, "blendfile"), r"R:\sf\jobs\scene123.blend");
    assert_eq!(argument(&job, 0, "--render-output"), format!("{directory}/######"));
    assert_eq!(parameter(&job, 4, "inputGlob"), format!("{directory}/*.png"));
    assert_eq!(parameter(&job, 4, "outputFile"), format!("{directory}/scene123-1-10.mp4"));
    assert_eq!(job.settings["render_output_path"], r"R:\sprites\farm_output\promo\square_ellie\######");
    assert_eq!(job.settings["blendfile"], r"R:\sf\jobs\scene123.blend");
}

#[test]
fn variables_and_timestamps_in_the_output() {
    let job = render(json!({"render_output_path": "{frames}/{timestamp}/jobname/######"})).unwrap();
    let directory = "{frames}/2026-02-03_140506/jobname";
    assert_eq!(job.settings["render_output_path"], format!("{directory}/######"));
    assert_eq!(argument(&job, 0, "--render-output"), format!("{directory}/######"));
    assert_eq!(parameter(&job, 4, "inputGlob"), format!("{directory}/*.png"));
    let job = render(json!({"blendfile": "/jobs/x.flamenco.blend"})).unwrap();
    assert!(parameter(&job, 4, "outputFile").as_str().unwrap().ends_with("/x-1-10.mp4"));
}

#[test]
fn unusable_settings_are_explained() {
    for (changes, text) in [
        (json!({"format": "FFMPEG"}), "only renders images, not the video format \"FFMPEG\""),
        (json!({"format": "AVI_JPEG"}), "AVI_JPEG"),
        (json!({"format": "AVI_RAW"}), "AVI_RAW"),
        (json!({"render_output_path": null}), "No render output path"),
        (json!({"render_output_path": ""}), "No render output path"),
        (json!({"chunk_size": 0}), "chunk size must be at least 1, not 0"),
        (json!({"chunk_size": null}), "chunk size must be at least 1, not 0"),
        (json!({"frames": null}), "empty range"),
        (json!({"frames": "1-10:2"}), "frame steps are not supported"),
        (json!({"image_file_extension": null}), "\"image_file_extension\" is missing"),
    ] {
        let error = render(changes.clone()).unwrap_err();
        assert!(matches!(error, Error::Script { line: Some(_), .. }), "{changes}: {error:?}");
        let message = error.to_string();
        assert!(message.contains(text), "{changes}: {message}");
        let places = [" (simple_blender_render.js:", " (<flamenco/frames.js>:"];
        assert!(places.iter().any(|place| message.contains(place)), "{message}");
    }
}

#[test]
fn unknown_settings_are_kept() {
    let job = render(json!({"blender_cmd": "{blender}", "extract_audio": true, "images_or_video": "images"}))
        .unwrap();
    assert_eq!(job.settings["extract_audio"], true);
    assert_eq!(job.tasks.len(), 5);
}

#[test]
fn everything_else_is_copied() {
    let mut submission = submission("simple-blender-render", render_settings());
    submission.priority = -3;
    submission.name = " a job \u{1f600} ".to_owned();
    submission.metadata =
        vec![("user.name".to_owned(), "Ünï".to_owned()), ("project".to_owned(), "{projects}/x".to_owned())];
    submission.worker_tag = Some("2b24a8f4-2b0c-4f0c-8ac8-9b2d3b5c7d11".to_owned());
    submission.shaman_checkout_id = Some("Весы/Синтел".to_owned());
    let job = Farm::new().scripts.compile(&submission).unwrap();
    assert_eq!((job.priority, job.name.as_str()), (-3, " a job \u{1f600} "));
    assert_eq!(job.metadata, submission.metadata);
    let keys: Vec<_> = job.settings.keys().collect();
    assert_eq!(keys, submission.settings.keys().collect::<Vec<_>>());
}
