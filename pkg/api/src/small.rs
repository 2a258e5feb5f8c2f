//! What the generator writes for a small document with every construct that it knows. Here it is compiled and called;
//! the tests of `xtask` compare it with what the generator writes now.

#[allow(missing_docs, dead_code, clippy::all, reason = "generated, and only some of it is called")]
#[path = "../../../cmd/xtask/testdata/small/operations.rs"]
#[rustfmt::skip]
mod operations;
#[allow(missing_docs, reason = "generated")]
#[path = "../../../cmd/xtask/testdata/small/server.rs"]
#[rustfmt::skip]
mod server;
mod tests;
#[allow(missing_docs, dead_code, clippy::all, reason = "generated, and only some of it is used")]
#[path = "../../../cmd/xtask/testdata/small/types.rs"]
#[rustfmt::skip]
mod types;
