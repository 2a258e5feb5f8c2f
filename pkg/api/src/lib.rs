//! The wire contract: types, operations and (with the feature `server`) the traits and the router that serve them.
//!
//! Almost everything here is written by `cargo xtask generate` from `openapi.yaml`, in the module `generated`. The
//! few lines around it are by hand:
//!
//! * [`Operation`] describes one method on one path,
//! * [`Problem`] is the answer to a request that cannot be fulfilled, and always leaves as an `Error` JSON object,
//! * [`BodyStream`] is a response body that is never held in memory as a whole,
//! * [`validate`] checks the limits of the document that a type cannot express,
//! * `server` reads requests (authorising them before the first byte of a body) and writes answers.

mod body;
mod generated;
mod operation;
mod problem;
#[cfg(test)]
mod small;
pub mod validate;

#[cfg(feature = "server")]
pub mod server;

pub use body::BodyStream;
pub use generated::{operations, types};
pub use operation::Operation;
pub use problem::Problem;

#[doc(hidden)]
pub mod null;
