//! Sends the queue to the manager, oldest first, one request in flight.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Entry, FirstAnswer, FrameReport, LogPosition, Outbox, TaskReport};
use crate::backoff::Backoff;

/// How many updates are read from the queue at once.
const READ_AHEAD: usize = 64;
/// Pieces of log are merged up to this size, in bytes.
const MAX_MERGED_LOG: usize = 256 * 1024;
/// As many frames as the manager takes at once.
const MAX_MERGED_FRAMES: usize = 500;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What became of one attempt to deliver an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The manager has it.
    Accepted,
    /// The task is not this worker's any more (409).
    NotOurs,
    /// The manager will never accept this update; the message says why.
    Refused(String),
    /// The manager cannot be reached, is busy, or does not know this worker; worth another attempt.
    TryLater {
        /// Why.
        reason: String,
        /// When the manager wants to be asked again, if it said so.
        after: Option<Duration>,
    },
}

/// Delivers until cancelled. `send` makes one request, under its own deadline.
pub async fn deliver<S, F>(outbox: &Outbox, send: S, cancel: &CancellationToken)
where
    S: Fn(Uuid, TaskReport) -> F,
    F: Future<Output = Answer>,
{
    let mut queued = outbox.storage.queued();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            waited = queued.wait_for(|count| *count > 0) => if waited.is_err() { return },
        }
        let entries = outbox.storage.front(READ_AHEAD).await;
        let Some(delivery) = next_delivery(&entries) else { continue };
        // An attempt that was begun is finished, so that the manager does not get the update twice.
        if let Some(pause) = attempt(outbox, &send, delivery, &mut backoff).await {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = outbox.hurry.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }
}

/// One request and its consequence; returns how long to wait before the next one.
async fn attempt<S, F>(
    outbox: &Outbox,
    send: &S,
    delivery: Delivery,
    backoff: &mut Backoff,
) -> Option<Duration>
where
    S: Fn(Uuid, TaskReport) -> F,
    F: Future<Output = Answer>,
{
    let Delivery { ids, task, report } = delivery;
    let Some(report) = report else {
        tracing::warn!(?ids, "dropping a queued task update that cannot be read");
        outbox.storage.discard(ids).await;
        return None;
    };
    // What is told about frames says nothing about whether the task may run.
    let concerns_run = report.frames.is_none();
    let answered = |answer| {
        if concerns_run {
            outbox.runs.answered(task, answer);
        }
    };
    match send(task, report).await {
        Answer::Accepted => {
            outbox.storage.discard(ids).await;
            answered(FirstAnswer::Accepted);
        }
        Answer::NotOurs => {
            let dropped = outbox.storage.drop_task(task).await;
            tracing::warn!(%task, dropped, "the manager says this task is not ours; dropping its updates");
            answered(FirstAnswer::NotOurs);
        }
        Answer::Refused(message) => {
            tracing::warn!(%task, message, "the manager refused a task update; dropping it");
            outbox.storage.discard(ids).await;
            answered(FirstAnswer::Refused(message));
        }
        Answer::TryLater { reason, after } => {
            let pause = backoff.next_jittered().max(after.unwrap_or_default().min(LONGEST_PAUSE));
            tracing::warn!(
                %task, reason, queued = outbox.len(), retry_in = ?pause,
                "cannot deliver task updates; keeping them"
            );
            answered(FirstAnswer::Unreachable);
            return Some(pause);
        }
    }
    backoff.reset();
    None
}

/// What goes into one request: one update, or several adjacent pieces of one task's log.
#[derive(Debug, PartialEq, Eq)]
struct Delivery {
    ids: Vec<i64>,
    task: Uuid,
    report: Option<TaskReport>,
}

fn next_delivery(entries: &[Entry]) -> Option<Delivery> {
    let (first, rest) = entries.split_first()?;
    let mut delivery = Delivery { ids: vec![first.id], task: first.task, report: first.report.clone() };
    if let Some(frames) = delivery.report.as_mut().and_then(|report| report.frames.as_mut()) {
        delivery.ids.extend(merge_frames(frames, first.task, rest));
        return Some(delivery);
    }
    let Some(TaskReport { log: Some(log), log_position, .. }) =
        delivery.report.as_mut().filter(|r| r.is_log_only())
    else {
        return Some(delivery);
    };
    for entry in rest {
        match &entry.report {
            Some(next @ TaskReport { log: Some(piece), .. })
                if entry.task == first.task
                    && next.is_log_only()
                    && next.log_position == after(*log_position, log)
                    && log.len() + piece.len() <= MAX_MERGED_LOG =>
            {
                if !log.ends_with('\n') {
                    log.push('\n');
                }
                log.push_str(piece);
                delivery.ids.push(entry.id);
            }
            _ => break,
        }
    }
    Some(delivery)
}

