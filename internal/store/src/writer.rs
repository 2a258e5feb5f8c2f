//! The group-committing writer: one task owns the write connection, and many operations share one commit.
//!
//! A commit costs an fsync, whatever is in it. So the writer takes every operation that waits, runs them one after
//! another in one transaction, commits once and then answers them all: what was answered is on disk. It never lingers;
//! the time of a commit fills the next batch. Operations are plain functions of a [`Tx`] and may be run again, since
//! one that fails after it has written takes the whole transaction with it: the batch is then rolled back and every
//! operation runs alone, so that only the failing one fails. That is cheaper than a savepoint for each
//! (`reference/store.md` has the measurements).
//!
//! SQLite's statements run at once, so its writer has a thread of its own and blocks nobody; PostgreSQL's wait for the
//! server, and its writer is a task among others.
//!
//! Low-priority operations, slices of something long, come at most one to a batch. Where only the last one makes what
//! they write count, the others do not wait for the disk: they are a batch of their own, which is on the disk when the
//! next batch is. Hot ones, which every task goes through several times, leave what they change together to the end of
//! the batch, see `batch.rs`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flamenco_domain::event::Event;
use flamenco_domain::ids::TaskId;
use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

mod operation;

pub(crate) use operation::Kind;
use operation::{Operation, Typed};

use crate::batch::{self, Batch};
use crate::db::{Db, Link, Way};
use crate::error::Error;
use crate::sqlite::Connection;

/// Operations that can wait before callers have to.
const QUEUE: usize = 1_024;
const LOW_QUEUE: usize = 16;
/// A batch ends at this many operations, or after this time. On PostgreSQL row locks are held for the whole batch and
/// another manager may want the same rows, so batches are shorter there.
const BATCH_SQLITE: usize = 256;
const BATCH_POSTGRES: usize = 64;
const BATCH_TIME: Duration = Duration::from_millis(10);
/// How often an operation that PostgreSQL gave up for a conflict is tried again.
const CONFLICT_TRIES: usize = 5;

/// Called after each commit with what the operations of the batch announced, in their order.
pub type OnCommit = Arc<dyn Fn(Vec<Event>) + Send + Sync>;

/// The connection that writes, and how to connect anew.
pub(crate) enum Writing {
    Sqlite(Arc<Connection>, PathBuf),
    Postgres(DatabaseConnection, Box<ConnectOptions>),
}

impl Writing {
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self {
            // Only this one is left: every transaction is over.
            Self::Sqlite(connection, _) => Arc::into_inner(connection).map_or(Ok(()), Connection::close),
            Self::Postgres(connection, _) => Ok(connection.close().await?),
        }
    }
}

enum Transaction {
    Sqlite(Arc<Connection>),
    Postgres(DatabaseTransaction),
}

impl Transaction {
    async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.commit(),
            Self::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    async fn roll_back(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.roll_back(),
            Self::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }
}

/// The transaction an operation runs in.
pub struct Tx {
    transaction: Transaction,
    wrote: AtomicBool,
    broken: AtomicBool,
    conflict: AtomicBool,
    /// Whether the operation that runs now leaves things to the end of the batch.
    hot: AtomicBool,
    batch: Mutex<Batch>,
    events: Mutex<Vec<Event>>,
}

