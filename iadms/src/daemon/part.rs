//! The parts of a daemon that runs. One that has sockets runs on a thread of its own, which waits for them itself: what comes is
//! handled by the thread that the system wakes for it.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::store::StoreError;

/// How long after the end of one part the part that caused it is waited for.
const REASON_WITHIN: Duration = Duration::from_secs(2);

/// How long a part that was told to end is waited for. It ends where it waits next.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Why a daemon that ran ended.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// A socket cannot be used any more.
    #[error("the {part} cannot go on")]
    Socket {
        /// Which part.
        part: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part ended by itself.
    #[error("a part of the daemon ended unexpectedly")]
    Ended,
}

/// A part with sockets that does not run yet.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    /// There until the part runs.
    runtime: Option<Runtime>,
}

/// All parts that run. They end with this.
#[derive(Debug, Default)]
pub(super) struct Parts {
    tasks: JoinSet<Result<(), PartError>>,
    threads: Vec<Thread>,
}

/// A thread that ends when `stop` is dropped.
#[derive(Debug)]
struct Thread {
    stop: oneshot::Sender<()>,
    gone: Receiver<()>,
}

impl Part {
    /// A part of this name.
    ///
    /// # Errors
    /// The system gives it nothing to wait with.
    pub(super) fn new(name: &'static str) -> io::Result<Self> {
        Ok(Self { name, runtime: Some(Builder::new_current_thread().enable_all().build()?) })
    }

    /// Opens sockets for which its thread waits.
    pub(super) fn open<T>(&self, open: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        open()
    }
}

impl Drop for Part {
    /// A runtime must not wait for its tasks where others run; this one has none yet.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Parts {
    /// Runs a part on its thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        &mut self,
        mut part: Part,
        run: impl Future<Output = io::Result<()>> + Send + 'static,
    ) -> io::Result<()> {
        let Some(runtime) = part.runtime.take() else { return Ok(()) };
        let name = part.name;
        let (stop, stopped) = oneshot::channel();
        let (told, ended) = oneshot::channel();
        let (going, gone) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || {
            let ended = runtime.block_on(async {
                tokio::select! {
                    ended = run => ended,
                    _ = stopped => Ok(()),
                }
            });
            drop(runtime);
            // Whoever started it may have gone.
            let _ = told.send(ended);
            let _ = going.send(());
        })?;
        self.threads.push(Thread { stop, gone });
        self.spawn(async move {
            // One that has panicked tells nothing.
            let ended = ended.await.map_err(|_| PartError::Ended)?;
            ended.map_err(|source| PartError::Socket { part: name, source })
        });
        Ok(())
    }

    /// Runs a part beside the others.
    pub(super) fn spawn(&mut self, run: impl Future<Output = Result<(), PartError>> + Send + 'static) {
        self.tasks.spawn(run);
    }

    /// Waits until a part ends, which none does by itself.
    pub(super) async fn ended(&mut self) -> PartError {
        let mut ended = self.tasks.join_next().await;
        // A part ends in good order when the one that it hears from is gone: that one knows why.
        while let Some(Ok(Ok(()))) = ended {
            let next = tokio::time::timeout(REASON_WITHIN, self.tasks.join_next()).await;
            ended = next.unwrap_or_default();
        }
        match ended {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(()))) | None => PartError::Ended,
            Some(Err(error)) => {
                PartError::Socket { part: "daemon", source: io::Error::other(error.to_string()) }
            }
        }
    }

    /// Ends all parts at once, and returns when their sockets are closed.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
        let (stops, gone): (Vec<_>, Vec<_>) =
            self.threads.into_iter().map(|Thread { stop, gone }| (stop, gone)).unzip();
        drop(stops);
        let ended = tokio::task::spawn_blocking(move || {
            // One that has panicked is gone, too.
            gone.iter().for_each(|gone| _ = gone.recv_timeout(ENDS_WITHIN));
        });
        // It does not panic.
        let _ = ended.await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn a_part_waits_for_its_sockets_on_its_own_thread_and_ends_with_them_closed() {
        let part = Part::new("echo").unwrap();
        let bind = || {
            std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| {
                socket.set_nonblocking(true)?;
                UdpSocket::from_std(socket)
            })
        };
        let socket = part.open(bind).unwrap();
        let address = socket.local_addr().unwrap();
        let mut parts = Parts::default();
        parts
            .start(part, async move {
                let mut buffer = [0; 32];
                loop {
                    let (_, peer) = socket.recv_from(&mut buffer).await?;
                    let thread = std::thread::current();
                    socket.send_to(thread.name().unwrap_or_default().as_bytes(), peer).await?;
                }
            })
            .unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.send_to(b"who?", address).await.unwrap();
        let mut buffer = [0; 32];
        let length = client.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"echo");
        parts.stop().await;
        std::net::UdpSocket::bind(address).unwrap();
    }

    #[tokio::test]
    async fn the_part_that_cannot_go_on_says_why() {
        let mut parts = Parts::default();
        parts.start(Part::new("listener").unwrap(), async { Err(io::Error::other("it is gone")) }).unwrap();
        parts.spawn(async { Ok(()) });
        let error = parts.ended().await;
        assert_eq!(error.to_string(), "the listener cannot go on");
        parts.stop().await;
        // One that never ran ends quietly.
        drop(Part::new("unused").unwrap());
    }
}
