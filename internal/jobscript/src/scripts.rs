//! The job types of a manager.

use crate::engine::{self, Interrupt, Limits, Progress, Running, Stop};
use crate::error::{BrokenJobType, Error};
use crate::host::{Host, Purpose};
use crate::job::{self, AuthoredJob, AuthoredTask, Part, Submission};
use crate::job_type::{self, Declared, JobType};
use crate::sources::{ScriptFile, Sources};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a script declares that is a job type; a file without the word is there to be loaded by others.
const JOB_TYPE: &str = "JOB_TYPE";

/// How long it is remembered that a script came to no end. It may have been bad luck, but each try takes all the time
/// that a script may have, for everybody who asks for the job types.
const ENDLESS: Duration = Duration::from_secs(600);
/// The same for one that loads other files, since a change of those is not noticed.
const ENDLESS_WITH_FILES: Duration = Duration::from_secs(60);

/// The job type scripts on disk and in the program. Cheap to clone.
///
/// Files are looked at again on every call: adding, changing or removing one works without a restart. All methods
/// block, for as long as [`Limits::cpu`] allows scripts to run; call them where that does no harm.
#[derive(Debug, Clone)]
pub struct Scripts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sources: Arc<Sources>,
    limits: Limits,
    /// What scripts declare, by where they are found.
    described: Mutex<HashMap<String, Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    /// The text that it was read from.
    source: String,
    description: Description,
    /// When to look again although the text is the same.
    until: Option<Instant>,
}

/// What a script says about itself; `None` for a helper without `JOB_TYPE`.
type Description = Result<Option<JobType>, Error>;

impl Scripts {
    /// Job types from `directories`, in this order, then the built-in ones. A directory need not exist yet.
    pub fn new(directories: Vec<PathBuf>, limits: Limits) -> Self {
        let sources = Arc::new(Sources::new(directories));
        Self { inner: Arc::new(Inner { sources, limits, described: Mutex::default() }) }
    }

    /// Only the job type in this file, with its name. Files that it loads are looked for in its directory.
    ///
    /// # Errors
    /// A sentence about why the file cannot be a job type.
    pub fn of_file(file: &Path, limits: Limits) -> Result<(Self, String), String> {
        let (sources, name) = Sources::of_file(file)?;
        let inner = Inner { sources: Arc::new(sources), limits, described: Mutex::default() };
        Ok((Self { inner: Arc::new(inner) }, name))
    }

    /// All job types, sorted by name. Those that cannot be used are in the list too, with the reason; files that
    /// are no job type at all are not.
    pub fn job_types(&self) -> Vec<Result<JobType, BrokenJobType>> {
        let scripts = self.inner.sources.scripts();
        self.forget_except(scripts.values());
        scripts.iter().filter_map(|(name, script)| self.listed(name, script)).collect()
    }

    /// One job type by name.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Broken`], or one of the limits when the script's top-level code exceeds it.
    pub fn job_type(&self, name: &str) -> Result<JobType, Error> {
        let script = self.find(name)?;
        self.describe(name, &script)?.ok_or_else(|| job_type::missing(&script.file))
    }

    /// Runs the script of the submission's job type, and gives the job that it makes. Stores nothing.
    ///
    /// # Errors
    /// Any [`Error`]; `Unknown` and `EtagMismatch` before the script's `compileJob` is called.
    pub fn compile(&self, submission: &Submission) -> Result<AuthoredJob, Error> {
        let (mut job, tasks) = self.compile_gradually(submission, &Interrupt::default())?;
        job.tasks = tasks.collect::<Result<_, Error>>()?;
        Ok(job)
    }

    /// As [`Self::compile`], but gives the job without its tasks, when the script has made it, and then the tasks, while
    /// they are turned into plain data. Whoever does not want the job any more ends it by `interrupt`.
    ///
    /// # Errors
    /// As [`Self::compile`]. The last item of the tasks may be one too: then the job is not to be used.
    pub fn compile_gradually(
        &self,
        submission: &Submission,
        interrupt: &Interrupt,
    ) -> Result<(AuthoredJob, Tasks), Error> {
        let script = self.find(&submission.job_type)?;
        let source = script.read().map_err(|message| Error::broken(&script.file, message))?;
        let (submission, interrupt) = (submission.clone(), interrupt.clone());
        let attempt = Attempt { scripts: self.clone(), script, source, submission, interrupt };
        let running = attempt.start(false)?;
        match running.next() {
            Ok(Progress::Part(Part::Job(job))) => {
                let tasks = Tasks { running: Some(running), attempt, portion: Vec::new().into_iter() };
                Ok((*job, tasks))
            }
            Ok(Progress::Part(Part::Tasks(_)) | Progress::Done(())) => {
                let message = "it made tasks without a job".to_owned();
                Err(Error::Internal { file: attempt.script.file, message })
            }
            Err(error) => Err(attempt.explain(error)),
        }
    }

    fn find(&self, name: &str) -> Result<ScriptFile, Error> {
        self.inner.sources.scripts().remove(name).ok_or_else(|| Error::Unknown { name: name.to_owned() })
    }

    fn listed(&self, name: &str, script: &ScriptFile) -> Option<Result<JobType, BrokenJobType>> {
        let error = match self.describe(name, script) {
            Ok(Some(job_type)) => return Some(Ok(job_type)),
            Ok(None) if script.hides_another => job_type::missing(&script.file),
            Ok(None) => {
                tracing::debug!(file = script.shown, "not a job type: there is no JOB_TYPE in it");
                return None;
            }
            // What only others load may need them to work.
            Err(_)
                if !script.hides_another && script.read().is_ok_and(|source| !source.contains(JOB_TYPE)) =>
            {
                return None;
            }
            Err(error) => error,
        };
        let (wrong_file, line, column) = error.place();
        Some(Err(BrokenJobType {
            name: name.to_owned(),
            file: script.shown.clone(),
            message: error.to_string(),
            reason: error.reason(),
            wrong_file: wrong_file.map(str::to_owned),
            line,
            column,
        }))
    }

