//! How this machine is doing, and what this worker logs about itself: a small report every few seconds, beside everything
//! else, to a manager that wants it.
//!
//! Nothing here may hold up a task: measuring happens on threads of its own, a report has a short deadline, and one
//! that got lost is not repeated.

mod disks;
mod gpu;
mod load;

use std::sync::mpsc;
use std::time::Duration;

use chrono::Utc;
use flamenco_api::types::{MachineHardware, MachineLoad, MachineReport, MachineState};
use flamenco_logtail::{LogTail, Piece};
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::find_programs::Programs;
use crate::manager_api::{CallError, Feature};
use crate::notice::Notice;
use crate::process::Watched;
use crate::session::Session;
use disks::measure_disks;
use gpu::Gpus;
use load::LoadMeter;

/// How long measuring, and how long a report, may take.
const LIMIT: Duration = Duration::from_secs(4);
/// How often a manager is asked again what it offers: it may be another one by now.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// Reports until cancelled.
pub async fn report(
    session: &Session,
    config: &Config,
    programs: &Programs,
    watched: &Watched,
    cancel: &CancellationToken,
) {
    let mut reporter = Reporter {
        session,
        programs,
        watched,
        own_log: &config.own_log,
        every: config.pace.machine_state,
        meters: None,
        hardware_sent_for: 0,
        state_sent: None,
        log_sent_for: 0,
        asked: Instant::now(),
        notice: Notice::default(),
    };
    let mut tick = interval(config.pace.machine_load);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let work = async {
        loop {
            tick.tick().await;
            reporter.tick().await;
        }
    };
    cancel.run_until_cancelled(work).await;
}

struct Reporter<'a> {
    session: &'a Session,
    programs: &'a Programs,
    watched: &'a Watched,
    own_log: &'a LogTail,
    /// Between two reports of what changes slowly.
    every: Duration,
    meters: Option<Meters>,
    /// Which sign-on the manager was last told the hardware for.
    hardware_sent_for: u64,
    state_sent: Option<Instant>,
    /// Which sign-on the manager was last sent the whole log for; none when it may have forgotten it.
    log_sent_for: u64,
    asked: Instant,
    notice: Notice,
}

/// What measures, made when a manager first wants to know.
struct Meters {
    load: Meter<Option<u32>, load::Measured>,
    disks: Meter<Option<std::path::PathBuf>, Vec<flamenco_api::types::MachineDisk>>,
    gpus: Gpus,
}

