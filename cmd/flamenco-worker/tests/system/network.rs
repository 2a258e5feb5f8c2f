//! A network that is gone for the length of a whole task, and one that loses answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use flamenco_client::api::types::{JobFrameState, JobStatus, TaskStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::farm::{Farm, RENDER, START, STOP};
use crate::processes::{until, until_unused, using};
use crate::scene::{self, SLOW};

const FRAMES: usize = 6;

/// In every piece of log that tells of a frame, and nowhere else.
const MARK: &[u8] = b"Saved: '";

/// The way to the manager, which can be cut, and can lose answers to pieces of log.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<LineState>>);

#[derive(Default)]
struct LineState {
    is_cut: bool,
    /// Answers that are going to be lost.
    to_lose: usize,
    lost: usize,
    connections: CancellationToken,
}

impl Line {
    async fn lay(manager: SocketAddr) -> (Self, SocketAddr) {
        let (line, listener) = (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        tokio::spawn(line.clone().carry(listener, manager));
        (line, address)
    }

    async fn carry(self, listener: TcpListener, manager: SocketAddr) {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let connection = {
                let state = self.0.lock().unwrap();
                if state.is_cut {
                    continue;
                }
                state.connections.clone()
            };
            let line = self.clone();
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(manager).await else { return };
                tokio::select! {
                    () = line.pass(near, far) => {}
                    () = connection.cancelled() => {}
                }
            });
        }
    }

    /// Carries a connection, until it ends or an answer on it is lost.
    async fn pass(&self, mut near: TcpStream, mut far: TcpStream) {
        let (mut from_near, mut to_near) = near.split();
        let (mut from_far, mut to_far) = far.split();
        let has_mark = AtomicBool::new(false);
        let up = async {
            let (mut buffer, mut seen) = (vec![0; 64 * 1024], Vec::new());
            while let Ok(length @ 1..) = from_near.read(&mut buffer).await {
                seen.extend_from_slice(&buffer[..length]);
                if seen.windows(MARK.len()).any(|bytes| bytes == MARK) {
                    has_mark.store(true, Ordering::SeqCst);
                    seen.clear();
                }
                seen.drain(..seen.len().saturating_sub(MARK.len()));
                if to_far.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        };
        let down = async {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from_far.read(&mut buffer).await {
                // Requests wait for each other on a connection, so this is the answer to what has the mark.
                if has_mark.swap(false, Ordering::SeqCst) && self.loses() {
                    return;
                }
                if to_near.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = up => {}
            () = down => {}
        }
    }

    fn loses(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        let loses = state.lost < state.to_lose;
        state.lost += usize::from(loses);
        loses
    }

    /// From now on, the next so many answers to pieces of log that tell of frames get lost, after the manager gave them.
    fn lose(&self, answers: usize) {
        self.0.lock().unwrap().to_lose = answers;
    }

    fn lost(&self) -> usize {
        self.0.lock().unwrap().lost
    }

    fn cut(&self) {
        let mut state = self.0.lock().unwrap();
        state.is_cut = true;
        std::mem::take(&mut state.connections).cancel();
    }

    fn restore(&self) {
        self.0.lock().unwrap().is_cut = false;
    }
}

#[tokio::test]
async fn a_task_without_a_network_is_told_whole_afterwards() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let (line, address) = Line::lay(farm.address().parse().unwrap()).await;
    let worker = farm.start_worker_at("worker", &format!("http://{address}/")).await;
    let rendering = farm.submit_render(&SLOW, FRAMES, FRAMES).await;
    let task = until("the task is active", RENDER, async || {
        farm.tasks(rendering.id).await.into_iter().find(|task| task.status == TaskStatus::Active)
    })
    .await;
    // The manager has given it away before the worker knows.
    until("Blender runs", RENDER, async || (!using(&rendering.blendfile).is_empty()).then_some(())).await;
    line.cut();
    until("Blender renders everything", RENDER, async || {
        (scene::whole_frames(&rendering.directory).len() == FRAMES).then_some(())
    })
    .await;
    until_unused(&rendering.blendfile, START).await;
    let before = farm.task_log(rendering.id, task.id);
    assert!(!before.contains("Saved: '"), "nothing got through:\n{before}");
    line.restore();

    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    let log = farm.task_log(rendering.id, task.id);
    for frame in 1..=FRAMES {
        let saved = log.lines().filter(|line| line.contains(&format!("{frame:06}.png'"))).count();
        assert_eq!(saved, 1, "frame {frame}:\n{log}");
    }
    let ends = [log.find("going to run:"), log.find("Fra:1 "), log.find("Blender quit")];
    assert!(ends.iter().all(Option::is_some) && ends.is_sorted(), "every line, in order: {ends:?}\n{log}");
    until("every frame is reported", START, async || {
        let frames = farm.frames(rendering.id).await;
        (frames.len() == FRAMES && frames.iter().all(|frame| frame.state == JobFrameState::Ok)).then_some(())
    })
    .await;
    assert!(worker.terminate(STOP).await.0.success());
    assert!(manager.terminate(STOP).await.0.success());
    farm.check_database().await;
}

/// Killed just when it has stored a piece of log, and stopped in good order in the same moment.
#[tokio::test]
async fn a_log_has_every_line_once_when_answers_get_lost() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let (line, address) = Line::lay(farm.address().parse().unwrap()).await;
    line.lose(4);
    let worker = farm.start_worker_at("worker", &format!("http://{address}/")).await;
    let rendering = farm.submit_render(&SLOW, FRAMES, FRAMES).await;
    until("an answer is lost", RENDER, async || (line.lost() > 0).then_some(())).await;
    manager.kill();
    let lost = line.lost();
    let manager = farm.start_manager().await;
    until("another one is lost", START, async || (line.lost() > lost).then_some(())).await;
    assert!(manager.terminate(STOP).await.0.success());
    let manager = farm.start_manager().await;

    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    assert_eq!(line.lost(), 4);
    let tasks = farm.tasks(rendering.id).await;
    let render = tasks.iter().find(|task| task.task_type == "blender").unwrap();
    let log = farm.task_log(rendering.id, render.id);
    let saved: Vec<&str> = log.lines().filter(|line| line.contains("Saved: '")).collect();
    assert_eq!(saved.len(), FRAMES, "{log}");
    for (line, frame) in saved.iter().zip(1..) {
        assert!(line.contains(&format!("{frame:06}.png'")), "in order:\n{log}");
    }
    for once in ["going to run:", "Blender quit"] {
        assert_eq!(log.matches(once).count(), 1, "{once:?}:\n{log}");
    }
    assert!(worker.terminate(STOP).await.0.success());
    assert!(manager.terminate(STOP).await.0.success());
    farm.check_database().await;
}