impl Tx {
    /// Announces an event once the transaction is committed; a rolled back one never is.
    pub fn announce(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Whether the operation that runs now may leave things to the end of the batch.
    pub(crate) fn is_hot(&self) -> bool {
        self.hot.load(Ordering::Relaxed)
    }

    /// Looks at, or changes, what is left to the end of the batch.
    pub(crate) fn batch<T>(&self, look: impl FnOnce(&mut Batch) -> T) -> T {
        look(&mut self.batch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Before an operation: it has written nothing so far, and an ordinary one finds everything in the database.
    async fn prepare(&self, hot: bool) -> Result<(), Error> {
        self.hot.store(hot, Ordering::Relaxed);
        self.wrote.store(false, Ordering::Relaxed);
        if hot { Ok(()) } else { batch::flush(self).await }
    }

    fn announced(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes back what a failed operation announced.
    fn forget_announced(&self, keep: usize) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).truncate(keep);
    }

    fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Db for Tx {
    fn link(&self) -> Link<'_> {
        Link(match &self.transaction {
            Transaction::Sqlite(connection) => Way::Sqlite(connection),
            Transaction::Postgres(transaction) => Way::Postgres(transaction),
        })
    }

    fn note_write(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    fn note_error(&self, conflict: bool) {
        self.broken.store(true, Ordering::Relaxed);
        if conflict {
            self.conflict.store(true, Ordering::Relaxed);
        }
    }
}

/// Hands operations to the writer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    normal: mpsc::Sender<Box<dyn Operation>>,
    low: mpsc::Sender<Box<dyn Operation>>,
    closing: CancellationToken,
}

impl Writer {
    /// Starts the writer; it ends after [`Self::close`], when what it has accepted is done, and gives back the
    /// connection.
    ///
    /// # Errors
    /// When there is no room for another thread.
    pub(crate) fn spawn(
        connection: Writing,
        on_commit: OnCommit,
    ) -> Result<(Self, oneshot::Receiver<Writing>), Error> {
        let (normal, normal_queue) = mpsc::channel(QUEUE);
        let (low, low_queue) = mpsc::channel(LOW_QUEUE);
        let threaded = matches!(connection, Writing::Sqlite(..));
        let closing = CancellationToken::new();
        let task = Task {
            connection,
            spoiled: AtomicBool::new(false),
            normal: normal_queue,
            low: low_queue,
            taken: VecDeque::new(),
            on_commit,
            batch_size: if threaded { BATCH_SQLITE } else { BATCH_POSTGRES },
            closing: closing.clone(),
        };
        let (done, connection) = oneshot::channel();
        // Nobody may want the connection back: then it is closed here.
        let run = async move { drop(done.send(task.run().await)) };
        if threaded {
            let runtime = tokio::runtime::Handle::current();
            let thread = std::thread::Builder::new().name("database-writer".to_owned());
            thread
                .spawn(move || runtime.block_on(run))
                .map_err(|error| Error::Database(format!("no thread for the database: {error}")))?;
        } else {
            tokio::spawn(run);
        }
        Ok((Self { normal, low, closing }, connection))
    }

    /// From now on nothing is accepted any more.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    pub(crate) async fn run<F, T, E>(&self, kind: Kind, task: Option<TaskId>, function: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (operation, answer) = Typed::new(kind, task, function);
        let queue = if kind.is_low() { &self.low } else { &self.normal };
        queue.send(Box::new(operation)).await.map_err(|_| E::from(Error::Closed))?;
        answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }
}

struct Task {
    connection: Writing,
    /// Nobody knows in which state the connection is.
    spoiled: AtomicBool,
    normal: mpsc::Receiver<Box<dyn Operation>>,
    low: mpsc::Receiver<Box<dyn Operation>>,
    /// Taken from the normal ones, to be run next.
    taken: VecDeque<Box<dyn Operation>>,
    on_commit: OnCommit,
    batch_size: usize,
    closing: CancellationToken,
}

impl Task {
    async fn run(mut self) -> Writing {
        while let Some(first) = self.next().await {
            self.batch(first).await;
        }
        self.connection
    }

