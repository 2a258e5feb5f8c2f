use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

fn task(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn log(text: &str) -> TaskReport {
    TaskReport { log: Some(text.to_owned()), ..TaskReport::default() }
}

fn status(task_status: ReportedStatus) -> TaskReport {
    TaskReport { task_status: Some(task_status), ..TaskReport::default() }
}

fn open(directory: &tempfile::TempDir) -> Outbox {
    Outbox::open(&directory.path().join("flamenco-worker.sqlite")).unwrap()
}

/// What is queued, without the places of pieces of log.
async fn queued(outbox: &Outbox) -> Vec<(i64, Uuid, TaskReport)> {
    let entries = outbox.storage.front(1000).await;
    entries.into_iter().map(|entry| (entry.id, entry.task, without_place(entry.report.unwrap()))).collect()
}

fn without_place(report: TaskReport) -> TaskReport {
    TaskReport { log_position: None, ..report }
}

/// The places of the pieces of log that are queued.
async fn places(outbox: &Outbox) -> Vec<Option<LogPosition>> {
    let entries = outbox.storage.front(1000).await;
    let reports = entries.into_iter().filter_map(|entry| entry.report);
    reports.filter(|report| report.log.is_some()).map(|report| report.log_position).collect()
}

/// A manager that records what it accepts, and answers by a rule.
#[derive(Default)]
struct Manager {
    received: Mutex<Vec<(Uuid, TaskReport)>>,
    attempts: AtomicUsize,
}

impl Manager {
    async fn take(&self, outbox: &Outbox, rule: impl Fn(usize, Uuid, &TaskReport) -> Answer) {
        let cancel = CancellationToken::new();
        let send = |task, report: TaskReport| {
            let answer = rule(self.attempts.fetch_add(1, Ordering::Relaxed), task, &report);
            if answer == Answer::Accepted {
                self.received.lock().unwrap().push((task, report));
            }
            std::future::ready(answer)
        };
        tokio::select! {
            () = deliver(outbox, send, &cancel) => {}
            () = outbox.drained() => {}
            () = tokio::time::sleep(Duration::from_secs(600)) => panic!("the queue was not drained"),
        }
    }

    fn received(&self) -> Vec<(Uuid, TaskReport)> {
        let received = self.received.lock().unwrap().clone();
        received.into_iter().map(|(task, report)| (task, without_place(report))).collect()
    }
}

#[tokio::test]
async fn updates_survive_closing_and_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    assert_eq!(outbox.len(), 0);
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    outbox.push(task(1), &log("line\n")).await;
    outbox.push(task(1), &status(ReportedStatus::Completed)).await;
    assert_eq!(outbox.len(), 3);
    drop(outbox);

    let reopened = open(&directory);
    assert_eq!(reopened.len(), 3);
    assert_eq!(
        queued(&reopened).await,
        [
            (1, task(1), status(ReportedStatus::Active)),
            (2, task(1), log("line\n")),
            (3, task(1), status(ReportedStatus::Completed)),
        ]
    );
}

#[tokio::test]
async fn the_front_stays_until_it_is_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    assert!(outbox.storage.front(1).await.is_empty());
    outbox.push(task(1), &log("one")).await;
    outbox.push(task(2), &log("two")).await;
    assert_eq!(outbox.storage.front(1).await, outbox.storage.front(1).await);
    outbox.storage.discard(vec![1]).await;
    assert_eq!(queued(&outbox).await, [(2, task(2), log("two\n"))]);
    assert_eq!(outbox.len(), 1);
}

