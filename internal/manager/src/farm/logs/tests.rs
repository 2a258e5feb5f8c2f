use super::*;
use futures_util::future::join_all;

const JOB: Uuid = Uuid::from_u128(0x1234_5678_0000_4000_8000_0000_0000_0001);
const TASK: Uuid = Uuid::from_u128(0xabcd_0000_0000_4000_8000_0000_0000_0002);

fn task_number(number: u128) -> Uuid {
    Uuid::from_u128(TASK.as_u128() + number)
}

struct Fixture {
    logs: TaskLogs,
    root: tempfile::TempDir,
}

fn fixture(size_limit: u64) -> Fixture {
    let root = tempfile::tempdir().unwrap();
    Fixture { logs: TaskLogs::with_size_limit(root.path().join("storage"), size_limit).unwrap(), root }
}

impl Fixture {
    fn path(&self, task: Uuid) -> PathBuf {
        let name = format!("storage/job-1234/12345678-0000-4000-8000-000000000001/task-{task}.txt");
        self.root.path().join(name)
    }

    fn text(&self, task: Uuid) -> String {
        std::fs::read_to_string(self.path(task)).unwrap()
    }
}

#[tokio::test]
async fn texts_end_in_one_newline() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    for text in ["one", "two\n", "", "three\nfour"] {
        fixture.logs.append(JOB, TASK, text).await.unwrap();
    }
    assert_eq!(fixture.text(TASK), "one\ntwo\nthree\nfour\n");
}

#[tokio::test]
async fn an_empty_text_creates_nothing() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append(JOB, TASK, "").await.unwrap();
    fixture.logs.append_quickly(JOB, TASK, "").await.unwrap();
    assert!(!fixture.root.path().join("storage/job-1234").exists());
    assert_eq!(fixture.logs.info(JOB, TASK).await.unwrap(), None);
    assert_eq!(fixture.logs.tail(JOB, TASK, TAIL_BYTES).await.unwrap(), None);
}

#[tokio::test]
async fn a_quick_text_can_be_read_at_once_and_keeps_its_place() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append(JOB, TASK, "one").await.unwrap();
    fixture.logs.append_quickly(JOB, TASK, "two").await.unwrap();
    assert_eq!(fixture.text(TASK), "one\ntwo\n");
    fixture.logs.append(JOB, TASK, "three").await.unwrap();
    assert_eq!(fixture.text(TASK), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn info_and_tail() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let line = "x".repeat(99);
    for _ in 0..30 {
        fixture.logs.append(JOB, TASK, line.as_str()).await.unwrap();
    }
    let info = fixture.logs.info(JOB, TASK).await.unwrap().unwrap();
    assert_eq!(info.size, 3000);
    assert_eq!(
        info.url,
        "/job-files/job-1234/12345678-0000-4000-8000-000000000001/task-abcd0000-0000-4000-8000-000000000002.txt"
    );
    assert_eq!(fixture.logs.tail(JOB, TASK, TAIL_BYTES).await.unwrap().unwrap().len(), 2000);
}

#[cfg(unix)]
#[tokio::test]
async fn others_may_read_but_not_write() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append(JOB, TASK, "text").await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // A stricter umask is respected.
    assert_eq!(mode(&fixture.path(TASK)) & !0o644, 0);
    assert_eq!(mode(fixture.path(TASK).parent().unwrap()) & !0o755, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_writers_to_one_log_do_not_mix() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let text = |writer: usize| format!("writer {writer} says {}\nand goes on\n", "abc".repeat(200));
    let writers = (0..1000).map(|writer| {
        let logs = fixture.logs.clone();
        tokio::spawn(async move { logs.append(JOB, TASK, text(writer)).await })
    });
    for written in join_all(writers).await {
        written.unwrap().unwrap();
    }
    let content = fixture.text(TASK);
    assert_eq!(content.lines().count(), 2000);
    for writer in 0..1000 {
        assert_eq!(content.matches(&text(writer)).count(), 1, "writer {writer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_logs_keep_their_order() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let writers = (0..1000).map(|number| {
        let logs = fixture.logs.clone();
        tokio::spawn(async move {
            for line in 0..3 {
                logs.append(JOB, task_number(number), format!("line {line}")).await.unwrap();
            }
        })
    });
    for written in join_all(writers).await {
        written.unwrap();
    }
    for number in 0..1000 {
        assert_eq!(fixture.text(task_number(number)), "line 0\nline 1\nline 2\n", "log {number}");
    }
}

