//! Frames in the log of a task, for workers that do not report them: what Blender prints when it saves a picture.

use std::time::Duration;

/// A file that a log says was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFrame {
    /// The number of the frame.
    pub frame: i64,
    /// The file.
    pub path: String,
    /// How long the frame took without saving, if the log says.
    pub render: Option<Duration>,
    /// How long saving took, if the log says.
    pub save: Option<Duration>,
}

/// The frames that a piece of a log speaks of, in order. Lines may have a time or the name of their writer in front.
#[must_use]
pub fn saved_frames(log: &str) -> Vec<SavedFrame> {
    let mut frames: Vec<SavedFrame> = Vec::new();
    // Files of the frame at hand, whose time is printed after them.
    let mut untimed = 0;
    let mut number = None;
    for line in log.lines() {
        if let Some(rest) = after(line, "Fra:") {
            number = leading_number(rest.trim_start()).or(number);
        } else if let Some(path) = after(line, "Saved: ").and_then(path) {
            if let Some(frame) = number_in_name(path).or(number) {
                frames.push(SavedFrame { frame, path: path.to_owned(), render: None, save: None });
                untimed += 1;
            }
        } else if let Some((total, save)) = after(line, "Time: ").and_then(times) {
            let first = frames.len() - untimed;
            for frame in &mut frames[first..] {
                frame.render = Some(total.saturating_sub(save.unwrap_or_default()));
                frame.save = save;
            }
            untimed = 0;
        }
    }
    frames
}

fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (before, rest) = line.split_once(word)?;
    // Not in the middle of a word, nor of somebody's sentence about it.
    (before.is_empty() || before.ends_with([' ', '|', '\t'])).then_some(rest)
}

fn path(text: &str) -> Option<&str> {
    let quoted = text.trim().strip_prefix('\'').and_then(|rest| rest.rsplit_once('\''));
    quoted.map_or(Some(text.trim()), |(path, _)| Some(path)).filter(|path| !path.is_empty())
}

fn leading_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    text.get(..text.len() - digits.len() + length)?.parse().ok()
}

fn times(text: &str) -> Option<(Duration, Option<Duration>)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(text.len());
    let save = text.split_once("Saving: ").and_then(|(_, rest)| duration(rest.split(')').next()?));
    Some((duration(&text[..end])?, save))
}

/// `01:02:03.45` or `02:03.45`: hours, minutes, seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// The frame number in the name of a picture: its last digits, before the name of a view and the extension. A minus
/// only counts after something that separates it: `shot-0001.png` is frame 1, `shot_-0001.png` is frame -1.
#[must_use]
pub fn number_in_name(path: &str) -> Option<i64> {
    let (start, end) = digits_in_name(path)?;
    let number: i64 = path[start..end].parse().ok()?;
    let is_negative =
        path[..start].strip_suffix('-').is_some_and(|rest| !rest.ends_with(char::is_alphanumeric));
    Some(if is_negative { -number } else { number })
}

/// Which output a file belongs to: its path with a `#` for each digit of the frame number, so that all frames of an
/// output have the same. As it is when its name has no number.
#[must_use]
pub fn output(path: &str) -> String {
    let Some((start, end)) = digits_in_name(path) else { return path.to_owned() };
    let start = if number_in_name(path).is_some_and(|number| number < 0) { start - 1 } else { start };
    format!("{}{}{}", &path[..start], "#".repeat(end - start), &path[end..])
}

fn digits_in_name(path: &str) -> Option<(usize, usize)> {
    let name = path.rfind(['/', '\\']).map_or(0, |at| at + 1);
    let stem = path[name..].rfind('.').map_or(path.len(), |at| name + at);
    let without_view =
        path[name..stem].trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end_matches(['_', '.']);
    let end = name + without_view.len();
    let digits = without_view.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let start = name + digits;
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(log: &str) -> Vec<(i64, String, Option<u128>, Option<u128>)> {
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis());
        saved_frames(log)
            .into_iter()
            .map(|frame| (frame.frame, frame.path, millis(frame.render), millis(frame.save)))
            .collect()
    }

    #[test]
    fn what_blender_prints() {
        let saved = |frame, path: &str, render, save| (frame, path.to_owned(), render, save);
        for (log, want) in [
            ("", vec![]),
            ("Saved: '/r/000012.png'", vec![saved(12, "/r/000012.png", None, None)]),
            (
                "Fra:1 Mem:8M\nSaved: '/r/0001.png'\n Time: 00:01.50 (Saving: 00:00.25)\nSaved: '/r/0002.png'",
                vec![saved(1, "/r/0001.png", Some(1250), Some(250)), saved(2, "/r/0002.png", None, None)],
            ),
            (
                "2026-02-03T14:05:31Z pid=7 > Saved: 'S:\\r\\it's 7.exr'\nTime: 01:00:00.00",
                vec![saved(7, "S:\\r\\it's 7.exr", Some(3_600_000), None)],
            ),
            ("00:00.514  render           | Saved: '/r/0003.png'", vec![saved(3, "/r/0003.png", None, None)]),
            ("Fra:-4 Mem:1M\nSaved: '/r/still.png'", vec![saved(-4, "/r/still.png", None, None)]),
            ("Saved: '/r/still.png'", vec![]),
            (
                "Fra:5 Mem\nSaved: '/r/0005_L.png'\nSaved: '/r/0005_R.png'\nTime: 00:02.00",
                vec![
                    saved(5, "/r/0005_L.png", Some(2000), None),
                    saved(5, "/r/0005_R.png", Some(2000), None),
                ],
            ),
            ("unSaved: '/r/0001.png'\nSaved: ''\nTime: soon", vec![]),
        ] {
            assert_eq!(seen(log), want, "{log}");
        }
    }

    #[test]
    fn numbers_and_outputs_of_paths() {
        for (path, number, pattern) in [
            ("/r/000012.png", Some(12), "/r/######.png"),
            ("/r/shot-0001.png", Some(1), "/r/shot-####.png"),
            ("/r/shot_-0001.png", Some(-1), "/r/shot_#####.png"),
            ("/r/-0001.png", Some(-1), "/r/#####.png"),
            ("S:\\r\\0003_L.png", Some(3), "S:\\r\\####_L.png"),
            ("/r2/still.png", None, "/r2/still.png"),
            ("0007", Some(7), "####"),
            ("", None, ""),
        ] {
            assert_eq!((number_in_name(path), output(path).as_str()), (number, pattern), "{path}");
        }
    }
}
