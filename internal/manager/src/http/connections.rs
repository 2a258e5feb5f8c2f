//! The connections of clients, each with a way to hang up on it.
//!
//! A client that cannot keep up with live updates must connect again and read again. Told so by a message, stock web
//! apps stay away for good; only after a lost connection do they come back by themselves.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let hang_up = CancellationToken::new();
        let hung_up = Box::pin(hang_up.clone().cancelled_owned());
        Self { stream, hang_up, hung_up }
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
