//! The commands a task is made of. One file per family; a new command is added to [`run`].

mod basic;
mod blender;
mod blender_output;
mod copy_file;
mod error;
mod ffmpeg;
mod frame_tracker;
mod frames;
mod last_words;
mod move_directory;
mod params;
mod picture;
mod quoted;
pub mod shell_words;
mod tree_copy;

use std::path::Path;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::find_programs::Programs;
use crate::manager_api::Manager;
use crate::pictures::Pictures;
use crate::process::{self, Launch, Supervision};
use crate::reporter::Reporter;
pub use error::CommandError;
use params::Params;

/// One command of a task, as the manager sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub name: String,
    pub parameters: Map<String, Value>,
    /// How many steps the command counts itself; 0 when it counts none.
    pub total_step_count: i64,
}

impl Command {
    /// How much of the task this command is, in steps: one that counts none is worth one.
    pub fn step_share(&self) -> i64 {
        self.total_step_count.max(1)
    }
}

/// What a command may use while it runs.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub reporter: &'a Reporter,
    pub cancel: &'a CancellationToken,
    pub programs: &'a Programs,
    pub oom_score_adjust: Option<i32>,
    pub supervision: &'a Supervision,
    pub manager: &'a Manager,
    pub pictures: &'a Pictures,
    /// Steps that the commands before this one completed.
    pub steps_before: i64,
}

impl Context<'_> {
    /// Runs a program whose success is exit code 0.
    async fn run_program(
        &self,
        exe: &Path,
        args: Vec<String>,
        on_line: impl FnMut(&str),
    ) -> Result<(), CommandError> {
        let launch = Launch { exe: exe.to_owned(), args, oom_score_adjust: self.oom_score_adjust };
        Ok(process::run(&launch, self.supervision, self.reporter, self.cancel, on_line).await?)
    }
}

/// Runs one command to its end.
///
/// # Errors
/// When a parameter is missing or invalid, when the command fails, or when it was cancelled.
pub async fn run(command: &Command, context: &Context<'_>) -> Result<(), CommandError> {
    let params = Params::new(&command.name, &command.parameters);
    match command.name.as_str() {
        "echo" => basic::echo(&params, context).await,
        "sleep" => basic::sleep(&params, context).await,
        "exec" => basic::exec(&params, context).await,
        "blender-render" => blender::render(command.total_step_count, &params, context).await,
        "frames-to-video" => ffmpeg::frames_to_video(&params, context).await,
        "make-directory" => basic::make_directory(&params, context).await,
        "move-directory" => move_directory::move_directory(&params, context).await,
        "copy-file" => copy_file::copy_file(&params, context).await,
        _ => Err(CommandError::UnknownCommand { name: command.name.clone() }),
    }
}

#[cfg(test)]
mod tests;
