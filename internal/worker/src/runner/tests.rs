//! The commands as a task runs them, with what they leave in the log.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::log_buffer::LogLimits;
use crate::outbox::{Outbox, TaskReport};
use crate::process::TimeLimits;
use crate::reporter::Reporter;

/// A command that ran, and everything it reported.
struct Ran {
    result: Result<(), CommandError>,
    reports: Vec<TaskReport>,
}

impl Ran {
    /// The pieces of log, without the end of line that each of them has.
    fn logs(&self) -> Vec<&str> {
        let pieces = self.reports.iter().filter_map(|report| report.log.as_deref());
        pieces.map(|piece| piece.strip_suffix('\n').expect("a whole line")).collect()
    }

    fn log_text(&self) -> String {
        self.reports.iter().filter_map(|report| report.log.as_deref()).collect()
    }

    fn missing(&self) -> &str {
        match &self.result {
            Err(CommandError::MissingParameter { parameter, .. }) => parameter,
            other => panic!("{other:?}"),
        }
    }

    fn invalid(&self) -> (&str, &str, &str) {
        match &self.result {
            Err(CommandError::InvalidParameter { parameter, value, message, .. }) => {
                (parameter, value, message)
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn run_with(name: &str, parameters: Value, total_step_count: i64, cancel: CancellationToken) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&home.path().join("outbox.sqlite")).unwrap();
    let reporter = Reporter::new(uuid::Uuid::nil(), outbox.clone(), LogLimits::default());
    let (programs, pictures) = (Programs::default(), Pictures::default());
    // Nobody is there, so it offers nothing.
    let manager = Manager::new("http://127.0.0.1:9/", "1.2.3").unwrap();
    let command = Command {
        name: name.to_owned(),
        parameters: parameters.as_object().unwrap().clone(),
        total_step_count,
    };
    let context = Context {
        reporter: &reporter,
        cancel: &cancel,
        programs: &programs,
        oom_score_adjust: None,
        supervision: &Supervision::new(None, TimeLimits::default()),
        manager: &manager,
        pictures: &pictures,
        steps_before: 0,
    };
    let result = run(&command, &context).await;
    reporter.flush().await;
    Ran { result, reports: outbox.queued_reports().await }
}

async fn run_command(name: &str, parameters: Value) -> Ran {
    run_with(name, parameters, 0, CancellationToken::new()).await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn an_unknown_command_is_named() {
    let error = run_command("format-disk", json!({})).await.result.unwrap_err();
    assert!(matches!(error, CommandError::UnknownCommand { ref name } if name == "format-disk"));
    assert!(error.to_string().contains("format-disk"));
}

#[tokio::test]
async fn echo_keeps_unicode_and_takes_any_value() {
    let ran = run_command("echo", json!({"message": "понављај за мном"})).await;
    assert!(ran.result.is_ok());
    assert_eq!(ran.logs(), [r#"echo: "понављај за мном""#]);
    assert_eq!(run_command("echo", json!({"message": ""})).await.logs(), [r#"echo: """#]);
    assert_eq!(run_command("echo", json!({"message": 1000000})).await.logs(), [r#"echo: "1000000""#]);
    assert_eq!(run_command("echo", json!({"msg": ""})).await.missing(), "message");
}

#[tokio::test(start_paused = true)]
async fn sleep_sleeps() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ran = run_with("sleep", json!({"duration_in_seconds": 47}), 0, cancel).await;
    assert!(matches!(ran.result, Err(CommandError::Cancelled)));
    assert!(ran.logs().is_empty());

    let before = tokio::time::Instant::now();
    let ran = run_command("sleep", json!({"duration_in_seconds": 47})).await;
    assert!(before.elapsed() >= Duration::from_secs(47));
    assert_eq!(ran.logs(), ["slept 47s"]);
    assert_eq!(run_command("sleep", json!({"duration_in_seconds": 1.5})).await.logs(), ["slept 1.5s"]);
    assert_eq!(run_command("sleep", json!({"duration_in_seconds": 0})).await.logs(), ["slept 0s"]);
}

#[tokio::test]
async fn sleep_refuses_nonsense() {
    let parameter = "duration_in_seconds";
    let ran = run_command("sleep", json!({parameter: -47})).await;
    assert_eq!(ran.invalid(), (parameter, "-47", "cannot be negative"));
    assert_eq!(run_command("sleep", json!({parameter: -0.5})).await.invalid().2, "cannot be negative");
    assert_eq!(run_command("sleep", json!({parameter: "47"})).await.invalid().0, parameter);
    assert_eq!(run_command("sleep", json!({parameter: 1e300})).await.invalid().0, parameter);
    assert_eq!(run_command("sleep", json!({})).await.missing(), parameter);
}

#[tokio::test]
async fn exec_runs_and_judges_by_exit_code() {
    let ran =
        run_command("exec", json!({"exe": "sh", "args": ["-c", "echo out; echo err >&2; exit 0"]})).await;
    assert!(ran.result.is_ok());
    let log = ran.log_text();
    assert!(log.starts_with("going to run:\n\n    sh -c 'echo out; echo err >&2; exit 0'\n\n"), "{log}");
    assert!(log.contains(" > out\n") && log.contains(" > err\n"), "{log}");

    let ran = run_command("exec", json!({"exe": "sh", "args": ["-c", "exit 47"]})).await;
    assert!(ran.result.unwrap_err().to_string().contains("exited abnormally with code 47"));

    let ran = run_command("exec", json!({"exe": "/no/such/program"})).await;
    assert!(ran.log_text().contains("/no/such/program"), "what was tried is in the log: {}", ran.log_text());
    assert!(ran.result.unwrap_err().to_string().contains("cannot start /no/such/program"));

    assert_eq!(run_command("exec", json!({"args": []})).await.missing(), "exe");
    assert_eq!(run_command("exec", json!({"exe": ""})).await.missing(), "exe");
    assert_eq!(run_command("exec", json!({"exe": "sh", "args": "x"})).await.invalid().0, "args");
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are() {
    let code = "\nprint(f\"tile {values['x']} {{literal}}\")\n\t# $HOME `ls` \\ 'it''s' ü";
    let script = "for argument; do printf '<%s>' \"$argument\"; done";
    let args = json!(["-c", script, "sh", code, "", "*", 47, 0.5]);
    let ran = run_command("exec", json!({"exe": "/bin/sh", "args": args})).await;
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    // Each line of the output has a prefix in the log.
    let log = ran.log_text();
    let output: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" > ").map(|(_, text)| text)).collect();
    assert_eq!(output.join("\n"), format!("<{code}><><*><47><0.5>"));
}

#[tokio::test]
async fn make_directory_makes_parents_and_accepts_what_exists() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    for _ in 0..2 {
        let ran = run_command("make-directory", json!({"path": text(&path)})).await;
        assert!(ran.result.is_ok());
        assert_eq!(ran.logs(), [format!("make-directory: creating directory {:?}", text(&path))]);
        assert!(path.is_dir());
    }
    let ran = run_command("make-directory", json!({"path": ""})).await;
    assert_eq!((ran.missing(), ran.logs().len()), ("path", 0));

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ran = run_command("make-directory", json!({"path": text(&file.join("sub"))})).await;
    assert_eq!(ran.logs().len(), 2);
    assert!(ran.result.unwrap_err().to_string().contains(text(&file)));
}

#[tokio::test]
async fn move_directory_moves_and_keeps_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let (src, dest) = (directory.path().join("src"), directory.path().join("dest"));
    let parameters = json!({"src": text(&src), "dest": text(&dest)});

    let ran = run_command("move-directory", parameters.clone()).await;
    assert_eq!((ran.invalid().0, ran.invalid().2), ("src", "path does not exist"));
    let expected = format!("move-directory: source path {src:?} does not exist, not moving anything");
    assert_eq!(ran.logs(), [expected]);

    std::fs::create_dir(&src).unwrap();
    std::fs::write(src.join("file"), "first").unwrap();
    let ran = run_command("move-directory", parameters.clone()).await;
    assert!(ran.result.is_ok());
    assert_eq!(ran.logs(), [format!("move-directory: moving {src:?} to {dest:?}")]);
    assert!(!src.exists());

    std::fs::create_dir(&src).unwrap();
    std::fs::write(src.join("file"), "second").unwrap();
    let ran = run_command("move-directory", parameters).await;
    assert!(ran.result.is_ok());
    let logs = ran.logs();
    assert_eq!(logs.len(), 2);
    assert!(logs[0].starts_with(&format!("move-directory: moving {dest:?} to ")), "{logs:?}");
    assert_eq!(std::fs::read_to_string(dest.join("file")).unwrap(), "second");
    let backups: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| text(path).starts_with(&format!("{}-", text(&dest))))
        .collect();
    assert_eq!(backups.len(), 1);
    assert_eq!(std::fs::read_to_string(backups[0].join("file")).unwrap(), "first");
}

#[tokio::test]
async fn a_failed_move_puts_everything_back() {
    let directory = tempfile::tempdir().unwrap();
    let (src, dest) = (directory.path().join("src"), directory.path().join("dest"));
    std::fs::create_dir(&src).unwrap();
    std::fs::create_dir(&dest).unwrap();
    std::fs::write(dest.join("file"), "old").unwrap();

    let same = run_command("move-directory", json!({"src": text(&dest), "dest": text(&dest)})).await;
    assert!(same.result.unwrap_err().to_string().contains("same place"));
    assert_eq!(std::fs::read_to_string(dest.join("file")).unwrap(), "old");

    let inside = src.join("no/such/parent");
    let ran = run_command("move-directory", json!({"src": text(&dest), "dest": text(&inside)})).await;
    assert!(ran.result.is_err() && ran.log_text().contains("cannot move"), "{}", ran.log_text());
    assert_eq!(std::fs::read_to_string(dest.join("file")).unwrap(), "old");

    assert_eq!(run_command("move-directory", json!({"dest": "x"})).await.missing(), "src");
    assert_eq!(run_command("move-directory", json!({"src": "x"})).await.missing(), "dest");
}

#[tokio::test]
async fn copy_file_copies_once() {
    let directory = tempfile::tempdir().unwrap();
    let (src, dest) = (directory.path().join("src"), directory.path().join("new/parent/dest"));
    std::fs::write(&src, "content").unwrap();
    let parameters = json!({"src": text(&src), "dest": text(&dest)});

    let ran = run_command("copy-file", parameters.clone()).await;
    assert!(ran.result.is_ok());
    assert_eq!(
        ran.logs(),
        [format!("copy-file: copying {src:?} to {dest:?}"), format!("copy-file: copied {src:?} to {dest:?}")]
    );
    assert_eq!(std::fs::read_to_string(&dest).unwrap(), "content");
    assert!(src.exists());
    assert_eq!(std::fs::read_dir(dest.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");

    std::fs::write(&src, "other").unwrap();
    let ran = run_command("copy-file", parameters).await;
    assert_eq!((ran.invalid().0, ran.invalid().2), ("dest", "path already exists"));
    let expected = format!("copy-file: destination path {dest:?} already exists, not copying anything");
    assert_eq!(ran.logs(), [expected]);
    assert_eq!(std::fs::read_to_string(&dest).unwrap(), "content");
}

#[tokio::test]
async fn copy_file_checks_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let there = text(directory.path());
    let copy = async |parameters| run_command("copy-file", parameters).await;

    assert_eq!(copy(json!({"dest": "rel"})).await.missing(), "src");
    let ran = copy(json!({"src": "rel", "dest": "rel"})).await;
    assert_eq!((ran.invalid().0, ran.invalid().2), ("src", "path is not absolute"));
    let ran = copy(json!({"src": "/no/such/file"})).await;
    assert_eq!((ran.invalid().0, ran.invalid().2), ("src", "path does not exist"));
    assert!(ran.logs()[0].starts_with("copy-file: "), "{:?}", ran.logs());
    assert_eq!(copy(json!({"src": there})).await.missing(), "dest");
    let ran = copy(json!({"src": there, "dest": "rel"})).await;
    assert_eq!((ran.invalid().0, ran.invalid().2), ("dest", "path is not absolute"));

    let dest = directory.path().join("dest");
    let ran = copy(json!({"src": there, "dest": text(&dest)})).await;
    assert!(ran.result.is_err());
    assert_eq!(
        ran.logs()[1],
        format!("copy-file: invalid source file {there:?}: stat {there}: not a regular file")
    );
    assert!(!dest.exists());
}

#[tokio::test]
async fn frames_become_a_video_with_real_ffmpeg() {
    let directory = tempfile::tempdir().unwrap();
    let frames = directory.path().join("it's 100%d [x]");
    std::fs::create_dir(&frames).unwrap();
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=30", "-frames:v", "24"])
        .args(["-pattern_type", "sequence", text(&directory.path().join("f%d.png"))])
        .status()
        .expect("install FFmpeg: apt-get install ffmpeg");
    assert!(made.success());
    for number in 1..=24 {
        let name = format!("f{number}.png");
        std::fs::rename(directory.path().join(&name), frames.join(&name)).unwrap();
    }
    let video = directory.path().join("video.mkv");
    let parameters = json!({
        "exe": "ffmpeg", "exeArgs": "-v warning", "fps": 60, "inputGlob": format!("{}/*.png", text(&frames)),
        "args": ["-c:v", "libx264", "-y"], "outputFile": text(&video),
    });
    let ran = run_command("frames-to-video", parameters.clone()).await;
    assert!(ran.result.is_ok(), "{:?}\n{}", ran.result, ran.log_text());
    let probe = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(&video)
        .output()
        .expect("install FFmpeg: apt-get install ffmpeg");
    assert_eq!(String::from_utf8_lossy(&probe.stdout).trim(), "24");

    let mut empty = parameters;
    empty["inputGlob"] = json!(format!("{}/*.jpg", text(&frames)));
    let error = run_command("frames-to-video", empty).await.result.unwrap_err().to_string();
    assert!(error.contains("no files match"), "{error}");
}

#[tokio::test]
async fn real_blender_renders_and_its_frames_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let setup = "import bpy; s = bpy.context.scene; s.render.engine = 'CYCLES'; s.cycles.samples = 1; \
                 s.cycles.use_denoising = False; s.render.resolution_x = 32; s.render.resolution_y = 32; \
                 s.render.resolution_percentage = 100; s.render.use_overwrite = False";
    let parameters = json!({
        "exe": "blender", "exeArgs": "--factory-startup", "argsBefore": ["--background"], "blendfile": "",
        "args": [
            "--python-expr", setup, "--render-output", text(&directory.path().join("out-####")),
            "--render-format", "PNG", "--frame-start", "1", "--frame-end", "2", "--render-anim",
        ],
    });
    let ran = run_with("blender-render", parameters.clone(), 2, CancellationToken::new()).await;
    assert!(ran.result.is_ok(), "{:?} (apt-get install blender)\n{}", ran.result, ran.log_text());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    let steps = ran.reports.iter().filter_map(|report| report.steps_completed).max();
    assert_eq!(steps, Some(2));
    let activity = ran.reports.iter().filter_map(|report| report.activity.as_deref()).next_back();
    assert_eq!(activity, Some("Rendering frame 2, 2 of 2 frames done"));
    assert!(!ran.log_text().contains("WARNING: Blender ended"));

    // A Blender that was killed while it wrote: the frame exists, but only its beginning.
    let (kept, broken) = (directory.path().join("out-0001.png"), directory.path().join("out-0002.png"));
    let whole = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let kept_before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    let ran = run_with("blender-render", parameters, 2, CancellationToken::new()).await;
    assert!(ran.result.is_ok(), "{:?}\n{}", ran.result, ran.log_text());
    assert!(!super::picture::is_cut_short(&broken).unwrap(), "{}", ran.log_text());
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), kept_before, "a whole frame is kept");
    assert!(ran.log_text().contains("out-0002.png was only half written"), "{}", ran.log_text());
    assert_eq!(ran.reports.iter().filter_map(|report| report.steps_completed).max(), Some(2));
}

#[tokio::test]
async fn what_another_blender_is_at_stays() {
    let directory = tempfile::tempdir().unwrap();
    let [placeholder, growing] = ["0001.png", "0002.png"].map(|name| directory.path().join(name));
    std::fs::write(&placeholder, "").unwrap();
    std::fs::write(&growing, b"\x89PNG\r\n\x1a\nthe beginning").unwrap();
    // Over a network, in small pieces.
    let path = growing.clone();
    let writer = tokio::spawn(async move {
        let mut file = tokio::fs::OpenOptions::new().append(true).open(path).await.unwrap();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            file.write_all(b"more").await.unwrap();
            file.flush().await.unwrap();
        }
    });
    let skip = |path: &Path| format!("echo 'skipping existing frame \"{}\"'; ", path.display());
    let script = [&placeholder, &growing].map(|path| skip(path)).concat();
    let parameters = json!({ "exe": "/bin/sh", "argsBefore": ["-c", script], "blendfile": "" });
    let ran = run_command("blender-render", parameters).await;
    writer.abort();
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    assert!(placeholder.exists() && growing.exists());
    let log = ran.log_text();
    assert_eq!((log.matches("going to run").count(), log.contains("half written")), (1, false), "{log}");
}

#[tokio::test]
async fn real_blender_tells_which_files_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    let [library, scene] = ["library.blend", "scene.blend"].map(|name| directory.path().join(name));
    let setup = format!(
        "import bpy; save = bpy.ops.wm.save_as_mainfile; save(filepath={library:?}); save(filepath={other:?})\n\
         with bpy.data.libraries.load({library:?}, link=True) as (there, here): here.objects = ['Cube']\n\
         bpy.context.collection.objects.link(here.objects[0]); s = bpy.context.scene; r = s.render\n\
         r.engine = 'CYCLES'; s.cycles.samples = 1; s.cycles.use_denoising = False; r.resolution_x = r.resolution_y = 16\n\
         save(filepath={other:?})",
        library = text(&library),
        other = text(&scene),
    );
    let start = ["--background", "--factory-startup", "--python-exit-code", "1", "--python-expr", &setup];
    let made = run_command("exec", json!({"exe": "blender", "args": start})).await;
    assert!(made.result.is_ok(), "{}", made.log_text());
    std::fs::remove_file(&library).unwrap();
    let parameters = json!({
        "exe": "blender", "argsBefore": ["--background"], "blendfile": text(&scene),
        "args": ["--render-output", text(&directory.path().join("out-####")), "--render-frame", "1"],
    });
    let ran = run_with("blender-render", parameters, 1, CancellationToken::new()).await;
    assert!(ran.result.is_ok(), "{:?}\n{}", ran.result, ran.log_text());
    let want =
        format!("WARNING: Blender could not find files that the scene uses:\n    {}\n", text(&library));
    assert!(ran.log_text().contains(&want), "{}", ran.log_text());
    let activity = ran.reports.iter().filter_map(|report| report.activity.as_deref()).next_back();
    assert_eq!(activity, Some("Rendering frame 1, 1 of 1 frames done, 1 file is missing"));
}

#[tokio::test]
async fn blender_without_a_frame_is_warned_about() {
    let parameters = json!({"exe": "sh", "argsBefore": ["-c", "echo hello"], "blendfile": ""});
    let ran = run_with("blender-render", parameters, 3, CancellationToken::new()).await;
    assert!(ran.result.is_ok());
    assert!(ran.log_text().contains("WARNING: Blender ended without an error"), "{}", ran.log_text());
}
