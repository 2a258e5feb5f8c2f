//! Job types: JavaScript files that turn a submission into a job with tasks.
//!
//! A job type script declares what settings it has (`JOB_TYPE`) and makes tasks of them (`compileJob(job)`). Scripts
//! come from directories on disk and from the program itself; [`Scripts`] finds them, describes them, and runs them.
//!
//! Scripts are written by people who know Blender, sometimes by strangers, and one of them being wrong must hurt
//! nobody but its submitter. So every run has its own thread, JavaScript runtime and globals, no access to files or
//! network beyond `require()` in the script directories, and [`Limits`] on time, memory and stack. Whatever a script
//! does, the answer is an [`AuthoredJob`] or an [`Error`] that says what is wrong and where.
//!
//! | module | hides |
//! |---|---|
//! | `sources` | where scripts and modules are found, and which one wins |
//! | `engine` | the JavaScript engine, its limits, and how its errors are explained |
//! | `host`, `prelude.js` | the functions and objects that scripts see |
//! | `json`, `text` | how JavaScript values are stored |
//! | `job_type` | `JOB_TYPE` and its etag |
//! | `job`, `graph` | calling `compileJob`, and the checks on what it made |
//! | `frames`, `shell` | frame ranges and splitting of command lines |

mod engine;
mod error;
mod frames;
mod graph;
mod host;
mod job;
mod job_type;
mod json;
mod scripts;
mod shell;
mod sources;
mod text;

pub use engine::{Interrupt, Limits};
pub use error::{BrokenJobType, Error};
pub use job::{AuthoredCommand, AuthoredJob, AuthoredTask, Submission};
pub use job_type::JobType;
pub use scripts::{Scripts, Tasks};