/// Where the piece belongs that continues a text.
fn after(position: Option<LogPosition>, text: &str) -> Option<LogPosition> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    position.map(|here| LogPosition { offset: here.offset.saturating_add(length), ..here })
}

/// Adds the frames of the entries that follow, as long as they are about the same task; says which entries those are.
fn merge_frames(frames: &mut Vec<FrameReport>, task: Uuid, rest: &[Entry]) -> Vec<i64> {
    let mut ids = Vec::new();
    for entry in rest {
        match entry.report.as_ref().and_then(|report| report.frames.as_ref()) {
            Some(more) if entry.task == task && frames.len() + more.len() <= MAX_MERGED_FRAMES => {
                frames.extend(more.iter().cloned());
                ids.push(entry.id);
            }
            _ => break,
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::ReportedStatus;

    fn log(id: i64, task: u128, text: &str) -> Entry {
        let report = TaskReport { log: Some(text.to_owned()), ..TaskReport::default() };
        Entry { id, task: Uuid::from_u128(task), report: Some(report) }
    }

    fn at(stream: u128, offset: i64, entry: Entry) -> Entry {
        let position = LogPosition { stream: Uuid::from_u128(stream), offset };
        let report = entry.report.map(|report| TaskReport { log_position: Some(position), ..report });
        Entry { report, ..entry }
    }

    #[test]
    fn merged_pieces_have_the_place_of_the_first() {
        let first = at(1, 10, log(1, 1, "äb\n"));
        for (second, merges) in [
            (at(1, 14, log(2, 1, "c\n")), true),
            (at(1, 15, log(2, 1, "c\n")), false),
            (at(1, 10, log(2, 1, "c\n")), false),
            (at(2, 14, log(2, 1, "c\n")), false),
            (log(2, 1, "c\n"), false),
        ] {
            let delivery = next_delivery(&[first.clone(), second.clone()]).unwrap();
            assert_eq!(delivery.ids.len() == 2, merges, "{second:?}");
            let place = first.report.as_ref().and_then(|report| report.log_position);
            assert_eq!(delivery.report.unwrap().log_position, place);
        }
        // Of an older version: nothing is known of where it belongs.
        let (numbered, plain) = (at(1, 0, log(2, 1, "b\n")), log(1, 1, "a\n"));
        assert_eq!(next_delivery(&[plain, numbered]).unwrap().ids, [1]);
    }

    fn status(id: i64, task: u128) -> Entry {
        let report = TaskReport { task_status: Some(ReportedStatus::Completed), ..TaskReport::default() };
        Entry { id, task: Uuid::from_u128(task), report: Some(report) }
    }

    fn merged(entries: &[Entry]) -> (Vec<i64>, Option<String>) {
        let delivery = next_delivery(entries).unwrap();
        (delivery.ids, delivery.report.and_then(|report| report.log))
    }

    #[test]
    fn only_adjacent_log_pieces_of_one_task_are_merged() {
        assert_eq!(next_delivery(&[]), None);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(merged(&[log(1, 1, "a\n")]), (vec![1], text("a\n")));
        assert_eq!(merged(&[log(1, 1, "a\n"), log(2, 1, "b\n")]), (vec![1, 2], text("a\nb\n")));
        assert_eq!(merged(&[log(1, 1, "a"), log(2, 1, "b")]), (vec![1, 2], text("a\nb")));
        assert_eq!(merged(&[log(1, 1, "a\n"), log(2, 2, "b\n")]), (vec![1], text("a\n")));
        assert_eq!(merged(&[log(1, 1, "a\n"), status(2, 1), log(3, 1, "b\n")]), (vec![1], text("a\n")));
        assert_eq!(merged(&[status(1, 1), log(2, 1, "b\n")]), (vec![1], None));
        let big = "x".repeat(MAX_MERGED_LOG);
        assert_eq!(merged(&[log(1, 1, &big), log(2, 1, "b\n")]).0, vec![1]);
        let unreadable = Entry { id: 1, task: Uuid::nil(), report: None };
        assert_eq!(merged(&[unreadable, log(2, 1, "b\n")]), (vec![1], None));
    }
}
