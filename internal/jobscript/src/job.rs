//! From a submission to the tasks that a script makes of it.

use crate::engine::{Engine, Stop};
use crate::error::Error;
use crate::graph::find_cycle;
use crate::host::{Host, Purpose, Snapshot, evaluate, new_id};
use crate::job_type::{self, Declared};
use crate::json::Trail;
use chrono::{DateTime, Utc};
use rquickjs::{Array, Ctx, Function, Object, Promise, String as JsString, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::HashSet;
use uuid::Uuid;

/// What is asked for: a job of some type with its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Name of the job.
    pub name: String,
    /// Name of the job type.
    pub job_type: String,
    /// The etag of the job type that the submitter knows. Not checked when absent or empty.
    pub type_etag: Option<String>,
    /// Priority of the job; more important jobs have larger ones.
    pub priority: i64,
    /// Settings, after replacement of two-way variables.
    pub settings: Map<String, Json>,
    /// Metadata in the order of submission, after replacement of two-way variables.
    pub metadata: Vec<(String, String)>,
    /// UUID of the worker tag.
    pub worker_tag: Option<String>,
    /// Shaman checkout that the job uses.
    pub shaman_checkout_id: Option<String>,
    /// The time of the compilation, which scripts see as `job.created`.
    pub now: DateTime<Utc>,
}

/// A job as its script made it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthoredJob {
    /// A new id; the one that the script saw as `job.jobID`.
    pub id: Uuid,
    /// The etag of its job type as the script declares it now.
    pub type_etag: String,
    /// Name; the script may have changed it.
    pub name: String,
    /// Priority; the script may have changed it.
    pub priority: i64,
    /// Settings as the script left them.
    pub settings: Map<String, Json>,
    /// Metadata as the script left it, in order.
    pub metadata: Vec<(String, String)>,
    /// The tasks, in the order in which they were added. At least one.
    pub tasks: Vec<AuthoredTask>,
}

/// A task of an [`AuthoredJob`].
#[derive(Debug, Clone, PartialEq)]
pub struct AuthoredTask {
    /// A new id.
    pub id: Uuid,
    /// Name, not empty.
    pub name: String,
    /// Type, not empty. Workers choose the types they work on.
    pub task_type: String,
    /// Priority within the job.
    pub priority: i64,
    /// What the worker runs, in order. May be empty.
    pub commands: Vec<AuthoredCommand>,
    /// The tasks that must be completed before this one, as positions in [`AuthoredJob::tasks`]. Without
    /// repetitions, in the order in which the script added them; together without cycles.
    pub dependencies: Vec<usize>,
}

impl AuthoredTask {
    /// Number of steps by which the progress of this task is measured. A command without steps counts as one.
    pub fn steps_total(&self) -> i64 {
        self.commands.iter().map(|command| command.total_step_count.max(1)).fold(0, i64::saturating_add)
    }
}

/// A command of an [`AuthoredTask`].
#[derive(Debug, Clone, PartialEq)]
pub struct AuthoredCommand {
    /// Name, not empty: `blender-render`.
    pub name: String,
    /// Parameters, in the order in which the script wrote them.
    pub parameters: Map<String, Json>,
    /// Number of steps that the worker reports; 0 when it reports none.
    pub total_step_count: i64,
}

/// A part of a job, as soon as it is made.
pub(crate) enum Part {
    /// Comes first: the job without its tasks.
    Job(Box<AuthoredJob>),
    /// The next tasks. Only the end of the script tells whether they can be done in some order.
    Tasks(Vec<AuthoredTask>),
}

/// Tasks that are handed over together.
const PORTION: usize = 250;

/// Runs a script for a submission.
pub(crate) fn compile(
    engine: &Engine,
    purpose: &Purpose,
    source: &str,
    submission: &Submission,
    hand_over: &dyn Fn(Part),
) -> Result<(), Error> {
    engine.execute(|ctx| {
        let host = Host::install(&ctx, engine, purpose)?;
        let result = load(&ctx, engine, &host, source, submission)
            .and_then(|etag| compile_job(&ctx, engine, &host, submission, etag, hand_over));
        if result.is_err() {
            let printed =
                host.record.printed.borrow().iter().map(String::as_str).collect::<Vec<_>>().join("\n");
            tracing::debug!(job_type = submission.job_type, printed, "job could not be compiled");
        }
        result
    })
}

/// Runs the top-level code, and checks that the submission is for this version of the job type, whose etag it gives.
fn load<'js>(
    ctx: &Ctx<'js>,
    engine: &Engine,
    host: &Host<'js>,
    source: &str,
    submission: &Submission,
) -> Result<String, Stop> {
    run_top_level(ctx, engine, source).map_err(|stop| match stop {
        Stop::Js(rquickjs::Error::Exception) => Stop::TopLevel,
        other => other,
    })?;
    let Declared::JobType(job_type) = job_type::read(ctx, host, &submission.job_type, engine.file())? else {
        return Err(job_type::missing(engine.file()).into());
    };
    match submission.type_etag.as_deref() {
        None | Some("") => {
            tracing::warn!(job_type = job_type.name, "job is submitted without a job type etag")
        }
        Some(etag) if etag != job_type.etag => {
            let submitted = etag.to_owned();
            return Err(Error::EtagMismatch { name: job_type.name, submitted, current: job_type.etag }.into());
        }
        Some(_) => {}
    }
    Ok(job_type.etag)
}