    /// The next operation. Nothing when no more will come.
    async fn next(&mut self) -> Option<Box<dyn Operation>> {
        if let Some(operation) = self.taken.pop_front() {
            return Some(operation);
        }
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !self.normal.is_closed() => {
                    // What is in the queues is still taken out and done.
                    self.normal.close();
                    self.low.close();
                }
                operation = self.normal.recv() => return match operation {
                    Some(operation) => Some(operation),
                    None => self.low.recv().await,
                },
                Some(operation) = self.low.recv() => return Some(operation),
            }
        }
    }

    async fn batch(&mut self, first: Box<dyn Operation>) {
        let lasting = first.kind().is_lasting();
        let tx = match self.begin(lasting).await {
            Ok(tx) => tx,
            Err(error) => return first.answer(Some(error)),
        };
        if lasting && matches!(self.connection, Writing::Postgres(..)) {
            let tasks = self.look_ahead(first.task());
            // One alone is read when its operation looks at it. An error shows in the transaction: then all of them are
            // run again, one by one.
            if tasks.len() > 1
                && let Err(error) = batch::hold_tasks(&tx, &tasks).await
            {
                tracing::debug!(%error, "reading the tasks of a batch");
            }
        }
        let started = Instant::now();
        let mut low_taken = first.kind().is_low();
        let mut operations = Vec::new();
        let mut next = Some(first);
        while let Some(mut operation) = next.take() {
            let announced = tx.announced();
            // One that could not be prepared has broken the transaction, and is run again like the others.
            let kind = operation.kind();
            let succeeded = match tx.prepare(kind.is_hot()).await {
                Ok(()) => operation.run(&tx).await,
                Err(_) => false,
            };
            if !succeeded {
                tx.forget_announced(announced);
            }
            operations.push(operation);
            let spoiled = !succeeded && tx.wrote.load(Ordering::Relaxed);
            if spoiled || tx.broken.load(Ordering::Relaxed) {
                return self.one_by_one(tx, operations).await;
            }
            // What was looked at ahead belongs to this batch.
            let in_time = started.elapsed() < BATCH_TIME || !self.taken.is_empty();
            if lasting && operations.len() < self.batch_size && in_time {
                next = self.taken.pop_front().or_else(|| self.normal.try_recv().ok());
                if next.is_none() && !low_taken {
                    next = self.low.try_recv().ok();
                    low_taken = next.is_some();
                }
            }
        }
        if tx.prepare(false).await.is_err() {
            return self.one_by_one(tx, operations).await;
        }
        self.finish(tx, operations).await;
    }

    /// Takes what else waits, and says which tasks all of it is about.
    fn look_ahead(&mut self, first: Option<TaskId>) -> Vec<TaskId> {
        while self.taken.len() + 1 < self.batch_size
            && let Ok(operation) = self.normal.try_recv()
        {
            self.taken.push_back(operation);
        }
        let others = self.taken.iter().filter_map(|operation| operation.task());
        let mut tasks: Vec<TaskId> = first.into_iter().chain(others).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }

    /// Commits and answers. An operation that failed without having written anything is answered with its own error.
    async fn finish(&mut self, tx: Tx, operations: Vec<Box<dyn Operation>>) {
        let events = tx.take_events();
        let error = tx.transaction.commit().await.inspect_err(|_| self.spoil()).err();
        if error.is_none() && !events.is_empty() {
            (self.on_commit)(events);
        }
        for operation in operations {
            operation.answer(error.clone());
        }
    }

    async fn one_by_one(&mut self, tx: Tx, operations: Vec<Box<dyn Operation>>) {
        self.roll_back(tx).await;
        for operation in operations {
            self.alone(operation).await;
        }
    }

    async fn alone(&mut self, mut operation: Box<dyn Operation>) {
        for attempt in 1..=CONFLICT_TRIES {
            let kind = operation.kind();
            let tx = match self.begin(kind.is_lasting()).await {
                Ok(tx) => tx,
                Err(error) => return operation.answer(Some(error)),
            };
            let ready = tx.prepare(kind.is_hot()).await;
            let succeeded = ready.is_ok() && operation.run(&tx).await;
            let written = if succeeded { tx.prepare(false).await } else { ready };
            let broken = tx.broken.load(Ordering::Relaxed);
            if succeeded && !broken {
                return self.finish(tx, vec![operation]).await;
            }
            let again = tx.conflict.load(Ordering::Relaxed) && attempt < CONFLICT_TRIES;
            self.roll_back(tx).await;
            if !again {
                return operation.answer(written.err());
            }
            tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
        }
    }

    async fn roll_back(&mut self, tx: Tx) {
        if let Err(error) = tx.transaction.roll_back().await {
            tracing::debug!(%error, "rolling back failed");
            self.spoil();
        }
    }

    /// The connection is not used any more.
    fn spoil(&self) {
        self.spoiled.store(true, Ordering::Relaxed);
    }

    async fn connect_anew(&mut self) -> Result<(), Error> {
        let connection = match &self.connection {
            Writing::Sqlite(_, path) => {
                Writing::Sqlite(Arc::new(Connection::open(path, true)?), path.clone())
            }
            Writing::Postgres(_, options) => {
                Writing::Postgres(Database::connect((**options).clone()).await?, options.clone())
            }
        };
        let spoiled = std::mem::replace(&mut self.connection, connection);
        self.spoiled.store(false, Ordering::Relaxed);
        if let Err(error) = spoiled.close().await {
            tracing::debug!(%error, "closing a spoiled connection");
        }
        Ok(())
    }

    async fn begin(&mut self, lasting: bool) -> Result<Tx, Error> {
        if self.spoiled.load(Ordering::Relaxed) {
            self.connect_anew().await?;
        }
        let begun = match &self.connection {
            Writing::Sqlite(connection, _) => {
                connection.begin(lasting).map(|()| Transaction::Sqlite(Arc::clone(connection)))
            }
            Writing::Postgres(connection, _) => {
                begin_postgres(connection, lasting).await.map(Transaction::Postgres)
            }
        };
        let transaction = begun.inspect_err(|_| self.spoil())?;
        Ok(Tx {
            transaction,
            wrote: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            conflict: AtomicBool::new(false),
            hot: AtomicBool::new(false),
            batch: Mutex::default(),
            events: Mutex::default(),
        })
    }
}