#[tokio::test]
async fn calls_without_waiting_keep_their_order_too() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    // So few that the runtime polls each of them in its turn.
    let texts = (0..100).map(|line| fixture.logs.append(JOB, TASK, line.to_string()));
    for written in join_all(texts).await {
        written.unwrap();
    }
    let expected: String = (0..100).map(|line| format!("{line}\n")).collect();
    assert_eq!(fixture.text(TASK), expected);
}

#[tokio::test]
async fn a_log_that_is_too_long_says_so_once() {
    let fixture = fixture(50);
    for line in 0..20 {
        fixture.logs.append(JOB, TASK, format!("this is line {line:02}")).await.unwrap();
    }
    let text = fixture.text(TASK);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["this is line 00", "this is line 01", "this is line 02"]);
    assert_eq!(lines[3], "th");
    assert!(lines[4].contains("size limit"), "{text}");
    assert_eq!(lines.len(), 5, "{text}");
    // The next run starts anew.
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    fixture.logs.append(JOB, TASK, "second run").await.unwrap();
    assert_eq!(fixture.text(TASK), "second run\n");
}

/// An earlier run, whether it is compressed by now or not.
fn earlier(fixture: &Fixture, number: u32) -> Option<String> {
    let path = fixture.path(TASK);
    // In this order: a run is compressed under another name before the plain file goes.
    let plain = std::fs::read_to_string(format!("{}.{number}", path.display())).ok();
    plain.or_else(|| {
        let file = std::fs::File::open(format!("{}.{number}.gz", path.display())).ok()?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
        Some(text)
    })
}

/// Waits until every earlier run is compressed.
async fn all_compressed(fixture: &Fixture) {
    let started = std::time::Instant::now();
    let folder = fixture.path(TASK).parent().unwrap().to_owned();
    let names = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    while names().any(|name| !name.to_str().unwrap().ends_with(".gz")) {
        let left: Vec<_> = names().collect();
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "not compressed: {left:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn rotation_keeps_the_last_runs_compressed() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    let runs = KEPT_RUNS + 3;
    for run in 1..=runs {
        fixture.logs.append(JOB, TASK, format!("run {run}")).await.unwrap();
        // At once, so that some are compressed while they are renamed.
        fixture.logs.rotate(JOB, TASK).await.unwrap();
        for number in 1..=run.min(KEPT_RUNS) {
            assert_eq!(earlier(&fixture, number).unwrap(), format!("run {}\n", run + 1 - number));
        }
    }
    assert!(!fixture.path(TASK).exists());
    assert_eq!(earlier(&fixture, KEPT_RUNS + 1), None, "the oldest are gone");
    all_compressed(&fixture).await;
    for number in 1..=KEPT_RUNS {
        assert_eq!(earlier(&fixture, number).unwrap(), format!("run {}\n", runs + 1 - number));
    }
    // Without a current log nothing moves.
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    assert_eq!(earlier(&fixture, 1).unwrap(), format!("run {runs}\n"));
    fixture.logs.append(JOB, TASK, "the next run").await.unwrap();
    assert_eq!(fixture.text(TASK), "the next run\n");
}

#[tokio::test]
async fn a_crash_while_compressing_loses_nothing() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let named = |ending: &str| PathBuf::from(format!("{}{ending}", fixture.path(TASK).display()));
    std::fs::create_dir_all(fixture.path(TASK).parent().unwrap()).unwrap();
    std::fs::write(named(".1"), "run 1\n").unwrap();
    std::fs::write(named(".1.part"), "half of a comp").unwrap();
    fixture.logs.append(JOB, TASK, "run 2").await.unwrap();
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    let started = std::time::Instant::now();
    while !named(".2.gz").exists() || named(".2").exists() {
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "run 1 is not compressed");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(earlier(&fixture, 2).unwrap(), "run 1\n");
    assert_eq!(earlier(&fixture, 1).unwrap(), "run 2\n");
}

