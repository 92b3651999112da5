//! The line to the helper: messages in both directions, none of which anybody waits for.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use supervisord_wire::plugin::{FromHelper, MAX_LINE, ToHelper, package_line};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How much may wait for a helper that does not read, in bytes; answers to its own questions come on top.
const MAX_WAITING: usize = 16 << 20;

/// How many messages of the helper may wait for us; then it waits.
const MAX_INCOMING: usize = 64;

/// Both directions. Dropping it closes the line.
pub(super) struct Connection {
    lines: mpsc::UnboundedSender<String>,
    waiting: Arc<AtomicUsize>,
    messages: mpsc::Receiver<Result<FromHelper, String>>,
    tasks: [JoinHandle<()>; 2],
}

impl Connection {
    /// Sends the package and begins to read. Must be called within a runtime.
    pub(super) fn open(stream: StdStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let (lines, outgoing) = mpsc::unbounded_channel();
        let (incoming, messages) = mpsc::channel(MAX_INCOMING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let tasks = [
            tokio::spawn(write(writer, outgoing, waiting.clone())),
            tokio::spawn(read(BufReader::new(reader), incoming)),
        ];
        let connection = Connection { lines, waiting, messages, tasks };
        connection.push(package_line());
        Ok(connection)
    }

    /// Sends a message; false where too much is waiting.
    pub(super) fn send(&self, message: &ToHelper) -> bool {
        let has_room = self.waiting.load(Ordering::Relaxed) < MAX_WAITING;
        if has_room {
            self.push(message.line());
        }
        has_room
    }

    /// Sends an answer, which always finds room: the helper has only so many questions open.
    pub(super) fn answer(&self, message: &ToHelper) {
        self.push(message.line());
    }

    fn push(&self, line: String) {
        self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        // Without a writer the line is broken, which the reader finds out.
        let _ = self.lines.send(line);
    }

    /// The next message; why the line is unusable; none once it is closed.
    pub(super) async fn next(&mut self) -> Option<Result<FromHelper, String>> {
        self.messages.recv().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn write(mut writer: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<String>, waiting: Arc<AtomicUsize>) {
    while let Some(line) = outgoing.recv().await {
        let written = writer.write_all(line.as_bytes()).await;
        waiting.fetch_sub(line.len(), Ordering::Relaxed);
        if written.is_err() {
            return;
        }
    }
}

async fn read(mut reader: BufReader<OwnedReadHalf>, incoming: mpsc::Sender<Result<FromHelper, String>>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut reader).take(MAX_LINE as u64).read_until(b'\n', &mut line).await.unwrap_or(0);
        if length == 0 || line.last() != Some(&b'\n') {
            return;
        }
        let message = FromHelper::parse(&line);
        let is_good = message.is_ok();
        if incoming.send(message).await.is_err() || !is_good {
            return;
        }
    }
}