/// Runs the top-level code of a script, and what it left for later.
pub(crate) fn run_top_level(ctx: &Ctx<'_>, engine: &Engine, source: &str) -> Result<(), Stop> {
    evaluate::<Value<'_>>(ctx, source, engine.file(), true)?;
    drain(ctx, engine)
}

fn compile_job<'js>(
    ctx: &Ctx<'js>,
    engine: &Engine,
    host: &Host<'js>,
    submission: &Submission,
    type_etag: String,
    hand_over: &dyn Fn(Part),
) -> Result<(), Stop> {
    let file = engine.file();
    let found: Value<'js> =
        evaluate(ctx, "typeof compileJob === 'undefined' ? undefined : compileJob", file, true)?;
    let Some(compile) = found.into_function() else {
        let message = "the job type script has no function compileJob(job)".to_owned();
        return Err(Error::broken(file, message).into());
    };
    let id = new_id();
    let job = new_job(host, id, submission)?;
    let undefined = Value::new_undefined(ctx.clone());
    let returned: Value<'js> = compile.call((rquickjs::function::This(undefined), job.clone()))?;
    settle(ctx, engine, returned)?;
    finish(host, (id, type_etag), &job, hand_over)
}

fn new_job<'js>(host: &Host<'js>, id: Uuid, submission: &Submission) -> Result<Object<'js>, Stop> {
    let fields = json!({
        "jobID": id.to_string(),
        "name": submission.name,
        "jobType": submission.job_type,
        "priority": submission.priority,
        "created": submission.now.timestamp_millis(),
        "workerTagUUID": submission.worker_tag.as_deref().unwrap_or_default(),
        "shamanCheckoutID": submission.shaman_checkout_id.as_deref().unwrap_or_default(),
    });
    let metadata: Map<String, Json> =
        submission.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let settings = Json::Object(submission.settings.clone()).to_string();
    host.call("newJob", (fields.to_string(), settings, Json::Object(metadata).to_string()))
}

/// Waits for the result of an `async` function; anything else is ignored.
fn settle<'js>(ctx: &Ctx<'js>, engine: &Engine, returned: Value<'js>) -> Result<(), Stop> {
    drain(ctx, engine)?;
    let Some(promise) = returned.into_promise() else {
        return Ok(());
    };
    match Promise::result::<Value<'js>>(&promise) {
        Some(result) => Ok(result.map(drop)?),
        None => {
            // A callback that finds no memory leaves its promise as it is. Ask for some to tell that case.
            JsString::from_str(ctx.clone(), &"x".repeat(engine.limits().memory / 4))?;
            Err(Stop::Problem(
                "compileJob() returned a promise that is never settled; there is nothing to wait for here"
                    .to_owned(),
            ))
        }
    }
}

/// Runs promise callbacks until there are none left.
fn drain(ctx: &Ctx<'_>, engine: &Engine) -> Result<(), Stop> {
    let mut headroom = None;
    for done in 1_u64.. {
        if !ctx.execute_pending_job() {
            break;
        }
        if engine.must_stop() {
            return Err(Stop::OverBudget);
        }
        // A callback that finds no memory is lost, and with it what it was to go on with: nothing would tell why.
        if done % 64 == 0 {
            let text = headroom.get_or_insert_with(|| "x".repeat(engine.limits().memory / 16));
            JsString::from_str(ctx.clone(), text)?;
        }
    }
    Ok(())
}

