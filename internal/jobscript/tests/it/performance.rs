//! Large jobs.

use crate::support::{Farm, submission};
use flamenco_jobscript::Limits;
use serde_json::json;
use std::time::{Duration, Instant};

/// The largest job that a farm is made for, within the default memory limit. The time is not part of the test, because
/// unoptimised programs on busy machines take longer.
#[test]
fn a_hundred_thousand_frames() {
    let farm = Farm::with_limits(Limits { cpu: Duration::from_secs(120), ..Limits::default() });
    let settings = json!({
        "frames": "1-100000", "chunk_size": 1, "render_output_path": "/render/{timestamp}/######", "scene": "Scene",
        "blendfile": "{jobs}/lighting v3/010_light.blend", "fps": 24, "format": "PNG", "image_file_extension": ".png",
    });
    let start = Instant::now();
    let job = farm.scripts.compile(&submission("simple-blender-render", settings)).unwrap();
    println!("100,000 frames: {:?}", start.elapsed());
    assert_eq!(job.tasks.len(), 100_001);
    assert_eq!(job.tasks[99_999].name, "render-100000");
    assert_eq!(job.tasks[100_000].dependencies, (0..100_000).collect::<Vec<_>>());
    assert!(job.tasks.iter().all(|task| task.steps_total() == 1));
    assert!(job.tasks.is_sorted_by_key(|task| task.id), "neighbours in the index of ids");
}