impl Reporter<'_> {
    async fn tick(&mut self) {
        let manager = self.session.manager();
        let sign_on = self.session.sign_ons();
        if sign_on == 0 {
            return;
        }
        if self.asked.elapsed() > ASK_AGAIN {
            manager.forget_features();
            self.log_sent_for = 0;
        }
        if !manager.features_known() {
            self.asked = Instant::now();
            // Tried again at the next tick.
            let _ = timeout(LIMIT, manager.learn_features()).await;
        }
        if manager.offers(Feature::Machine) {
            self.report_machine(sign_on).await;
        }
        if manager.offers(Feature::WorkerLog) {
            self.send_log(sign_on).await;
        }
    }

    /// Sends what was logged since the last time; everything after a sign-on, and when the manager may have started anew.
    async fn send_log(&mut self, sign_on: u64) {
        let all = self.log_sent_for != sign_on;
        let Some(Piece { lines, upto }) = self.own_log.pending(all) else { return };
        match timeout(LIMIT, self.session.manager().report_log(lines, all)).await {
            Ok(Ok(())) => {
                self.own_log.sent(upto);
                self.log_sent_for = sign_on;
            }
            Ok(Err(CallError::Problem { status, .. })) if status.is_client_error() => {
                // These lines it does not want; the next ones perhaps.
                self.own_log.sent(upto);
                self.session.manager().forget_features();
            }
            Ok(Err(_)) | Err(_) => self.log_sent_for = 0,
        }
    }

    async fn report_machine(&mut self, sign_on: u64) {
        let manager = self.session.manager();
        // The versions of the programs belong to it.
        let hardware_due = self.hardware_sent_for != sign_on && self.programs.looked();
        let state_due = self.state_sent.is_none_or(|sent| sent.elapsed() >= self.every);
        let Some(report) = self.measure(hardware_due, state_due).await else { return };
        match timeout(LIMIT, manager.report_machine(&report)).await {
            Ok(Ok(())) => {
                if hardware_due {
                    self.hardware_sent_for = sign_on;
                }
                if state_due {
                    self.state_sent = Some(Instant::now());
                }
                if self.notice.clear() {
                    tracing::info!("the manager is told again how this machine is doing");
                }
            }
            Ok(Err(CallError::Problem {
                status: StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED,
                ..
            })) => {
                manager.forget_features();
            }
            Ok(Err(error)) => {
                // A manager that starts again has forgotten the log.
                self.log_sent_for = 0;
                self.say(&error.to_string());
            }
            Err(_) => self.say("no answer in time"),
        }
    }

    fn say(&mut self, error: &str) {
        if self.notice.is_new(error) {
            tracing::debug!(error, "cannot tell the manager how this machine is doing");
        }
    }

    async fn measure(&mut self, hardware_due: bool, state_due: bool) -> Option<MachineReport> {
        if self.meters.is_none() {
            self.meters = Meters::start().await;
        }
        let meters = self.meters.as_mut()?;
        // Where it saves to is what counts; until it has saved anything, where it most likely will.
        let output = self.watched.output().or_else(|| self.session.manager().shared_storage());
        let measured = meters.load.measure(self.watched.program()).await?;
        let gpus = meters.gpus.measure().await;
        let state = match state_due {
            // Without the disks when one does not answer.
            true => Some(MachineState {
                disks: meters.disks.measure(output).await,
                uptime_s: measured.uptime_s,
                temperatures: Some(measured.temperatures),
            }),
            false => None,
        };
        let hardware = hardware_due.then(|| MachineHardware {
            gpus: Some(meters.gpus.hardware()),
            blender_versions: Some(self.programs.blender_versions()),
            ffmpeg_version: self.programs.ffmpeg_version(),
            ..measured.hardware
        });
        let load = MachineLoad { gpus: Some(gpus), ..measured.load };
        Some(MachineReport { now: Utc::now(), hardware, load: Some(load), state })
    }
}

impl Meters {
    async fn start() -> Option<Self> {
        let load = Meter::start("machine-load", || {
            let mut meter = LoadMeter::new();
            move |program| meter.measure(program)
        })?;
        let disks = Meter::start("machine-disks", || {
            |output: Option<std::path::PathBuf>| measure_disks(output.as_deref())
        })?;
        Some(Self { load, disks, gpus: Gpus::find().await })
    }
}

/// Something that is measured on a thread of its own. One measurement that hangs, as on a dead network drive, makes
/// later ones fail and piles up nothing.
struct Meter<Q, A> {
    questions: mpsc::SyncSender<(Q, oneshot::Sender<A>)>,
}

impl<Q: Send + 'static, A: Send + 'static> Meter<Q, A> {
    fn start<F: FnMut(Q) -> A>(name: &str, make: impl FnOnce() -> F + Send + 'static) -> Option<Self> {
        let (questions, asked) = mpsc::sync_channel::<(Q, oneshot::Sender<A>)>(1);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut measure = make();
            for (question, answer) in asked {
                // Nobody waits any more when it took too long.
                drop(answer.send(measure(question)));
            }
        });
        thread.inspect_err(|error| tracing::warn!(%error, name, "cannot start a thread")).ok()?;
        Some(Self { questions })
    }

    async fn measure(&self, question: Q) -> Option<A> {
        let (answer, answered) = oneshot::channel();
        self.questions.try_send((question, answer)).ok()?;
        timeout(LIMIT, answered).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_measurement_that_hangs_makes_others_fail_and_nothing_piles_up() {
        let (release, wait) = mpsc::channel::<()>();
        let meter = Meter::start("test", move || {
            move |number: i32| {
                if number == 0 {
                    let _ = wait.recv();
                }
                number * 2
            }
        })
        .unwrap();
        assert_eq!(meter.measure(4).await, Some(8));
        assert_eq!(meter.measure(0).await, None);
        for _ in 0..2 {
            assert_eq!(meter.measure(1).await, None);
        }
        release.send(()).unwrap();
        let recovered = async {
            while meter.measure(5).await != Some(10) {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        recovered.await;
    }
}
