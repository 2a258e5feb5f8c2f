//! The database: the only truth of the farm, on SQLite and on PostgreSQL.
//!
//! - Reads go through [`Store::read`], a pool that never waits for writes.
//! - Writes are operations given to [`Store::write`]; many of them share one commit, see [`writer`](mod@writer).
//! - Named queries are functions of the modules here; each takes [`Db`], so that it runs on a reader and in a
//!   transaction alike, and gives back domain types.
//! - Statements are constant text, the same for both databases, since what the databases do with a statement they
//!   have seen before is what makes them quick.
//!
//! What a worker gets next is found by [`claim`](mod@claim); the counters and queue heads that it relies on are kept
//! by [`tasks`] and checked by [`recount`](mod@recount).

pub mod attention;
pub mod audit;
mod batch;
pub mod blocklist;
pub mod check;
pub mod checkouts;
pub mod claim;
mod db;
pub mod deletion;
mod error;
pub mod frames;
pub mod jobs;
pub mod last_rendered;
pub mod links;
pub mod list;
mod looks;
pub mod machines;
pub mod mass_deletion;
mod migration;
pub mod paths;
pub mod recount;
pub mod sleep;
mod sqlite;
mod store;
pub mod submissions;
pub mod submit;
pub mod tags;
pub mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
pub mod workers;
pub mod writer;

pub use db::{Db, Reader};
pub use error::Error;
pub use store::{Location, Store};
pub use writer::{OnCommit, Tx};
