//! Frame ranges: `1..10,20-25,40` cut into chunks.
//!
//! A range is a list of parts separated by commas; a part is a frame `A`, or all frames from `A` to `B`, written
//! `A-B` or `A..B`. Frames are kept as sorted intervals, so that a range of a million frames costs as much as one of
//! ten.

use std::fmt::Write as _;

/// The frames of a range, and what was odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frames {
    /// Sorted, without overlap, never touching; both ends are included.
    intervals: Vec<(i64, i64)>,
    /// Parts such as `10-1`, which contain no frame.
    pub(crate) reversed: Vec<String>,
}

impl Frames {
    /// Reads a range. `max_frames` limits the number of distinct frames.
    ///
    /// # Errors
    /// A sentence for the artist that names the part that is wrong.
    pub(crate) fn parse(range: &str, max_frames: u64) -> Result<Self, String> {
        let mut intervals = Vec::new();
        let mut reversed = Vec::new();
        for part in range.split(',') {
            let (first, last) = parse_part(part, range)?;
            if first <= last {
                intervals.push((first, last));
            } else {
                reversed.push(part.trim().to_owned());
            }
        }
        let frames = Self { intervals: merge(intervals), reversed };
        let count = frames.exact_count();
        if count > u128::from(max_frames) {
            return Err(format!(
                "frame range {range:?} has {count} frames, and a job can have at most {max_frames}; submit it in parts"
            ));
        }
        Ok(frames)
    }

    /// The number of distinct frames.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.exact_count()).unwrap_or(u64::MAX)
    }

    fn exact_count(&self) -> u128 {
        self.intervals.iter().map(|&(first, last)| u128::from(first.abs_diff(last)) + 1).sum()
    }

    /// Cuts the frames, in order, into chunks of `size` frames; the last may be shorter.
    fn chunks(&self, size: u64) -> Vec<String> {
        let mut chunks = Vec::new();
        let mut chunk = String::new();
        let mut room = size;
        for &(first, last) in &self.intervals {
            let mut next = first;
            loop {
                let left = next.abs_diff(last) + 1;
                let taken = left.min(room);
                let end = next.saturating_add_unsigned(taken - 1);
                write_run(&mut chunk, next, end);
                room -= taken;
                if room == 0 {
                    chunks.push(std::mem::take(&mut chunk));
                    room = size;
                }
                if taken == left {
                    break;
                }
                next = end.saturating_add(1);
            }
        }
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
        chunks
    }
}

/// Cuts a range into chunks of `size` frames.
///
/// # Errors
/// A sentence for the artist: the range is empty or malformed, or the size is below one.
pub(crate) fn chunk(range: &str, size: i64, max_frames: u64) -> Result<(Vec<String>, Vec<String>), String> {
    if range.trim().is_empty() {
        return Err("empty range: give at least one frame, for example 1-10".to_owned());
    }
    let size = u64::try_from(size)
        .ok()
        .filter(|&size| size > 0)
        .ok_or_else(|| format!("chunk size must be at least 1, not {size}"))?;
    let frames = Frames::parse(range, max_frames)?;
    if frames.intervals.is_empty() {
        return Err(format!("empty range: {range:?} contains no frame, because it counts backwards"));
    }
    Ok((frames.chunks(size), frames.reversed))
}

fn parse_part(part: &str, range: &str) -> Result<(i64, i64), String> {
    let normal = part.replace("..", "-");
    let mut pieces = normal.split('-');
    let first = pieces.next().unwrap_or_default();
    let second = pieces.next();
    if pieces.next().is_some() {
        return Err(part_error(part, range));
    }
    let first = parse_frame(first).ok_or_else(|| part_error(part, range))?;
    match second {
        None => Ok((first, first)),
        Some(text) => Ok((first, parse_frame(text).ok_or_else(|| part_error(part, range))?)),
    }
}

fn parse_frame(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn part_error(part: &str, range: &str) -> String {
    let shown = part.trim();
    let normal = shown.replace("..", "-");
    let reason = if shown.is_empty() {
        "there is nothing between two commas, or after the last one"
    } else if normal.starts_with('-') || normal.contains("--") {
        "negative frame numbers are not supported, because \"-\" stands between the first and the last frame"
    } else if normal.contains([':', 'x', 'X']) {
        "frame steps are not supported"
    } else {
        "write a frame number such as 47, or the first and the last one such as 1-30 or 1..30"
    };
    format!("invalid frame range {range:?}: cannot understand {shown:?}; {reason}")
}

fn merge(mut intervals: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    intervals.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(intervals.len());
    for (first, last) in intervals {
        match merged.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Appends a run of frames: `N`, `N,M` for two, `A-B` for more.
fn write_run(chunk: &mut String, first: i64, last: i64) {
    if !chunk.is_empty() {
        chunk.push(',');
    }
    // Writing to a string cannot fail.
    let _ = match first.abs_diff(last) {
        0 => write!(chunk, "{first}"),
        1 => write!(chunk, "{first},{last}"),
        _ => write!(chunk, "{first}-{last}"),
    };
}

#[cfg(test)]
mod tests;
