//! The bad day of the system tests with one thing more, which real programs cannot be given: the clock of the manager
//! jumps, forwards and back. Workers are then taken for dead while they work, and their tasks go to others.

use std::time::Duration;

use chrono::TimeDelta;
use flamenco_testkit::Builder;
use flamenco_testkit::chaos::{Chaos, Plan};

on_each_database!(the_clock_jumps_while_the_manager_is_killed);

const SHORT: Plan = Plan { seed: 0, workers: 10, tasks: 60, kills: 2, timeouts: true, silence: 1_500 };
/// The loops look for the first time five seconds after a start, and then every second.
const FIRST_LOOK: Duration = Duration::from_secs(6);

async fn the_clock_jumps_while_the_manager_is_killed(farm: Builder) {
    let plan = SHORT.or_from_environment();
    // Being taken for dead says nothing about a task, so none of them may fail for it.
    let farm = farm.with_yaml(
        "worker_timeout: 1s\ntask_timeout: 1h\nblocklist_threshold: 0\ntask_fail_after_softfail_count: 1000000",
    );
    let mut farm = farm.start().await;
    let chaos = Chaos::start(plan, farm.url()).await;
    for kill in 1..=plan.kills {
        tokio::time::sleep(FIRST_LOOK).await;
        for jump in [TimeDelta::minutes(7), -TimeDelta::hours(2), TimeDelta::hours(3)] {
            farm.clock().advance(jump);
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        chaos.until_completed(kill as f64 / (plan.kills + 2) as f64).await;
        farm.kill();
        farm.start_again().await;
        chaos.moved(farm.url());
    }
    let begun_again = chaos.check(&farm.local_storage()).await;
    assert!(begun_again > 0, "seed {}: no jump took a task from its worker", plan.seed);
    farm.stop().await;
}
