use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const LIMIT: u64 = 1_000_000;

fn chunks(range: &str, size: i64) -> Result<Vec<String>, String> {
    chunk(range, size, LIMIT).map(|(chunks, _)| chunks)
}

#[test]
fn chunk_table() {
    let five: &[&str] = &["1-4", "5-8", "9,10,20,21", "22-25", "40"];
    for (range, size, expected) in [
        ("1..10,20..25,40,3..8", 4, five),
        ("1-10,20-25,40", 4, five),
        (" 1  .. 10,\t20..25\n,40   ", 4, five),
        ("47", 4, &["47"]),
        ("1-3", 3, &["1-3"]),
        ("0-12,34-56,78-90", 20, &["0-12,34-40", "41-56,78-81", "82-90"]),
        ("1-10", 3, &["1-3", "4-6", "7-9", "10"]),
        ("1-4", 2, &["1,2", "3,4"]),
        ("1-3,7", 2, &["1,2", "3,7"]),
        ("5,1-2", 10, &["1,2,5"]),
        ("10-1,5", 3, &["5"]),
        ("007,+8", 5, &["7,8"]),
        ("1,2,3,4", 9, &["1-4"]),
        ("9223372036854775806-9223372036854775807", 1, &["9223372036854775806", "9223372036854775807"]),
        ("1-5", i64::MAX, &["1-5"]),
    ] {
        assert_eq!(chunks(range, size).unwrap(), expected, "{range:?} by {size}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    for (range, size, text) in [
        ("   ", 4, "empty range"),
        ("", 0, "empty range"),
        ("10-1", 3, "empty range"),
        (" 1 10", 4, "1 10"),
        ("1-10", 0, "not 0"),
        ("1-10", -7, "not -7"),
        ("1-3,", 1, "nothing between two commas"),
        ("1-2-3", 1, "1-2-3"),
        ("1-10:2", 1, "frame steps"),
        ("1...5", 1, "1...5"),
        ("-5", 1, "negative frame numbers"),
        ("-5..-1", 1, "negative frame numbers"),
        ("1--3", 1, "negative frame numbers"),
        ("a-b", 1, "cannot understand"),
        ("1.5", 1, "cannot understand"),
        ("+", 1, "cannot understand"),
        ("1-9999999999", 1, "9999999999 frames"),
        ("0-9223372036854775807", 1, "at most 1000000"),
        ("99999999999999999999", 1, "cannot understand"),
    ] {
        let error = chunks(range, size).unwrap_err();
        assert!(error.contains(text), "{range:?} by {size}: {error}");
    }
}

#[test]
fn count_table() {
    for (range, expected) in [
        ("9,10,20,21", 4),
        ("10-1", 0),
        ("1..10,20..25,40", 17),
        ("1-5,3-7", 7),
        ("0-12,34-40", 20),
        ("5,5,5", 1),
    ] {
        assert_eq!(Frames::parse(range, LIMIT).unwrap().count(), expected, "{range:?}");
    }
    assert!(Frames::parse("", LIMIT).is_err());
}

#[test]
fn reversed_parts_are_named() {
    let (chunks, reversed) = chunk("10-1, 5 , 9..8", 3, LIMIT).unwrap();
    assert_eq!((chunks, reversed), (vec!["5".to_owned()], vec!["10-1".to_owned(), "9..8".to_owned()]));
}

fn explode(range: &str) -> BTreeSet<i64> {
    let intervals = Frames::parse(range, u64::MAX).unwrap().intervals;
    intervals.into_iter().flat_map(|(first, last)| first..=last).collect()
}

fn ranges() -> impl Strategy<Value = String> {
    let part = (0i64..300, 0i64..40, prop_oneof![Just("-"), Just(".."), Just(" - ")], any::<bool>())
        .prop_map(
            |(first, length, separator, single)| {
                if single { first.to_string() } else { format!("{first}{separator}{}", first + length) }
            },
        );
    prop::collection::vec(part, 1..8).prop_map(|parts| parts.join(","))
}

proptest! {
    #[test]
    fn chunks_are_the_range(range in ranges(), size in 1i64..50) {
        let chunks = chunks(&range, size).unwrap();
        let mut seen = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            let frames = explode(chunk);
            prop_assert_eq!(frames.len() as u64, Frames::parse(chunk, LIMIT).unwrap().count());
            if index + 1 < chunks.len() {
                prop_assert_eq!(frames.len() as i64, size);
            } else {
                prop_assert!((1..=size).contains(&(frames.len() as i64)));
            }
            seen.extend(frames);
        }
        prop_assert_eq!(seen, explode(&range).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn any_text_gives_an_answer(range in "[-0-9.,+ :x\\PC]{0,40}", size in any::<i64>()) {
        if let Ok(chunks) = chunks(&range, size) {
            prop_assert!(!chunks.is_empty());
        }
    }
}
