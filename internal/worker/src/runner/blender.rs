//! `blender-render`: Blender as a subprocess, with its frames counted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::blender_output::{self, RenderEvent};
use super::frame_tracker::{FrameTracker, Moment};
use super::frames::{self, FrameSink};
use super::params::Params;
use super::picture;
use super::shell_words;
use super::{CommandError, Context};
use crate::find_programs::{self, has_separator};

/// The parameters, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RenderParams {
    exe: String,
    args: Vec<String>,
}

impl RenderParams {
    fn parse(params: &Params<'_>) -> Result<Self, CommandError> {
        let exe = params.required_string("exe")?.to_owned();
        let exe_args = params.optional_string("exeArgs");
        let mut args =
            shell_words::split(exe_args).map_err(|error| params.invalid("exeArgs", error.to_string()))?;
        args.extend(params.string_list("argsBefore")?);
        let blendfile = params
            .get("blendfile")
            .and_then(|value| value.as_str())
            .ok_or_else(|| params.invalid("blendfile", "cannot be converted to a string"))?;
        if !blendfile.is_empty() {
            args.push(blendfile.to_owned());
        }
        args.extend(params.string_list("args")?);
        Ok(Self { exe, args })
    }
}

pub async fn render(
    total_steps: i64,
    params: &Params<'_>,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let RenderParams { exe, args } = RenderParams::parse(params)?;
    let exe = if has_separator(&exe) { PathBuf::from(exe) } else { find_programs::blender(&exe) };
    let frames = FrameTracker::with_engine(asked_engine(&args));
    let mut progress = RenderProgress { total_steps, frames, ..RenderProgress::default() };
    let run = async |sink: FrameSink| {
        run_blender(&exe, &args, context, &mut progress, &sink).await?;
        if remove_broken(std::mem::take(&mut progress.skipped), context).await > 0 {
            run_blender(&exe, &args, context, &mut progress, &sink).await?;
        }
        Ok(())
    };
    let result = frames::reporting(context, run).await;
    // Also after a failure, of which it may be the reason.
    if let Some(summary) = progress.missing.summary() {
        tracing::warn!(files = ?progress.missing.paths, "Blender could not find files that the scene uses");
        context.reporter.log(&summary);
    }
    result?;
    if let Some(warning) = progress.warning() {
        tracing::warn!(warning);
        context.reporter.log(warning);
    }
    Ok(())
}

async fn run_blender(
    exe: &Path,
    args: &[String],
    context: &Context<'_>,
    progress: &mut RenderProgress,
    sink: &FrameSink,
) -> Result<(), CommandError> {
    let observe = |line: &str| {
        let Some(event) = blender_output::parse(line) else {
            progress.frames.hear(line);
            if let Some(path) = blender_output::missing_file(line) {
                progress.missing.note(path);
                context.reporter.set_activity(progress.activity());
            }
            return;
        };
        if matches!(event, RenderEvent::CannotSave(_)) {
            progress.frames.hear(line);
        }
        sink.send(progress.frames.observe(&event, Moment::now()));
        sink.set_progress(progress.frames.progress());
        if let Some(activity) = progress.observe(&event) {
            context.reporter.set_activity(activity);
        }
        if progress.total_steps > 0 && !matches!(event, RenderEvent::Frame { .. }) {
            context.reporter.set_steps(context.steps_before + progress.steps());
        }
    };
    let result = context.run_program(exe, args.to_vec(), observe).await;
    // A run that was cut off says nothing about the frame that it was at.
    let failed = matches!(&result, Err(error) if !matches!(error, CommandError::Cancelled));
    sink.set_progress(None);
    if let (true, Err(error)) = (failed, &result) {
        progress.frames.hear_of_end(&error.to_string());
    }
    sink.send(progress.frames.end(failed, Moment::now()));
    result
}

/// The renderer that the command line asks for; the last one counts.
fn asked_engine(args: &[String]) -> Option<String> {
    let asked = args.windows(2).rev().find(|pair| matches!(pair[0].as_str(), "-E" | "--engine"))?;
    Some(asked[1].clone()).filter(|engine| (1..=100).contains(&engine.chars().count()))
}

/// Removes the pictures that are only half there, of those that Blender did not render because they exist. Says how
/// many there were: Blender has to render them after all. One that somebody else is writing stays.
async fn remove_broken(skipped: Vec<PathBuf>, context: &Context<'_>) -> usize {
    let broken = blocking(move || {
        let broken = skipped.into_iter().filter(|path| picture::is_cut_short(path).unwrap_or(false));
        broken.map(|path| (picture::trace_of_writing(&path), path)).collect::<Vec<_>>()
    });
    let broken = broken.await;
    if broken.is_empty() || context.cancel.run_until_cancelled(sleep(WRITING_PAUSE)).await.is_none() {
        return 0;
    }
    let removed = blocking(move || {
        let left = broken.into_iter().filter(|(trace, path)| {
            picture::is_cut_short(path).unwrap_or(false) && picture::trace_of_writing(path) == *trace
        });
        left.map(|(_, path)| path).filter(|path| std::fs::remove_file(path).is_ok()).collect::<Vec<_>>()
    });
    let removed = removed.await;
    for path in &removed {
        tracing::warn!(path = %path.display(), "removed a picture of which only the beginning was there");
        let path = path.display();
        context.reporter.log(&format!("{path} was only half written; it is rendered again"));
    }
    removed.len()
}

