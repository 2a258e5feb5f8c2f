//! What the manager offers to scripts: the functions behind `prelude.js`.

use crate::engine::{Engine, PRELUDE_FILE, Position, Stop};
use crate::json::{Converter, Trail};
use crate::sources::Sources;
use crate::text::Text;
use crate::{frames, shell};
use chrono::{DateTime, Local, TimeZone};
use flamenco_crosspath::{Platform, script};
use rquickjs::context::EvalOptions;
use rquickjs::prelude::Func;
use rquickjs::{Ctx, Exception, Function, Object};
use serde_json::{Map, Value as Json};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use uuid::Uuid;

const PRELUDE: &str = include_str!("prelude.js");

/// How many printed lines are kept for the log of a failed compilation.
const KEPT_LINES: usize = 50;

/// Longer printed lines are cut; a script may print a whole job.
const MAX_LINE: usize = 4000;

/// What the script does that outlives a call: printed lines, and parameters of commands.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The last printed lines.
    pub(crate) printed: RefCell<VecDeque<String>>,
    /// Parameters as they were when `author.Command()` was called, by the number that the command holds.
    pub(crate) snapshots: RefCell<Vec<Snapshot>>,
    /// Ids for its tasks.
    pub(crate) ids: TaskIds,
    /// Whether the script used `require()` for a file.
    pub(crate) loaded_files: std::cell::Cell<bool>,
}

/// Parameters of a command, copied when it was made.
#[derive(Debug)]
pub(crate) enum Snapshot {
    Here(Map<String, Json>),
    /// Moved into a task of the finished job.
    Gone,
}

impl Record {
    fn print(&self, job_type: &str, warning: bool, line: &str) {
        let line = &line[..line.floor_char_boundary(MAX_LINE)];
        if warning {
            tracing::warn!(job_type, "script: {line}");
        } else {
            tracing::info!(job_type, "script: {line}");
        }
        let mut printed = self.printed.borrow_mut();
        if printed.len() == KEPT_LINES {
            printed.pop_front();
        }
        printed.push_back(line.to_owned());
    }
}

/// The realm as the host sees it, after the prelude has run.
pub(crate) struct Host<'js> {
    /// The functions that the prelude gives back.
    pub(crate) prelude: Object<'js>,
    pub(crate) converter: Converter<'js>,
    pub(crate) record: Rc<Record>,
}

/// What a realm is made for.
#[derive(Clone)]
pub(crate) struct Purpose {
    pub(crate) sources: Arc<Sources>,
    pub(crate) job_type: String,
    /// Note where values are thrown that are not errors. Slow, so only done to explain a failure.
    pub(crate) trace_throws: bool,
}

impl<'js> Host<'js> {
    /// Puts the globals for scripts into a new realm.
    pub(crate) fn install(ctx: &Ctx<'js>, engine: &Engine, purpose: &Purpose) -> Result<Self, Stop> {
        let record = Rc::new(Record::default());
        let host = Object::new(ctx.clone())?;
        add_values(&host, engine, purpose, &record)?;
        add_texts(&host, engine, purpose, &record)?;
        add_snapshots(&host, engine, &record)?;
        add_modules(&host, purpose, &record)?;

        let start: Function<'js> = evaluate(ctx, PRELUDE, PRELUDE_FILE, true)?;
        let prelude: Object<'js> = start.call((host,))?;
        let (simplify, plain_prototype) = (prelude.get("simplify")?, prelude.get("plainPrototype")?);
        let converter = Converter::new(simplify, plain_prototype, engine.budget().clone());
        Ok(Self { prelude, converter, record })
    }

    /// Calls a function of the prelude.
    pub(crate) fn call<A, R>(&self, name: &str, arguments: A) -> Result<R, Stop>
    where
        A: rquickjs::function::IntoArgs<'js>,
        R: rquickjs::FromJs<'js>,
    {
        let function: Function<'js> = self.prelude.get(name)?;
        Ok(function.call(arguments)?)
    }
}

/// Runs source text in the global scope.
pub(crate) fn evaluate<'js, R: rquickjs::FromJs<'js>>(
    ctx: &Ctx<'js>,
    source: &str,
    file: &str,
    strict: bool,
) -> rquickjs::Result<R> {
    let mut options = EvalOptions::default();
    options.strict = strict;
    // A name with a NUL byte cannot be given to the engine, and cannot be the name of a file either.
    options.filename = Some(file.replace('\0', "?"));
    ctx.eval_with_options(source, options)
}

/// Throws an `Error` with a text of any length.
fn throw(ctx: &Ctx<'_>, message: &str) -> rquickjs::Error {
    match Exception::from_message(ctx.clone(), message) {
        Ok(exception) => exception.throw(),
        Err(error) => error,
    }
}