#[test]
fn payloads_hold_only_the_fields_that_are_set() {
    let json = |report: &TaskReport| serde_json::to_string(report).unwrap();
    let active = TaskReport {
        activity: Some("Tešt active".to_owned()),
        task_status: Some(ReportedStatus::Active),
        ..TaskReport::default()
    };
    assert_eq!(json(&active), r#"{"activity":"Tešt active","taskStatus":"active"}"#);
    assert_eq!(json(&status(ReportedStatus::Completed)), r#"{"taskStatus":"completed"}"#);
    let step = TaskReport { steps_completed: Some(3), ..TaskReport::default() };
    assert_eq!(json(&step), r#"{"steps_completed":3}"#);
}

#[tokio::test]
async fn a_lost_connection_keeps_everything_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    for number in 0..5 {
        outbox.push(task(1), &log(&format!("{number}\n"))).await;
    }
    outbox.push(task(1), &status(ReportedStatus::Completed)).await;
    let manager = Manager::default();
    manager
        .take(&outbox, |attempt, _, _| match attempt {
            0 => Answer::TryLater { reason: "connection refused".to_owned(), after: None },
            _ => Answer::Accepted,
        })
        .await;
    assert_eq!(
        manager.received(),
        [(task(1), log("0\n1\n2\n3\n4\n")), (task(1), status(ReportedStatus::Completed))]
    );
}

#[tokio::test]
async fn a_refused_update_does_not_block_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    outbox.push(task(2), &log("two\n")).await;
    outbox.push(task(1), &log("one\n")).await;
    let manager = Manager::default();
    manager
        .take(&outbox, |_, _, report| match report.task_status {
            Some(_) => Answer::Refused("no such status".to_owned()),
            None => Answer::Accepted,
        })
        .await;
    assert_eq!(manager.received(), [(task(2), log("two\n")), (task(1), log("one\n"))]);
}

#[tokio::test]
async fn a_conflict_drops_the_later_updates_of_that_task_only() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    let mut run = outbox.begin_run(task(1));
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    outbox.push(task(2), &log("two\n")).await;
    outbox.push(task(1), &status(ReportedStatus::Completed)).await;
    let manager = Manager::default();
    manager.take(&outbox, |_, id, _| if id == task(1) { Answer::NotOurs } else { Answer::Accepted }).await;
    assert_eq!(manager.received(), [(task(2), log("two\n"))]);
    assert_eq!(manager.attempts.load(Ordering::Relaxed), 2, "the later update of task 1 is not even tried");
    assert!(run.not_ours().is_cancelled());
    assert_eq!(run.first_answer().await, FirstAnswer::NotOurs);
}

#[tokio::test]
async fn the_first_answer_of_a_run_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    let mut run = outbox.begin_run(task(1));
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    outbox.push(task(1), &log("x")).await;
    let manager = Manager::default();
    manager
        .take(&outbox, |attempt, _, _| match attempt {
            0 => Answer::Accepted,
            _ => Answer::Refused("log refused".to_owned()),
        })
        .await;
    assert_eq!(run.first_answer().await, FirstAnswer::Accepted);
    assert!(!run.not_ours().is_cancelled());
}

#[tokio::test]
async fn an_unreadable_update_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    outbox.push(task(1), &log("before")).await;
    drop(outbox);
    let path = directory.path().join("flamenco-worker.sqlite");
    let connection = rusqlite::Connection::open(path).unwrap();
    for (task_id, payload) in [(task(1).to_string(), "no json"), ("no uuid".to_owned(), r#"{"log":"x"}"#)] {
        connection
            .execute(
                "INSERT INTO task_updates (created_at, task_id, payload) VALUES ('2024-01-01', ?1, ?2)",
                rusqlite::params![task_id, payload.as_bytes()],
            )
            .unwrap();
    }
    drop(connection);
    let outbox = open(&directory);
    outbox.push(task(1), &log("after")).await;
    let manager = Manager::default();
    manager.take(&outbox, |_, _, _| Answer::Accepted).await;
    assert_eq!(manager.received(), [(task(1), log("before\n")), (task(1), log("after\n"))]);
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flamenco-worker.sqlite");
    std::fs::write(&path, "this is no database at all, and it is long enough to be looked at".repeat(100))
        .unwrap();
    let outbox = open(&directory);
    assert_eq!(outbox.len(), 0);
    outbox.push(task(1), &log("works")).await;
    assert_eq!(outbox.len(), 1);
    let aside = std::fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"))
        .count();
    assert_eq!(aside, 1);
}

#[tokio::test]
async fn a_full_queue_drops_old_log_but_no_status() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = open(&directory);
    outbox.storage = Storage::open_with_limit(&directory.path().join("small.sqlite"), 5000).unwrap();
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    for _ in 0..10 {
        outbox.push(task(1), &log(&"x".repeat(900))).await;
    }
    outbox.push(task(1), &status(ReportedStatus::Completed)).await;
    let reports: Vec<TaskReport> = queued(&outbox).await.into_iter().map(|(_, _, report)| report).collect();
    assert_eq!(reports.first(), Some(&status(ReportedStatus::Active)));
    assert_eq!(reports.last(), Some(&status(ReportedStatus::Completed)));
    let note = reports[1].log.as_deref().unwrap();
    assert!(note.contains("left out"), "{note}");
    assert!(reports.len() < 8, "log was dropped: {}", reports.len());
    assert_eq!(outbox.len(), reports.len(), "the count stays right");
}