    /// What the script declares, from memory when the file has not changed.
    fn describe(&self, name: &str, script: &ScriptFile) -> Description {
        let source = script.read().map_err(|message| Error::broken(&script.file, message))?;
        if let Some(known) = self.described().get(&script.shown)
            && known.source == source
            && known.until.is_none_or(|until| Instant::now() < until)
        {
            return known.description.clone();
        }
        let (description, loaded_files) = self.describe_source(name, script, source.clone());
        if let Err(error) = &description
            && source.contains(JOB_TYPE)
        {
            tracing::error!(file = script.shown, %error, "job type script cannot be used");
        }
        if let Some(limit) = lasts(&description, loaded_files) {
            let until = limit.map(|limit| Instant::now() + limit);
            let remembered = Remembered { source, description: description.clone(), until };
            self.described().insert(script.shown.clone(), remembered);
        }
        description
    }

    fn describe_source(&self, name: &str, script: &ScriptFile, source: String) -> (Description, bool) {
        let purpose = self.purpose(name, false);
        let (name, file, shown) = (name.to_owned(), script.file.clone(), script.shown.clone());
        let result = engine::run(&self.inner.limits, &script.file, move |engine| {
            let loaded_files = std::cell::Cell::new(false);
            let description = engine.execute(|ctx| {
                let host = Host::install(&ctx, engine, &purpose)?;
                let declared = job::run_top_level(&ctx, engine, &source)
                    .and_then(|()| job_type::read(&ctx, &host, &name, &file));
                loaded_files.set(host.record.loaded_files.get());
                Ok::<_, Stop>(match declared? {
                    Declared::JobType(job_type) => Some(JobType { file: shown, ..job_type }),
                    Declared::Nothing => None,
                })
            });
            Ok((description.map_err(Error::into_broken), loaded_files.get()))
        });
        // Whether a script that could not even be interrupted has loaded files is not known.
        result.unwrap_or_else(|error| (Err(error), true))
    }

    fn purpose(&self, job_type: &str, trace_throws: bool) -> Purpose {
        Purpose { sources: self.inner.sources.clone(), job_type: job_type.to_owned(), trace_throws }
    }

    fn described(&self) -> std::sync::MutexGuard<'_, HashMap<String, Remembered>> {
        // Every entry is complete by itself, so a panic while the lock was held has spoilt nothing.
        self.inner.described.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_except<'a>(&self, scripts: impl Iterator<Item = &'a ScriptFile>) {
        let present: std::collections::HashSet<&str> = scripts.map(|script| script.shown.as_str()).collect();
        self.described().retain(|shown, _| present.contains(shown.as_str()));
    }
}

/// Whether what a script declares is remembered, and if so for how long when not until the script changes.
fn lasts(description: &Description, loaded_files: bool) -> Option<Option<Duration>> {
    match description {
        Err(Error::TimeLimit { .. }) if loaded_files => Some(Some(ENDLESS_WITH_FILES)),
        Err(Error::TimeLimit { .. }) => Some(Some(ENDLESS)),
        Err(Error::Internal { .. }) => None,
        // What depends on other files must be found out again each time.
        _ => (!loaded_files).then_some(None),
    }
}

/// A script that is run for a submission.
struct Attempt {
    scripts: Scripts,
    script: ScriptFile,
    source: String,
    submission: Submission,
    interrupt: Interrupt,
}

impl Attempt {
    fn start(&self, trace_throws: bool) -> Result<Running<Part, ()>, Error> {
        let purpose = self.scripts.purpose(&self.submission.job_type, trace_throws);
        let (source, submission) = (self.source.clone(), self.submission.clone());
        let limits = &self.scripts.inner.limits;
        engine::start(limits, &self.script.file, &self.interrupt, move |engine, hand_over| {
            job::compile(engine, &purpose, &source, &submission, hand_over)
        })
    }

    /// Some thrown values do not know where they were thrown. Scripts do the same twice, so has a closer look then.
    fn explain(&self, error: Error) -> Error {
        let Error::Script { file, line: None, column, message } = error else { return error };
        match self.start(true).and_then(|running| while_ok(&running)) {
            Err(Error::Script { file, line, column, message: again }) if again == message => {
                Error::Script { file, line, column, message }
            }
            _ => Error::Script { file, line: None, column, message },
        }
    }
}

fn while_ok(running: &Running<Part, ()>) -> Result<(), Error> {
    while let Progress::Part(_) = running.next()? {}
    Ok(())
}

/// The tasks of a job, in the order in which they were added, while they are made. Waiting for the next one blocks.
pub struct Tasks {
    /// Nothing once it is done.
    running: Option<Running<Part, ()>>,
    attempt: Attempt,
    portion: std::vec::IntoIter<AuthoredTask>,
}

impl Iterator for Tasks {
    type Item = Result<AuthoredTask, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(task) = self.portion.next() {
                return Some(Ok(task));
            }
            match self.running.as_ref()?.next() {
                Ok(Progress::Part(Part::Tasks(tasks))) => self.portion = tasks.into_iter(),
                Ok(Progress::Part(Part::Job(_))) => {}
                Ok(Progress::Done(())) => self.running = None,
                Err(error) => {
                    self.running = None;
                    return Some(Err(self.attempt.explain(error)));
                }
            }
        }
    }
}
