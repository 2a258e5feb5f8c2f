//! `echo`, `sleep`, `exec` and `make-directory`.

use std::path::Path;
use std::time::Duration;

use super::params::{Params, text_of};
use super::quoted::{duration_text, quoted};
use super::{CommandError, Context};

pub async fn echo(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let message = params.get("message").ok_or_else(|| params.missing("message"))?;
    context.reporter.message(&format!("echo: {}", quoted(&text_of(message)))).await;
    Ok(())
}

pub async fn sleep(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    const DURATION: &str = "duration_in_seconds";
    let value = params.get(DURATION).ok_or_else(|| params.missing(DURATION))?;
    let seconds = value.as_f64().ok_or_else(|| params.invalid(DURATION, "must be a number of seconds"))?;
    if seconds < 0.0 {
        return Err(params.invalid(DURATION, "cannot be negative"));
    }
    let duration =
        Duration::try_from_secs_f64(seconds).map_err(|_| params.invalid(DURATION, "is too long"))?;
    tokio::select! {
        () = context.cancel.cancelled() => return Err(CommandError::Cancelled),
        () = tokio::time::sleep(duration) => {}
    }
    context.reporter.message(&format!("slept {}", duration_text(duration))).await;
    Ok(())
}

pub async fn exec(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let exe = params.required_string("exe")?;
    let args = params.string_list("args")?;
    context.run_program(Path::new(exe), args, |_| {}).await
}

pub async fn make_directory(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let path = params.required_string("path")?;
    context.reporter.message(&format!("make-directory: creating directory {}", quoted(path))).await;
    if let Err(error) = tokio::fs::create_dir_all(path).await {
        let text = format!("make-directory: cannot create directory {}: {error}", quoted(path));
        context.reporter.message(&text).await;
        return Err(CommandError::Failed(text));
    }
    Ok(())
}