#[tokio::test]
async fn a_full_queue_drops_log_that_came_with_steps_and_keeps_the_steps() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = open(&directory);
    outbox.storage = Storage::open_with_limit(&directory.path().join("small.sqlite"), 5000).unwrap();
    // As a reporter hands it over.
    let progress = |steps: i64| TaskReport {
        activity: Some(format!("{steps} done")),
        steps_completed: Some(steps),
        ..log(&"x".repeat(900))
    };
    for steps in 1..=10 {
        outbox.push(task(1), &progress(steps)).await;
    }
    let entries = outbox.storage.front(1000).await;
    let bytes: usize =
        entries.iter().map(|entry| serde_json::to_vec(entry.report.as_ref().unwrap()).unwrap().len()).sum();
    assert!(bytes < 5000, "{bytes}");
    let reports: Vec<TaskReport> = entries.into_iter().filter_map(|entry| entry.report).collect();
    assert_eq!(
        reports.iter().map(|report| report.steps_completed.unwrap()).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    assert!(reports.iter().all(|report| report.activity.is_some()));
    let notes: Vec<_> = reports
        .iter()
        .filter(|report| report.log.as_ref().is_some_and(|log| log.contains("left out")))
        .collect();
    assert_eq!(notes.len(), 1, "{reports:?}");
    // What is left of the log is where it was.
    let mut expected = 9 * 901;
    for report in reports.iter().rev() {
        match report.log.as_deref() {
            Some(text) if !text.contains("left out") => {
                assert_eq!(report.log_position.unwrap().offset, expected);
                expected -= 901;
            }
            _ => assert_eq!(report.log_position, None),
        }
    }
    assert_eq!(reports.last().unwrap().log.as_ref().map(String::len), Some(901), "the newest stays");
}

#[tokio::test]
async fn a_queue_full_of_statuses_takes_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = open(&directory);
    outbox.storage = Storage::open_with_limit(&directory.path().join("small.sqlite"), 500).unwrap();
    for number in 0..50 {
        outbox.push(task(number), &status(ReportedStatus::Completed)).await;
    }
    assert_eq!(queued(&outbox).await.len(), 50);
    // Log that comes later still goes.
    for _ in 0..3 {
        outbox.push(task(1), &log(&"x".repeat(900))).await;
    }
    let left = queued(&outbox).await;
    let log: usize = left.iter().filter_map(|(_, _, report)| report.log.as_ref()).map(String::len).sum();
    assert!(log < 900 && left.len() >= 50, "{left:?}");
}

#[tokio::test]
async fn many_senders_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    let pushes = (0..100_u128).map(|number| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.push(task(number), &log("x")).await })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await.unwrap();
    }
    assert_eq!(outbox.len(), 100);
    let manager = Manager::default();
    manager.take(&outbox, |_, _, _| Answer::Accepted).await;
    assert_eq!(manager.received().len(), 100);
}

