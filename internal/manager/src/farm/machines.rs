//! How the machines of the workers are doing.
//!
//! Every report is kept in memory for 15 minutes. Sums over minutes and hours go to the database once a minute for
//! all workers together, never for a single report. What is in memory can be lost: the next reports bring it back.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::event::Event;
use flamenco_domain::ids::WorkerId;
use flamenco_domain::machine::{
    Hardware, MachineLoad, MachineState, Period, PeriodSums, Sums, WorkerMachine,
};
use flamenco_domain::worker::Worker;
use flamenco_store::frames::{Pace, pace_of_worker};
use flamenco_store::machines::FarmPeriod;
use flamenco_store::{machines, workers};

use super::Farm;
use super::room::Room;
use crate::error::{Error, Result};

/// How long reports are kept in memory.
const RECENT: TimeDelta = TimeDelta::minutes(15);
/// Most reports of a worker that are kept, however often it sends them.
const MOST_RECENT: usize = 240;
/// Periods that are stored in one go; others may write in between.
const SLICE: usize = 500;

/// How far back the pace of a worker is looked at, and in how many jobs.
const PACE_SPAN: TimeDelta = TimeDelta::days(30);
const PACE_JOBS: u32 = 10;

/// What a worker reports.
#[derive(Debug, Clone)]
pub struct Report {
    /// What its clock shows.
    pub now: DateTime<Utc>,
    /// What its machine is.
    pub hardware: Option<Hardware>,
    /// What changes quickly.
    pub load: Option<MachineLoad>,
    /// What changes slowly.
    pub state: Option<MachineState>,
}

/// How far back a history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// 15 minutes, every report.
    Recent,
    /// 24 hours, by the minute.
    Day,
    /// 30 days, by the hour.
    Month,
}

/// A machine, and how it has been doing.
#[derive(Debug, Clone)]
pub struct MachineHistory {
    /// What it is, if it told.
    pub hardware: Option<Hardware>,
    /// Its last report of the last 15 minutes.
    pub latest: Option<WorkerMachine>,
    /// The history, oldest first.
    pub samples: Vec<PeriodSums>,
}

/// What is kept in memory.
#[derive(Debug, Default)]
pub(super) struct Machines(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    by_worker: HashMap<WorkerId, Machine>,
    /// Minutes that are not stored yet, by their beginning and the key of the worker.
    minutes: BTreeMap<(DateTime<Utc>, i64), Sums>,
    /// Workers that reported since those who watch were told last.
    changed: HashSet<WorkerId>,
}

#[derive(Debug)]
struct Machine {
    latest: WorkerMachine,
    recent: VecDeque<PeriodSums>,
}

impl Machine {
    fn forget(&mut self, now: DateTime<Utc>) {
        let too_old = |sample: &PeriodSums| now - sample.start > RECENT;
        while self.recent.front().is_some_and(too_old) || self.recent.len() > MOST_RECENT {
            self.recent.pop_front();
        }
    }
}

impl Memory {
    fn take(&mut self, worker: &Worker, report: Report, now: DateTime<Utc>) {
        let machine = self.by_worker.entry(worker.id).or_insert_with(|| Machine {
            latest: WorkerMachine {
                worker: worker.id,
                received: now,
                clock_offset: TimeDelta::zero(),
                load: None,
                state: None,
                no_room: false,
            },
            recent: VecDeque::new(),
        });
        machine.latest.received = now;
        machine.latest.clock_offset = report.now - now;
        if let Some(state) = report.state {
            machine.latest.state = Some(state);
        }
        if let Some(load) = report.load {
            let sums = Sums::of(&load, machine.latest.state.as_ref().and_then(MachineState::fullest_disk));
            machine.latest.load = Some(load);
            machine.recent.push_back(PeriodSums { start: now, sums });
            self.minutes.entry((Period::Minute.start_of(now), worker.seq)).or_default().add(&sums);
        }
        machine.forget(now);
        self.changed.insert(worker.id);
    }

    /// `disk_limit`: how full a disk may be, in percent; 0 is no limit.
    fn latest(&self, worker: WorkerId, now: DateTime<Utc>, disk_limit: u32) -> Option<WorkerMachine> {
        let latest = &self.by_worker.get(&worker)?.latest;
        (now - latest.received <= RECENT)
            .then(|| WorkerMachine { no_room: has_no_room(latest, disk_limit), ..latest.clone() })
    }
}

/// Whether a disk is as full as it may be.
fn has_no_room(machine: &WorkerMachine, disk_limit: u32) -> bool {
    let fullest = machine.state.as_ref().and_then(MachineState::fullest_disk);
    disk_limit > 0 && fullest.is_some_and(|percent| percent >= f64::from(disk_limit))
}