fn add_values<'js>(
    host: &Object<'js>,
    engine: &Engine,
    purpose: &Purpose,
    record: &Rc<Record>,
) -> rquickjs::Result<()> {
    host.set("platform", Platform::current().as_str())?;
    host.set("traceThrows", purpose.trace_throws)?;
    let kept = record.clone();
    host.set("newUuid", Func::from(move || kept.ids.next().to_string()))?;
    host.set("currentDirectory", Func::from(current_directory))?;
    host.set("formatTimestampLocal", Func::from(format_timestamp))?;

    let (record, job_type) = (record.clone(), purpose.job_type.clone());
    host.set(
        "print",
        Func::from(move |warning: bool, Text(line): Text| record.print(&job_type, warning, &line)),
    )?;

    let thrown_at = engine.thrown_at().clone();
    let note = move |Text(file): Text, line: u32, column: u32| {
        if file != PRELUDE_FILE {
            *thrown_at.borrow_mut() = Some(Position { file, line, column });
        }
    };
    host.set("thrownAt", Func::from(note))
}

/// Ids for the tasks of one job, in growing order.
///
/// They have the form of random ids, but those of a job are neighbours: a database that stores a hundred thousand of
/// them then adds to the end of its index, instead of changing all of it for every portion.
#[derive(Debug)]
pub(crate) struct TaskIds {
    /// The same for all, version and variant included.
    start: [u8; 9],
    next: Cell<u32>,
}

impl Default for TaskIds {
    fn default() -> Self {
        let mut start = [0; 9];
        start.copy_from_slice(&new_id().as_bytes()[..9]);
        Self { start, next: Cell::new(0) }
    }
}

impl TaskIds {
    pub(crate) fn next(&self) -> Uuid {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let mut id: [u8; 16] = rand::random();
        id[..9].copy_from_slice(&self.start);
        id[9..13].copy_from_slice(&number.to_be_bytes());
        Uuid::from_bytes(id)
    }
}

/// A random id. Not from the operating system each time, which would cost a system call for every task.
pub(crate) fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn current_directory() -> String {
    std::env::current_dir().map(|directory| directory.display().to_string()).unwrap_or_default()
}

fn format_timestamp(ctx: Ctx<'_>, milliseconds: f64) -> rquickjs::Result<String> {
    // Dates of JavaScript are whole milliseconds, and reach less far than 64 bits do.
    match Local.timestamp_millis_opt(milliseconds as i64).earliest() {
        Some(time) => Ok(timestamp_text(&time)),
        None => Err(throw(&ctx, "formatTimestampLocal() needs a date of this era")),
    }
}

/// The text that names output directories.
pub(crate) fn timestamp_text(time: &DateTime<Local>) -> String {
    time.format("%Y-%m-%d_%H%M%S").to_string()
}

fn add_texts<'js>(
    host: &Object<'js>,
    engine: &Engine,
    purpose: &Purpose,
    record: &Rc<Record>,
) -> rquickjs::Result<()> {
    host.set("pathBasename", Func::from(|Text(path): Text| script::basename(&path)))?;
    host.set("pathDirname", Func::from(|Text(path): Text| script::dirname(&path)))?;
    host.set("pathStem", Func::from(|Text(path): Text| script::stem(&path)))?;
    host.set("pathJoin", Func::from(|parts: Vec<Text>| join(&parts)))?;

    let split =
        |ctx: Ctx<'js>, Text(text): Text| shell::split(&text).map_err(|message| throw(&ctx, &message));
    host.set("shellSplit", Func::from(split))?;

    let max_frames = engine.limits().max_frames;
    let (record, job_type) = (record.clone(), purpose.job_type.clone());
    let chunk = move |ctx: Ctx<'js>, Text(range): Text, size: f64| {
        // Saturates for numbers beyond 64 bits, which is what is wanted of a chunk size.
        let result = frames::chunk(&range, size as i64, max_frames);
        let (chunks, reversed) = result.map_err(|message| throw(&ctx, &message))?;
        if !reversed.is_empty() {
            record.print(
                &job_type,
                true,
                &format!("these frames count backwards and are left out: {reversed:?}"),
            );
        }
        Ok::<_, rquickjs::Error>(chunks)
    };
    host.set("frameChunker", Func::from(chunk))?;

    let count = move |ctx: Ctx<'js>, Text(range): Text| {
        let frames = frames::Frames::parse(&range, max_frames).map_err(|message| throw(&ctx, &message))?;
        Ok::<_, rquickjs::Error>(frames.count() as f64)
    };
    host.set("frameCount", Func::from(count))
}

fn join(parts: &[Text]) -> String {
    script::join(&parts.iter().map(|part| part.0.as_str()).collect::<Vec<_>>())
}

