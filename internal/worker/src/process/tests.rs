//! Real programs that behave badly.

use std::time::Instant;

use super::*;
use crate::log_buffer::LogLimits;
use crate::outbox::Outbox;

struct Ran {
    result: Result<(), ProcessError>,
    lines: Vec<String>,
    /// What the task's log says.
    log: String,
    took: Duration,
}

/// Runs a shell script; with `cancel_at`, cancels as soon as it prints that line.
async fn run_script(script: &str, cancel_at: Option<&str>) -> Ran {
    run_limited(script, cancel_at, TimeLimits::default()).await
}

async fn run_limited(script: &str, cancel_at: Option<&str>, limits: TimeLimits) -> Ran {
    let supervision = Supervision::new(None, limits);
    let home = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&home.path().join("outbox.sqlite")).unwrap();
    let reporter = Reporter::new(uuid::Uuid::nil(), outbox.clone(), LogLimits::default());
    let cancel = CancellationToken::new();
    let launch = Launch {
        exe: PathBuf::from("/bin/sh"),
        args: vec!["-c".to_owned(), script.to_owned()],
        oom_score_adjust: Some(500),
    };
    let mut lines = Vec::new();
    let mut started = Instant::now();
    let running = run(&launch, &supervision, &reporter, &cancel, |line| {
        lines.push(line.to_owned());
        if cancel_at == Some(line) {
            started = Instant::now();
            cancel.cancel();
        }
    });
    let result = tokio::time::timeout(Duration::from_secs(60), running).await.expect("the run hangs");
    let took = started.elapsed();
    reporter.flush().await;
    let log = reporter_log(&outbox).await;
    Ran { result, lines, log, took }
}

async fn reporter_log(outbox: &Outbox) -> String {
    outbox.queued_reports().await.into_iter().filter_map(|report| report.log).collect()
}

fn is_running(pid: &str) -> bool {
    // A zombie has ended; its parent may be slow to collect it, or never do so.
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    status.contains("State:") && !status.contains("State:\tZ")
}

