use super::*;
use crate::farm::logs::LogPosition;

const LOG: LogId = LogId { job: Uuid::from_u128(7 << 100), task: Uuid::from_u128(1) };

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> Journal {
        Journal::open_patiently(self.0.path(), Duration::ZERO).unwrap()
    }

    /// Writes as the writer does, at the end of the log.
    fn write(&self, journal: &mut Journal, log: LogId, text: &str) {
        let path = log_path(self.0.path(), log);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        let place = file.metadata().unwrap().len();
        let _ = journal.text(log, place, &[text], None).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        journal.commit().unwrap();
    }

    /// The log as far as it reached the disk before the power went.
    fn cut(&self, log: LogId, size: u64) {
        OpenOptions::new().write(true).open(log_path(self.0.path(), log)).unwrap().set_len(size).unwrap();
    }

    fn read(&self, log: LogId) -> Option<String> {
        std::fs::read_to_string(log_path(self.0.path(), log)).ok()
    }

    /// The end of a run that leaves its journal as it is.
    fn crash(mut journal: Journal) {
        let (sender, thread) = journal.settler.take().unwrap();
        drop(sender);
        thread.join().unwrap();
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path().join(FOLDER)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn what_a_power_cut_took_from_logs_comes_back() {
    let fixture = Fixture::new();
    for (kept, removed) in [(0, false), (3, false), (8, false), (0, true)] {
        let mut journal = fixture.journal();
        drop(std::fs::remove_dir_all(log_path(fixture.0.path(), LOG).parent().unwrap()));
        journal.forget_job(LOG.job);
        for text in ["one\n", "two\n", "three\n"] {
            fixture.write(&mut journal, LOG, text);
        }
        drop(journal);
        if removed {
            std::fs::remove_dir_all(log_path(fixture.0.path(), LOG).parent().unwrap()).unwrap();
        } else {
            fixture.cut(LOG, kept);
        }
        drop(fixture.journal());
        assert_eq!(fixture.read(LOG).as_deref(), Some("one\ntwo\nthree\n"), "{kept} bytes were left");
    }
}

#[test]
fn a_record_that_was_cut_ends_the_journal() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    fixture.write(&mut journal, LOG, "whole\n");
    let whole = journal.size;
    fixture.write(&mut journal, LOG, "cut\n");
    let segment = journal.folder.join("0");
    let full = std::fs::read(&segment).unwrap();
    drop(journal);
    let run = fixture.runs().remove(0);
    for (damage, label) in [
        (full[..full.len() - 1].to_vec(), "cut in the text"),
        (full[..whole as usize + 5].to_vec(), "cut in the head"),
        ([&full[..full.len() - 1], b"?"].concat(), "another byte"),
        ([&full[..whole as usize], &[0; 64]].concat(), "zeros, as after a crash of some file systems"),
    ] {
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("0"), damage).unwrap();
        fixture.cut(LOG, 0);
        drop(fixture.journal());
        assert_eq!(fixture.read(LOG).as_deref(), Some("whole\n"), "{label}");
    }
}

#[test]
fn what_was_put_aside_or_erased_does_not_come_back() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    let other = LogId { task: Uuid::from_u128(2), ..LOG };
    fixture.write(&mut journal, LOG, "first run\n");
    fixture.write(&mut journal, other, "other\n");
    journal.forget_log(LOG);
    std::fs::remove_file(log_path(fixture.0.path(), LOG)).unwrap();
    fixture.write(&mut journal, LOG, "second\n");
    drop(journal);
    fixture.cut(LOG, 0);
    let mut journal = fixture.journal();
    assert_eq!(fixture.read(LOG).as_deref(), Some("second\n"));
    fixture.write(&mut journal, LOG, "third\n");
    journal.forget_job(LOG.job);
    journal.commit().unwrap();
    std::fs::remove_dir_all(log_path(fixture.0.path(), LOG).parent().unwrap()).unwrap();
    drop(journal);
    drop(fixture.journal());
    assert_eq!((fixture.read(LOG), fixture.read(other)), (None, None));
}

#[test]
fn segments_go_when_their_logs_are_on_disk_and_a_clean_end_leaves_none() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    for number in 0..SEGMENT_LOGS as u128 + 10 {
        let log = LogId { task: Uuid::from_u128(number), ..LOG };
        let _ = journal.text(log, 0, &["a text\n"], None).unwrap();
        journal.commit().unwrap();
        journal.roll_when_due();
    }
    assert_eq!(journal.number, 1, "a new segment has begun");
    assert_eq!(journal.logs.len(), 10);
    journal.finish();
    assert_eq!(fixture.runs(), Vec::<PathBuf>::new());
}

