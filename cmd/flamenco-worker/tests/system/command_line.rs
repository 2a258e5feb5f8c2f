//! What the programs say on the command line, and about settings they cannot use.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::farm::{Farm, START};
use crate::processes::{manager_program, until, worker_program};

/// Runs a program to its end in a folder.
fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("FLAMENCO_HOME", folder.join("home"));
    for name in ["FLAMENCO_LISTEN", "FLAMENCO_DATABASE", "FLAMENCO_SHARED_STORAGE", "FLAMENCO_WORKER_NAME"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn both_programs_explain_themselves() {
    let folder = tempfile::tempdir().unwrap();
    for (program, mentions) in [
        (manager_program(), ["--setup-assistant", "FLAMENCO_LISTEN", "--pprof"]),
        (worker_program(), ["--find-manager", "FLAMENCO_HOME", "flamenco-worker.yaml"]),
    ] {
        for flag in ["--help", "-help"] {
            let output = run(&program, folder.path(), &[flag]);
            assert_eq!(output.status.code(), Some(0), "{program:?} {flag}");
            let help = String::from_utf8(output.stdout).unwrap();
            for mention in mentions {
                assert!(help.contains(mention), "{program:?} {flag} does not tell about {mention}:\n{help}");
            }
        }
        for flag in ["--version", "-version"] {
            let output = run(&program, folder.path(), &[flag]);
            assert_eq!(output.status.code(), Some(0), "{program:?} {flag}");
            let version = String::from_utf8(output.stdout).unwrap();
            assert!(version.contains(env!("CARGO_PKG_VERSION")), "{program:?} {flag}: {version}");
        }
        let output = run(&program, folder.path(), &["--no-such-flag"]);
        assert_eq!(output.status.code(), Some(2), "{program:?}");
        assert!(text(&output).contains("--no-such-flag"), "{program:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_broken_configuration_is_told_by_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    for (program, file, content, line, mentions) in [
        (
            manager_program(),
            "flamenco-manager.yaml",
            "_meta: { version: 3 }\nmanager_name: Farm\ntask_timeout: soon\n",
            "3",
            ["task_timeout", "soon"],
        ),
        (
            worker_program(),
            "flamenco-worker.yaml",
            "worker_name: node\ntask_types: [blender]\nrestart_exit_code: 900\n",
            "3",
            ["restart_exit_code", "900"],
        ),
    ] {
        let path = folder.path().join(file);
        fs::write(&path, content).unwrap();
        let output = run(&program, folder.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{program:?}");
        let said = text(&output);
        assert!(said.contains(file), "{program:?}: {said}");
        let has_line =
            [format!("line {line}"), format!("{file}:{line}")].iter().any(|place| said.contains(place));
        assert!(has_line, "{program:?} does not name line {line}: {said}");
        for mention in mentions {
            assert!(said.contains(mention), "{program:?} does not mention {mention}: {said}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "the file is as it was");
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn a_second_manager_on_the_same_port_says_so() {
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let mut second = farm.spawn_manager();
    let status = second.ended(START).await;
    assert_eq!(status.code(), Some(1));
    let log = second.log();
    let port = farm.address().rsplit(':').next().unwrap();
    let complaint = log.lines().rfind(|line| line.contains("cannot listen")).unwrap_or_default();
    assert!(complaint.contains(port) && complaint.contains("in use"), "{log}");
    assert!(farm.client.get_version().await.is_ok(), "the first one goes on");
}

#[tokio::test]
async fn scripts_beside_the_program_are_job_types() {
    let farm = Farm::new("");
    // As studios install it: a link in a folder of its own, with the scripts beside it.
    let program = farm.path("bin/flamenco-manager");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(manager_program(), &program).unwrap();
    let _manager = farm.spawn_manager_as(&program);
    until("the manager answers", START, async || farm.client.get_version().await.ok()).await;
    assert_eq!(farm.job_type_label("hello-farm").await, None);

    let scripts = farm.path("bin/scripts");
    fs::create_dir(&scripts).unwrap();
    for label in ["Hello", "Hello again"] {
        let script =
            format!("const JOB_TYPE = {{ label: '{label}', settings: [] }};\nfunction compileJob() {{}}\n");
        fs::write(scripts.join("hello_farm.js"), script).unwrap();
        assert_eq!(farm.job_type_label("hello-farm").await.as_deref(), Some(label), "without a restart");
    }
}
