//! `--check-script`: compiles a job without a farm and shows its tasks, for who writes a job type.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use flamenco_manager_core::jobscript::{
    AuthoredJob, AuthoredTask, Error, JobType, Limits, Scripts, Submission,
};
use serde_json::{Map, Value, json};

use crate::arguments::CheckArguments;

/// Prints the tasks to standard output, and everything else to standard error. The exit code is 1 when the script, or
/// what was given to it, is wrong.
pub(crate) fn run(file: &Path, arguments: &CheckArguments, as_json: bool) -> ExitCode {
    match check(file, arguments, as_json) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path, arguments: &CheckArguments, as_json: bool) -> anyhow::Result<String> {
    let (scripts, name) = Scripts::of_file(file, Limits::default()).map_err(|message| anyhow!(message))?;
    let explain = |error: Error| anyhow!(explanation(file, &error));
    let job_type = scripts.job_type(&name).map_err(explain)?;
    let settings = match &arguments.settings {
        Some(text) => {
            let given = parse_settings(text)?;
            eprint!("{}", remarks_on_given(&job_type, &given));
            given
        }
        None => {
            let (defaults, remarks) = default_settings(&job_type);
            eprint!("{remarks}");
            defaults
        }
    };
    let job = scripts.compile(&submission(&job_type, settings, &arguments.job_name)).map_err(explain)?;
    Ok(if as_json { format!("{:#}\n", job_as_json(&job_type, &job)) } else { table(&job) })
}

fn submission(job_type: &JobType, settings: Map<String, Value>, job_name: &str) -> Submission {
    Submission {
        name: job_name.to_owned(),
        job_type: job_type.name.clone(),
        type_etag: Some(job_type.etag.clone()),
        priority: 50,
        settings,
        metadata: Vec::new(),
        worker_tag: None,
        shaman_checkout_id: None,
        now: std::time::SystemTime::now().into(),
    }
}

/// Reads JSON, from a file when the text begins with `@`.
fn parse_settings(text: &str) -> anyhow::Result<Map<String, Value>> {
    let (what, json) = match text.strip_prefix('@') {
        Some(file) => (file, std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?),
        None => ("--settings", text.to_owned()),
    };
    match serde_json::from_str(&json).with_context(|| format!("{what} is not JSON"))? {
        Value::Object(settings) => Ok(settings),
        _ => bail!("{what} must be a JSON object, such as {{\"frames\": \"1-10\"}}"),
    }
}

/// The settings of a job type, as it declares them.
fn declared(job_type: &JobType) -> impl Iterator<Item = (&str, &Value)> {
    let settings = job_type.settings.as_array().map(Vec::as_slice).unwrap_or_default();
    settings.iter().filter_map(|setting| Some((setting.get("key")?.as_str()?, setting)))
}

/// The default of each setting that has one, and lines that tell which those are and what is left.
fn default_settings(job_type: &JobType) -> (Map<String, Value>, String) {
    let mut defaults = Map::new();
    let (mut filled, mut missing) = (String::new(), String::new());
    for (key, setting) in declared(job_type) {
        match setting.get("default") {
            Some(value) => {
                filled += &format!("  {key} = {value}\n");
                defaults.insert(key.to_owned(), value.clone());
            }
            None => missing += &format!("  {key}{}\n", nature(setting)),
        }
    }
    let section =
        |title: &str, lines: String| if lines.is_empty() { lines } else { format!("{title}\n{lines}") };
    let remarks = section("Settings with their default:", filled)
        + &section(
            "Settings without a default, which the script does not get (give them with --settings):",
            missing,
        );
    (defaults, remarks)
}

/// Lines about declared settings that are not given, and given ones that are not declared.
fn remarks_on_given(job_type: &JobType, given: &Map<String, Value>) -> String {
    let known: Vec<_> = declared(job_type).collect();
    let missing = known.iter().filter(|(key, _)| !given.contains_key(*key));
    let missing = missing.map(|(key, setting)| format!("Setting not given: {key}{}\n", nature(setting)));
    let unknown = given.keys().filter(|key| !known.iter().any(|(known, _)| known == key));
    missing.chain(unknown.map(|key| format!("Setting that JOB_TYPE does not have: {key}\n"))).collect()
}

/// What somebody who has to give a value for a setting needs to know about it.
fn nature(setting: &Value) -> String {
    let kind = setting.get("type").and_then(Value::as_str).unwrap_or("?");
    let required = if setting.get("required") == Some(&json!(true)) { ", required" } else { "" };
    let eval = setting.get("eval").and_then(Value::as_str);
    let eval = eval.map(|eval| format!(", in Blender: {eval}")).unwrap_or_default();
    format!(" ({kind}{required}{eval})")
}

