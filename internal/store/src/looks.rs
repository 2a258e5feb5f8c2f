//! Looks at single tasks, many at once by one statement.
//!
//! Workers send portions of logs all the time, and each needs a look at its task. On PostgreSQL a look is a journey, and
//! giving back the connection is another; so what is asked for while one statement is on its way goes with the next.

use std::collections::HashMap;

use flamenco_domain::ids::TaskId;
use flamenco_domain::job::JobStatus;
use flamenco_domain::task::TaskSummary;
use tokio::sync::{mpsc, oneshot};

use crate::db::Reader;
use crate::error::Error;
use crate::tasks;

/// Looks that can wait before callers have to, and those that go together.
const QUEUE: usize = 1_024;
const TOGETHER: usize = 256;

/// What a look shows: the task, and the status of its job.
type Seen = Option<(TaskSummary, JobStatus)>;

struct Look {
    id: TaskId,
    reply: oneshot::Sender<Result<Seen, Error>>,
}

/// Where to ask. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Looks(mpsc::Sender<Look>);

impl Looks {
    /// Starts to answer; this ends when nobody can ask any more.
    pub(crate) fn start(reader: Reader) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        tokio::spawn(answer(reader, queue));
        Self(sender)
    }

    pub(crate) async fn at(&self, id: TaskId) -> Result<Seen, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Look { id, reply }).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

async fn answer(reader: Reader, mut queue: mpsc::Receiver<Look>) {
    let mut looks = Vec::new();
    while queue.recv_many(&mut looks, TOGETHER).await > 0 {
        let mut ids: Vec<TaskId> = looks.iter().map(|look| look.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let seen = tasks::look_at(&reader, &ids).await.map(|seen| {
            seen.into_iter().map(|(task, job)| (task.id, (task, job))).collect::<HashMap<_, _>>()
        });
        for look in looks.drain(..) {
            // Whoever asked may be gone.
            drop(look.reply.send(match &seen {
                Ok(seen) => Ok(seen.get(&look.id).cloned()),
                Err(error) => Err(error.clone()),
            }));
        }
    }
}
