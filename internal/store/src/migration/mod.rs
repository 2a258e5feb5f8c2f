//! The schema, step by step. A step that has landed is never edited; a change is a new step.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m20261122_initial;
mod m20261122_job_lists;
mod m20261123_checkouts;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_initial::Migration),
            Box::new(m20261122_job_lists::Migration),
            Box::new(m20261123_checkouts::Migration),
        ]
    }
}
