use super::*;
use flamenco_domain::role::Role;
use flamenco_domain::variables::{Audience, DefinedValue, Definition};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const FILE: &str = "/srv/farm/flamenco-manager.yaml";

fn load(text: &str) -> Loaded {
    Config::parse(text, Path::new(FILE), &Environment::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn problems(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new(FILE), &Environment::default()) {
        Err(ConfigError::Invalid { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

fn warnings(text: &str) -> Vec<String> {
    load(text).warnings.iter().map(ToString::to_string).collect()
}

/// All keys of a tree, with those around them.
fn keys(json: &serde_json::Value, prefix: &str, found: &mut Vec<String>) {
    let Some(map) = json.as_object() else { return };
    for (key, value) in map {
        let name = format!("{prefix}{key}");
        if name != "variables" {
            keys(value, &format!("{name}."), found);
        }
        found.push(name);
    }
}

#[test]
fn the_default_file_is_the_default() {
    let loaded = load(DEFAULT_FILE);
    assert_eq!(loaded.warnings, []);
    let expected = Settings {
        // The one value that depends on the platform.
        shaman: ShamanSettings { enabled: true, ..Settings::default().shaman },
        ..Settings::default()
    };
    assert_eq!(loaded.config.settings, expected);
    assert_eq!(yaml::render(&expected.to_node(Secrets::Shown)), DEFAULT_FILE);
}

#[test]
fn the_default_file_explains_every_key() {
    let mut all = Vec::new();
    keys(&load("").config.to_json(Secrets::Shown), "", &mut all);
    assert!(all.len() > 25, "{all:?}");
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for name in all {
        let key = name.rsplit('.').next().unwrap();
        let indent = "  ".repeat(name.matches('.').count());
        let line = lines.iter().position(|line| line.starts_with(&format!("{indent}{key}:")));
        assert!(line.is_some(), "{name} is missing");
        // A group of keys may share one explanation.
        let before = &lines[..line.unwrap()];
        let group = before.iter().rev().take_while(|line| !line.trim().is_empty());
        assert!(group.into_iter().any(|line| line.trim_start().starts_with('#')), "{name} is not explained");
    }
}

#[test]
fn a_missing_file_is_a_working_first_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let loaded = Config::load(&dir.join(FILE_NAME), &Environment::default()).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert!(config.first_run);
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.file, dir.join("flamenco-manager.yaml"));
    assert_eq!(config.database, Database::Sqlite(dir.join("flamenco-manager.sqlite")));
    assert_eq!(config.local_storage, dir.join("flamenco-manager-storage"));
    assert_eq!(config.shared_storage, dir.join("flamenco-shared-storage"));
    assert_eq!(config.listen, ListenAddress { host: String::new(), port: 8080 });
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = load(
        "_meta: {version: 3}\ndatabase: ' db/farm.sqlite '\nshared_storage_path: ../shared/./x\n\
         local_manager_storage_path: /var/flamenco\nscripts_paths: [scripts, /opt/scripts]\n",
    )
    .config;
    assert!(!config.first_run);
    assert_eq!(config.database, Database::Sqlite("/srv/farm/db/farm.sqlite".into()));
    assert_eq!(config.shared_storage, Path::new("/srv/farm/../shared/x"));
    assert_eq!(config.local_storage, Path::new("/var/flamenco"));
    assert_eq!(config.scripts_paths, [Path::new("/srv/farm/scripts"), Path::new("/opt/scripts")]);
}

#[test]
fn jobs_are_in_a_directory_of_their_own_with_shaman() {
    for (enabled, expected) in [(true, "/net/farm/jobs"), (false, "/net/farm")] {
        let text = format!(
            "_meta: {{version: 3}}\nshared_storage_path: /net/farm/\nshaman: {{enabled: {enabled}}}\n"
        );
        let config = load(&text).config;
        assert_eq!(config.jobs_path, expected);
        let variables = config.variables();
        assert_eq!(variables.shared_storage(Audience::Users, &Platform::new("linux")), expected);
        assert_eq!(
            variables.expand("{jobs}/x", Audience::Workers, &Platform::new("linux")),
            format!("{expected}/x")
        );
    }
    // Nobody has set up the storage, so there is no file store.
    assert_eq!(load("").config.jobs_path, "/srv/farm/flamenco-shared-storage");
}

#[test]
fn every_key_is_read() {
    let config = load(
        "_meta:\n  version: 3\nmanager_name: 12\ndatabase: postgres://me:s3cret@db/farm\n\
         database_check_period: 0\nlisten: 127.0.0.1:80\nautodiscoverable: no\nlocal_manager_storage_path: a\n\
         shared_storage_path: b\nshaman:\n  enabled: Off\n  linkType: HardLink\n  flush: no\n  deferUploads: yes\n\
         \x20 garbageCollect:\n    period: 1h\n    maxAge: 1.5h\n\
         thumbnail_storage_mb: 5\ntask_timeout: 1m\nworker_timeout: '0s'\nworker_disk_limit: 95\n\
         blocklist_threshold: 0\ntask_fail_after_softfail_count: 7\n\
         scripts_paths: [c]\nscript_time_limit: 250ms\nmqtt:\n  client:\n    enabled: true\n\
         \x20   broker: tcp://broker:1883\n    clientID: me\n    topic_prefix: ''\n    username: u\n    password: p\n\
         access:\n  admin_token: 0123456789abcdef\n  artist_token: 0123456789artist\n\
         \x20 viewer_token: 0123456789viewer\n  without_token: Viewer\n\
         \x20 registration_token: fedcba9876543210\n  allowed_origins: [https://farm]\naudit_max_age: 720h\n\
         variables: {}\n",
    )
    .config;
    assert_eq!(
        config.settings,
        Settings {
            manager_name: "12".into(),
            database: DatabaseAddress::new("postgres://me:s3cret@db/farm"),
            database_check_period: Duration::ZERO,
            listen: "127.0.0.1:80".into(),
            autodiscoverable: false,
            local_manager_storage_path: "a".into(),
            shared_storage_path: "b".into(),
            shaman: ShamanSettings {
                enabled: false,
                link_type: flamenco_shaman::LinkMode::Hardlink,
                flush: false,
                defer_uploads: true,
                garbage_collect_period: Duration::from_secs(3600),
                garbage_collect_max_age: Duration::from_secs(5400),
            },
            thumbnail_storage_mb: 5,
            task_timeout: Duration::from_secs(60),
            worker_timeout: Duration::ZERO,
            worker_disk_limit: 95,
            blocklist_threshold: 0,
            task_fail_after_softfail_count: 7,
            scripts_paths: vec!["c".into()],
            script_time_limit: Duration::from_millis(250),
            mqtt: MqttSettings {
                enabled: true,
                broker: "tcp://broker:1883".into(),
                client_id: "me".into(),
                topic_prefix: String::new(),
                username: "u".into(),
                password: Secret::new("p"),
            },
            access: AccessSettings {
                admin_token: Secret::new("0123456789abcdef"),
                artist_token: Secret::new("0123456789artist"),
                viewer_token: Secret::new("0123456789viewer"),
                without_token: Role::Viewer,
                registration_token: Secret::new("fedcba9876543210"),
                allowed_origins: vec!["https://farm".into()],
            },
            audit_max_age: Duration::from_secs(30 * 24 * 3600),
            variables: BTreeMap::new(),
        }
    );
    assert_eq!(config.database, Database::Postgres(DatabaseAddress::new("postgres://me:s3cret@db/farm")));
}

#[test]
fn all_problems_are_named_at_once() {
    let found = problems(
        "_meta:\n  version: 2\nlisten: 8080\ntask_timeout: 90\nworker_timeout: soon\nautodiscoverable: perhaps\n\
         blocklist_threshold: -1\nshaman: yes\nmqtt:\n  client:\n    enabled: 'true'\nmanager_name: [a]\n\
         database: mysql://host/x\nlocal_manager_storage_path: ''\nshared_storage_path: K:\\farm\n\
         scripts_paths: one\nscript_time_limit: 0s\nvariables:\n  'a{b': {}\n  c:\n    values: text\n",
    );
    let expected = [
        ("line 2: _meta.version: ", "version 3 only"),
        ("line 3: listen: ", "write \":8080\""),
        ("line 4: task_timeout: ", "\"90s\""),
        ("line 5: worker_timeout: ", "not a duration"),
        ("line 6: autodiscoverable: ", "expected true or false"),
        ("line 7: blocklist_threshold: ", "whole number"),
        ("line 8: shaman: ", "keys of its own"),
        ("line 11: mqtt.client.enabled: ", "without quotes"),
        ("line 12: manager_name: ", "expected text, found a list"),
        ("line 13: database: ", "mysql://"),
        ("line 14: local_manager_storage_path: ", "must not be empty"),
        ("line 15: shared_storage_path: ", "Windows path"),
        ("line 16: scripts_paths: ", "list of texts"),
        ("line 17: script_time_limit: ", "5s"),
        ("line 19: variables.a{b: ", "must not be blank or contain"),
        ("line 21: variables.c.values: ", "expected a list"),
    ];
    for (place, advice) in expected {
        let named =
            found.iter().filter(|problem| problem.starts_with(place) && problem.contains(advice)).count();
        assert_eq!(named, 1, "{place} {advice} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_is_not_yaml_is_located() {
    for (text, line) in [
        ("listen: ':8080'\n  bad: [\n", "line 2: "),
        ("a: 1\nb: {\n", "line "),
        ("a: 1\na: 2\n", "line 2: "),
        ("a: 1\n---\nb: 2\n", "line "),
        ("just text", "line 1: expected key: value"),
        ("- a\n- b\n", "line 1: expected key: value, found a list"),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert!(found[0].starts_with(line), "{text:?}: {found:?}");
    }
}

#[test]
fn an_error_lists_everything_below_the_file() {
    let error =
        Config::parse("task_timeout: y\nlisten: x\nlisen: z\n", Path::new(FILE), &Environment::default())
            .unwrap_err();
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "/srv/farm/flamenco-manager.yaml cannot be used:");
    assert!(lines[1].starts_with("  line 1: task_timeout: "), "{text}");
    assert!(lines[2].starts_with("  line 2: listen: "), "{text}");
    assert!(lines[3..].iter().any(|line| line.starts_with("  warning: line 3: lisen: ")), "{text}");
}

#[test]
fn warnings_table() {
    for (text, expected) in [
        ("lisen: ':80'\n", "line 2: lisen: unknown key, ignored; did you mean listen?"),
        ("colour: red\n", "line 2: colour: unknown key, ignored"),
        (
            "shaman:\n  garbagecollect: {}\n",
            "shaman.garbagecollect: unknown key, ignored; did you mean garbageCollect?",
        ),
        ("manager_secret: x\n", "line 2: manager_secret: this key is no longer used; remove it"),
        ("mqtt: {client: {enabled: true}}\n", "mqtt.client.broker: MQTT stays off: there is no address"),
        ("mqtt: {client: {enabled: true, broker: 'host:1883'}}\n", "MQTT stays off"),
        ("shared_storage_path: \\\\nas\\farm\n", "UNC paths"),
        ("variables: {}\n", "variables.blender: not defined"),
        ("variables: {jobs: {values: []}}\n", "variables.jobs: this variable is set by the manager itself"),
        (
            "variables: {blender: {values: [{platform: linux, value: b}]}}\n",
            "variables.blender: no value for windows and darwin",
        ),
        ("variables: {a: {values: [{value: b}]}}\n", "variables.a.values[0].platform: no platform"),
        ("variables: {a: {values: [{platform: all}]}}\n", "variables.a.values[0].value: missing"),
        ("variables: {a: {}}\n", "variables.a.values: missing"),
        (
            "variables: {a: {values: [{platform: linux, value: b, audience: artists}]}}\n",
            "variables.a.values[0].audience: \"artists\" is unknown",
        ),
        (
            "variables: {a: {direction: twoway, values: []}}\n",
            "variables.a.direction: this key is no longer used",
        ),
        ("variables: {a: {values: [{platform: macOS, value: b}]}}\n", "did you mean darwin?"),
        (
            "variables: {a: {values: [{platform: linux, platforms: [darwin], value: b}]}}\n",
            "variables.a.values[0].platform: both platform and platforms",
        ),
    ] {
        let found = warnings(&format!("_meta: {{version: 3}}\n{text}"));
        assert!(found.iter().any(|warning| warning.contains(expected)), "{text:?}: {found:#?}");
    }
    assert_eq!(warnings(""), [""; 0]);
    let without_version = warnings("listen: ':80'\n");
    assert!(
        without_version.len() == 1 && without_version[0].contains("_meta.version"),
        "{without_version:?}"
    );
}

#[test]
fn keys_without_a_value_keep_their_default() {
    let config = load("_meta: {version: 3}\nlisten:\nshaman:\nvariables:\ntask_timeout: ~\n").config;
    assert_eq!(config.settings, Settings::default());
}

#[test]
fn backslashes_are_what_yaml_says() {
    for (written, expected) in [
        (r"C:\a\b.exe", r"C:\a\b.exe"),
        (r"C:\temp\new", r"C:\temp\new"),
        (r"F:\", r"F:\"),
        (r"C:\\a", r"C:\\a"),
        (r"'C:\a'", r"C:\a"),
        (r#""C:\\a""#, r"C:\a"),
        (r#""a\tb""#, "a\tb"),
    ] {
        let text = format!(
            "_meta: {{version: 3}}\nvariables:\n  v:\n    values:\n    - platform: all\n      value: {written}\n"
        );
        assert_eq!(load(&text).config.settings.variables["v"].values[0].value, expected, "{written}");
    }
}

#[test]
fn files_from_any_editor_are_read() {
    for text in [
        "\u{feff}_meta: {version: 3}\nlisten: &name x:80\nmanager_name: *name\n",
        "_meta:\r\n  version: 3\r\nlisten: x:80\r\nmanager_name: x:80\r\n",
        "---\n_meta: {version: 3}\nlisten: !!str x:80\nmanager_name: >-\n  x:80\n...\n",
        "{\"_meta\": {\"version\": 3}, \"listen\": \"x:80\", \"manager_name\": \"x:80\"}",
    ] {
        let loaded = load(text);
        assert_eq!(loaded.warnings, [], "{text:?}");
        assert_eq!(loaded.config.listen.to_string(), "x:80", "{text:?}");
        assert_eq!(loaded.config.settings.manager_name, "x:80", "{text:?}");
    }
}

#[test]
fn variables_are_read_completely() {
    let config = load(
        "_meta: {version: 3}\nvariables:\n  store:\n    is_twoway: true\n    values:\n\
         \x20     - audience: users\n        platforms: [linux, darwin]\n        value: /u\n\
         \x20     - {audience: workers, platform: windows, value: 'W:\\'}\n",
    )
    .config;
    let value = |audience, platforms: &[&str], value: &str| DefinedValue {
        audience: Some(audience),
        platforms: platforms.iter().map(|name| (*name).to_owned()).collect(),
        value: value.to_owned(),
    };
    let values = vec![
        value(Audience::Users, &["linux", "darwin"], "/u"),
        value(Audience::Workers, &["windows"], "W:\\"),
    ];
    assert_eq!(
        config.settings.variables,
        BTreeMap::from([("store".to_owned(), Definition { is_twoway: true, values })])
    );
}

#[test]
fn the_environment_overrules_the_file() {
    let environment = Environment {
        listen: Some("localhost:81".into()),
        database: Some(DatabaseAddress::new("postgres://u:s3cret@h/d")),
        shared_storage: Some("elsewhere".into()),
    };
    let text = "_meta: {version: 3}\nlisten: nonsense\ndatabase: x.sqlite\n";
    let config = Config::parse(text, Path::new(FILE), &environment).unwrap().config;
    assert_eq!(config.listen.to_string(), "localhost:81");
    assert_eq!(config.database, Database::Postgres(DatabaseAddress::new("postgres://u:s3cret@h/d")));
    assert_eq!(config.shared_storage, Path::new("/srv/farm/elsewhere"));
    assert!(!config.first_run);
    let written = config.to_yaml(DateTime::UNIX_EPOCH);
    assert!(
        !written.contains("s3cret") && !written.contains("elsewhere") && written.contains("listen: nonsense")
    );

    let wrong = Environment { listen: Some("81".into()), ..Environment::default() };
    let error = Config::parse("", Path::new(FILE), &wrong).unwrap_err().to_string();
    assert!(error.contains("FLAMENCO_LISTEN: \"81\" has no colon"), "{error}");
}

#[test]
fn tokens_are_checked() {
    for (text, key, why) in [
        ("access: {admin_token: short}\n", "access.admin_token", "at least 16"),
        (
            "access: {registration_token: 'with blanks in the middle'}\n",
            "access.registration_token",
            "letters",
        ),
        ("access: {admin_token: schlüssel-schlüssel}\n", "access.admin_token", "letters"),
        (
            "access: {admin_token: 0123456789abcdef, viewer_token: short}\n",
            "access.viewer_token",
            "at least 16",
        ),
        (
            "access: {admin_token: 0123456789abcdef, artist_token: 0123456789abcdef}\n",
            "access.artist_token",
            "same as access.admin_token",
        ),
        (
            "access: {admin_token: 0123456789abcdef, artist_token: fedcba9876543210, viewer_token: fedcba9876543210}\n",
            "access.viewer_token",
            "same as access.artist_token",
        ),
        ("access: {artist_token: 0123456789abcdef}\n", "access.artist_token", "set access.admin_token"),
        ("access: {viewer_token: 0123456789abcdef}\n", "access.viewer_token", "set access.admin_token"),
        (
            "access: {admin_token: 0123456789abcdef, without_token: admin}\n",
            "access.without_token",
            "nothing, viewer, artist",
        ),
        (
            "access: {admin_token: 0123456789abcdef, registration_token: 0123456789abcdef}\n",
            "access.registration_token",
            "another one",
        ),
        ("access: {allowed_origins: [farm.example]}\n", "access.allowed_origins", "https://host"),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(key) && found[0].contains(why), "{found:?}");
        assert!(
            !found[0].contains("short") && !found[0].contains("0123"),
            "a token is never shown: {found:?}"
        );
    }
}

#[test]
fn a_client_that_does_not_know_the_tokens_keeps_them() {
    let config = load(
        "access: {admin_token: 0123456789abcdef, artist_token: 0123456789artist, viewer_token: 0123456789viewer, \
         without_token: artist, allowed_origins: ['https://farm']}\n",
    )
    .config;
    let mut json = config.to_json(Secrets::Masked);
    for token in ["admin_token", "artist_token", "viewer_token"] {
        assert_eq!(json["access"][token], MASK);
    }
    assert_eq!(json["access"]["without_token"], "artist");
    assert_eq!(config.with_json(&json).unwrap().config.settings.access, config.settings.access);
    json.as_object_mut().unwrap().remove("access");
    assert_eq!(config.with_json(&json).unwrap().config.settings.access, config.settings.access);
    json["access"] = json!({ "admin_token": "" });
    assert_eq!(config.with_json(&json).unwrap().config.settings.access, AccessSettings::default());
}

#[test]
fn a_broker_that_cannot_work_is_refused_by_the_settings() {
    let config = load("").config;
    for (client, why) in [
        (json!({ "enabled": true, "broker": "http://broker" }), "http://"),
        (json!({ "enabled": true, "broker": "tcp://u:p@broker" }), "mqtt.client.username"),
        (json!({ "enabled": true, "broker": "tcp://broker", "topic_prefix": "farm/+" }), "topic_prefix"),
    ] {
        let error = config.with_json(&json!({ "mqtt": { "client": client } })).unwrap_err().to_string();
        assert!(error.contains("mqtt.client.") && error.contains(why), "{error}");
    }
    let off = json!({ "mqtt": { "client": { "enabled": false, "broker": "nonsense" } } });
    assert!(config.with_json(&off).is_ok(), "it is not used");
}

#[test]
fn secrets_do_not_leak() {
    let text = "_meta: {version: 3}\ndatabase: postgres://u:s3cret@h/d\nmqtt: {client: {password: s3cret}}\n\
                access: {admin_token: s3cret-0123456789, artist_token: s3cret-artist-01, \
                viewer_token: s3cret-viewer-01, registration_token: s3cret-9876543210}\n";
    let environment = Environment {
        database: Some(DatabaseAddress::new("postgres://u:s3cret@h/e")),
        ..Environment::default()
    };
    let config = Config::parse(text, Path::new(FILE), &environment).unwrap().config;
    for shown in [format!("{config:?}"), format!("{config:#?}"), config.to_json(Secrets::Masked).to_string()]
    {
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("********"), "{shown}");
    }
    assert!(config.to_json(Secrets::Shown).to_string().contains("s3cret"));
}

#[test]
fn json_comes_back() {
    let text = "_meta: {version: 3}\ndatabase: postgres://u:s3cret@h/d\nmqtt: {client: {password: s3cret}}\n\
                manager_name: Farm\nvariables: {a: {is_twoway: true, values: [{platforms: [linux, darwin], value: /a}]}}\n";
    let config = load(text).config;
    let json = config.to_json(Secrets::Masked);
    let again = config.with_json(&json).unwrap().config;
    assert_eq!(again.settings, config.settings);
    assert_eq!(again.file, config.file);
    assert_eq!(json["shaman"]["garbageCollect"], json!({"period": "24h0m0s", "maxAge": "744h0m0s"}));
    assert_eq!(
        json["variables"]["a"]["values"][0],
        json!({"audience": "all", "platforms": ["linux", "darwin"], "value": "/a"})
    );
    assert_eq!(json["_meta"], json!({"version": 3}));

    let mut changed = json.clone();
    changed["mqtt"]["client"]["password"] = json!("new");
    changed["database"] = json!("other.sqlite");
    let changed = config.with_json(&changed).unwrap().config;
    assert_eq!(changed.settings.mqtt.password.expose(), "new");
    assert_eq!(changed.database, Database::Sqlite("/srv/farm/other.sqlite".into()));
}

#[test]
fn json_has_defaults_for_what_is_absent_and_refuses_the_rest() {
    let config = load("_meta: {version: 3}\nmanager_name: Farm\n").config;
    assert_eq!(config.with_json(&json!({})).unwrap().config.settings, Settings::default());
    for (json, expected) in [
        (json!(null), "expected key: value"),
        (json!([]), "expected key: value"),
        (json!({"_meta": {"version": 4}}), "_meta.version"),
        (json!({"task_timeout": 600}), "task_timeout: expected a duration as text"),
        (json!({"task_timeout": null}), "task_timeout: expected a duration as text"),
        (json!({"task_timeout": ""}), "task_timeout: the duration is empty"),
        (json!({"autodiscoverable": "true"}), "autodiscoverable: expected true or false"),
        (json!({"blocklist_threshold": 1.5}), "blocklist_threshold: expected a whole number"),
        (json!({"blocklist_threshold": "3"}), "blocklist_threshold: expected a whole number"),
        (json!({"manager_name": 12}), "manager_name: expected text"),
        (json!({"shaman": null}), "shaman: expected keys"),
        (
            json!({"shaman": {"linkType": "junction"}}),
            "shaman.linkType: expected one of auto, symlink, hardlink",
        ),
        (json!({"listen": "8080"}), "listen: \"8080\" has no colon"),
    ] {
        let error = config.with_json(&json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}

#[test]
fn saving_replaces_the_file_and_keeps_it_private() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    let mut config = Config::load(&file, &Environment::default()).unwrap().config;
    for name in ["First", "Second"] {
        let settings = Settings { manager_name: name.into(), ..config.settings.clone() };
        config = config.with_settings(settings).unwrap().config;
        config.save("2026-03-01T00:00:00Z".parse().unwrap()).unwrap();
        let loaded = Config::load(&file, &Environment::default()).unwrap();
        assert_eq!(loaded.config.settings.manager_name, name);
        assert_eq!(loaded.warnings, []);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Configuration of Flamenco Manager.\n"), "{text}");
    assert!(text.contains("on 2026-03-01T00:00:00Z"), "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "a temporary file was left");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let gone = Config { file: dir.path().join("missing/x.yaml"), ..config };
    assert!(gone.save(DateTime::UNIX_EPOCH).unwrap_err().to_string().starts_with("cannot write "));
}

#[test]
fn an_unreadable_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::load(dir.path(), &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    let file = dir.path().join("latin1.yaml");
    std::fs::write(&file, b"manager_name: M\xfcnchen\n").unwrap();
    assert!(Config::load(&file, &Environment::default()).unwrap_err().to_string().contains("UTF-8"));
}

prop_compose! {
    fn any_value()(
        audience in proptest::sample::select(vec![None, Some(Audience::Workers), Some(Audience::Users)]),
        platforms in proptest::collection::vec("[a-z]{1,8}|.{1,8}", 1..3),
        value in any::<String>(),
    ) -> DefinedValue {
        let mut platforms: Vec<String> = platforms;
        platforms.dedup();
        DefinedValue { audience, platforms, value }
    }
}

proptest! {
    /// Whatever texts the settings hold, the written file reads as the same settings.
    #[test]
    fn what_is_written_reads_back(
        name in any::<String>(),
        plain in "[ -~]{0,20}",
        word in "[a-zA-Z0-9.:-]{0,6}",
        values in proptest::collection::vec(any_value(), 0..4),
        variable in "[^{}\\s]([^{}]{0,10}[^{}\\s])?",
        is_twoway: bool,
        seconds in 0u64..10_000_000,
    ) {
        prop_assume!(variable != "jobs" && variable.trim() == variable && !variable.is_empty());
        let mut settings = Settings {
            manager_name: name,
            worker_timeout: Duration::from_secs(seconds),
            variables: BTreeMap::from([(variable, Definition { is_twoway, values })]),
            ..Settings::default()
        };
        settings.mqtt.password = Secret::new(plain);
        settings.mqtt.username = word;
        let text = load("").config.with_settings(settings.clone()).unwrap().config.to_yaml(DateTime::UNIX_EPOCH);
        let again = Config::parse(&text, Path::new(FILE), &Environment::default());
        prop_assert!(again.is_ok(), "{}\n{}", again.unwrap_err(), text);
        prop_assert_eq!(again.unwrap().config.settings, settings, "{}", text);
    }
}

#[test]
fn what_the_environment_overrules_is_told_without_its_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let text = "_meta: {version: 3}\nlisten: ':80'\ndatabase: x.sqlite\nmqtt: {client: {broker: ''}}\n";
    std::fs::write(&file, text).unwrap();
    let environment = Environment {
        listen: Some(":9090".to_owned()),
        database: Some(DatabaseAddress::new("postgres://u:s3cret@h/d")),
        shared_storage: None,
    };
    let config = Config::load(&file, &environment).unwrap().config;
    let (states, problem) = config.states(&config);
    assert!(problem.is_none(), "{problem:?}");
    let of = |key: &str| states.iter().find(|state| state.key == key).unwrap();
    for (key, value, origin) in [
        ("listen", ":9090", Origin::Environment("FLAMENCO_LISTEN")),
        ("database", "postgres://u:********@h/d", Origin::Environment("FLAMENCO_DATABASE")),
        ("mqtt.client.broker", "", Origin::File),
        ("mqtt.client.clientID", "flamenco", Origin::Default),
    ] {
        assert_eq!((of(key).value.as_str(), of(key).origin), (value, origin), "{key}");
    }
    assert!(states.iter().all(|state| !state.waiting));
    assert!(!format!("{states:?}").contains("s3cret"));
    // What the environment says is not in the file, so changing the file there changes nothing.
    std::fs::write(&file, text.replace(":80", ":81")).unwrap();
    assert!(config.states(&config).0.iter().all(|state| !state.waiting));
}
