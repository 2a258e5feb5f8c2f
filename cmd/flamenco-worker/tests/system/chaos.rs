//! A bad day: the manager is killed again and again while twenty workers talk to it over a network that loses, repeats
//! and delays. Then everything that was acknowledged must be there. See `flamenco_testkit::chaos`.
//!
//! The short form runs with all tests; `make chaos` runs the long one.

use flamenco_store::testing::TestDatabase;
use flamenco_testkit::chaos::{Chaos, Plan};
use std::time::Duration;

use crate::farm::{Farm, START, STOP, check_database};
use crate::processes::until;

const SHORT: Plan = Plan { seed: 0, workers: 20, tasks: 300, kills: 6, timeouts: false, silence: 0 };

async fn have_a_bad_day(database: TestDatabase) {
    let plan = SHORT.or_from_environment();
    // Debug builds are slow, and nobody is to be taken for dead.
    let farm = Farm::new(&format!(
        "database: '{}'\nscripts_paths: [scripts]\nworker_timeout: 10m\ntask_timeout: 1h",
        database.address()
    ));
    farm.add_plan_job_type();
    let mut manager = farm.start_manager().await;
    let chaos = Chaos::start(plan, farm.client.base_url().to_owned()).await;
    for kill in 1..=plan.kills {
        chaos.until_completed(kill as f64 / (plan.kills + 1) as f64).await;
        // Not always right after a completion.
        tokio::time::sleep(Duration::from_millis(plan.seed.rotate_left(kill as u32) % 120)).await;
        manager.kill();
        manager = farm.spawn_manager();
        until("the manager answers again", START, async || farm.client.get_version().await.ok()).await;
    }
    let begun_again = chaos.check(&farm.local_storage()).await;
    assert_eq!(begun_again, 0, "seed {}: nobody was taken for dead", plan.seed);
    let log = manager.log();
    let (status, _) = manager.terminate(STOP).await;
    assert!(status.success(), "seed {}: {status}\n{log}", plan.seed);
    check_database(&database.location).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    have_a_bad_day(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgres() {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        have_a_bad_day(TestDatabase::postgres(url).await).await;
    }
}
