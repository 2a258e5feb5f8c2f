//! Why a command failed. The text becomes the reason of the failed task.

use crate::process::ProcessError;

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("command {command:?}: parameter {parameter:?} is missing or empty (parameters given: {given})")]
    MissingParameter { command: String, parameter: String, given: String },
    #[error("command {command:?}: parameter {parameter:?} has an invalid value {value}: {message}")]
    InvalidParameter { command: String, parameter: String, value: String, message: String },
    #[error(
        "command {name:?} is not known to this worker; it knows echo, sleep, exec, blender-render, \
         frames-to-video, make-directory, move-directory and copy-file"
    )]
    UnknownCommand { name: String },
    #[error(transparent)]
    Process(ProcessError),
    /// Something else went wrong; the text is complete.
    #[error("{0}")]
    Failed(String),
    /// The run was cut off. Never reported to the manager.
    #[error("the command was interrupted")]
    Cancelled,
}

impl From<ProcessError> for CommandError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Cancelled { .. } => Self::Cancelled,
            other => Self::Process(other),
        }
    }
}