impl Machines {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        // A panic in between leaves at worst a report out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Farm {
    /// A worker reports how its machine is doing. Only what the machine is, which comes rarely, is written at once.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn report_machine(&self, worker: &Worker, mut report: Report) -> Result<()> {
        let now = self.now();
        if let Some(hardware) = report.hardware.take() {
            let seq = worker.seq;
            self.store
                .write::<_, _, Error>(move |tx| {
                    let hardware = hardware.clone();
                    Box::pin(async move { Ok(machines::save_hardware(tx, seq, &hardware, now).await?) })
                })
                .await?;
        }
        self.machines.lock().take(worker, report, now);
        Ok(())
    }

    /// The last reports of all workers that sent one lately.
    #[must_use]
    pub fn machines(&self) -> Vec<WorkerMachine> {
        let (now, limit, memory) = (self.now(), self.disk_limit(), self.machines.lock());
        let mut found: Vec<_> =
            memory.by_worker.keys().filter_map(|id| memory.latest(*id, now, limit)).collect();
        found.sort_by_key(|machine| machine.worker);
        found
    }

    /// The machine of a worker and its history.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn machine(&self, id: WorkerId, span: Span) -> Result<MachineHistory> {
        let now = self.now();
        if workers::find(self.store.read(), id).await?.is_none() {
            return Err(Error::not_found("worker", id));
        }
        let samples = match span {
            Span::Recent => {
                let mut memory = self.machines.lock();
                let machine = memory.by_worker.get_mut(&id);
                machine.map(|machine| {
                    machine.forget(now);
                    machine.recent.iter().copied().collect()
                })
            }
            Span::Day => Some(self.stored(id, Period::Minute, now).await?),
            Span::Month => Some(self.stored(id, Period::Hour, now).await?),
        };
        let latest = self.machines.lock().latest(id, now, self.disk_limit());
        let hardware = machines::hardware(self.store.read(), id).await?;
        Ok(MachineHistory { hardware, latest, samples: samples.unwrap_or_default() })
    }

    fn disk_limit(&self) -> u32 {
        self.live().config.settings.worker_disk_limit
    }

    /// Whether a worker gets no new tasks because a disk of it is too full, by what it told last. One that tells nothing
    /// has room. Known to the manager that the worker reports to, which is the one that it asks for tasks.
    pub(super) fn has_no_room(&self, worker: WorkerId) -> bool {
        let (now, limit) = (self.now(), self.disk_limit());
        limit > 0 && self.machines.lock().latest(worker, now, limit).is_some_and(|latest| latest.no_room)
    }

    /// How quick a worker was in the last 30 days, in the jobs that it worked for last.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn worker_pace(&self, id: WorkerId) -> Result<Vec<Pace>> {
        let db = self.store.read();
        let worker = workers::find(db, id).await?.ok_or_else(|| Error::not_found("worker", id))?;
        Ok(pace_of_worker(db, worker.seq, self.now() - PACE_SPAN, PACE_JOBS).await?)
    }

    /// How all machines together did in the last 24 hours, by the hour, and the room of the shared storage if that can
    /// be found out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn machines_of_farm(&self) -> Result<(Vec<FarmPeriod>, Option<Room>)> {
        let now = self.now();
        let since = now - TimeDelta::days(1);
        let periods = machines::farm_history(self.store.read(), Period::Hour, since).await?;
        let storage = self.live().config.shared_storage.clone();
        Ok((periods, self.room.of(storage, now).await))
    }

    async fn stored(&self, id: WorkerId, period: Period, now: DateTime<Utc>) -> Result<Vec<PeriodSums>> {
        Ok(machines::history(self.store.read(), id, period, now - period.kept()).await?)
    }

    /// Stores the minutes that are over, or every one that was begun, and forgets what is too old. Gives back how many
    /// minutes of workers were stored.
    ///
    /// # Errors
    /// When the database cannot be written. What was not stored is kept for the next time.
    pub async fn store_machine_history(&self, unfinished_too: bool) -> Result<usize> {
        let now = self.now();
        let current = Period::Minute.start_of(now);
        let due = {
            let mut memory = self.machines.lock();
            for machine in memory.by_worker.values_mut() {
                machine.forget(now);
            }
            memory.by_worker.retain(|_, machine| now - machine.latest.received <= RECENT);
            let rest =
                if unfinished_too { BTreeMap::new() } else { memory.minutes.split_off(&(current, i64::MIN)) };
            std::mem::replace(&mut memory.minutes, rest)
        };
        let due: Vec<_> = due.into_iter().collect();
        let mut stored = 0;
        for slice in due.chunks(SLICE) {
            if let Err(error) = self.store_minutes(slice.to_vec()).await {
                let mut memory = self.machines.lock();
                for (key, sums) in &due[stored..] {
                    memory.minutes.entry(*key).or_default().add(sums);
                }
                return Err(error);
            }
            stored += slice.len();
        }
        let prune = self
            .store
            .write_low::<_, _, Error>(move |tx| Box::pin(async move { Ok(machines::prune(tx, now).await?) }));
        prune.await?;
        Ok(stored)
    }

    async fn store_minutes(&self, minutes: Vec<((DateTime<Utc>, i64), Sums)>) -> Result<()> {
        self.store
            .write_low(move |tx| {
                let minutes = minutes.clone();
                Box::pin(async move {
                    for ((start, worker), sums) in &minutes {
                        for period in Period::ALL {
                            machines::add(tx, *worker, period, period.start_of(*start), sums).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Tells those who watch about the workers that reported since the last call.
    pub fn announce_machines(&self) {
        let (now, limit) = (self.now(), self.disk_limit());
        let changed: Vec<_> = {
            let mut memory = self.machines.lock();
            let ids = std::mem::take(&mut memory.changed);
            ids.into_iter().filter_map(|id| memory.latest(id, now, limit)).collect()
        };
        if !changed.is_empty() {
            self.announce(Event::Machines(changed));
        }
    }
}