/// Turns what the script has made into plain data, and checks it.
fn finish<'js>(
    host: &Host<'js>,
    (id, type_etag): (Uuid, String),
    job: &Object<'js>,
    hand_over: &dyn Fn(Part),
) -> Result<(), Stop> {
    let head: Array<'js> = host.call("finishJob", (job.clone(),))?;
    let settings = host.converter.map(head.get(2)?, &Trail::root("job.settings"))?;
    let metadata = metadata(host, &head.get(3)?)?;
    let count: usize = head.get(4)?;
    if count == 0 {
        return Err(Stop::Problem(
            "the script made a job without tasks, which would never be completed".to_owned(),
        ));
    }
    let shared: HashSet<usize> =
        head.get::<Array<'js>>(5)?.iter::<usize>().collect::<rquickjs::Result<_>>()?;
    let (name, priority) = (text(host, &head, 0)?, integer(&head, 1)?);
    let tasks = Vec::new();
    hand_over(Part::Job(Box::new(AuthoredJob { id, type_etag, name, priority, settings, metadata, tasks })));
    let export: Function<'js> = host.prelude.get("exportTask")?;
    let (mut portion, mut dependencies, mut idle) = (Vec::new(), Vec::new(), 0);
    for index in 0..count {
        let record: Array<'js> = export.call((job.clone(), index))?;
        let task = task(host, &record, &shared)?;
        idle += usize::from(task.commands.is_empty());
        dependencies.push(task.dependencies.clone());
        // The last ones are held back until all is well.
        if portion.len() == PORTION {
            hand_over(Part::Tasks(std::mem::take(&mut portion)));
        }
        portion.push(task);
    }
    if let Some(cycle) = find_cycle(&dependencies) {
        let name = |index: usize| {
            let record: Array<'js> = export.call((job.clone(), index))?;
            text(host, &record, 1).map(|name| format!("{name:?}"))
        };
        let names: Vec<String> = cycle.into_iter().map(name).collect::<Result<_, Stop>>()?;
        let message =
            format!("these tasks wait for each other, so none of them could ever run: {}", names.join(" → "));
        return Err(Stop::Problem(message));
    }
    hand_over(Part::Tasks(portion));
    if idle > 0 {
        tracing::warn!(tasks = idle, "job has tasks without commands");
    }
    Ok(())
}

fn metadata<'js>(host: &Host<'js>, entries: &Array<'js>) -> Result<Vec<(String, String)>, Stop> {
    (0..entries.len() / 2)
        .map(|entry| Ok((text(host, entries, 2 * entry)?, text(host, entries, 2 * entry + 1)?)))
        .collect()
}

/// Reads a record made by `exportTask` in the prelude.
fn task<'js>(host: &Host<'js>, record: &Array<'js>, shared: &HashSet<usize>) -> Result<AuthoredTask, Stop> {
    const HEAD: usize = 5;
    const PER_COMMAND: usize = 4;
    let id = task_id(host, record)?;
    let name = text(host, record, 1)?;
    let mut commands = Vec::new();
    for start in (HEAD..record.len()).step_by(PER_COMMAND) {
        let command = command(host, record, start, &name, shared)?;
        commands.push(command);
    }
    let mut dependencies: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    for position in record.get::<Array<'js>>(4)?.iter::<usize>() {
        let position = position?;
        if seen.insert(position) {
            dependencies.push(position);
        }
    }
    let (task_type, priority) = (text(host, record, 2)?, integer(record, 3)?);
    Ok(AuthoredTask { id, name, task_type, priority, commands, dependencies })
}

/// The id that the script has seen, or a new one.
fn task_id<'js>(host: &Host<'js>, record: &Array<'js>) -> Result<Uuid, Stop> {
    if record.get::<Value<'js>>(0)?.is_undefined() {
        return Ok(host.record.ids.next());
    }
    let id = text(host, record, 0)?;
    Uuid::parse_str(&id).map_err(|_| Stop::Problem(format!("{id:?} is not the id of a task")))
}

fn command<'js>(
    host: &Host<'js>,
    record: &Array<'js>,
    start: usize,
    task_name: &str,
    shared: &HashSet<usize>,
) -> Result<AuthoredCommand, Stop> {
    let name = text(host, record, start)?;
    let snapshot: usize = record.get(start + 2)?;
    let changed: Value<'js> = record.get(start + 3)?;
    let parameters = if changed.is_undefined() {
        take_parameters(host, snapshot, shared)?
    } else {
        let root = format!("task {task_name:?}, command {name:?}: parameters");
        let object = changed.into_object().filter(|object| !object.is_array());
        let object = object.ok_or_else(|| Stop::Problem(format!("{root} must be an object")))?;
        host.converter.map(object, &Trail::root(&root))?
    };
    Ok(AuthoredCommand { name, parameters, total_step_count: integer(record, start + 1)? })
}

/// The parameters of a command that the script has not touched since it was made. Moved rather than copied, because
/// a job may have a hundred thousand of them; but for those that are `shared` by several.
fn take_parameters(
    host: &Host<'_>,
    number: usize,
    shared: &HashSet<usize>,
) -> Result<Map<String, Json>, Stop> {
    match host.record.snapshots.borrow_mut().get_mut(number) {
        Some(Snapshot::Here(parameters)) if shared.contains(&number) => Ok(parameters.clone()),
        Some(snapshot @ Snapshot::Here(_)) => match std::mem::replace(snapshot, Snapshot::Gone) {
            Snapshot::Here(parameters) => Ok(parameters),
            Snapshot::Gone => Ok(Map::new()),
        },
        Some(Snapshot::Gone) | None => {
            Err(Stop::Problem("the commands of a task change while they are read".to_owned()))
        }
    }
}

fn text<'js>(host: &Host<'js>, record: &Array<'js>, index: usize) -> Result<String, Stop> {
    host.converter.text(&record.get::<JsString<'js>>(index)?)
}

fn integer(record: &Array<'_>, index: usize) -> Result<i64, Stop> {
    // Numbers beyond 64 bits become the nearest number that fits.
    Ok(record.get::<f64>(index)? as i64)
}
