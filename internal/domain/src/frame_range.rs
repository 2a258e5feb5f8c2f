//! Sets of frame numbers, written `1-10,20` or `1..10,20`, as people and Blender write them.

use std::fmt;

/// Frame numbers, kept as intervals, so that a million frames cost as much as ten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameRange {
    /// Sorted, without overlap, never touching; both ends are included.
    intervals: Vec<(i64, i64)>,
}

impl FrameRange {
    /// Reads a range: parts separated by commas, each a frame `A` or all frames from `A` to `B`, written `A-B` or
    /// `A..B`.
    ///
    /// # Errors
    /// A sentence that names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| {
            format!("{part:?} in {text:?} is no frame and no range of frames; write for example 1-10,15")
        };
        let mut intervals = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = match part.split_once("..") {
                Some(ends) => ends,
                // The first character may be a minus.
                None => match part.char_indices().skip(1).find(|(_, c)| *c == '-') {
                    Some((at, _)) => (&part[..at], &part[at + 1..]),
                    None => (part, part),
                },
            };
            let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong(part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("the range {part:?} goes backwards; write its first frame first"));
            }
            intervals.push((first, last));
        }
        Ok(Self::of_intervals(intervals))
    }

    fn of_intervals(mut intervals: Vec<(i64, i64)>) -> Self {
        intervals.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(intervals.len());
        for (first, last) in intervals {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { intervals: merged }
    }

    /// How many frames there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.intervals
            .iter()
            .fold(0, |sum: u64, (first, last)| sum.saturating_add(first.abs_diff(*last).saturating_add(1)))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The first frame.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.intervals.first().map(|(first, _)| *first)
    }

    /// The last frame.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.intervals.last().map(|(_, last)| *last)
    }

    /// Whether a frame is in it.
    #[must_use]
    pub fn contains(&self, frame: i64) -> bool {
        let after = self.intervals.partition_point(|(first, _)| *first <= frame);
        after > 0 && self.intervals[after - 1].1 >= frame
    }

    /// The frames in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.intervals.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The frames of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of_intervals(self.intervals.iter().chain(&other.intervals).copied().collect())
    }

    /// The frames of all of them.
    #[must_use]
    pub fn union_of(ranges: impl IntoIterator<Item = Self>) -> Self {
        Self::of_intervals(ranges.into_iter().flat_map(|range| range.intervals).collect())
    }

    /// The frames that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.intervals.iter().peekable(), other.intervals.iter().peekable());
        let mut intervals = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (mine.peek(), theirs.peek()) {
            if a.max(c) <= b.min(d) {
                intervals.push((a.max(c), b.min(d)));
            }
            if b < d {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Self { intervals }
    }

    /// The frames that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut intervals = Vec::new();
        for &(first, last) in &self.intervals {
            let mut next = Some(first);
            for &(from, to) in other.intervals.iter().filter(|(from, to)| *from <= last && *to >= first) {
                let Some(start) = next else { break };
                if start < from {
                    intervals.push((start, from - 1));
                }
                next = to.checked_add(1).map(|after| after.max(start)).filter(|after| *after <= last);
            }
            intervals.extend(next.map(|start| (start, last)));
        }
        Self { intervals }
    }
}

impl FromIterator<i64> for FrameRange {
    fn from_iter<I: IntoIterator<Item = i64>>(frames: I) -> Self {
        Self::of_intervals(frames.into_iter().map(|frame| (frame, frame)).collect())
    }
}

/// As Blender's command line takes it.
impl fmt::Display for FrameRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.intervals.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}..{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> FrameRange {
        if text.is_empty() { FrameRange::default() } else { FrameRange::parse(text).unwrap() }
    }

    #[test]
    fn ranges_as_people_and_blender_write_them() {
        for (text, want, count) in [
            ("1", "1", 1),
            ("1-3", "1..3", 3),
            ("1..3", "1..3", 3),
            (" 1 - 3 , 7 ", "1..3,7", 4),
            ("5,1-3,4", "1..5", 5),
            ("1-10,5-20", "1..20", 20),
            ("-3", "-3", 1),
            ("-3--1", "-3..-1", 3),
            ("-3..2", "-3..2", 6),
            ("7,7,7", "7", 1),
        ] {
            let range = range(text);
            assert_eq!((range.to_string().as_str(), range.count()), (want, count), "{text}");
            assert_eq!(range.iter().count() as u64, count, "{text}");
            assert_eq!(FrameRange::parse(want).unwrap(), range, "{text}");
            assert_eq!(range.iter().collect::<FrameRange>(), range, "{text}");
        }
        for bad in ["", "a", "1,", "1-b", "10-1", "1.5", "1...3", "99999999999999999999"] {
            assert!(FrameRange::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(range(&format!("{}..{}", i64::MIN, i64::MAX)).count(), u64::MAX);
    }

    #[test]
    fn sets_agree_with_what_single_frames_say() {
        let all = ["", "1", "1-3", "2-5", "1-3,7-9", "3,5,7", "-2-10", "1-10", "4-6,8", "10-12"];
        for a in all {
            for b in all {
                let (left, right) = (range(a), range(b));
                for frame in -5..15 {
                    let (here, there) = (left.contains(frame), right.contains(frame));
                    let case = format!("{frame} of {a:?} and {b:?}");
                    assert_eq!(left.union(&right).contains(frame), here || there, "{case}");
                    assert_eq!(left.intersection(&right).contains(frame), here && there, "{case}");
                    assert_eq!(left.minus(&right).contains(frame), here && !there, "{case}");
                }
            }
        }
    }
}