#[test]
fn the_journal_of_a_run_that_lives_is_left_alone() {
    let fixture = Fixture::new();
    let mut first = fixture.journal();
    fixture.write(&mut first, LOG, "one\n");
    let second = fixture.journal();
    assert_eq!(fixture.runs().len(), 2);
    fixture.write(&mut first, LOG, "two\n");
    second.finish();
    drop(first);
    fixture.cut(LOG, 0);
    drop(fixture.journal());
    assert_eq!(fixture.read(LOG).as_deref(), Some("one\ntwo\n"));
}

/// What was put aside was put aside for good, also when a segment from before that is still there.
#[test]
fn a_log_that_began_anew_in_another_segment_gets_nothing_of_the_old_one() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    fixture.write(&mut journal, LOG, "this is the first run\n");
    let first = journal.folder.join("0");
    let old = std::fs::read(&first).unwrap();
    journal.roll().unwrap();
    journal.forget_log(LOG);
    std::fs::remove_file(log_path(fixture.0.path(), LOG)).unwrap();
    fixture.write(&mut journal, LOG, "second\n");
    Fixture::crash(journal);
    // The crash came before the thread that syncs logs was done with it.
    std::fs::write(first, old).unwrap();
    drop(fixture.journal());
    assert_eq!(fixture.read(LOG).as_deref(), Some("second\n"));
}

#[test]
fn what_is_to_be_forgotten_is_so_after_a_commit_that_failed() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    fixture.write(&mut journal, LOG, "first run\n");
    let first = journal.folder.join("0");
    let old = std::fs::read(&first).unwrap();
    journal.forget_log(LOG);
    std::fs::remove_file(log_path(fixture.0.path(), LOG)).unwrap();
    let segment = std::mem::replace(&mut journal.segment, full());
    journal.commit().unwrap_err();
    journal.segment = segment;
    fixture.write(&mut journal, LOG, "second\n");
    Fixture::crash(journal);
    std::fs::write(first, old).unwrap();
    fixture.cut(LOG, 0);
    drop(fixture.journal());
    assert_eq!(fixture.read(LOG).as_deref(), Some("second\n"));
}

/// A disk without any room.
fn full() -> File {
    OpenOptions::new().append(true).open("/dev/full").unwrap()
}

const WORKER: Uuid = Uuid::from_u128(5);

fn span(stream: u128, offset: u64, text: &str) -> Span {
    Span::new(LogPosition { worker: WORKER, stream: Uuid::from_u128(stream), offset }, text)
}

fn numbered(journal: &mut Journal, place: u64, text: &str, span: Span) {
    let _ = journal.text(LOG, place, &[text], Some(span)).unwrap();
}

#[test]
fn how_far_a_worker_has_come_is_known_wherever_the_crash_cuts() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    numbered(&mut journal, 0, "one\n", span(1, 0, "one\n"));
    journal.commit().unwrap();
    let one = journal.size;
    numbered(&mut journal, 4, "two\n", span(1, 4, "two\n"));
    journal.commit().unwrap();
    let whole = std::fs::read(journal.folder.join("0")).unwrap();
    drop(journal);
    let run = fixture.runs().remove(0);
    for cut in 0..=whole.len() {
        drop(std::fs::remove_dir_all(fixture.0.path()));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("0"), &whole[..cut]).unwrap();
        let journal = fixture.journal();
        let texts = [Some("one\ntwo\n"), Some("one\n"), None];
        let expected = if cut == whole.len() {
            0
        } else if cut as u64 >= one {
            1
        } else {
            2
        };
        assert_eq!(fixture.read(LOG).as_deref(), texts[expected], "cut at {cut}");
        let known = [span(1, 4, "two\n"), span(1, 0, "one\n")].map(|span| journal.known(span));
        let both =
            [[Known::All, Known::All], [Known::Bytes(0), Known::All], [Known::Bytes(0), Known::Bytes(0)]];
        assert_eq!(known, both[expected], "cut at {cut}: there are both or neither");
    }
}