#[tokio::test]
async fn removing_a_job_leaves_the_others() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let other_job = Uuid::from_u128(JOB.as_u128() + 1);
    fixture.logs.append(JOB, TASK, "mine").await.unwrap();
    fixture.logs.append(other_job, TASK, "other").await.unwrap();
    fixture.logs.remove_job(JOB).await.unwrap();
    assert!(!fixture.logs.job_directory(JOB).exists());
    assert_eq!(fixture.logs.tail(other_job, TASK, TAIL_BYTES).await.unwrap().unwrap(), "other\n");
    // Removing what is gone is fine, and the job could come back.
    fixture.logs.remove_job(JOB).await.unwrap();
    fixture.logs.append(JOB, TASK, "again").await.unwrap();
    assert_eq!(fixture.text(TASK), "again\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_removed_by_hand_starts_anew() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append(JOB, TASK, "first").await.unwrap();
    std::fs::remove_dir_all(fixture.root.path().join("storage")).unwrap();
    fixture.logs.append(JOB, TASK, "second").await.unwrap();
    assert_eq!(fixture.text(TASK), "second\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_apart_from_other_errors() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    std::fs::create_dir_all(fixture.path(TASK).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", fixture.path(TASK)).unwrap();
    let error = fixture.logs.append(JOB, TASK, "text").await.unwrap_err();
    assert!(is_out_of_space(&error), "{error}");
    std::fs::create_dir(fixture.path(task_number(1))).unwrap();
    let error = fixture.logs.append(JOB, task_number(1), "text").await.unwrap_err();
    assert!(!is_out_of_space(&error), "{error}");
}

/// It happened that a text for one job was refused, since another one had been erased.
#[tokio::test]
async fn an_erased_job_is_not_in_the_way_of_another() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let erased = Uuid::from_u128(0x9999_0000_0000_4000_8000_0000_0000_0009);
    // Enough of them that every writer has begun a log of the job that goes.
    for number in 0..64 {
        fixture.logs.append_quickly(erased, task_number(number), "nobody waits for the disk").await.unwrap();
    }
    fixture.logs.remove_job(erased).await.unwrap();
    for number in 0..64 {
        fixture.logs.append(JOB, task_number(number), "this is kept").await.unwrap();
        assert_eq!(fixture.text(task_number(number)), "this is kept\n");
    }
}

const WORKER: Uuid = Uuid::from_u128(5);

fn at(stream: u128, offset: u64) -> LogPosition {
    LogPosition { worker: WORKER, stream: Uuid::from_u128(stream), offset }
}

#[tokio::test]
async fn what_is_there_already_is_not_written_again() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    for (text, position, known, log) in [
        ("one\n", at(1, 0), 0, "one\n"),
        ("one\n", at(1, 0), 4, "one\n"),
        ("one\ntwo\n", at(1, 0), 4, "one\ntwo\n"),
        ("two\n", at(1, 4), 4, "one\ntwo\n"),
        ("", at(1, 100), 0, "one\ntwo\n"),
        ("after a gap\n", at(1, 20), 0, "one\ntwo\nafter a gap\n"),
        // A newline that was added does not count.
        ("a", at(2, 0), 0, "one\ntwo\nafter a gap\na\n"),
        ("a", at(2, 0), 1, "one\ntwo\nafter a gap\na\n"),
        ("b", at(2, 1), 0, "one\ntwo\nafter a gap\na\nb\n"),
        // Not a whole character: rather twice than not at all.
        ("äh\n", at(2, 1), 0, "one\ntwo\nafter a gap\na\nb\näh\n"),
    ] {
        assert_eq!(fixture.logs.append_at(JOB, TASK, text, position).await.unwrap(), known, "{text:?}");
        assert_eq!(fixture.text(TASK), log, "{text:?} at {position:?}");
    }
    fixture.logs.append(JOB, TASK, "b").await.unwrap();
    let other = LogPosition { worker: Uuid::from_u128(6), ..at(2, 1) };
    assert_eq!(fixture.logs.append_at(JOB, TASK, "b\n", other).await.unwrap(), 0);
    assert!(fixture.text(TASK).ends_with("äh\nb\nb\n"), "without a place, and of another worker");
}

#[tokio::test]
async fn a_text_and_its_repetitions_at_the_same_time_are_stored_once() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let same = (0..50).map(|_| fixture.logs.append_at(JOB, TASK, "one\n", at(1, 0)));
    let known: usize = join_all(same).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((fixture.text(TASK).as_str(), known), ("one\n", 49 * 4));
}

