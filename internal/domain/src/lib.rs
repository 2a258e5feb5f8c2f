//! The rules of the render farm as plain data and pure functions.
//!
//! Nothing here waits, stores or talks: a rule is given what it needs to know and answers with what should happen.
//! The store writes it down, the manager announces it. Start with [`job`], whose page draws the life of a job, and
//! [`task`].

pub mod attention;
pub mod audit;
pub mod clock;
pub mod duration;
pub mod eligibility;
pub mod event;
pub mod failure;
pub mod farm_status;
pub mod frame;
pub mod frame_command;
pub mod frame_log;
pub mod frame_range;
pub mod frame_statistics;
pub mod ids;
pub mod job;
pub mod limits;
pub mod machine;
pub mod path_search;
pub mod role;
pub mod schedule;
mod status;
pub mod task;
pub mod variables;
pub mod waiting;
pub mod worker;

pub use status::UnknownStatus;
