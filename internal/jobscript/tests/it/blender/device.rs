//! `cycles-device-render`: devices that this machine has, and one that it does not have.

use super::{Studio, run_task};
use serde_json::json;

#[test]
fn the_cpu_renders_what_blender_does() {
    let studio = Studio::new();
    let scene = studio.scene("scene", &json!({}));
    studio.render(&scene, "whole", "PNG", "1,2");
    let settings =
        json!({"frames": "1-2", "chunk_size": 2, "device": "CPU", "samples": 4, "denoiser": "off"});
    let job = studio.compile("cycles-device-render", &scene, settings);
    let log = studio.run(&job);
    assert!(log.contains("Rendering on the CPU") && !log.contains("WARNING"), "{log}");
    for frame in ["000001.png", "000002.png"] {
        studio.assert_same(&format!("whole/{frame}"), &format!("output/{frame}"));
    }
}

#[test]
fn a_missing_device_is_said_out_loud() {
    let studio = Studio::new();
    let scene = studio.scene("scene", &json!({}));
    studio.render(&scene, "whole", "PNG", "1");
    // No build of Blender has all of them: at least one is missing in the program, others have no card here.
    for device in ["OPTIX", "CUDA", "METAL"] {
        let settings = json!({"frames": "1", "chunk_size": 1, "device": device});
        let log = studio.run(&studio.compile("cycles-device-render", &scene, settings));
        let warning = format!("WARNING: {device} is not available on this worker; rendering on the CPU");
        assert!(log.contains(&warning), "{log}");
    }
    studio.assert_same("whole/000001.png", "output/000001.png");
}

#[test]
fn without_fallback_the_task_fails() {
    let studio = Studio::new();
    let scene = studio.scene("scene", &json!({}));
    let settings = json!({"frames": "1", "chunk_size": 1, "device": "OPTIX", "cpu_fallback": false});
    let job = studio.compile("cycles-device-render", &scene, settings);
    let ran = run_task(&job.tasks[0]);
    assert!(!ran.success);
    assert!(
        ran.log.contains("OPTIX is not available on this worker, and the job does not allow the CPU"),
        "{}",
        ran.log
    );
    assert!(!studio.path("output").exists());
}

#[test]
fn samples_are_those_of_the_job() {
    let studio = Studio::new();
    let scene = studio.scene("scene", &json!({}));
    studio.render(&scene, "whole", "PNG", "1");
    let settings = json!({"frames": "1", "chunk_size": 1, "device": "CPU", "samples": 64});
    studio.run(&studio.compile("cycles-device-render", &scene, settings));
    assert_ne!(studio.image("whole/000001.png"), studio.image("output/000001.png"));
}
