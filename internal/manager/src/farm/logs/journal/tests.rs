use super::*;

const LOG: LogId = LogId { job: Uuid::from_u128(7 << 100), task: Uuid::from_u128(1) };

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> Journal {
        Journal::open(self.0.path()).unwrap()
    }

    /// Writes as the writer does, at the end of the log.
    fn write(&self, journal: &mut Journal, log: LogId, text: &str) {
        let path = log_path(self.0.path(), log);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        let place = file.metadata().unwrap().len();
        file.write_all(text.as_bytes()).unwrap();
        journal.text(log, place, &[text]);
        journal.commit().unwrap();
    }

    /// The log as far as it reached the disk before the power went.
    fn cut(&self, log: LogId, size: u64) {
        OpenOptions::new().write(true).open(log_path(self.0.path(), log)).unwrap().set_len(size).unwrap();
    }

    fn read(&self, log: LogId) -> Option<String> {
        std::fs::read_to_string(log_path(self.0.path(), log)).ok()
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
        journal.text(log, 0, &["a text\n"]);
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
