use proptest::prelude::*;

use super::*;
use NameRules::{Portable, Unix};

fn checkout(path: &str, rules: NameRules) -> Option<PathFault> {
    match CheckoutPath::parse(path, rules) {
        Ok(_) => None,
        Err(Invalid::CheckoutPath { fault, .. }) => Some(fault),
        Err(other) => panic!("unexpected {other:?}"),
    }
}

fn file(path: &str, rules: NameRules) -> Result<String, PathFault> {
    match RelativePath::parse(path, rules) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(Invalid::FilePath { fault, .. }) => Err(fault),
        Err(other) => panic!("unexpected {other:?}"),
    }
}

#[test]
fn checkout_paths() {
    let good = [
        "a",
        "5e5be786-e6d7-480c-90e6-437f9ef5bf5d",
        "5e5be786 e6d7 480c 90e6 437f9ef5bf5d",
        "Sprite-Fright/scenename/jobname/2022-03-25-11-30-feb3",
        "ránið/lélegt vélmenni",
        "á hausinn á þér",
        "some-path/that is/unique/at first",
        "...",
        ".hidden",
        "console/auxiliary/com10",
    ];
    for path in good {
        assert_eq!(checkout(path, Unix), None, "{path:?}");
    }
    for path in good.into_iter().filter(|path| *path != "...") {
        assert_eq!(checkout(path, Portable), None, "{path:?}");
    }
}

#[test]
fn checkout_paths_that_nobody_may_use() {
    use PathFault::{Absolute, Character, Dots, Empty, EmptyPart, Reserved, TooLong};
    let long = "x".repeat(251);
    let deep = "a/".repeat(100) + "b";
    let wide = vec!["x".repeat(200); 6].join("/");
    let bad = [
        ("", Empty),
        ("with\\backslash", Character('\\')),
        ("c:/blah", Character(':')),
        ("blah?", Character('?')),
        ("blah*hi", Character('*')),
        ("blah;hi", Character(';')),
        ("blah:hi", Character(':')),
        ("{blah", Character('{')),
        ("blah}", Character('}')),
        ("/blah", Absolute),
        ("//host/share", Absolute),
        ("path/../../../../etc/passwd", Dots("..")),
        (".", Dots(".")),
        ("..", Dots("..")),
        ("a/..", Dots("..")),
        ("a/.", Dots(".")),
        ("./a", Dots(".")),
        ("../jobs", Dots("..")),
        ("a//b", EmptyPart),
        ("a/", EmptyPart),
        ("a\nb", Character('\n')),
        ("a\0", Character('\0')),
        ("a\u{7f}", Character('\u{7f}')),
        (".flamenco-building", Reserved),
        (".Flamenco-Building/x", Reserved),
        (&long, TooLong),
        (&deep, TooLong),
        (&wide, TooLong),
    ];
    for (path, fault) in bad {
        assert_eq!(checkout(path, Unix), Some(fault), "{path:?}");
        assert_eq!(checkout(path, Portable), Some(fault), "{path:?}");
    }
}

#[test]
fn names_that_only_windows_refuses() {
    use PathFault::{Character, Reserved, TrailingDotOrSpace};
    let rows = [
        ("con", Reserved),
        ("shot/NUL", Reserved),
        ("shot/Aux.png", Reserved),
        ("com1", Reserved),
        ("LPT9.tar.gz", Reserved),
        ("COM¹", Reserved),
        ("prn .txt", Reserved),
        ("conin$", Reserved),
        ("a.", TrailingDotOrSpace),
        ("a ", TrailingDotOrSpace),
        ("a /b", TrailingDotOrSpace),
        ("...", TrailingDotOrSpace),
        ("a<b", Character('<')),
        ("a>b", Character('>')),
        ("a\"b", Character('"')),
        ("a|b", Character('|')),
    ];
    for (path, fault) in rows {
        assert_eq!(checkout(path, Portable), Some(fault), "{path:?}");
        assert_eq!(file(path, Portable), Err(fault), "{path:?}");
        assert_eq!(checkout(path, Unix), None, "{path:?}");
        assert_eq!(file(path, Unix), Ok(path.to_owned()), "{path:?}");
    }
}

