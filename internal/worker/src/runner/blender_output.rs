//! Understands what Blender prints while it renders, in the form of Blender 3 and 4 and in that of Blender 5,
//! which puts a time stamp and the word `render` in front.

use std::sync::LazyLock;

use regex::Regex;

/// What one line of output tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderEvent {
    /// A picture was written to this path.
    Saved(String),
    /// A frame is done; the text is how long it took, as Blender prints it.
    FrameDone(String),
    /// A frame was left out because its picture exists already, at this path.
    FrameSkipped(String),
    /// Blender works on this frame.
    Frame(i64),
}

/// Start of a line, or what Blender 5 puts there; spaces may follow in both.
const PREFIX: &str = r"(?:^|render\s+\|)\s*";

static SAVED: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"Saved: '(.*)'"));
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"Time: ([0-9:.]+)"));
static SKIPPED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"[Ss]kipping existing frame(?: "(.*)")?"#));
static FRAME: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"Fra: ?(-?[0-9]+)\b"));

fn pattern(what: &str) -> Option<Regex> {
    // The patterns are constants, and the tests below use each of them.
    Regex::new(&format!("{PREFIX}{what}")).ok()
}

fn first_group<'t>(regex: &Option<Regex>, line: &'t str) -> Option<&'t str> {
    Some(regex.as_ref()?.captures(line)?.get(1)?.as_str())
}

/// Reads one line of Blender's output.
pub fn parse(line: &str) -> Option<RenderEvent> {
    if let Some(path) = first_group(&SAVED, line) {
        return Some(RenderEvent::Saved(path.to_owned()));
    }
    if let Some(time) = first_group(&TIME, line) {
        return Some(RenderEvent::FrameDone(time.to_owned()));
    }
    if let Some(found) = SKIPPED.as_ref().and_then(|regex| regex.captures(line)) {
        let path = found.get(1).map(|path| path.as_str().to_owned());
        return Some(RenderEvent::FrameSkipped(path.unwrap_or_default()));
    }
    first_group(&FRAME, line)?.parse().ok().map(RenderEvent::Frame)
}

#[cfg(test)]
mod tests {
    use super::RenderEvent::{Frame, FrameDone, FrameSkipped, Saved};
    use super::*;

    #[test]
    fn lines_of_every_blender_version() {
        let saved = |path: &str| Some(Saved(path.to_owned()));
        let done = |time: &str| Some(FrameDone(time.to_owned()));
        let skipped = |path: &str| Some(FrameSkipped(path.to_owned()));
        let cases = [
            // Blender up to 4.5.
            ("Saved: '/path/to/file.exr'", saved("/path/to/file.exr")),
            ("Saved: '/it's/here.png'", saved("/it's/here.png")),
            ("Time: 00:01.06", done("00:01.06")),
            (" Time: 00:00.22 (Saving: 00:00.16)", done("00:00.22")),
            (
                r#"Skipping existing frame "/path/to/running-default-cube0001.jpg""#,
                skipped("/path/to/running-default-cube0001.jpg"),
            ),
            (r#"skipping existing frame "/path/to/a "b" 1.png""#, skipped(r#"/path/to/a "b" 1.png"#)),
            ("skipping existing frame", skipped("")),
            ("Fra:12 Mem:13.04M (Peak 16.19M) | Time:00:00.05 | Rendering 1 / 4 samples", Some(Frame(12))),
            ("Fra:-3 Mem:13.04M (Peak 16.19M) | Time:00:00.05 | Syncing Cube", Some(Frame(-3))),
            // Blender 5.
            ("00:00.327  render           | Saved: '/path/to/file.exr'", saved("/path/to/file.exr")),
            ("00:00.419  render           | Time: 00:01.06 (Saving: 00:00.02)", done("00:01.06")),
            (
                r#"00:00.419  render           | Skipping existing frame "/path/to/cube0001.jpg""#,
                skipped("/path/to/cube0001.jpg"),
            ),
            ("00:00.419  render           | Fra: 7 | Mem: 12M | Sample 1/4", Some(Frame(7))),
            // Neither.
            ("starting Blender", None),
            ("", None),
            ("see Time: 00:01.06", None),
            ("File Saved: 'x'", None),
            ("00:00.327  reports          | Saved: '/path/to/file.exr'", None),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