/// Looks at files where that holds up nobody.
async fn blocking<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // The task only ends early when the worker does.
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// Whoever writes a picture does not stop for so long in the middle of it.
const WRITING_PAUSE: Duration = Duration::from_secs(5);
/// How many files are listed by name.
const LISTED: usize = 50;

/// Files that Blender could not find: it renders without them, and ends as if all were well.
#[derive(Debug, Default)]
struct MissingFiles {
    paths: Vec<String>,
    are_more: bool,
}

impl MissingFiles {
    fn note(&mut self, path: &str) {
        if self.paths.iter().any(|known| known == path) {
            return;
        }
        if self.paths.len() < LISTED {
            self.paths.push(path.to_owned());
        } else {
            self.are_more = true;
        }
    }

    fn summary(&self) -> Option<String> {
        if self.paths.is_empty() {
            return None;
        }
        let list: String = self.paths.iter().map(|path| format!("\n    {path}")).collect();
        let more = if self.are_more { "\n    and more" } else { "" };
        Some(format!("WARNING: Blender could not find files that the scene uses:{list}{more}"))
    }
}

/// How far a render is.
#[derive(Debug, Default)]
struct RenderProgress {
    missing: MissingFiles,
    total_steps: i64,
    frames: FrameTracker,
    current_frame: Option<i64>,
    /// Pictures of frames that were left out.
    skipped: Vec<PathBuf>,
}

impl RenderProgress {
    /// Takes note of an event; returns the new activity text if it changed.
    fn observe(&mut self, event: &RenderEvent) -> Option<String> {
        match event {
            RenderEvent::Saved(path) => tracing::info!(path, "Blender saved a picture"),
            RenderEvent::CannotSave(path) => tracing::warn!(path, "Blender cannot save a picture"),
            RenderEvent::Frame { number, .. } => {
                if self.current_frame == Some(*number) {
                    return None;
                }
                self.current_frame = Some(*number);
            }
            RenderEvent::FrameDone { total, .. } => {
                tracing::info!(frame = self.current_frame, ?total, "frame rendered");
            }
            RenderEvent::FrameSkipped(path) => self.skipped.push(path.into()),
        }
        Some(self.activity())
    }

    /// Steps of this command so far, never more than it has.
    fn steps(&self) -> i64 {
        self.frames.done().min(self.total_steps)
    }

    fn activity(&self) -> String {
        let frame = self.current_frame.map(|frame| format!("Rendering frame {frame}, "));
        let done = match (self.total_steps, self.frames.done()) {
            (total, done) if total > 0 => format!("{} of {total} frames done", done.min(total)),
            (_, 1) => "1 frame done".to_owned(),
            (_, done) => format!("{done} frames done"),
        };
        let missing = match self.missing.paths.len() {
            0 => "",
            1 => ", 1 file is missing",
            _ => ", files are missing",
        };
        frame.unwrap_or_default() + &done + missing
    }