fn add_snapshots<'js>(host: &Object<'js>, engine: &Engine, record: &Rc<Record>) -> rquickjs::Result<()> {
    let (budget, kept) = (engine.budget().clone(), record.clone());
    let snapshot = move |ctx: Ctx<'js>,
                         Text(command): Text,
                         parameters: Object<'js>,
                         simplify: Function<'js>,
                         plain_prototype: Object<'js>| {
        let converter = Converter::new(simplify, plain_prototype, budget.clone());
        let map = converter.map(parameters, &Trail::command(&command)).map_err(|stop| raise(&ctx, stop))?;
        let mut snapshots = kept.snapshots.borrow_mut();
        snapshots.push(Snapshot::Here(map));
        Ok::<_, rquickjs::Error>(snapshots.len() - 1)
    };
    host.set("snapshot", Func::from(snapshot))?;

    let kept = record.clone();
    let parameters = move |ctx: Ctx<'js>, number: usize| match kept.snapshots.borrow().get(number) {
        Some(Snapshot::Here(map)) => Ok(Json::Object(map.clone()).to_string()),
        _ => {
            Err(throw(&ctx, "the parameters of a command cannot be read any more: the job has been compiled"))
        }
    };
    host.set("parameters", Func::from(parameters))
}

/// Makes a JavaScript exception of a conversion that stopped.
fn raise(ctx: &Ctx<'_>, stop: Stop) -> rquickjs::Error {
    match stop {
        Stop::Js(error) => error,
        Stop::TopLevel => rquickjs::Error::Exception,
        Stop::Problem(message) => throw(ctx, &message),
        // The interrupt handler ends the script right after this.
        Stop::OverBudget => throw(ctx, "the job is too large"),
        Stop::Error(error) => throw(ctx, &error.to_string()),
    }
}

fn add_modules<'js>(host: &Object<'js>, purpose: &Purpose, record: &Rc<Record>) -> rquickjs::Result<()> {
    let (sources, record) = (purpose.sources.clone(), record.clone());
    let resolve = move |ctx: Ctx<'js>, Text(directory): Text, Text(name): Text| {
        record.loaded_files.set(true);
        sources.resolve(&directory, &name).map_err(|message| throw(&ctx, &message))
    };
    host.set("resolveModule", Func::from(resolve))?;

    let directory_of =
        |Text(file): Text| file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
    host.set("directoryOf", Func::from(directory_of))?;

    let built_in = |Text(name): Text| Sources::built_in_module(&name).map(|(file, _)| file);
    host.set("builtInModule", Func::from(built_in))?;

    let sources = purpose.sources.clone();
    let json_module = move |ctx: Ctx<'js>, Text(file): Text| {
        let text = module_text(&ctx, &sources, &file)?;
        let value: Json = serde_json::from_str(&text)
            .map_err(|error| throw(&ctx, &format!("Invalid module: {file} is not JSON: {error}")))?;
        ctx.json_parse(value.to_string())
    };
    host.set("jsonModule", Func::from(json_module))?;

    let sources = purpose.sources.clone();
    let text_module = move |ctx: Ctx<'js>, Text(file): Text| module_text(&ctx, &sources, &file);
    host.set("textModule", Func::from(text_module))?;

    let sources = purpose.sources.clone();
    let script_module = move |ctx: Ctx<'js>, Text(file): Text| {
        let text = module_text(&ctx, &sources, &file)?;
        let body = text.strip_prefix("#!").map_or_else(|| text.clone(), |rest| format!("//{rest}"));
        // One line with the first line of the module, so that line numbers are those of the file.
        let wrapped = format!("(function (exports, require, module) {{{body}\n}})");
        evaluate::<Function<'js>>(&ctx, &wrapped, &file, false)
    };
    host.set("scriptModule", Func::from(script_module))
}

/// The text of a module: of the program itself when its name is in angle brackets, else of a file.
fn module_text(ctx: &Ctx<'_>, sources: &Sources, file: &str) -> rquickjs::Result<String> {
    let inner = file.strip_prefix('<').and_then(|file| file.strip_suffix('>'));
    let built_in = inner.and_then(|file| Sources::built_in_module(file.strip_suffix(".js").unwrap_or(file)));
    match built_in {
        Some((_, text)) => Ok(text.to_owned()),
        None => sources.module(file).map_err(|message| throw(ctx, &message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_tasks_grow_and_have_the_form_of_random_ones() {
        let (one, other) = (TaskIds::default(), TaskIds::default());
        let ids: Vec<Uuid> = (0..1_000).map(|_| one.next()).collect();
        assert!(ids.is_sorted_by(|before, after| before < after));
        assert!(ids.iter().all(|id| id.get_version_num() == 4 && id.get_variant() == uuid::Variant::RFC4122));
        assert_ne!(one.next().as_bytes()[..9], other.next().as_bytes()[..9], "another job has other ids");
    }

    #[test]
    fn timestamps_name_directories() {
        let time = Local.with_ymd_and_hms(2006, 1, 2, 15, 4, 5).earliest().unwrap();
        assert_eq!(timestamp_text(&time), "2006-01-02_150405");
    }
}
