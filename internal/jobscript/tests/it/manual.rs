//! The manual's pages about the built-in job types say what is so.

use crate::support::{BUILT_IN, Farm, submission};
use serde_json::Value;
use std::path::Path;

fn page(job_type: &str) -> String {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/manual/src/job-types");
    let path = pages.join(format!("{job_type}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_examples_compile() {
    let farm = Farm::new();
    for name in BUILT_IN {
        let page = page(name);
        let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let example: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(example["type"], name);
        let job = farm.scripts.compile(&submission(name, example["settings"].clone()));
        let job = job.unwrap_or_else(|error| panic!("{name}: {error}"));
        // The example shows settings that exist.
        let job_type = farm.scripts.job_type(name).unwrap();
        let known: Vec<_> =
            job_type.settings.as_array().unwrap().iter().map(|setting| &setting["key"]).collect();
        for key in job.settings.keys() {
            assert!(known.iter().any(|known| *known == key), "{name}: {key}");
        }
    }
}

#[test]
fn every_setting_is_explained() {
    let farm = Farm::new();
    for name in BUILT_IN {
        let page = page(name);
        for setting in farm.scripts.job_type(name).unwrap().settings.as_array().unwrap() {
            let key = setting["key"].as_str().unwrap();
            let explained =
                page.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{key}`")));
            assert!(explained, "{name}: {key}");
        }
    }
}
