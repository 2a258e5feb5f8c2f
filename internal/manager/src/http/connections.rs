//! The connections of clients, each with a way to hang up on it.
//!
//! A client that cannot keep up with live updates must connect again and read again. Told so by a message, stock web
//! apps stay away for good; only after a lost connection do they come back by themselves.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long a client may take to say what it wants first. One that connects and says nothing holds a connection that
/// others may need. Afterwards it may be silent: uploads, live updates and kept connections take their time.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// A machine that was switched off or cut from the network says nothing any more. After so long in silence it is asked
/// whether it is still there, then so often; the system ends the connection when it does not answer.
const SILENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);

fn keep_alive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(SILENCE).with_interval(ASK_AGAIN)
}

/// What ends the head of a request.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Accepts connections that can be hung up on.
///
/// After `pause` it accepts none: whoever connects then waits in the queue of the socket for the manager that goes on with
/// it. A server that is about to end would accept the connection only to cut it off.
pub(crate) struct Listener {
    pub(crate) listener: TcpListener,
    pub(crate) pause: CancellationToken,
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = tokio::select! {
            biased;
            () = self.pause.cancelled() => std::future::pending().await,
            accepted = axum::serve::Listener::accept(&mut self.listener) => accepted,
        };
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keep_alive()) {
            tracing::debug!(%error, "a connection to a machine that vanishes will stay");
        }
        // Answers and events are small and must not wait for more to come.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow");
        }
        (Connection::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection. After a hang-up, reading and writing fail.
pub(crate) struct Connection {
    stream: TcpStream,
    hang_up: CancellationToken,
    hung_up: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until the head of the first request is there.
    first: Option<FirstHead>,
}

struct FirstHead {
    limit: Pin<Box<Sleep>>,
    /// How much of [`END_OF_HEAD`] has come.
    seen: usize,
}

impl FirstHead {
    /// Whether the head has ended in what has come.
    fn ends_in(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| {
            self.seen = match END_OF_HEAD.get(self.seen) {
                Some(wanted) if wanted == byte => self.seen + 1,
                _ => usize::from(*byte == b'\r'),
            };
            self.seen == END_OF_HEAD.len()
        })
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let hang_up = CancellationToken::new();
        let hung_up = Box::pin(hang_up.clone().cancelled_owned());
        let first = FirstHead { limit: Box::pin(tokio::time::sleep(FIRST_REQUEST)), seen: 0 };
        Self { stream, hang_up, hung_up, first: Some(first) }
    }

    /// Wakes the task when somebody hangs up, too.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.hung_up.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(first) = &mut self.first {
            let waited_too_long = read.is_pending() && first.limit.as_mut().poll(context).is_ready();
            if waited_too_long {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if first.ends_in(&buffer.filled()[before..]) {
                self.first = None;
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Who is at the other end of a connection, for handlers.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Network address.
    pub(crate) address: SocketAddr,
    hang_up: CancellationToken,
}

impl Peer {
    #[cfg(test)]
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, hang_up: CancellationToken::new() }
    }

    /// Ends the connection at once, whatever is on its way.
    pub(crate) fn hang_up(&self) {
        self.hang_up.cancel();
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self { address: *stream.remote_addr(), hang_up: stream.io().hang_up.clone() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Connection::new(listener.accept().await.unwrap().0))
    }

    async fn read(connection: &mut Connection) -> io::Result<usize> {
        connection.read(&mut [0; 100]).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_say_what_it_wants_is_cut_off() {
        for said in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n\r", "\r\n\n\r\n"] {
            let (mut client, mut connection) = pair().await;
            client.write_all(said.as_bytes()).await.unwrap();
            if !said.is_empty() {
                assert_eq!(read(&mut connection).await.unwrap(), said.len());
            }
            let error = read(&mut connection).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_said_it_may_be_silent() {
        for parts in [vec!["GET / HTTP/1.1\r\nHost: x\r\n\r\n"], vec!["GET / HTTP/1.1\r\n", "\r", "\n"]] {
            let (mut client, mut connection) = pair().await;
            for part in parts {
                client.write_all(part.as_bytes()).await.unwrap();
                assert_eq!(read(&mut connection).await.unwrap(), part.len());
            }
            let silence = tokio::time::timeout(FIRST_REQUEST * 10, read(&mut connection)).await;
            assert!(silence.is_err(), "nothing happened");
        }
    }

    #[tokio::test]
    async fn machines_that_vanish_are_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = Listener { listener, pause: CancellationToken::new() };
        let address = axum::serve::Listener::local_addr(&listener).unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (connection, _) = axum::serve::Listener::accept(&mut listener).await;
        assert!(SockRef::from(&connection.stream).keepalive().unwrap());
    }
}
