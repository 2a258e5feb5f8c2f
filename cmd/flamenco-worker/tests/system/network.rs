//! A network that is gone for the length of a whole task.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flamenco_client::api::types::{JobFrameState, JobStatus, TaskStatus};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::farm::{Farm, RENDER, STOP};
use crate::processes::{until, until_unused};
use crate::scene::{self, SLOW};

const FRAMES: usize = 6;

/// The way to the manager, which can be cut.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<LineState>>);

#[derive(Default)]
struct LineState {
    is_cut: bool,
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
            let (mut near, _) = listener.accept().await.unwrap();
            let connection = {
                let state = self.0.lock().unwrap();
                if state.is_cut {
                    continue;
                }
                state.connections.clone()
            };
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(manager).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = connection.cancelled() => {}
                }
            });
        }
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
    line.cut();
    until("Blender renders everything", RENDER, async || {
        (scene::whole_frames(&rendering.directory).len() == FRAMES).then_some(())
    })
    .await;
    until_unused(&rendering.blendfile, Duration::from_secs(20)).await;
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
    until("every frame is reported", Duration::from_secs(20), async || {
        let frames = farm.frames(rendering.id).await;
        (frames.len() == FRAMES && frames.iter().all(|frame| frame.state == JobFrameState::Ok)).then_some(())
    })
    .await;
    assert!(worker.terminate(STOP).await.0.success());
    assert!(manager.terminate(STOP).await.0.success());
    farm.check_database().await;
}
