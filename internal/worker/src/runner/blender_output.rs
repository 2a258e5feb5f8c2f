//! Understands what Blender prints while it renders, in the form of Blender 3 and 4 and in that of Blender 5,
//! which puts a time stamp and the word `render` in front.
//!
//! A render at full speed prints thousands of lines a second, so this looks at each with a few comparisons.

use std::time::Duration;

/// What one line of output tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderEvent {
    /// A picture was written to this path.
    Saved(String),
    /// A picture could not be written to this path.
    CannotSave(String),
    /// A frame is done: how long it took, and how much of that was for saving.
    FrameDone { total: Duration, saving: Option<Duration> },
    /// A frame was left out because its picture exists already, at this path.
    FrameSkipped(String),
    /// Blender works on this frame; the most memory it has used so far, in bytes, and what the renderer says.
    Frame { number: i64, peak_memory: Option<i64>, status: Option<RenderStatus> },
}

/// How far the renderer is with the picture at hand. It begins anew for each view and each layer of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderStatus {
    /// As Blender calls it, such as `CYCLES`.
    pub engine: &'static str,
    /// Samples for each pixel, if there is a limit.
    pub samples: Option<i64>,
    /// 0 to 100.
    pub percent: Option<i64>,
}

/// Reads one line of Blender's output.
pub fn parse(line: &str) -> Option<RenderEvent> {
    parse_message(line.trim_start()).or_else(|| after_prefix(line).and_then(parse_message))
}

/// The file that Blender says here it cannot find: a linked library or an image. It renders on without it.
pub fn missing_file(line: &str) -> Option<&str> {
    // By far the most lines of a render, so they are sorted out first.
    if line.starts_with("Fra:") {
        return None;
    }
    let between = |start: &str, end: &str| {
        let (_, rest) = line.split_once(start)?;
        rest.rsplit_once(end).map(|(path, _)| path).filter(|path| !path.is_empty())
    };
    between("Unable to open '", "': ").or_else(|| between("Image file '", "' does not exist"))
}

/// What follows `render`, spaces and a bar, which is how Blender 5 begins a line about rendering.
fn after_prefix(line: &str) -> Option<&str> {
    line.match_indices("render").find_map(|(at, word)| {
        let rest = &line[at + word.len()..];
        let bar = rest.trim_start();
        (bar.len() < rest.len()).then_some(bar)?.strip_prefix('|').map(str::trim_start)
    })
}

