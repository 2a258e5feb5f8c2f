//! Real output of Blender 3.4.1 (Debian), and of the modules `bpy` 4.5.0 and 5.0.1, made by `fixtures/capture.py`.

use super::super::blender_output::parse;
use super::*;

/// What a fixture tells, every line 10 ms after the one before: frames done, and the frames.
fn follow(output: &str, failed: bool) -> (i64, Vec<TrackedFrame>) {
    let start = Moment { steady: Instant::now(), wall: DateTime::UNIX_EPOCH };
    let (mut tracker, mut frames, mut at) = (FrameTracker::default(), Vec::new(), start);
    for line in output.lines() {
        at.steady += Duration::from_millis(10);
        at.wall += chrono::TimeDelta::milliseconds(10);
        if let Some(event) = parse(line) {
            frames.extend(tracker.observe(&event, at));
        }
    }
    frames.extend(tracker.end(failed, at));
    (tracker.done(), frames)
}

macro_rules! fixture {
    ($version:literal, $case:literal) => {
        include_str!(concat!("../fixtures/", $version, "/", $case, ".txt"))
    };
}

macro_rules! all_versions {
    ($case:literal) => {
        [
            ("3.4.1", fixture!("blender-3.4.1", $case)),
            ("4.5.0", fixture!("bpy-4.5.0", $case)),
            ("5.0.1", fixture!("bpy-5.0.1", $case)),
        ]
    };
}

fn outcomes(frames: &[TrackedFrame]) -> Vec<(i64, &str, Outcome)> {
    frames
        .iter()
        .map(|frame| (frame.number.unwrap_or(i64::MAX), frame.path.as_str(), frame.outcome))
        .collect()
}

/// How much of frame 1 was done, each time that this changed.
fn percentages(output: &str) -> Vec<i64> {
    let (mut tracker, mut seen) = (FrameTracker::default(), Vec::new());
    for event in output.lines().filter_map(parse) {
        tracker.observe(&event, Moment::now());
        if let Some((1, percent)) = tracker.progress()
            && seen.last() != Some(&percent)
        {
            seen.push(percent);
        }
    }
    assert_eq!(tracker.progress(), None, "nothing is being rendered any more");
    seen
}

#[test]
fn how_far_a_frame_is() {
    assert_eq!(percentages(fixture!("blender-3.4.1", "cycles")), [0, 25, 100]);
    assert_eq!(percentages(fixture!("bpy-4.5.0", "cycles")), [0, 25, 100]);
    assert_eq!(percentages(fixture!("blender-3.4.1", "eevee")), [12, 100]);
    assert_eq!(percentages(fixture!("blender-3.4.1", "workbench")), [0; 0], "it says nothing");
    let tiles = percentages(fixture!("blender-3.4.1", "tiles"));
    assert!(tiles.is_sorted() && tiles.contains(&50) && *tiles.last().unwrap() >= 75, "{tiles:?}");
    let views = percentages(fixture!("blender-3.4.1", "stereo"));
    assert_eq!(views, [0, 25, 100, 25, 100], "each view anew, and no way back at its end");
}

#[test]
fn what_rendered_it() {
    for (output, asked, engine, samples) in [
        (fixture!("blender-3.4.1", "cycles"), None, Some("CYCLES"), Some(4)),
        (fixture!("bpy-4.5.0", "cycles"), None, Some("CYCLES"), Some(4)),
        (fixture!("blender-3.4.1", "tiles"), None, Some("CYCLES"), Some(64)),
        (fixture!("blender-3.4.1", "eevee"), Some("CYCLES"), Some("BLENDER_EEVEE"), Some(8)),
        (fixture!("blender-3.4.1", "workbench"), Some("BLENDER_WORKBENCH"), Some("BLENDER_WORKBENCH"), None),
        (fixture!("blender-3.4.1", "workbench"), None, None, None),
        // The module says nothing but that it saved.
        (fixture!("bpy-5.0.1", "cycles"), None, None, None),
    ] {
        let mut tracker = FrameTracker::with_engine(asked.map(str::to_owned));
        let mut frames = Vec::new();
        for event in output.lines().filter_map(parse) {
            frames.extend(tracker.observe(&event, Moment::now()));
        }
        frames.extend(tracker.end(false, Moment::now()));
        assert!(!frames.is_empty());
        for frame in frames {
            assert_eq!((frame.engine.as_deref(), frame.samples), (engine, samples), "{asked:?} {frame:?}");
        }
    }
}

#[test]
fn why_a_frame_failed() {
    let output = fixture!("blender-3.4.1", "unwritable");
    let mut tracker = FrameTracker::default();
    let mut frames = Vec::new();
    for line in output.lines() {
        tracker.hear(line);
        if let Some(event) = parse(line) {
            frames.extend(tracker.observe(&event, Moment::now()));
        }
    }
    frames.extend(tracker.end(true, Moment::now()));
    let failed = frames.iter().find(|frame| frame.outcome == Outcome::Failed).unwrap();
    assert!(
        failed.message.as_ref().unwrap().contains("cannot save: '/proc/nowhere/frame-0001.png'"),
        "{frames:?}"
    );

    let mut killed = FrameTracker::default();
    killed.observe(&parse("Fra:3 Mem:8M (Peak 9M) | Sample 1/4").unwrap(), Moment::now());
    killed.hear_of_end("Blender was killed by signal 9");
    let frames = killed.end(true, Moment::now());
    assert_eq!(frames[0].message.as_deref(), Some("Blender was killed by signal 9"));
    assert_eq!((frames[0].engine.as_deref(), frames[0].samples), (Some("CYCLES"), Some(4)));
}

