//! Work that nobody can go on with until a person steps in, and why.

/// A worker, as far as it matters for this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Database key.
    pub seq: i64,
    /// Task types it runs.
    pub types: Vec<String>,
    /// Database keys of its tags.
    pub tags: Vec<i64>,
    /// Whether it may be given tasks.
    pub enabled: bool,
    /// Whether it is there and awake, or about to be.
    pub present: bool,
}

/// Why no worker may be given a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StuckReason {
    /// None does tasks of the type.
    NoType,
    /// None of those that do has the job's tag.
    NoTag,
    /// Those that could are on the job's blocklist.
    Blocked,
    /// Those that could are disabled.
    Disabled,
    /// Those that could are asleep, offline or in error.
    Away,
}

/// Why nobody can do tasks of a type for a job with a tag (`None` is any worker); `None` when somebody can.
/// `is_blocked` tells which workers are on the job's blocklist for the type.
///
/// The first thing that leaves nobody is the reason: who takes that away may find the next one.
#[must_use]
pub fn why_stuck(
    hands: &[Hand],
    task_type: &str,
    tag: Option<i64>,
    is_blocked: impl Fn(i64) -> bool,
) -> Option<StuckReason> {
    let mut reason = StuckReason::NoType;
    for hand in hands {
        let stopped_by = if !hand.types.iter().any(|name| name == task_type) {
            StuckReason::NoType
        } else if tag.is_some_and(|tag| !hand.tags.contains(&tag)) {
            StuckReason::NoTag
        } else if is_blocked(hand.seq) {
            StuckReason::Blocked
        } else if !hand.enabled {
            StuckReason::Disabled
        } else if !hand.present {
            StuckReason::Away
        } else {
            return None;
        };
        reason = reason.max(stopped_by);
    }
    Some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(seq: i64) -> Hand {
        Hand {
            seq,
            types: vec!["blender".into(), "misc".into()],
            tags: vec![7],
            enabled: true,
            present: true,
        }
    }

    #[test]
    fn the_worker_that_comes_nearest_gives_the_reason() {
        use StuckReason as R;
        let ffmpeg = Hand { types: vec!["ffmpeg".into()], ..hand(1) };
        let untagged = Hand { tags: vec![8], ..hand(2) };
        let blocked = hand(3);
        let disabled = Hand { enabled: false, present: false, ..hand(4) };
        let away = Hand { present: false, ..hand(5) };
        for (hands, tag, want) in [
            (vec![], None, Some(R::NoType)),
            (vec![ffmpeg.clone()], None, Some(R::NoType)),
            (vec![ffmpeg.clone(), untagged.clone()], Some(7), Some(R::NoTag)),
            (vec![untagged.clone()], None, None),
            (vec![blocked.clone(), ffmpeg.clone(), untagged.clone()], Some(7), Some(R::Blocked)),
            (vec![disabled.clone(), blocked.clone()], Some(7), Some(R::Disabled)),
            (vec![away.clone(), disabled.clone()], Some(7), Some(R::Away)),
            (vec![away, disabled, blocked, hand(6)], Some(7), None),
        ] {
            assert_eq!(why_stuck(&hands, "blender", tag, |seq| seq == 3), want, "{hands:?}");
        }
    }
}