fn parse_message(text: &str) -> Option<RenderEvent> {
    if let Some(rest) = text.strip_prefix("Fra:") {
        return parse_progress(rest);
    }
    if let Some(path) = text.strip_prefix("Saved: ") {
        return Some(RenderEvent::Saved(unquoted(path, '\'')?.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("Time: ") {
        return parse_time(rest);
    }
    let skipped = ["skipping existing frame", "Skipping existing frame"];
    if let Some(rest) = skipped.iter().find_map(|start| text.strip_prefix(start)) {
        return Some(RenderEvent::FrameSkipped(unquoted(rest.trim_start(), '"').unwrap_or("").to_owned()));
    }
    let (_, path) = text.strip_prefix("Error: Render error")?.split_once("cannot save: ")?;
    Some(RenderEvent::CannotSave(unquoted(path, '\'')?.to_owned()))
}

/// A path: between the first and the last quote, or, as the compositor of Blender 3 prints it, without any.
fn unquoted(text: &str, quote: char) -> Option<&str> {
    match text.strip_prefix(quote) {
        Some(rest) => rest.rsplit_once(quote).map(|(path, _)| path),
        None => Some(text.trim_end()).filter(|path| !path.is_empty()),
    }
}

/// `1 Mem:13.04M (Peak 16.19M) | Time:00:00.05 | …`; Blender 5 puts a space before the number.
fn parse_progress(rest: &str) -> Option<RenderEvent> {
    let rest = rest.trim_start();
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let end = rest.len() - digits.len() + length;
    let number = rest.get(..end)?.parse().ok()?;
    let peak_memory = rest.split_once("(Peak ").and_then(|(_, peak)| parse_size(peak));
    let status = rest.rsplit_once('|').and_then(|(_, status)| parse_status(status.trim()));
    Some(RenderEvent::Frame { number, peak_memory, status })
}

/// `Sample 16/128` or `Rendered 1/4 Tiles, Sample 16/128` of Cycles, `Rendering 16 / 64 samples` of EEVEE.
fn parse_status(text: &str) -> Option<RenderStatus> {
    if let Some(rest) = text.strip_prefix("Rendering ") {
        let (done, total) = parse_share(rest.strip_suffix(" samples")?)?;
        let percent = Some(100 * done.min(total) / total);
        return Some(RenderStatus { engine: "BLENDER_EEVEE", samples: Some(total), percent });
    }
    let (tiles, sample) = match text.strip_prefix("Rendered ") {
        Some(rest) => {
            let (tiles, rest) = rest.split_once(" Tiles")?;
            (parse_share(tiles)?, rest.strip_prefix(", ").unwrap_or(rest))
        }
        None => ((0, 1), Some(text).filter(|text| text.starts_with("Sample "))?),
    };
    let sample = sample.strip_prefix("Sample ").and_then(parse_share);
    let percent = match (tiles, sample) {
        ((_, 1), None) => None,
        ((_, 1), Some((done, total))) => Some(100 * done.min(total) / total),
        // After a tile is counted, the samples are still those of that one.
        ((tile, tiles), sample) => {
            let (done, total) = sample.filter(|(done, total)| done < total).unwrap_or((0, 1));
            Some((100 * (tile * total + done) / (tiles * total)).min(100))
        }
    };
    Some(RenderStatus { engine: "CYCLES", samples: sample.map(|(_, total)| total), percent })
}

/// `16/128`, with or without spaces. Numbers beyond reason are none.
fn parse_share(text: &str) -> Option<(i64, i64)> {
    let (done, total) = text.split_once('/')?;
    let number = |text: &str| text.trim().parse().ok().filter(|number| (0..=1_000_000_000).contains(number));
    Some((number(done)?, number(total)?)).filter(|(_, total)| *total > 0)
}

/// `16.19M`, in bytes.
fn parse_size(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].chars().next()? {
        'K' => 1024.0,
        'M' => 1024.0 * 1024.0,
        'G' => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((number * unit).round() as i64)
}

/// `00:01.06 (Saving: 00:00.02)`.
fn parse_time(rest: &str) -> Option<RenderEvent> {
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let total = parse_duration(&rest[..end])?;
    let saving = rest
        .split_once("Saving: ")
        .and_then(|(_, saving)| parse_duration(saving.split(')').next().unwrap_or_default()));
    Some(RenderEvent::FrameDone { total, saving })
}

/// `01:02:03.45` or `02:03.45`: hours, minutes, seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// The frame number in the name of a picture: its last digits, before the name of a view and the extension. A minus
/// only counts after something that separates it: `shot-0001.png` is frame 1, `shot_-0001.png` is frame -1.
pub fn number_in_name(path: &str) -> Option<i64> {
    let name = path.rsplit(['/', '\\']).next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let without_view = stem.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end_matches(['_', '.']);
    let before = without_view.trim_end_matches(|c: char| c.is_ascii_digit());
    let number: i64 = without_view[before.len()..].parse().ok()?;
    let is_negative = before.strip_suffix('-').is_some_and(|rest| !rest.ends_with(char::is_alphanumeric));
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::RenderEvent::{CannotSave, Frame, FrameDone, FrameSkipped, Saved};
    use super::*;

    #[test]
    fn lines_of_every_blender_version() {
        let saved = |path: &str| Some(Saved(path.to_owned()));
        let done = |total: u64, saving: Option<u64>| {
            let saving = saving.map(Duration::from_millis);
            Some(FrameDone { total: Duration::from_millis(total), saving })
        };
        let skipped = |path: &str| Some(FrameSkipped(path.to_owned()));
        let frame = |number, peak_memory| Some(Frame { number, peak_memory, status: None });
        let status = |engine, samples, percent| {
            let status = Some(RenderStatus { engine, samples: Some(samples), percent: Some(percent) });
            Some(Frame { number: 7, peak_memory: None, status })
        };
        let cases = [
            // Blender up to 4.5.
            ("Saved: '/path/to/file.exr'", saved("/path/to/file.exr")),
            ("Saved: '/it's/here.png'", saved("/it's/here.png")),
            ("Saved: /nodes/Image 0001.png", saved("/nodes/Image 0001.png")),
            ("Time: 00:01.06", done(1060, None)),
            (" Time: 00:00.22 (Saving: 00:00.16)", done(220, Some(160))),
            ("Time: 02:03:04.50 (Saving: 00:01.00)", done(7_384_500, Some(1000))),
            (
                r#"Skipping existing frame "/path/to/running-default-cube0001.jpg""#,
                skipped("/path/to/running-default-cube0001.jpg"),
            ),
            (r#"skipping existing frame "/path/to/a "b" 1.png""#, skipped(r#"/path/to/a "b" 1.png"#)),
            ("skipping existing frame", skipped("")),
            ("Fra:12 Mem:13.04M (Peak 16.50M) | Time:00:00.05 | Syncing Cube", frame(12, Some(17_301_504))),
            ("Fra:-3 Mem:1.5G (Peak 2.50G) | Time:00:00.05 | Syncing Cube", frame(-3, Some(2_684_354_560))),
            ("Fra:7", frame(7, None)),
            (
                "Error: Render error (Invalid argument) cannot save: '/nowhere/frame-0001.png'",
                Some(CannotSave("/nowhere/frame-0001.png".to_owned())),
            ),
            // Blender 5.
            ("00:00.327  render           | Saved: '/path/to/file.exr'", saved("/path/to/file.exr")),
            ("00:00.419  render           | Time: 00:01.06 (Saving: 00:00.02)", done(1060, Some(20))),
            (
                r#"00:00.419  render           | Skipping existing frame "/path/to/cube0001.jpg""#,
                skipped("/path/to/cube0001.jpg"),
            ),
            ("00:00.419  render           | Fra: 7 | Mem: 12M | Sample 1/4", status("CYCLES", 4, 25)),
            // What the renderers say.
            ("Fra:7 | Scene, ViewLayer | Sample 0/64", status("CYCLES", 64, 0)),
            ("Fra:7 | Scene, ViewLayer | Rendered 0/4 Tiles, Sample 32/64", status("CYCLES", 64, 12)),
            ("Fra:7 | Scene, ViewLayer | Rendered 1/4 Tiles, Sample 64/64", status("CYCLES", 64, 25)),
            ("Fra:7 | Scene, ViewLayer | Rendered 3/4 Tiles, Sample 1/64", status("CYCLES", 64, 75)),
            ("Fra:7 | Rendering 8 / 8 samples", status("BLENDER_EEVEE", 8, 100)),
            ("Fra:7 | Rendering 9 / 0 samples", frame(7, None)),
            ("Fra:7 | Sample 1/99999999999", {
                let status = Some(RenderStatus { engine: "CYCLES", samples: None, percent: None });
                Some(Frame { number: 7, peak_memory: None, status })
            }),
            ("Fra:7 | Sampling the air", frame(7, None)),
            // Neither.
            ("starting Blender", None),
            ("", None),
            ("see Time: 00:01.06", None),
            ("Time: soon", None),
            ("File Saved: 'x'", None),
            ("Saved: 'x", None),
            ("Saved: ", None),
            ("Fra:", None),
            ("Fra:x", None),
            ("Fra:-", None),
            ("Fra:é", None),
            ("render| Saved: 'x'", None),
            ("00:00.327  reports          | Saved: '/path/to/file.exr'", None),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn files_that_are_missing() {
        for (line, expected) in [
            // Blender 3.4.1, bpy 4.5.15 and bpy 5.0.1, as they print it.
            ("Warning: Unable to open '/lib/it's.blend': No such file or directory", Some("/lib/it's.blend")),
            (
                "00:01.309  cycles           | ERROR Image file '/nowhere/tex.png' does not exist.",
                Some("/nowhere/tex.png"),
            ),
            ("Info: Cannot find lib '/tmp/lib.blend'", None),
            ("Warning: 1 libraries and 1 linked data-blocks are missing (including 0 ObjectData)", None),
            ("Fra:1 Mem:9.41M | Unable to open '/x': no", None),
            ("Unable to open '': No such file or directory", None),
            ("Unable to open 'x", None),
            ("", None),
        ] {
            assert_eq!(missing_file(line), expected, "{line}");
        }
    }

    #[test]
    fn numbers_in_names() {
        for (path, expected) in [
            ("/r/000001.png", Some(1)),
            ("/r/shot-0001.png", Some(1)),
            ("/r/-0012.exr", Some(-12)),
            ("/r/shot--0012.exr", Some(-12)),
            ("/r/shot_-0012.exr", Some(-12)),
            ("/r/frame-0003_L.png", Some(3)),
            ("/r/frame-0003.right.png", Some(3)),
            (r"S:\r\shot0104.jpg", Some(104)),
            ("0001", Some(1)),
            ("/r/still.png", None),
            ("/r/.png", None),
            ("/r/99999999999999999999.png", None),
            ("", None),
        ] {
            assert_eq!(number_in_name(path), expected, "{path}");
        }
    }
}
