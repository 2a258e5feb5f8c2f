//! `single-image-render`: tiles that make the same image as one render.

use super::{Studio, difference, run_task};
use crate::support::names;
use serde_json::{Value, json};

/// Renders a scene whole and in tiles, and compares.
fn assert_tiles_make_the_same(wishes: &Value, settings: Value, extension: &str) {
    let studio = Studio::new();
    let scene = studio.scene("still", wishes);
    let format = wishes["format"].as_str().unwrap_or("PNG");
    studio.render(&scene, "whole", format, "2");
    let mut all = json!({"frame": 2, "format": format});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let job = studio.compile("single-image-render", &scene, all);
    let log = studio.run(&job);
    let result = format!("output/000002.{extension}");
    assert!(log.contains(&format!("Saved: '{}'", studio.path(&result).display())), "{log}");
    studio.assert_same(&format!("whole/000002.{extension}"), &result);
    // One image beside the directory of tiles: nothing half-written is left behind.
    assert_eq!(std::fs::read_dir(studio.path("output")).unwrap().count(), 2);
}

#[test]
fn png_with_alpha_and_dithering() {
    assert_tiles_make_the_same(
        &json!({"size": [61, 43], "transparent": true}),
        json!({"tiles_across": 3, "tiles_down": 2, "resolution_x": 61, "resolution_y": 43}),
        "png",
    );
}

#[test]
fn png_of_16_bits() {
    assert_tiles_make_the_same(
        &json!({"depth": "16", "transparent": true}),
        json!({"tiles_across": 1, "tiles_down": 3}),
        "png",
    );
}

#[test]
fn exr_of_32_bits_with_overlap_and_scale() {
    // The scene itself is set to another scale.
    assert_tiles_make_the_same(
        &json!({"format": "OPEN_EXR", "depth": "32", "transparent": true, "size": [77, 51], "scale": 50}),
        json!({"tiles_across": 2, "tiles_down": 2, "overlap": 5, "resolution_scale": 50}),
        "exr",
    );
}

#[test]
fn the_compositor_sees_the_whole_image() {
    assert_tiles_make_the_same(
        &json!({"compositor": "blur"}),
        json!({"tiles_across": 2, "tiles_down": 2}),
        "png",
    );
}

#[test]
fn samples_and_scale_are_those_of_the_job() {
    let studio = Studio::new();
    let scene = studio.scene("still", &json!({"format": "OPEN_EXR", "depth": "32"}));
    studio.render(&scene, "whole", "OPEN_EXR", "1");
    let settings = json!({
        "frame": 1, "tiles_across": 2, "tiles_down": 1, "samples": 32, "resolution_scale": 200,
        "format": "OPEN_EXR", "use_compositor": false,
    });
    let job = studio.compile("single-image-render", &scene, settings);
    assert_eq!(names(&job), ["render-1-1", "render-2-1", "merge"]);
    studio.run(&job);
    assert_eq!(studio.image("output/000001.exr").dimensions(), (122, 86));

    // More samples, less noise: the plain background is the same, the lit cube is not.
    let again = studio.compile(
        "single-image-render",
        &scene,
        json!({"frame": 1, "tiles_across": 1, "tiles_down": 1, "samples": 64, "format": "OPEN_EXR"}),
    );
    studio.run(&again);
    assert!(difference(&studio.image("whole/000001.exr"), &studio.image("output/000001.exr")) > 0.0);
}

#[test]
fn what_cannot_work_fails_with_a_reason() {
    let studio = Studio::new();
    let scene = studio.scene("still", &json!({"compositor": "depth"}));
    let settings = json!({"frame": 1, "tiles_across": 2, "tiles_down": 1});
    let job = studio.compile("single-image-render", &scene, settings.clone());
    let tile = run_task(&job.tasks[0]);
    assert!(!tile.success);
    assert!(
        tile.log.contains("the compositor uses the pass \"Depth\", which tiles do not have"),
        "{}",
        tile.log
    );
    let merge = run_task(&job.tasks[2]);
    assert!(!merge.success);
    assert!(merge.log.contains("-1-1.exr is missing; requeue its task"), "{}", merge.log);
    assert!(!studio.path("output/000001.png").exists());

    let job = studio.compile(
        "single-image-render",
        &scene,
        json!({"frame": 1, "tiles_across": 62, "tiles_down": 1}),
    );
    let tile = run_task(&job.tasks[0]);
    assert!(!tile.success && tile.log.contains("more than the image has pixels (61 x 43)"), "{}", tile.log);
}
