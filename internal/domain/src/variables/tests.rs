use super::*;
use proptest::prelude::*;
use serde_json::json;

const JOBS_PATH: &str = "/data/farm/jobs";

fn value(audience: Option<Audience>, platform: &str, value: &str) -> DefinedValue {
    DefinedValue { audience, platforms: vec![platform.to_owned()], value: value.to_owned() }
}

fn define(is_twoway: bool, values: &[(&str, &str)]) -> Definition {
    let values = values.iter().map(|(platform, text)| value(None, platform, text)).collect();
    Definition { is_twoway, values }
}

fn variables_on(platform: &str, jobs_path: &str, definitions: &[(&str, Definition)]) -> Variables {
    let definitions =
        definitions.iter().map(|(name, definition)| ((*name).to_owned(), definition.clone())).collect();
    Variables::new(&definitions, &Platform::new(platform), jobs_path)
}

/// The farm of most tables: `store` on Linux and Windows, and two programs.
fn farm() -> Variables {
    variables_on(
        "linux",
        JOBS_PATH,
        &[
            ("store", define(true, &[("linux", "/data/farm"), ("windows", r"K:\Data\farm")])),
            ("blender", define(false, &[("linux", "/opt/blender"), ("windows", r"C:\blender.exe")])),
            ("blenderArgs", define(false, &[("all", "-b -y")])),
        ],
    )
}

fn expand(variables: &Variables, text: &str, platform: &str) -> String {
    variables.expand(text, Audience::Workers, &Platform::new(platform))
}

fn to_variables(variables: &Variables, text: &str, platform: &str) -> String {
    variables.to_variables(text, &Platform::new(platform))
}