#[tokio::test]
async fn a_pause_ends_when_there_is_hurry() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    outbox.push(task(1), &log("x")).await;
    let manager = Manager::default();
    let hurry = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        outbox.hurry();
        std::future::pending::<()>().await;
    };
    let started = std::time::Instant::now();
    let rule = |attempt, _, _: &TaskReport| match attempt {
        0 => Answer::TryLater { reason: "connection refused".to_owned(), after: None },
        _ => Answer::Accepted,
    };
    tokio::select! {
        () = manager.take(&outbox, rule) => {}
        () = hurry => {}
    }
    assert_eq!(manager.received().len(), 1);
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_away_for_hours_costs_nothing_but_time() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    let frames = |number| TaskReport {
        frames: Some(vec![FrameReport {
            frame: number,
            path: format!("{number}.png"),
            state: FrameState::Ok,
            rendered_at: DateTime::UNIX_EPOCH,
            existing: false,
            render_ms: None,
            save_ms: None,
            peak_memory: None,
            file_size: None,
            width: None,
            height: None,
            engine: None,
            samples: None,
            message: None,
        }]),
        ..TaskReport::default()
    };
    let reports = [log("a\n"), frames(1), frames(2), status(ReportedStatus::Completed)];
    for report in &reports {
        outbox.push(task(1), report).await;
    }
    let (away, start) = (Duration::from_secs(6 * 3600), tokio::time::Instant::now());
    let (attempts, received) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let send = |_, report: TaskReport| {
        attempts.fetch_add(1, Ordering::Relaxed);
        std::future::ready(if start.elapsed() < away {
            Answer::TryLater { reason: "connection refused".to_owned(), after: None }
        } else {
            received.lock().unwrap().push(without_place(report));
            Answer::Accepted
        })
    };
    let cancel = CancellationToken::new();
    tokio::select! {
        () = deliver(&outbox, send, &cancel) => {}
        () = outbox.drained() => {}
    }
    assert!(start.elapsed() < away + Duration::from_secs(40), "{:?}", start.elapsed());
    let attempts = attempts.into_inner();
    assert!((650..900).contains(&attempts), "about every 30 s: {attempts}");
    let both = TaskReport {
        frames: Some([frames(1), frames(2)].into_iter().flat_map(|report| report.frames.unwrap()).collect()),
        ..TaskReport::default()
    };
    let received = received.into_inner().unwrap();
    assert_eq!(received, [log("a\n"), both, status(ReportedStatus::Completed)], "frames share a request");
}

#[tokio::test]
async fn a_manager_that_says_when_to_come_again_is_obeyed() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    outbox.push(task(1), &log("x")).await;
    let start = std::time::Instant::now();
    let manager = Manager::default();
    let rule = |attempt, _, _: &TaskReport| match attempt {
        0 => Answer::TryLater { reason: String::new(), after: Some(Duration::from_secs(3)) },
        _ => Answer::Accepted,
    };
    manager.take(&outbox, rule).await;
    // Without it, the second attempt comes after a second at most.
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn every_piece_of_log_has_a_place_that_it_keeps() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    outbox.push(task(1), &log("one")).await;
    outbox.push(task(1), &status(ReportedStatus::Active)).await;
    outbox.push(task(2), &log("")).await;
    outbox
        .push(task(2), &TaskReport { log: Some("zwölf\n".to_owned()), ..status(ReportedStatus::Failed) })
        .await;
    outbox.push(task(1), &log("three\n")).await;
    let first = places(&outbox).await;
    let stream = first[0].unwrap().stream;
    let place = |stream, offset| Some(LogPosition { stream, offset });
    assert_eq!(first, [place(stream, 0), None, place(stream, 4), place(stream, 11)]);
    drop(outbox);

    // Another run of the program numbers what it logs anew.
    let outbox = open(&directory);
    outbox.push(task(1), &log("four\n")).await;
    let second = places(&outbox).await;
    assert_eq!(second[..4], first);
    let other = second[4].unwrap();
    assert_eq!(other.offset, 0);
    assert_ne!(other.stream, stream);

    // What is merged is where the first piece was, at each attempt.
    let attempts = Mutex::new(Vec::new());
    Manager::default()
        .take(&outbox, |attempt, _, report| {
            attempts.lock().unwrap().extend(report.log.clone().map(|text| (text, report.log_position)));
            match attempt {
                0 => Answer::TryLater { reason: "the answer got lost".to_owned(), after: None },
                _ => Answer::Accepted,
            }
        })
        .await;
    let attempts = attempts.into_inner().unwrap();
    assert_eq!(attempts[..2], [("one\n".to_owned(), first[0]), ("one\n".to_owned(), first[0])]);
    assert_eq!(
        attempts[2..],
        [
            (String::new(), None),
            ("zwölf\n".to_owned(), first[2]),
            ("three\n".to_owned(), first[3]),
            ("four\n".to_owned(), second[4])
        ]
    );
}

#[tokio::test]
async fn pieces_pushed_at_the_same_time_are_numbered_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(&directory);
    let pushes = (0..50).map(|number| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.push(task(1), &log(&"x".repeat(number))).await })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await.unwrap();
    }
    let mut next = 0;
    for report in outbox.queued_reports().await {
        let Some(position) = report.log_position else { continue };
        assert_eq!(position.offset, next);
        next += i64::try_from(report.log.unwrap().len()).unwrap();
    }
    assert_eq!(next, (2..=50).sum::<i64>());
}