#[test]
fn how_far_a_worker_has_come_outlives_segments_and_runs() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    numbered(&mut journal, 0, "one\n", span(1, 0, "one\n"));
    journal.commit().unwrap();
    journal.forget_job(LOG.job);
    journal.roll().unwrap();
    assert_eq!(journal.known(span(1, 0, "one\n")), Known::All);
    for end in ["clean", "crash", "clean", "clean", "crash", "crash"] {
        match end {
            "clean" => journal.finish(),
            _ => drop(journal),
        }
        journal = fixture.journal();
        assert_eq!(journal.known(span(1, 0, "one\n")), Known::All, "after a {end} end");
        assert_eq!(fixture.runs().len(), 1, "earlier runs are gone");
    }
    assert_eq!(fixture.read(LOG), None, "its job was erased");
    numbered(&mut journal, 0, "two\n", span(2, 0, "two\n"));
    journal.commit().unwrap();
    drop(journal);
    let journal = fixture.journal();
    assert_eq!(journal.known(span(1, 0, "one\n")), Known::Bytes(0), "only the last stream is known");
    assert_eq!(journal.known(span(2, 0, "two\nthree\n")), Known::Bytes(4));
}

/// A crash while a start has begun its journal, but not removed that of the run before.
#[test]
fn of_two_journals_that_say_the_same_nothing_comes_twice() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    numbered(&mut journal, 0, "one\n", span(1, 0, "one\n"));
    journal.commit().unwrap();
    let (folder, first) = (journal.folder.clone(), std::fs::read(journal.folder.join("0")).unwrap());
    drop(journal);
    let mut journal = fixture.journal();
    numbered(&mut journal, 4, "two\n", span(1, 4, "two\n"));
    journal.commit().unwrap();
    drop(journal);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("0"), first).unwrap();
    fixture.cut(LOG, 4);
    let journal = fixture.journal();
    assert_eq!(fixture.read(LOG).as_deref(), Some("one\ntwo\n"));
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::All);
}

#[test]
fn a_commit_that_fails_takes_everything_back() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    numbered(&mut journal, 0, "one\n", span(1, 0, "one\n"));
    journal.commit().unwrap();
    // Taken back alone, as its log could not be written to.
    let undo = journal.text(LOG, 4, &["two\n"], Some(span(1, 4, "two\n"))).unwrap();
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::All);
    journal.take_back(undo);
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::Bytes(0));
    // The disk is full: the text does not even get into the journal.
    let segment = std::mem::replace(&mut journal.segment, full());
    assert!(journal.text(LOG, 4, &["two\n"], Some(span(1, 4, "two\n"))).is_err());
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::Bytes(0));
    journal.segment = segment;
    // It got there, but cannot be made durable: /dev/full cannot be synced.
    numbered(&mut journal, 4, "two\n", span(1, 4, "two\n"));
    let segment = std::mem::replace(&mut journal.segment, full());
    journal.commit().unwrap_err();
    drop(segment);
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::Bytes(0));
    assert_eq!(journal.known(span(1, 0, "one\n")), Known::All);
    // Nothing is added to that segment any more.
    numbered(&mut journal, 4, "2\n", span(1, 4, "2\n"));
    journal.commit().unwrap();
    assert_eq!(journal.number, 2, "after each failure, as nobody knows what is on disk");
    Fixture::crash(journal);
    let journal = fixture.journal();
    assert_eq!(journal.known(span(1, 4, "2\n")), Known::All);
    assert_eq!(journal.known(span(1, 4, "two\n")), Known::Bytes(2));
}

/// As the version before this one left it.
#[test]
fn a_journal_without_numbers_is_read() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    fixture.write(&mut journal, LOG, "one\n");
    assert_eq!(std::fs::read(journal.folder.join("0")).unwrap()[HEAD], Kind::Text as u8);
    drop(journal);
    fixture.cut(LOG, 0);
    let journal = fixture.journal();
    assert_eq!(fixture.read(LOG).as_deref(), Some("one\n"));
    journal.finish();
    assert_eq!(fixture.runs(), Vec::<PathBuf>::new(), "without workers, a clean end leaves nothing");
}

#[test]
fn a_start_waits_for_a_run_that_is_about_to_end() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    numbered(&mut journal, 0, "one\n", span(1, 0, "one\n"));
    journal.commit().unwrap();
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        journal.finish();
    });
    let journal = Journal::open(fixture.0.path()).unwrap();
    assert_eq!(journal.known(span(1, 0, "one\n")), Known::All);
    ending.join().unwrap();
}