/// `file:line:column: message`, as compilers write it, with the line itself when it can be shown.
fn explanation(script: &Path, error: &Error) -> String {
    let (file, line, column) = error.place();
    let directory = script.parent().unwrap_or(Path::new(""));
    let path = match file {
        // Part of the program.
        Some(file) if file.starts_with('<') => Path::new(file).to_owned(),
        Some(file) => directory.join(file),
        None => script.to_owned(),
    };
    let place =
        [line, column].into_iter().flatten().fold(String::new(), |place, number| format!("{place}:{number}"));
    let mut text = format!("{}{place}: {}", path.display(), error.reason());
    if let Some(line) = line
        && let Ok(source) = std::fs::read(&path)
        && let Some(excerpt) = excerpt(&String::from_utf8_lossy(&source), line, column)
    {
        text = format!("{text}\n{excerpt}");
    }
    text
}

/// A line of a source text, with a caret below the column.
fn excerpt(source: &str, line: u32, column: Option<u32>) -> Option<String> {
    let content = source.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?;
    let mut text = format!("{line:>5} | {content}");
    if let Some(before) = column.and_then(|column| usize::try_from(column.checked_sub(1)?).ok()) {
        // Tabs stay, so that the caret is below its character however wide they are.
        let blank = content.chars().take(before).map(|character| if character == '\t' { '\t' } else { ' ' });
        text += &format!("\n      | {}^", blank.collect::<String>());
    }
    Some(text)
}

fn job_as_json(job_type: &JobType, job: &AuthoredJob) -> Value {
    let command = |command: &flamenco_manager_core::jobscript::AuthoredCommand| {
        json!({
            "name": command.name,
            "parameters": command.parameters,
            "total_step_count": command.total_step_count,
        })
    };
    let task = |(index, task): (usize, &AuthoredTask)| {
        json!({
            "index": index + 1,
            "name": task.name,
            "type": task.task_type,
            "priority": task.priority,
            "steps": task.steps_total(),
            "depends_on": task.dependencies.iter().map(|index| index + 1).collect::<Vec<_>>(),
            "commands": task.commands.iter().map(command).collect::<Vec<_>>(),
        })
    };
    let metadata: Map<String, Value> =
        job.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({
        "name": job.name,
        "type": job_type.name,
        "etag": job_type.etag,
        "priority": job.priority,
        "settings": job.settings,
        "metadata": metadata,
        "tasks": job.tasks.iter().enumerate().map(task).collect::<Vec<_>>(),
    })
}

const COLUMNS: [&str; 7] = ["#", "name", "type", "priority", "commands", "steps", "depends on"];

/// The columns that are numbers, and stand to the right.
const NUMBERS: [bool; 7] = [true, false, false, true, false, true, false];

/// The tasks, numbered from 1, one a line.
fn table(job: &AuthoredJob) -> String {
    let rows = job.tasks.iter().enumerate().map(|(index, task)| row(index + 1, task));
    let rows: Vec<[String; 7]> = std::iter::once(COLUMNS.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).zip(NUMBERS).map(|((cell, width), number)| {
            if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    let steps = job.tasks.iter().map(AuthoredTask::steps_total).fold(0, i64::saturating_add);
    let plural = if job.tasks.len() == 1 { "" } else { "s" };
    text + &format!("{} task{plural}, {steps} steps\n", job.tasks.len())
}

fn row(number: usize, task: &AuthoredTask) -> [String; 7] {
    let commands: Vec<_> = task.commands.iter().map(|command| command.name.as_str()).collect();
    let commands = if commands.is_empty() { "(none)".to_owned() } else { commands.join(", ") };
    let depends_on: Vec<_> = task.dependencies.iter().map(|index| index + 1).collect();
    let fields = [number.to_string(), task.name.clone(), task.task_type.clone(), task.priority.to_string()];
    let [number, name, task_type, priority] = fields.map(|field| field.replace(['\n', '\r', '\t'], " "));
    [number, name, task_type, priority, commands, task.steps_total().to_string(), ranges(&depends_on)]
}

/// Numbers with runs of three and more written as `2-5`.
fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let written = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_numbers() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[3], "3"),
            (&[1, 2], "1,2"),
            (&[1, 2, 3, 4], "1-4"),
            (&[5, 1, 2, 3, 9, 10], "5,1-3,9,10"),
        ] {
            assert_eq!(ranges(numbers), text);
        }
    }

    #[test]
    fn carets_point_at_their_column() {
        for (line, column, text) in [
            (1, Some(1), Some("    1 | one\n      | ^")),
            (2, Some(3), Some("    2 | \té two\n      | \t ^")),
            (1, None, Some("    1 | one")),
            // Behind the last character.
            (1, Some(9), Some("    1 | one\n      |    ^")),
            (3, Some(1), None),
            (0, Some(1), None),
        ] {
            assert_eq!(excerpt("one\n\té two\n", line, column).as_deref(), text, "{line}:{column:?}");
        }
    }
}