    fn warning(&self) -> Option<&'static str> {
        let nothing = self.total_steps > 0 && self.frames.done() == 0;
        nothing.then_some(
            "WARNING: Blender ended without an error, but saved no frame and skipped none. Look above for errors, \
             and check the frame range and the output path.",
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn parse(value: Value) -> Result<RenderParams, CommandError> {
        let values: Map<String, Value> = value.as_object().unwrap().clone();
        RenderParams::parse(&Params::new("blender-render", &values))
    }

    #[test]
    fn command_lines() {
        let plain = json!({
            "exe": "blender", "argsBefore": ["--background"], "blendfile": "file.blend",
            "args": ["--render-output", "/frames"],
        });
        assert_eq!(parse(plain).unwrap().args, ["--background", "file.blend", "--render-output", "/frames"]);

        let no_file = json!({
            "exe": "blender", "argsBefore": ["--background"], "blendfile": "",
            "args": ["--render-output", "/frames"],
        });
        assert_eq!(parse(no_file).unwrap().args, ["--background", "--render-output", "/frames"]);

        let quoted = json!({
            "exe": r"D:\Blender_3.2_stable\blender.exe",
            "exeArgs": r#" --factory-startup --python-expr "import bpy; print(\"hello world\")""#,
            "argsBefore": ["-no-audio"], "blendfile": "file with spaces.blend", "args": ["--debug"],
        });
        let parsed = parse(quoted).unwrap();
        assert_eq!(parsed.exe, r"D:\Blender_3.2_stable\blender.exe");
        assert_eq!(
            parsed.args,
            [
                "--factory-startup",
                "--python-expr",
                r#"import bpy; print("hello world")"#,
                "-no-audio",
                "file with spaces.blend",
                "--debug"
            ]
        );
    }

    #[test]
    fn parameter_errors() {
        let missing = |value| match parse(value) {
            Err(CommandError::MissingParameter { parameter, .. }) => parameter,
            other => panic!("{other:?}"),
        };
        let invalid = |value| match parse(value) {
            Err(CommandError::InvalidParameter { parameter, message, .. }) => (parameter, message),
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(json!({"blendfile": "x"})), "exe");
        assert_eq!(missing(json!({"exe": "", "blendfile": "x"})), "exe");
        for value in [json!({"exe": "b"}), json!({"exe": "b", "blendfile": 3})] {
            let (parameter, message) = invalid(value);
            assert_eq!(
                (parameter.as_str(), message.as_str()),
                ("blendfile", "cannot be converted to a string")
            );
        }
        assert_eq!(invalid(json!({"exe": "b", "blendfile": "", "args": "x"})).0, "args");
        assert_eq!(invalid(json!({"exe": "b", "blendfile": "", "argsBefore": null})).0, "argsBefore");
        assert_eq!(invalid(json!({"exe": "b", "blendfile": "", "exeArgs": "'open"})).0, "exeArgs");
        assert_eq!(parse(json!({"exe": "b", "blendfile": "", "exeArgs": 47})).unwrap().args, [""; 0]);
    }

    #[test]
    fn the_engine_of_a_command_line() {
        for (args, want) in [
            ("--background -E CYCLES a.blend", Some("CYCLES")),
            ("--engine CYCLES a.blend -E BLENDER_WORKBENCH -f 1", Some("BLENDER_WORKBENCH")),
            ("a.blend -f 1 -E", None),
            ("", None),
        ] {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(asked_engine(&args).as_deref(), want, "{args:?}");
        }
    }

    fn done() -> RenderEvent {
        RenderEvent::FrameDone { total: std::time::Duration::from_secs(1), saving: None }
    }

    fn observe(progress: &mut RenderProgress, event: RenderEvent) -> (Option<String>, i64) {
        progress.frames.observe(&event, Moment::now());
        (progress.observe(&event), progress.steps())
    }

    #[test]
    fn steps_and_activity_follow_the_frames() {
        let mut progress = RenderProgress { total_steps: 2, ..RenderProgress::default() };
        let mut observe = |event| observe(&mut progress, event);
        let text = |text: &str| Some(text.to_owned());
        let frame = || RenderEvent::Frame { number: 7, peak_memory: None, status: None };
        assert_eq!(observe(frame()), (text("Rendering frame 7, 0 of 2 frames done"), 0));
        assert_eq!(observe(frame()), (None, 0));
        let saved = |path: &str| RenderEvent::Saved(path.to_owned());
        assert_eq!(observe(saved("7_L.png")), (text("Rendering frame 7, 1 of 2 frames done"), 1));
        assert_eq!(observe(saved("7_R.png")).1, 1, "another file of the same frame");
        assert_eq!(observe(done()).1, 1, "it was counted when its first picture was saved");
        assert_eq!(observe(RenderEvent::FrameSkipped(String::new())).1, 2);
        assert_eq!(
            observe(done()),
            (text("Rendering frame 7, 2 of 2 frames done"), 2),
            "never more than there are"
        );
    }

    #[test]
    fn missing_files_are_told_once_each() {
        let mut progress = RenderProgress::default();
        assert_eq!(progress.missing.summary(), None);
        progress.missing.note("/a");
        assert_eq!(progress.activity(), "0 frames done, 1 file is missing");
        progress.missing.note("/b");
        progress.missing.note("/a");
        assert_eq!(progress.activity(), "0 frames done, files are missing");
        let summary = progress.missing.summary().unwrap();
        assert!(summary.ends_with("could not find files that the scene uses:\n    /a\n    /b"), "{summary}");
        for number in 0..LISTED {
            progress.missing.note(&number.to_string());
        }
        let summary = progress.missing.summary().unwrap();
        assert_eq!((summary.lines().count(), summary.lines().last()), (LISTED + 2, Some("    and more")));
    }

    #[test]
    fn a_render_without_frames_is_suspicious() {
        let new = |total_steps| RenderProgress { total_steps, ..RenderProgress::default() };
        assert!(new(3).warning().is_some());
        assert!(new(0).warning().is_none(), "a command that counts no frames may do anything");
        for event in [RenderEvent::Saved("x".to_owned()), RenderEvent::FrameSkipped(String::new()), done()] {
            let mut progress = new(3);
            observe(&mut progress, event);
            assert!(progress.warning().is_none());
        }
    }
}