#[tokio::test]
async fn rotation_removal_and_restarts_do_not_bring_a_text_back() {
    let mut fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append_at(JOB, TASK, "one\n", at(1, 0)).await.unwrap();
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    assert_eq!(fixture.logs.append_at(JOB, TASK, "one\ntwo\n", at(1, 0)).await.unwrap(), 4);
    assert_eq!(fixture.text(TASK), "two\n");
    fixture.logs.remove_job(JOB).await.unwrap();
    for _ in 0..2 {
        fixture.logs.close().await;
        assert!(fixture.logs.append(JOB, TASK, "too late").await.is_err());
        fixture.logs = TaskLogs::new(fixture.root.path().join("storage")).unwrap();
        assert_eq!(fixture.logs.append_at(JOB, TASK, "two\n", at(1, 4)).await.unwrap(), 4);
    }
    assert!(!fixture.path(TASK).exists());
    assert_eq!(fixture.logs.append_at(JOB, TASK, "two\nthree\n", at(1, 4)).await.unwrap(), 4);
    assert_eq!(fixture.text(TASK), "three\n");
}

#[tokio::test]
async fn a_worker_that_writes_to_a_full_log_goes_on() {
    let fixture = fixture(10);
    fixture.logs.append_at(JOB, TASK, "0123456789\n", at(1, 0)).await.unwrap();
    let full = fixture.text(TASK);
    assert_eq!(fixture.logs.append_at(JOB, TASK, "more\n", at(1, 11)).await.unwrap(), 0);
    assert_eq!(fixture.logs.append_at(JOB, TASK, "more\n", at(1, 11)).await.unwrap(), 5);
    assert_eq!(fixture.text(TASK), full);
    fixture.logs.rotate(JOB, TASK).await.unwrap();
    assert_eq!(fixture.logs.append_at(JOB, TASK, "more\nand more\n", at(1, 11)).await.unwrap(), 5);
    assert_eq!(fixture.text(TASK), "and more\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_text_that_found_no_room_is_stored_when_it_comes_again() {
    let mut fixture = fixture(DEFAULT_SIZE_LIMIT);
    fixture.logs.append_at(JOB, TASK, "one\n", at(1, 0)).await.unwrap();
    let full = task_number(1);
    std::os::unix::fs::symlink("/dev/full", fixture.path(full)).unwrap();
    // One at a time, and in one batch with others.
    for _ in 0..2 {
        assert!(fixture.logs.append_at(JOB, full, "two\n", at(1, 4)).await.is_err());
    }
    let same = (0..5).map(|_| fixture.logs.append_at(JOB, full, "two\n", at(1, 4)));
    assert!(join_all(same).await.iter().all(Result::is_err));
    std::fs::remove_file(fixture.path(full)).unwrap();
    // Nor is it remembered as stored by the next run.
    fixture.logs.close().await;
    fixture.logs = TaskLogs::new(fixture.root.path().join("storage")).unwrap();
    assert!(!fixture.path(full).exists());
    assert_eq!(fixture.logs.append_at(JOB, full, "two\n", at(1, 4)).await.unwrap(), 0);
    assert_eq!(fixture.text(full), "two\n");
}

/// A manager may be killed between any two of its system calls.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_text_is_in_a_log_before_it_is_in_the_journal() {
    let fixture = fixture(DEFAULT_SIZE_LIMIT);
    let folder = fixture.root.path().join("storage/.task-log-journal");
    let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    // The log is a pipe: its writer cannot go on before somebody reads.
    std::fs::create_dir_all(fixture.path(TASK).parent().unwrap()).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fixture.path(TASK),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let logs = fixture.logs.clone();
    let text = "x".repeat(1 << 20);
    let path = fixture.path(TASK);
    let reading = tokio::task::spawn_blocking(move || {
        let mut log = std::fs::File::open(&path).unwrap();
        let mut first = [0];
        std::io::Read::read_exact(&mut log, &mut first).unwrap();
        let journal = std::fs::read(run.join("0")).unwrap().len();
        std::fs::remove_file(path).unwrap();
        std::io::Read::read_exact(&mut log, &mut vec![0; 1 << 20]).unwrap();
        (first, journal)
    });
    let written = logs.append_at(JOB, TASK, text.as_str(), at(1, 0));
    let (written, read) = tokio::join!(written, reading);
    assert_eq!(written.unwrap(), 0);
    let (first, journal) = read.unwrap();
    assert_eq!(first, [b'x']);
    assert!(journal > text.len(), "the journal has all of the text when the log has its first byte");
}