#[test]
fn an_animation() {
    for (version, output) in all_versions!("cycles").into_iter().chain(all_versions!("workbench")) {
        let (done, frames) = follow(output, false);
        assert_eq!(done, 2, "{version}");
        let expected =
            [(1, "/render/frame-0001.png", Outcome::Saved), (2, "/render/frame-0002.png", Outcome::Saved)];
        assert_eq!(outcomes(&frames), expected, "{version}");
    }
}

#[test]
fn times_and_memory_as_blender_tells_them() {
    let millis = |duration: Option<Duration>| duration.map(|duration| duration.as_millis());
    let (_, frames) = follow(fixture!("blender-3.4.1", "cycles"), false);
    assert!(frames.iter().all(|frame| frame.render.is_some() && frame.saving.is_some()), "{frames:?}");
    assert!(
        millis(frames[0].saving).unwrap() > millis(frames[1].saving).unwrap(),
        "the first loads libraries"
    );
    let peak = frames[0].peak_memory.unwrap();
    assert!((9 << 20..20 << 20).contains(&peak), "{peak}");
    let (_, frames) = follow(fixture!("bpy-4.5.0", "cycles"), false);
    assert!(frames.iter().all(|frame| frame.render.is_some() && frame.peak_memory.is_some()), "{frames:?}");
    // This one prints only that pictures were saved: what can be measured from outside is the second frame.
    let (_, frames) = follow(fixture!("bpy-5.0.1", "cycles"), false);
    assert_eq!(frames[0].render, None);
    assert!(frames[1].render.is_some());
}

#[test]
fn a_range_that_begins_below_zero() {
    for (version, output) in all_versions!("exr") {
        let (done, frames) = follow(output, false);
        let numbers: Vec<_> = frames.iter().filter_map(|frame| frame.number).collect();
        // The recorded runs began at -1; Blender renders from 0.
        let expected = [0];
        assert_eq!(numbers, expected, "{version}: {frames:?}");
        assert_eq!(done, i64::try_from(expected.len()).unwrap(), "{version}");
    }
}

#[test]
fn two_views_are_one_frame_with_two_files() {
    for (version, output) in all_versions!("stereo") {
        let (done, frames) = follow(output, false);
        assert_eq!(done, 1, "{version}");
        let expected = [
            (1, "/render/frame-0001_L.png", Outcome::Saved),
            (1, "/render/frame-0001_R.png", Outcome::Saved),
        ];
        assert_eq!(outcomes(&frames), expected, "{version}");
    }
}

#[test]
fn frames_that_exist_are_left_out() {
    for (version, output) in [all_versions!("skip")[0], all_versions!("skip")[1]] {
        let (done, frames) = follow(output, false);
        assert_eq!(done, 3, "{version}");
        let existing = Outcome::Existing;
        let expected = [
            (1, "/render/frame-0001.png", existing),
            (2, "/render/frame-0002.png", existing),
            (3, "/render/frame-0003.png", Outcome::Saved),
        ];
        assert_eq!(outcomes(&frames), expected, "{version}");
    }
    // The module of Blender 5 does not mention what it leaves out.
    let (done, frames) = follow(fixture!("bpy-5.0.1", "skip"), false);
    assert_eq!((done, outcomes(&frames)), (1, vec![(3, "/render/frame-0003.png", Outcome::Saved)]));
}

#[test]
fn files_of_the_compositor_belong_to_the_frame() {
    for (version, output) in all_versions!("nodes") {
        let (done, frames) = follow(output, false);
        assert_eq!(done, 1, "{version}");
        assert_eq!(frames.len(), 2, "{version}: {frames:?}");
        assert!(frames.iter().all(|frame| frame.number == Some(1)), "{version}: {frames:?}");
        assert!(frames[0].path.starts_with("/render/nodes/"), "{version}: {frames:?}");
    }
}

#[test]
fn a_still_has_its_number_from_the_progress() {
    for (version, output) in [all_versions!("still")[0], all_versions!("still")[1]] {
        let (done, frames) = follow(output, false);
        assert_eq!(
            (done, outcomes(&frames)),
            (1, vec![(7, "/render/still.png", Outcome::Saved)]),
            "{version}"
        );
    }
    let (done, frames) = follow(fixture!("bpy-5.0.1", "still"), false);
    assert_eq!((done, frames.len(), frames[0].number), (1, 1, None), "nothing says which frame this is");
}

#[test]
fn what_cannot_be_saved_has_failed() {
    for (version, output) in all_versions!("unwritable") {
        let (_, frames) = follow(output, true);
        let expected = [(1, "/proc/nowhere/frame-0001.png", Outcome::Failed)];
        assert_eq!(outcomes(&frames), expected, "{version}");
    }
}

#[test]
fn a_crash_in_the_middle_of_a_frame_fails_it() {
    let half: String =
        fixture!("blender-3.4.1", "cycles").lines().take(60).map(|line| format!("{line}\n")).collect();
    let (done, frames) = follow(&half, true);
    assert_eq!((done, frames.len()), (1, 2), "{frames:?}");
    assert_eq!(outcomes(&frames)[1], (2, "", Outcome::Failed));
    let (_, frames) = follow(&half, false);
    assert_eq!(frames.len(), 1, "the end without an error is none");
}
