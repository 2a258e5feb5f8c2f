//! The bad day of the system tests with one thing more, which real programs cannot be given: the clock of the manager
//! jumps, forwards and back. Workers are then taken for dead while they work, and their tasks go to others.

use std::time::Duration;

use chrono::TimeDelta;
use flamenco_testkit::Builder;
use flamenco_testkit::chaos::{Chaos, Plan};

on_each_database!(the_clock_jumps_while_the_manager_is_killed);

const SHORT: Plan = Plan { seed: 0, workers: 10, tasks: 120, kills: 5, timeouts: true };

async fn the_clock_jumps_while_the_manager_is_killed(farm: Builder) {
    let plan = SHORT.or_from_environment();
    // The loops look every second, from the fifth on after a start. Being taken for dead says nothing about a task.
    let farm = farm.with_yaml(
        "worker_timeout: 1s\ntask_timeout: 1h\nblocklist_threshold: 0\ntask_fail_after_softfail_count: 1000000",
    );
    let mut farm = farm.start().await;
    let chaos = Chaos::start(plan, farm.url()).await;
    for kill in 1..=plan.kills {
        chaos.until_completed(kill as f64 / (plan.kills + 1) as f64).await;
        let jump = if kill % 3 == 0 { -TimeDelta::hours(2) } else { TimeDelta::minutes(7) };
        farm.clock().advance(jump);
        tokio::time::sleep(Duration::from_millis(plan.seed.rotate_left(kill as u32) % 400)).await;
        farm.clock().advance(TimeDelta::seconds(3));
        farm.kill();
        farm.start_again().await;
        chaos.moved(farm.url());
    }
    // Long enough for the loops to look at workers that were not heard of for minutes, by the clock.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        farm.clock().advance(TimeDelta::minutes(5));
    }
    chaos.check(&farm.local_storage()).await;
    farm.stop().await;
}
