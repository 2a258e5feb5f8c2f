//! `frames-to-video`: FFmpeg over a list of pictures.
//!
//! The list is made here, on every platform, instead of leaving the glob to FFmpeg: directory names may hold
//! glob characters, FFmpeg may be built without glob support, numbers sort naturally, and an empty match is a
//! clear error. `-r` before the list makes FFmpeg ignore the time stamps it would invent for pictures, so that
//! exactly one video frame comes from each picture at any frame rate.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::params::Params;
use super::shell_words;
use super::{CommandError, Context};
use crate::frame_glob;

/// The parameters, checked.
#[derive(Debug, Clone, PartialEq)]
struct VideoParams {
    exe: String,
    exe_args: Vec<String>,
    fps: f64,
    input_glob: String,
    output_file: String,
    args_before: Vec<String>,
    args: Vec<String>,
}

impl VideoParams {
    fn parse(params: &Params<'_>) -> Result<Self, CommandError> {
        let exe = params.required_string("exe")?.to_owned();
        let exe_args = shell_words::split(params.optional_string("exeArgs"))
            .map_err(|error| params.invalid("exeArgs", error.to_string()))?;
        let fps = match params.get("fps").and_then(|value| value.as_f64()) {
            None | Some(0.0) => return Err(params.missing("fps")),
            Some(fps) if fps < 0.0 => return Err(params.invalid("fps", "must be greater than zero")),
            Some(fps) => fps,
        };
        Ok(Self {
            exe,
            exe_args,
            fps,
            input_glob: params.required_string("inputGlob")?.replace('\\', "/"),
            output_file: params.required_string("outputFile")?.to_owned(),
            args_before: params.string_list("argsBefore")?,
            args: params.string_list("args")?,
        })
    }

    fn command_line(&self, list: &Path) -> Vec<String> {
        let fps = self.fps.to_string();
        let mut line = self.exe_args.clone();
        line.extend(self.args_before.iter().cloned());
        let input = ["-f", "concat", "-safe", "0", "-r", &fps, "-i", &list.to_string_lossy()];
        line.extend(input.map(str::to_owned));
        line.extend(self.args.iter().cloned());
        line.extend(["-r", &fps, &self.output_file].map(str::to_owned));
        line
    }
}

pub async fn frames_to_video(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let video = VideoParams::parse(params)?;
    let exe = match video.exe.as_str() {
        "ffmpeg" | "ffmpeg.exe" => {
            let found = context.programs.ffmpeg().await;
            found.map_err(|error| params.invalid("exe", error.to_string()))?.exe.clone()
        }
        other => PathBuf::from(other),
    };
    let list = {
        let (glob, fps) = (video.input_glob.clone(), video.fps);
        let written = tokio::task::spawn_blocking(move || write_list(&glob, fps)).await;
        written.map_err(|error| CommandError::Failed(format!("frames-to-video: {error}")))??
    };
    // The list removes itself when it goes out of scope, however the command ends.
    context.run_program(&exe, video.command_line(list.path()), |_| {}).await
}

fn write_list(glob: &str, fps: f64) -> Result<NamedTempFile, CommandError> {
    let failed = |text: String| CommandError::Failed(format!("frames-to-video: {text}"));
    let files = frame_glob::find(glob)
        .map_err(|error| failed(format!("cannot look for files like {glob}: {error}")))?;
    if files.is_empty() {
        return Err(failed(format!(
            "no files match inputGlob {glob}; check that the frames were rendered, and that this worker can see \
             that directory"
        )));
    }
    tracing::info!(files = files.len(), glob, "making a video");
    let text = list_text(&files, fps).map_err(failed)?;
    let write = || -> std::io::Result<NamedTempFile> {
        let mut list = tempfile::Builder::new().prefix("flamenco-frames-").suffix(".txt").tempfile()?;
        list.write_all(text.as_bytes())?;
        list.flush()?;
        Ok(list)
    };
    write().map_err(|error| failed(format!("cannot write the list of frames to a temporary file: {error}")))
}

