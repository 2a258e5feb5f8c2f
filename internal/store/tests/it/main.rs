//! The store on real databases: SQLite always, PostgreSQL when `TEST_DATABASE_URL` is set (`make test` sets it).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests; a panic is the failure of the test"
)]

mod audit;
mod check;
mod checkouts;
mod claim;
mod counters;
mod farm;
mod lists;
mod submit;
mod writer;