#[test]
fn file_paths() {
    use PathFault::{Absolute, Character, Dots, Empty, EmptyPart, TooLong};
    let long = "x".repeat(256);
    let deep = "a\\".repeat(100) + "b";
    let rows = [
        ("feed.py", Ok("feed.py")),
        ("subdir/replacer.py", Ok("subdir/replacer.py")),
        ("много ликова.py", Ok("много ликова.py")),
        ("a\\b", Ok("a/b")),
        ("a\\b/c", Ok("a/b/c")),
        ("..a/b..", Ok("..a/b..")),
        ("1:2", Ok("1:2")),
        ("", Err(Empty)),
        ("../x", Err(Dots(".."))),
        ("..\\x", Err(Dots(".."))),
        ("a/../b", Err(Dots(".."))),
        ("a\\..\\..\\b", Err(Dots(".."))),
        ("a/./b", Err(Dots("."))),
        (".", Err(Dots("."))),
        ("..", Err(Dots(".."))),
        ("/x", Err(Absolute)),
        ("\\x", Err(Absolute)),
        ("\\\\host\\share\\x", Err(Absolute)),
        ("\\\\?\\C:\\x", Err(Absolute)),
        ("C:\\x", Err(Absolute)),
        ("c:x", Err(Absolute)),
        ("a//b", Err(EmptyPart)),
        ("a/", Err(EmptyPart)),
        ("a\0b", Err(Character('\0'))),
        (&long, Err(TooLong)),
        (&deep, Err(TooLong)),
    ];
    for (path, expected) in rows {
        assert_eq!(file(path, Unix), expected.map(str::to_owned), "{path:?}");
    }
    assert_eq!(file("x/1:2", Portable), Err(Character(':')), "an alternate data stream");
    assert_eq!(file("a\tb", Portable), Err(Character('\t')));
}

#[test]
fn messages_name_the_path_and_what_to_change() {
    let text = CheckoutPath::parse("shot: 3", Unix).expect_err("has a colon").to_string();
    assert_eq!(text, "checkout path \"shot: 3\" contains the character ':'; choose another name");
    let text = RelativePath::parse("..\\x", Unix).expect_err("leaves").to_string();
    assert_eq!(text, "file path \"..\\\\x\" contains \"..\" as a part; send a path relative to the checkout");
}

#[test]
fn suffixes_go_to_the_part_that_collides() {
    let path = CheckoutPath::parse("a/b/c", Unix).expect("valid");
    assert_eq!(path.with_suffix(2, "x1y2").as_str(), "a/b/c-x1y2");
    assert_eq!(path.with_suffix(0, "x1y2").as_str(), "a-x1y2/b/c");
    let above = path.ancestors().map(|path| path.to_string()).collect::<Vec<_>>();
    assert_eq!(above, ["a/b/c", "a/b", "a"]);
}

/// Walks the components one by one and says how deep the walk ends, or `None` when it ever stands above its start.
fn depth_of_walk(path: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => depth = depth.checked_sub(1)?,
            _ => depth += 1,
        }
    }
    Some(depth)
}

/// Text made of the pieces that attacks are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => Just("/".to_owned()),
        2 => Just("\\".to_owned()),
        3 => Just("..".to_owned()),
        2 => Just(".".to_owned()),
        1 => Just("C:".to_owned()),
        1 => Just("\0".to_owned()),
        1 => Just("NUL".to_owned()),
        1 => Just("%2e%2e%2f".to_owned()),
        1 => Just("\u{ff0f}\u{2024}\u{2024}".to_owned()),
        3 => "[a-zA-Z0-9 .é]{1,4}",
        1 => "\\PC{1,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn accepted_paths_never_leave_their_directory(text in hostile(), portable: bool) {
        let rules = if portable { Portable } else { Unix };
        if let Ok(path) = RelativePath::parse(&text, rules) {
            let parts = path.components().count();
            prop_assert_eq!(depth_of_walk(path.as_str()), Some(parts), "each part leads one level down");
            let joined = std::path::Path::new("/root").join(path.as_str());
            let normal = joined.components().skip(2).all(|part| matches!(part, std::path::Component::Normal(_)));
            prop_assert!(normal && joined.starts_with("/root") && joined != std::path::Path::new("/root"));
            prop_assert_eq!(RelativePath::parse(path.as_str(), rules), Ok(path.clone()), "checking twice is the same");
        }
        if let Ok(path) = CheckoutPath::parse(&text, rules) {
            prop_assert_eq!(depth_of_walk(path.as_str()), Some(path.components().count()));
            prop_assert!(!text.contains(['\\', ':', '\0']));
            prop_assert_eq!(path.as_str(), &text, "never rewritten");
        }
    }

    #[test]
    fn a_walk_that_climbs_out_is_always_refused(text in hostile()) {
        if depth_of_walk(&text).is_none_or(|depth| depth == 0) {
            prop_assert!(RelativePath::parse(&text, Unix).is_err());
            prop_assert!(CheckoutPath::parse(&text, Unix).is_err());
        }
    }

    #[test]
    fn portable_is_stricter(text in hostile()) {
        prop_assert!(RelativePath::parse(&text, Portable).is_err() || RelativePath::parse(&text, Unix).is_ok());
        prop_assert!(CheckoutPath::parse(&text, Portable).is_err() || CheckoutPath::parse(&text, Unix).is_ok());
    }

    #[test]
    fn ordinary_names_are_accepted(parts in proptest::collection::vec("[a-zA-Z0-9_áéþ-]{4,12}", 1..6)) {
        let text = parts.join("/");
        prop_assert!(CheckoutPath::parse(&text, Portable).is_ok());
        prop_assert!(RelativePath::parse(&text, Portable).is_ok());
    }

    #[test]
    fn folding_is_stable(text in "\\PC{0,12}") {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }
}
