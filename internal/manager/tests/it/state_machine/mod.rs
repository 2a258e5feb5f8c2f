//! Random sequences of everything that can happen to a farm, against what must always hold.
//!
//! A sequence runs on a real farm: the real database, its own log files, a clock moved by hand. After every event the
//! whole farm is read back and looked at (see [`invariants`]); an event that is refused, and an update that arrives
//! twice, must have changed nothing. In the end the farm is left alone, and everything that is left must run to its
//! end, and be erased without a trace.
//!
//! `PROPTEST_CASES=5000 cargo test -p flamenco-manager-core --test it -- state_machine` tries more of them.

mod events;
mod invariants;
mod subject;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use subject::Subject;

/// Sequences on each database, unless the environment says otherwise.
const SEQUENCES: u32 = 24;
const LONGEST: usize = 60;

#[test]
fn whatever_happens_the_farm_stays_sound() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(SEQUENCES),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // Starting a farm takes longer than a sequence, so a farm is used again until a sequence spoils it.
    let farms = std::cell::RefCell::new(Vec::new());
    let sequences = prop::collection::vec(events::event(), 1..LONGEST);
    let result = TestRunner::new(config).run(&sequences, |events| {
        runtime.block_on(async {
            let mut ready = farms.take();
            if ready.is_empty() {
                ready = Subject::each().await;
            }
            for subject in &mut ready {
                let result = subject.run(&events).await;
                result.map_err(|problem| TestCaseError::fail(format!("{}: {problem}", subject.backend())))?;
            }
            farms.replace(ready);
            Ok(())
        })
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    runtime.block_on(async {
        for subject in farms.take() {
            subject.close().await;
        }
    });
}
