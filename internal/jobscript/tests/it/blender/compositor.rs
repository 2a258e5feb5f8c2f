//! `compositor-run`: the same frames as rendering with the compositor.

use super::{Studio, run_task};
use serde_json::{Value, json};

/// Frames rendered without the compositor in `raw`, and with it in `whole`; gives the scene to run it with.
fn render_both(studio: &Studio, compositor: &str, raw_format: &str, frames: &str) -> String {
    let raw =
        json!({"format": raw_format, "depth": "32", "compositor": compositor, "use_compositing": false});
    let raw_scene = studio.scene("raw", &raw);
    studio.render(&raw_scene, "raw", raw_format, frames);
    let scene = studio.scene("composited", &json!({"compositor": compositor}));
    studio.render(&scene, "whole", "PNG", frames);
    scene
}

fn settings(studio: &Studio, changes: Value) -> Value {
    let mut all =
        json!({"frames": "1-3", "chunk_size": 2, "input_path": studio.path("raw").join("######.exr")});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

#[test]
fn frames_in_chunks() {
    let studio = Studio::new();
    let scene = render_both(&studio, "both", "OPEN_EXR", "1..3");
    let job = studio.compile("compositor-run", &scene, settings(&studio, json!({})));
    let log = studio.run(&job);
    assert!(!log.contains("Sample "), "nothing is rendered: {log}");
    for frame in 1..=3 {
        let name = format!("{frame:06}.png");
        studio.assert_same(&format!("whole/{name}"), &format!("output/{name}"));
        assert!(
            log.contains(&format!("Saved: '{}'", studio.path(&format!("output/{name}")).display())),
            "{log}"
        );
    }
    // What the File Output node writes goes to the output of the job as well.
    let files: Vec<_> = walk(&studio.path("output/Inverted___all"));
    assert_eq!(files.len(), 3, "{files:?}");
}

#[test]
fn passes_of_multi_layer_files() {
    let studio = Studio::new();
    let scene = render_both(&studio, "depth", "OPEN_EXR_MULTILAYER", "1,2");
    let job = studio.compile("compositor-run", &scene, settings(&studio, json!({"frames": "1,2"})));
    studio.run(&job);
    for frame in ["000001.png", "000002.png"] {
        studio.assert_same(&format!("whole/{frame}"), &format!("output/{frame}"));
    }
}

#[test]
fn only_file_outputs() {
    let studio = Studio::new();
    let scene = render_both(&studio, "files", "OPEN_EXR", "1");
    let changes = json!({"frames": "1", "has_image_output": false, "fps": 24});
    let job = studio.compile("compositor-run", &scene, settings(&studio, changes));
    assert_eq!(job.tasks.len(), 1);
    studio.run(&job);
    assert!(!studio.path("output/000001.png").exists());
    assert_eq!(walk(&studio.path("output/Inverted___all")).len(), 1);
}

#[test]
fn what_is_missing_is_named() {
    let studio = Studio::new();
    let scene = render_both(&studio, "depth", "OPEN_EXR", "1");
    let job = studio.compile(
        "compositor-run",
        &scene,
        settings(&studio, json!({"frames": "1-5", "chunk_size": 5})),
    );
    let ran = run_task(&job.tasks[0]);
    let first = studio.path("raw/000002.exr");
    let expected = format!("4 of 5 input frames are missing, the first is {}", first.display());
    assert!(!ran.success && ran.log.contains(&expected), "{}", ran.log);

    let job = studio.compile("compositor-run", &scene, settings(&studio, json!({"frames": "1"})));
    let ran = run_task(&job.tasks[0]);
    assert!(!ran.success && ran.log.contains("the compositor uses the pass \"Depth\""), "{}", ran.log);

    let plain = studio.scene("plain", &json!({}));
    let job = studio.compile("compositor-run", &plain, settings(&studio, json!({"frames": "1"})));
    let ran = run_task(&job.tasks[0]);
    assert!(!ran.success && ran.log.contains("has no compositor"), "{}", ran.log);
    assert!(!studio.path("output").exists());
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}