/// What the writer does is done by indexes. PostgreSQL keeps the plan that it made when there were few tasks, and would
/// read all of them when there are many.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
                        SET LOCAL jit = off";

async fn begin_postgres(
    connection: &DatabaseConnection,
    lasting: bool,
) -> Result<DatabaseTransaction, Error> {
    let transaction = connection.begin().await?;
    transaction.execute_unprepared(BY_INDEX).await?;
    if !lasting {
        transaction.execute_unprepared("SET LOCAL synchronous_commit = off").await?;
    }
    Ok(transaction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{execute, query_one};
    use crate::testing::TestDatabase;

    const ADD: &str = "INSERT INTO worker_tags (uuid, name, created_at, updated_at) VALUES ($1, $2, 0, 0)";

    async fn add(store: &crate::Store, sql: &'static str, name: &'static str) -> Result<(), Error> {
        store
            .write(move |tx| {
                let values = vec![uuid::Uuid::new_v4().into(), name.into()];
                Box::pin(async move { execute(tx, sql, values).await.map(drop) })
            })
            .await
    }

    /// What a full disk does: it ends the transaction without being asked to. What was answered afterwards was lost.
    #[tokio::test]
    async fn what_follows_a_transaction_that_ended_by_itself_is_stored() {
        let database = TestDatabase::sqlite();
        let store = database.open_quietly().await;
        add(&store, ADD, "taken").await.unwrap();
        for round in ["one", "two", "three"] {
            let ending = "INSERT OR ROLLBACK INTO worker_tags (uuid, name, created_at, updated_at) VALUES ($1, $2, 0, 0)";
            assert!(matches!(add(&store, ending, "taken").await, Err(Error::Duplicate(_))));
            add(&store, ADD, round).await.unwrap();
            let seen =
                query_one(store.read(), "SELECT id FROM worker_tags WHERE name = $1", vec![round.into()])
                    .await;
            assert!(seen.unwrap().is_some(), "{round} is committed");
        }
        store.close().await;
        assert_eq!(database.rows().await["worker_tags"], 4);
    }
}
