//! The store on real databases: SQLite always, PostgreSQL when `TEST_DATABASE_URL` is set (`make test` sets it).

mod claim;
mod counters;
mod farm;
mod submit;
mod writer;