#[test]
fn lookup_overlays_the_platform_on_all() {
    let variables = variables_on(
        "linux",
        JOBS_PATH,
        &[
            ("tool", define(false, &[("linux", "specific"), ("all", "general")])),
            ("args", define(false, &[("all", "-b")])),
            ("mac", define(false, &[("darwin", "m")])),
        ],
    );
    let table = |platform: &str| -> Vec<(String, String)> {
        let found = variables.lookup(Audience::Users, &Platform::new(platform));
        found.into_iter().map(|(name, value)| (name, value.value)).collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let jobs = pair("jobs", JOBS_PATH);
    assert_eq!(table("linux"), [pair("args", "-b"), jobs.clone(), pair("tool", "specific")]);
    assert_eq!(
        table("darwin"),
        [pair("args", "-b"), jobs.clone(), pair("mac", "m"), pair("tool", "general")]
    );
    assert_eq!(table("haiku"), [pair("args", "-b"), jobs, pair("tool", "general")]);
}

#[test]
fn lookup_knows_audiences_and_platform_lists() {
    let definition = Definition {
        is_twoway: true,
        values: vec![
            value(Some(Audience::Users), "linux", "/u/pool/"),
            value(Some(Audience::Workers), "linux", "/w/pool"),
            DefinedValue {
                audience: None,
                platforms: vec!["darwin".into(), "windows".into()],
                value: "P:\\".into(),
            },
            DefinedValue { audience: None, platforms: vec![], value: "nobody".into() },
        ],
    };
    let variables = variables_on("linux", JOBS_PATH, &[("pool", definition)]);
    for (audience, platform, expected) in [
        (Audience::Users, "linux", Some("/u/pool")),
        (Audience::Workers, "linux", Some("/w/pool")),
        (Audience::Workers, "darwin", Some("P:")),
        (Audience::Users, "windows", Some("P:")),
        (Audience::Users, "haiku", None),
    ] {
        let found = variables.lookup(audience, &Platform::new(platform));
        assert_eq!(found.get("pool").map(|value| value.value.as_str()), expected, "{audience:?} {platform}");
        assert!(found.get("pool").is_none_or(|value| value.is_twoway));
    }
}

#[test]
fn twoway_values_lose_their_trailing_separators() {
    for (defined, is_twoway, expected) in [
        ("/", true, "/"),
        (r"F:\", true, "F:"),
        ("/data/", true, "/data"),
        (r"\\nas\share\", true, r"\\nas\share"),
        ("/data/ ", true, "/data/ "),
        ("/data/", false, "/data/"),
    ] {
        let variables = variables_on("linux", JOBS_PATH, &[("v", define(is_twoway, &[("linux", defined)]))]);
        let found = variables.lookup(Audience::Workers, &Platform::new("linux"));
        assert_eq!(found["v"].value, expected, "{defined:?}");
    }
}

#[test]
fn a_defined_jobs_variable_is_ignored() {
    let variables = variables_on("linux", JOBS_PATH, &[("jobs", define(true, &[("all", "/elsewhere")]))]);
    let found = variables.lookup(Audience::Users, &Platform::new("linux"));
    assert_eq!(found["jobs"], Value { is_twoway: false, value: JOBS_PATH.to_owned() });
}

#[test]
fn submission_table() {
    for (platform, input, expected) in [
        ("windows", r"K:\Data\farm\a\b.blend", r"{store}\a\b.blend"),
        ("windows", "K:/Data/farm/a/b.blend", "{store}/a/b.blend"),
        ("windows", r"k:\DATA\farm\A\b.blend", r"{store}\A\b.blend"),
        ("linux", r"/data\farm\a\b.blend", r"{store}\a\b.blend"),
        ("linux", "/data/farm", "{store}"),
        ("linux", "/backup/data/farm/x", "/backup/data/farm/x"),
        ("linux", "/data/farm2/x", "/data/farm2/x"),
        ("linux", "{store}/x", "{store}/x"),
        // A one-way value is never turned into a variable.
        ("linux", "/opt/blender", "/opt/blender"),
        ("linux", "/data/farm/jobs/x", "{store}/jobs/x"),
        // No value for this platform.
        ("darwin", "/data/farm/x", "/data/farm/x"),
        ("linux", "", ""),
    ] {
        assert_eq!(to_variables(&farm(), input, platform), expected, "{platform} {input:?}");
    }
}

#[test]
fn submission_of_a_whole_job() {
    let variables = variables_on(
        "linux",
        "/render/jobs",
        &[
            ("jobbies", define(true, &[("linux", "/render/jobs")])),
            ("frames", define(true, &[("linux", "/render/frames")])),
            ("projects", define(true, &[("linux", "/projects")])),
            ("oneway", define(false, &[("linux", "/oneway")])),
        ],
    );
    let linux = Platform::new("linux");
    let mut settings = json!({
        "result": "/render/frames/exploding.kittens", "frames": "1-10", "fps": 24, "flag": true,
        "list": ["/projects/x"], "nested": {"path": "/projects/x"}, "tool": "/oneway/x",
    });
    variables.replace_in_settings(settings.as_object_mut().unwrap(), &linux);
    assert_eq!(
        settings,
        json!({
            "result": "{frames}/exploding.kittens", "frames": "1-10", "fps": 24, "flag": true,
            "list": ["/projects/x"], "nested": {"path": "/projects/x"}, "tool": "/oneway/x",
        })
    );
    let mut metadata =
        BTreeMap::from([("project", "/projects/exploding-kittens".to_owned()), ("shot", "010".to_owned())]);
    variables.replace_in_metadata(metadata.values_mut(), &linux);
    assert_eq!(metadata["project"], "{projects}/exploding-kittens");
    assert_eq!(metadata["shot"], "010");
}

#[test]
fn the_longest_value_wins() {
    let variables = variables_on(
        "linux",
        JOBS_PATH,
        &[
            ("a_root", define(true, &[("linux", "/"), ("windows", "R:\\"), ("darwin", "/mnt")])),
            ("b_long", define(true, &[("linux", "/data/farm/shots"), ("windows", "S:\\")])),
            ("c_mid", define(true, &[("linux", "/data/farm"), ("windows", "T:\\")])),
            ("d_same", define(true, &[("linux", "/data/farm"), ("windows", "U:\\")])),
        ],
    );
    for (input, variable, windows) in [
        ("/data/farm/shots/x", "{b_long}/x", r"S:\x"),
        ("/data/farm/shots", "{b_long}", r"S:\"),
        ("/data/farm/shots2/x", "{c_mid}/shots2/x", r"T:\shots2\x"),
        ("/data/x", "{a_root}/data/x", r"R:\data\x"),
        ("/", "{a_root}", r"R:\"),
    ] {
        let stored = to_variables(&variables, input, "linux");
        assert_eq!(stored, variable, "{input}");
        assert_eq!(expand(&variables, &stored, "windows"), windows, "{stored}");
        assert_eq!(expand(&variables, &stored, "linux"), input, "{stored}");
        assert_eq!(expand(&variables, input, "windows"), windows, "{input}");
    }
    assert_eq!(expand(&variables, "{a_root}/data/x", "darwin"), "/mnt/data/x");
    assert_eq!(expand(&variables, "{a_root}", "darwin"), "/mnt");
}

#[test]
fn users_are_tried_before_workers() {
    let definition = |users: &str, workers: &str| Definition {
        is_twoway: true,
        values: vec![
            value(Some(Audience::Users), "linux", users),
            value(Some(Audience::Workers), "linux", workers),
            value(None, "windows", "P:\\"),
        ],
    };
    let variables = variables_on(
        "linux",
        JOBS_PATH,
        &[("home", definition("/home/shared", "/w")), ("work", definition("/u", "/home/shared/work"))],
    );
    // As a user `/home/shared` is `home`, although a longer value of the workers matches too.
    assert_eq!(to_variables(&variables, "/home/shared/work/x", "linux"), "{home}/work/x");
    assert_eq!(to_variables(&variables, "/w/x", "linux"), "{home}/x");
}

#[test]
fn expansion_table() {
    for (platform, input, expected) in [
        ("windows", "{store}/a/b.blend", r"K:\Data\farm\a\b.blend"),
        ("windows", r"{store}\a\b.blend", r"K:\Data\farm\a\b.blend"),
        ("linux", r"{store}\a/b.blend", "/data/farm/a/b.blend"),
        ("windows", "/data/farm/out/*.webp", r"K:\Data\farm\out\*.webp"),
        ("windows", "/data/farm", r"K:\Data\farm"),
        ("windows", "/DATA/Farm/x", r"K:\Data\farm\x"),
        ("windows", "/data/farming/x", "/data/farming/x"),
        ("darwin", "{store}/x", "{store}/x"),
        ("linux", "{blender} and {blender}", "/opt/blender and /opt/blender"),
        ("windows", "{blender} and {blender}", r"C:\blender.exe and C:\blender.exe"),
        ("windows", "{jobs}/shot/a.blend", r"K:\Data\farm\jobs\shot\a.blend"),
        ("linux", "{jobs}/shot/a.blend", "/data/farm/jobs/shot/a.blend"),
        ("darwin", "{jobs}/shot/a.blend", "/data/farm/jobs/shot/a.blend"),
        ("windows", "pad=ceil(iw/2)*2", "pad=ceil(iw/2)*2"),
        ("windows", "--out={store}/x", r"--out=K:\Data\farm\x"),
        ("linux", "{unknown} {} { } {{blender}} {blender", "{unknown} {} { } {/opt/blender} {blender"),
        ("linux", "{frame{blenderArgs}}", "{frame-b -y}"),
        // Same value on both sides: the letters may name another path than the value does.
        ("linux", r"/DATA/farm\x", "/DATA/farm/x"),
        ("linux", r"a\b//c/", r"a\b//c/"),
        ("linux", "", ""),
        ("windows", "", ""),
        ("windows", "ü{store}ö", r"üK:\Data\farmö"),
    ] {
        assert_eq!(expand(&farm(), input, platform), expected, "{platform} {input:?}");
    }
}

#[test]
fn drives_become_absolute() {
    let variables = variables_on(
        "linux",
        "/net/farm",
        &[("pool", define(true, &[("linux", "/net/farm"), ("windows", r"F:\")]))],
    );
    for (input, expected) in [
        ("{pool}", r"F:\"),
        ("{pool}x", r"F:\x"),
        ("{pool}/x", r"F:\x"),
        ("/net/farm", r"F:\"),
        ("/net/farm/x", r"F:\x"),
        ("-o={pool}x", r"-o=F:\x"),
    ] {
        assert_eq!(expand(&variables, input, "windows"), expected, "{input}");
    }
}

#[test]
fn oneway_values_may_use_twoway_variables_but_not_one_another() {
    let variables = variables_on(
        "linux",
        JOBS_PATH,
        &[
            ("store", define(true, &[("linux", "/data"), ("windows", r"K:\")])),
            ("tool", define(false, &[("all", "{store}/bin/{other}")])),
            ("other", define(false, &[("all", "{tool}")])),
        ],
    );
    assert_eq!(expand(&variables, "{tool}", "windows"), r"K:\bin\{other}");
    assert_eq!(expand(&variables, "{tool}", "linux"), "/data/bin/{other}");
}

#[test]
fn an_expanded_path_is_not_translated_again() {
    // Where the manager keeps renders, a Mac keeps textures.
    let variables = variables_on(
        "linux",
        JOBS_PATH,
        &[
            ("renders", define(true, &[("linux", "/pool/a"), ("darwin", "/pool/b")])),
            ("textures", define(true, &[("linux", "/pool/b"), ("darwin", "/pool/c")])),
        ],
    );
    assert_eq!(expand(&variables, "{renders}/x", "darwin"), "/pool/b/x");
    assert_eq!(expand(&variables, "/pool/a/x", "darwin"), "/pool/b/x");
}

#[test]
fn shared_storage_table() {
    let values = |users: &str, workers: &str, windows: &str| {
        let values = vec![
            value(Some(Audience::Users), "linux", users),
            value(Some(Audience::Workers), "linux", workers),
            value(None, "windows", windows),
        ];
        Definition { is_twoway: true, values }
    };
    let on_windows = ("windows", r"T:\pool\farm", values("/u/pool", "/w/pool", r"T:\pool"));
    let on_linux = ("linux", "/net/farm", values("/net/farm", "/net/farm", r"K:\"));
    for ((manager, path, definition), audience, platform, expected) in [
        (&on_windows, Audience::Users, "linux", "/u/pool/farm"),
        (&on_windows, Audience::Workers, "linux", "/w/pool/farm"),
        (&on_windows, Audience::Users, "windows", r"T:\pool\farm"),
        (&on_windows, Audience::Users, "darwin", r"T:\pool\farm"),
        (&on_linux, Audience::Users, "windows", r"K:\"),
        (&on_linux, Audience::Users, "linux", "/net/farm"),
    ] {
        let variables = variables_on(manager, path, &[("pool", definition.clone())]);
        let found = variables.shared_storage(audience, &Platform::new(platform));
        assert_eq!(found, expected, "manager on {manager}, {audience:?} on {platform}");
    }
}

#[test]
fn parameters_of_a_command() {
    let variables = variables_on(
        "linux",
        "/projects/jobs",
        &[
            ("projects", define(true, &[("linux", "/projects"), ("windows", "P:\\")])),
            ("ffmpeg", define(false, &[("all", "ffmpeg")])),
            ("blender", define(false, &[("all", "blender.exe")])),
        ],
    );
    let parameters = json!({
        "exe": "{ffmpeg}",
        "fps": 24.5,
        "inputGlob": "/projects/charge/renders/*.webp",
        "{blender}": "{blender} {blender}",
        "args": ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "{projects}/out.mp4", 47, true, null, ["{blender}"]],
        "nested": {"path": "{projects}/x"},
        "flag": false,
    });
    let found = variables.expand_parameters(
        parameters.as_object().unwrap(),
        Audience::Workers,
        &Platform::new("windows"),
    );
    assert_eq!(
        Json::Object(found),
        json!({
            "exe": "ffmpeg",
            "fps": 24.5,
            "inputGlob": r"P:\charge\renders\*.webp",
            "{blender}": "blender.exe blender.exe",
            "args": ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", r"P:\out.mp4", 47, true, null, ["{blender}"]],
            "nested": {"path": "{projects}/x"},
            "flag": false,
        })
    );
}

proptest! {
    /// A clean path under a two-way value survives the way through the database.
    #[test]
    fn there_and_back(parts in proptest::collection::vec("[a-z0-9ßéK.#-]{1,8}", 0..6)) {
        let path = parts.iter().fold("/data/farm".to_owned(), |path, part| path + "/" + part);
        let stored = to_variables(&farm(), &path, "linux");
        prop_assert_eq!(stored.split_once("}").map(|(name, _)| name), Some("{store"));
        prop_assert_eq!(expand(&farm(), &stored, "linux"), path.clone());
        let windows = expand(&farm(), &stored, "windows");
        prop_assert_eq!(to_platform(&to_variables(&farm(), &windows, "windows"), &Platform::new("linux")), stored);
    }

    /// No text makes it panic, and one without braces and separators stays as it is.
    #[test]
    fn any_text(text in "\\PC{0,40}", braces in "[{}/\\\\a-z:]{0,30}") {
        for platform in ["linux", "windows", "darwin"] {
            for text in [&text, &braces] {
                let expanded = expand(&farm(), &to_variables(&farm(), text, platform), platform);
                if !text.contains(['{', '/', '\\']) {
                    prop_assert_eq!(&expanded, text);
                }
            }
        }
    }
}