/// FFmpeg's list of files to put one after the other. Each duration is the difference of rounded time stamps, so
/// that rounding does not add up.
fn list_text(files: &[PathBuf], fps: f64) -> Result<String, String> {
    let mut text = String::from("ffconcat version 1.0\n");
    let time_stamp = |index: usize| (index as f64 / fps * 1e6).round() / 1e6;
    for (index, file) in files.iter().enumerate() {
        let name = file.to_str().ok_or_else(|| format!("the name of {} is no UTF-8", file.display()))?;
        if name.contains(['\n', '\r']) {
            return Err(format!("the name of {name:?} contains a line end"));
        }
        let duration = time_stamp(index + 1) - time_stamp(index);
        // Quotes cannot be escaped inside quotes: close, escape, open again.
        let _ = writeln!(text, "file '{}'", name.replace('\'', r"'\''"));
        if name.contains(['%', '*', '?', '{']) {
            // Otherwise the picture reader takes the name for the pattern of a sequence.
            text.push_str("option pattern_type none\n");
        }
        let _ = writeln!(text, "duration {duration:.6}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn parse(value: Value) -> Result<VideoParams, CommandError> {
        let values: Map<String, Value> = value.as_object().unwrap().clone();
        VideoParams::parse(&Params::new("frames-to-video", &values))
    }

    fn complete() -> Value {
        json!({
            "exe": r"F:\software\tools\ffmpeg.exe", "exeArgs": "-v quiet", "argsBefore": ["-report"],
            "inputGlob": r"path\to/renders/*.png", "fps": 10.0,
            "args": ["-c:v", "hevc", "-crf", "31", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"],
            "outputFile": "path/to/renders/preview.mkv",
        })
    }

    #[test]
    fn command_line() {
        let video = parse(complete()).unwrap();
        assert_eq!(video.input_glob, "path/to/renders/*.png");
        assert_eq!(
            video.command_line(Path::new("/tmp/list.txt")).join(" "),
            "-v quiet -report -f concat -safe 0 -r 10 -i /tmp/list.txt -c:v hevc -crf 31 \
             -vf pad=ceil(iw/2)*2:ceil(ih/2)*2 -r 10 path/to/renders/preview.mkv"
        );
        for (fps, text) in [(json!(24), "24"), (json!(23.976), "23.976"), (json!(1e3), "1000")] {
            let mut value = complete();
            value["fps"] = fps;
            let line = parse(value).unwrap().command_line(Path::new("l"));
            assert_eq!(line[line.len() - 2], text);
        }
    }

    #[test]
    fn parameter_errors() {
        for parameter in ["exe", "fps", "inputGlob", "outputFile"] {
            for wrong in [json!(null), json!(""), json!(0)] {
                let mut value = complete();
                value[parameter] = wrong;
                match parse(value) {
                    Err(CommandError::MissingParameter { parameter: named, .. }) => {
                        assert_eq!(named, parameter)
                    }
                    other => panic!("{parameter}: {other:?}"),
                }
            }
        }
        let invalid =
            [("fps", json!(-1)), ("args", json!("x")), ("argsBefore", json!({})), ("exeArgs", json!("\\"))];
        for (parameter, wrong) in invalid {
            let mut value = complete();
            value[parameter] = wrong;
            match parse(value) {
                Err(CommandError::InvalidParameter { parameter: named, .. }) => assert_eq!(named, parameter),
                other => panic!("{parameter}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_list_escapes_quotes_and_does_not_drift() {
        let files = [PathBuf::from("/it's/1.png"), PathBuf::from("/2.png"), PathBuf::from("/3.png")];
        assert_eq!(
            list_text(&files, 30.0).unwrap(),
            "ffconcat version 1.0\nfile '/it'\\''s/1.png'\nduration 0.033333\nfile '/2.png'\nduration 0.033334\n\
             file '/3.png'\nduration 0.033333\n"
        );
        assert_eq!(
            list_text(&[PathBuf::from("/100%/1.png")], 10.0).unwrap(),
            "ffconcat version 1.0\nfile '/100%/1.png'\noption pattern_type none\nduration 0.100000\n"
        );
        assert!(list_text(&[PathBuf::from("/a\nb.png")], 24.0).is_err());
    }
}