async fn assert_ends(pid: &str) {
    for _ in 0..100 {
        if !is_running(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} is still running");
}

#[tokio::test]
async fn success_and_failure_follow_the_exit_code() {
    let ran = run_script("echo one; echo two >&2; cat", None).await;
    assert!(ran.result.is_ok(), "input is empty, so cat ends: {:?}", ran.result);
    assert_eq!(ran.lines, ["one", "two"]);
    let failed = run_script("exit 3", None).await.result.unwrap_err();
    assert!(matches!(failed, ProcessError::ExitCode { code: 3, .. }), "{failed}");
    let killed = run_script("kill -9 $$", None).await.result.unwrap_err();
    assert!(killed.to_string().contains("code -1: killed by signal 9 (SIGKILL"), "{killed}");
}

#[tokio::test]
async fn the_log_tells_what_a_program_took_and_how_it_ended() {
    let ran = run_script("x=$(head -c 50000000 /dev/zero | tr '\\0' x); sleep 1.5", None).await;
    let end = ran.log.lines().find(|line| line.contains(" ended after ")).unwrap_or_default();
    assert!(end.starts_with("pid=") && end.ends_with("at its peak: exit code 0"), "{}", ran.log);
    let memory = end.split(" with ").nth(1).and_then(|rest| rest.split(' ').next());
    let mebibytes: u64 = memory.unwrap().parse().unwrap();
    assert!((48..500).contains(&mebibytes), "{end}");
    let seconds = end.split(" after ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(seconds.unwrap().parse::<f64>().unwrap() >= 1.5, "{end}");

    assert!(run_script("exit 3", None).await.log.contains(": exit code 3\n"));
    assert!(run_script("kill -9 $$", None).await.log.contains(": signal 9 (SIGKILL"));
    let cancelled = run_script("echo ready; sleep 1000", Some("ready")).await;
    assert!(cancelled.log.contains(" stopped after 0."), "{}", cancelled.log);
}

#[tokio::test]
async fn a_cancelled_program_ends_at_once() {
    let ran = run_script("echo $$; echo ready; sleep 1000", Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn the_last_words_of_a_cancelled_program_are_heard() {
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done";
    let ran = run_script(script, Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    // In between, the shell may report that its `sleep` was terminated.
    assert_eq!(ran.lines.last().map(String::as_str), Some("bye"), "{:?}", ran.lines);
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed() {
    let script = "trap '' TERM; echo $$; echo ready; while :; do sleep 1; done";
    let ran = run_script(script, Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    assert!(ran.took >= TERMINATE_GRACE && ran.took < TERMINATE_GRACE * 2, "{:?}", ran.took);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn grandchildren_die_with_a_cancelled_program() {
    let ran = run_script("sleep 1000 & echo $!; echo ready; wait", Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn a_grandchild_that_holds_the_output_does_not_hang_the_run() {
    let ran = run_script("sleep 1000 & echo $!", None).await;
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn a_grandchild_outside_the_group_dies_with_a_cancelled_run() {
    let ran = run_script("setsid sleep 1000 & echo $!; echo ready; wait", Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn a_daemon_is_not_left_behind() {
    // It has another group, another parent, and no output of ours.
    let script = "setsid sh -c 'echo $$ >&2; exec >/dev/null 2>&1 </dev/null; sleep 1000' & sleep 0.3";
    let ran = run_script(script, None).await;
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn time_limits_end_a_program() {
    let half = Some(Duration::from_millis(500));
    let chatty = "while :; do echo x; sleep 0.1; done";
    for (script, limits, expected) in [
        (chatty, TimeLimits { total: half, silence: None }, Some("command_time_limit")),
        ("echo x; sleep 1000", TimeLimits { total: None, silence: half }, Some("silence_limit")),
        (
            "for i in 1 2 3 4 5 6 7 8; do echo x; sleep 0.1; done",
            TimeLimits { total: None, silence: half },
            None,
        ),
        ("exec >&- 2>&-; sleep 1000", TimeLimits { total: None, silence: half }, Some("silence_limit")),
    ] {
        let ran = run_limited(script, None, limits).await;
        match (expected, &ran.result) {
            (None, Ok(())) => {}
            (Some(name), Err(error @ ProcessError::TimeLimit { .. })) => {
                assert!(error.to_string().contains(name), "{error}");
                assert!(ran.took < Duration::from_secs(4), "{:?}", ran.took);
            }
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_program_that_closes_its_output_is_waited_for() {
    let ran = run_script("echo first; exec >&- 2>&-; sleep 1; exit 7", None).await;
    assert_eq!(ran.lines, ["first"]);
    assert!(matches!(ran.result, Err(ProcessError::ExitCode { code: 7, .. })), "{:?}", ran.result);
    assert!(ran.took >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_background_process_without_output_is_killed_at_the_end() {
    let ran = run_script("sleep 1000 >/dev/null 2>&1 & echo $!", None).await;
    assert!(ran.result.is_ok());
    assert_ends(&ran.lines[0]).await;
}

#[tokio::test]
async fn a_flood_does_not_block_and_is_read_whole() {
    let ran = run_script("seq 1 300000", None).await;
    assert!(ran.result.is_ok());
    assert_eq!(ran.lines.len(), 300_000);
    assert_eq!(ran.lines[299_999], "300000");
}

#[tokio::test]
async fn a_flood_does_not_hide_a_cancellation() {
    let ran = run_script("echo ready; yes", Some("ready")).await;
    assert!(matches!(ran.result, Err(ProcessError::Cancelled { .. })));
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
}

#[tokio::test]
async fn a_line_without_end_is_split() {
    let ran = run_script("head -c 100000 /dev/zero | tr '\\0' x", None).await;
    assert!(ran.result.is_ok());
    assert_eq!(ran.lines.iter().map(String::len).collect::<Vec<_>>(), [40_960, 40_960, 18_080]);
}

#[tokio::test]
async fn output_that_is_no_utf8_is_made_readable() {
    let ran = run_script(r"printf 'a\377b\nnext\n\303'", None).await;
    assert_eq!(ran.lines, ["a\u{FFFD}b", "next", "\u{FFFD}"]);
}

#[tokio::test]
async fn dropping_the_run_kills_the_group() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("echo $$ > {}; sleep 1000 & wait", file.path().display());
    let run = tokio::time::timeout(Duration::from_secs(1), run_script(&script, None)).await;
    assert!(run.is_err(), "the script runs until it is dropped");
    assert_ends(&std::fs::read_to_string(file.path()).unwrap()).await;
}

#[tokio::test]
async fn the_out_of_memory_score_is_the_childs_alone() {
    let own = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let before = own();
    let ran = run_script("sleep 0.2; cat /proc/self/oom_score_adj", None).await;
    assert_eq!(ran.lines, ["500"]);
    assert_eq!(own(), before);
}
