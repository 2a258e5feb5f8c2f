use super::*;

#[test]
fn to_slash_replaces_backslashes() {
    for (input, expected) in
        [("", ""), ("a/b", "a/b"), (r"C:\path\to/mixed", "C:/path/to/mixed"), (r"\\n\s", "//n/s")]
    {
        assert_eq!(to_slash(input), expected, "{input:?}");
    }
}

#[test]
fn to_native_changes_only_separators() {
    let (linux, windows) = (Platform::new("linux"), Platform::new("windows"));
    for (input, on_linux, on_windows) in [
        ("", "", ""),
        (".", ".", "."),
        (r"C:\path\to/mixed", "C:/path/to/mixed", r"C:\path\to\mixed"),
        (r"\\?\UNC\A\B", "//?/UNC/A/B", r"\\?\UNC\A\B"),
        ("//?/UNC/A/B", "//?/UNC/A/B", r"\\?\UNC\A\B"),
        ("söme//path/", "söme//path/", r"söme\\path\"),
    ] {
        assert_eq!(to_native(input, &linux), on_linux, "{input:?} on linux");
        assert_eq!(to_native(input, &windows), on_windows, "{input:?} on windows");
    }
}

#[test]
fn roots() {
    for root in ["/", "C:", "C:/", r"C:\", "a:", "z:/", "A:", r"Z:\"] {
        assert!(is_root(root), "{root:?}");
    }
    for other in [
        "",
        r"\",
        "just letters",
        "/subdir",
        r"C:\subdir",
        "C:subdir",
        "/subdir/..",
        r"\\NAS\Share\",
        "//NAS/Share/",
        "é:",
        "1:",
        r"C:\\",
    ] {
        assert!(!is_root(other), "{other:?}");
    }
}

#[test]
fn absolute_in_either_style() {
    for path in ["/", "/a", r"\", r"\a", r"\\nas\share", "//nas/share", r"C:\a", "c:/a", "C:", r"C:\"] {
        assert!(is_absolute(path), "{path:?}");
    }
    for path in ["", ".", "a/b", r"a\b", "C:a", "{jobs}/a", "é:/a", "../a", "CC:/a"] {
        assert!(!is_absolute(path), "{path:?}");
    }
}

#[test]
fn unc_has_two_backslashes() {
    for path in [r"\\SERVER\Share\x", r"\\.\NUL", r"\\?\UNC\SERVER\Share", r"\\"] {
        assert!(is_unc(path), "{path:?}");
    }
    for path in ["//blendfile/relative.path", r"C:\x", "/posix", "", r"\"] {
        assert!(!is_unc(path), "{path:?}");
    }
}

#[test]
fn to_platform_table() {
    for (input, windows, linux) in [
        ("", "", ""),
        ("a b", "a b", "a b"),
        ("opposite/path", r"opposite\path", "opposite/path"),
        (r"opposite\path", r"opposite\path", "opposite/path"),
        (r"F:/mixed/path\to\file.blend", r"F:\mixed\path\to\file.blend", "F:/mixed/path/to/file.blend"),
        (r"K:/mix/x\y.blend", r"K:\mix\x\y.blend", "K:/mix/x/y.blend"),
        ("/absolute/path", r"\absolute\path", "/absolute/path"),
        ("/abs/p/", r"\abs\p", "/abs/p"),
        ("/dir/path/", r"\dir\path", "/dir/path"),
        (r"F:\", r"F:\", "F:"),
        ("K:/", r"K:\", "K:"),
        (r"F:\directory\", r"F:\directory", "F:/directory"),
        (r"K:x\y", r"K:\x\y", "K:x/y"),
        (r"\\NAS\share\path", r"\\NAS\share\path", "//NAS/share/path"),
        (r"\\nas\s\p", r"\\nas\s\p", "//nas/s/p"),
        ("//nas//s///p//", r"\\nas\s\p", "//nas/s/p"),
        ("/", r"\", "/"),
        (r"\", r"\", "/"),
        ("é:/x", r"é:\x", "é:/x"),
    ] {
        assert_eq!(to_platform(input, &Platform::new("windows")), windows, "{input:?} on windows");
        assert_eq!(to_platform(input, &Platform::new("linux")), linux, "{input:?} on linux");
        assert_eq!(to_platform(input, &Platform::new("darwin")), linux, "{input:?} on darwin");
    }
}

#[test]
fn trailing_separators_are_dropped() {
    for (input, expected) in [
        ("", ""),
        ("/", "/"),
        (r"\", r"\"),
        ("///", "/"),
        (r"\\\", r"\"),
        (r"/\\", "/"),
        (r"\//", r"\"),
        ("no/trailing", "no/trailing"),
        ("trailing/slashes///", "trailing/slashes"),
        ("trailing/space/ ", "trailing/space/ "),
        (r"trailing\backslashes\\\", r"trailing\backslashes"),
        ("é/", "é"),
    ] {
        assert_eq!(trim_trailing_separator(input), expected, "{input:?}");
    }
}

#[test]
fn drives_become_absolute() {
    for (input, expected) in [
        (r"F:path\to\file", r"F:\path\to\file"),
        ("F:path/to/file", r"F:\path/to/file"),
        ("F:", r"F:\"),
        ("f:é", r"f:\é"),
    ] {
        assert_eq!(make_drive_absolute(input), expected, "{input:?}");
    }
    for unchanged in [
        "",
        "/",
        "/söme/path",
        "F",
        "€",
        r"©:path\to\thing",
        r"\\NAS\x",
        r"F:\some\path",
        "F:/some/path",
        r"F:\",
    ] {
        assert_eq!(make_drive_absolute(unchanged), unchanged);
    }
}
