//! Enabling and disabling workers. A disabled worker gets no tasks until a person enables it, whatever else happens:
//! its status, its sleep schedule and restarts are another matter. The worker itself is told nothing and needs to know
//! nothing, so this works with every worker.

use flamenco_domain::event::{Event, WorkerEvent};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::worker::{Switch, on_switch};
use flamenco_store::workers;

use super::tasks::give_back;
use super::workers::lock;
use super::{Farm, LogLine};
use crate::error::{Error, Result};

impl Farm {
    /// Enables or disables a worker. A task that is taken from it goes back to the queue, which is no failure.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn switch_worker(&self, id: WorkerId, switch: Switch) -> Result<()> {
        let now = self.now();
        let lines = self
            .store
            .write::<_, Vec<LogLine>, Error>(move |tx| {
                let switch = switch.clone();
                Box::pin(async move {
                    let mut worker = lock(tx, id).await?;
                    let lines = match &switch {
                        Switch::Disable { reason, now: true, .. } => {
                            let why = match reason.as_str() {
                                "" => format!("worker {} was disabled", worker.name),
                                reason => format!("worker {} was disabled: {reason}", worker.name),
                            };
                            give_back(tx, worker.seq, &why, now).await?
                        }
                        Switch::Disable { now: false, .. } | Switch::Enable => Vec::new(),
                    };
                    let disabled = on_switch(worker.disabled.as_ref(), &switch, now);
                    if disabled == worker.disabled {
                        return Ok(lines);
                    }
                    worker.disabled = disabled;
                    worker.updated = now;
                    workers::save_disabled(tx, &worker).await?;
                    if worker.disabled.is_none() {
                        // It waits for work perhaps.
                        tx.announce(Event::WorkAvailable);
                    }
                    let event = WorkerEvent { worker, previous: None, tags: None, switched: true };
                    tx.announce(Event::Worker(Box::new(event)));
                    Ok(lines)
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(())
    }
}
