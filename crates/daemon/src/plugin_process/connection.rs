//! The line to the plug-in process: messages in both directions, none of which anybody waits for.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use supervisord_wire::plugin::{FromPlugins, MAX_LINE, ToPlugins, package_line};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::memory_budget::{MemoryBudget, Reservation};

/// How much may wait for a plug-in process that does not read, in bytes; answers to questions it has asked by then come
/// on top.
const MAX_WAITING: usize = 16 << 20;

/// How many messages of the plug-in process may wait for us; then it waits.
const MAX_INCOMING: usize = 64;

/// How many bytes all long messages of the plug-in process may have together until they are dealt with; then it waits.
const MAX_INCOMING_BYTES: usize = 64 << 20;

/// A message of the plug-in process with the memory it takes.
pub(super) type Incoming = (FromPlugins, Reservation);

/// Both directions. Dropping it closes the line.
pub(super) struct Connection {
    lines: mpsc::UnboundedSender<Line>,
    waiting: Arc<Waiting>,
    messages: mpsc::Receiver<Result<Incoming, String>>,
    tasks: [JoinHandle<()>; 2],
}

/// A line on its way, with the memory it takes where that is counted elsewhere.
struct Line {
    text: String,
    _reservation: Option<Reservation>,
}

/// The bytes that wait for the plug-in process.
#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    taken: Notify,
}

impl Connection {
    /// Sends the package and begins to read. Must be called within a runtime.
    pub(super) fn open(stream: StdStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let (lines, outgoing) = mpsc::unbounded_channel();
        let (incoming, messages) = mpsc::channel(MAX_INCOMING);
        let waiting = Arc::new(Waiting::default());
        let tasks = [
            tokio::spawn(write(writer, outgoing, waiting.clone())),
            tokio::spawn(read(BufReader::new(reader), incoming)),
        ];
        let connection = Connection { lines, waiting, messages, tasks };
        connection.push(package_line(), None);
        Ok(connection)
    }

    /// Sends a message; false where too much is waiting.
    pub(super) fn send(&self, message: &ToPlugins) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.push(message.line(), None);
        }
        has_room
    }

    /// Sends an answer, whose memory is always reserved: the plug-in process is not listened to while it does not read, and has
    /// only so many questions open.
    pub(super) fn answer(&self, message: &ToPlugins, reservation: Option<Reservation>) {
        self.push(message.line(), reservation);
    }

    /// Whether the plug-in process reads what it is told.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.bytes.load(Ordering::Relaxed) < MAX_WAITING
    }

    /// Returns when the plug-in process has taken something since the last call.
    pub(super) fn taken(&self) -> impl Future<Output = ()> + use<> {
        let waiting = self.waiting.clone();
        async move { waiting.taken.notified().await }
    }

    fn push(&self, text: String, reservation: Option<Reservation>) {
        self.waiting.bytes.fetch_add(text.len(), Ordering::Relaxed);
        // Without a writer the line is broken, which the reader finds out.
        let _ = self.lines.send(Line { text, _reservation: reservation });
    }

    /// The next message; why the line is unusable; none once it is closed.
    pub(super) async fn next(&mut self) -> Option<Result<Incoming, String>> {
        self.messages.recv().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn write(mut writer: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<Line>, waiting: Arc<Waiting>) {
    while let Some(line) = outgoing.recv().await {
        let written = writer.write_all(line.text.as_bytes()).await;
        waiting.bytes.fetch_sub(line.text.len(), Ordering::Relaxed);
        waiting.taken.notify_one();
        if written.is_err() {
            return;
        }
    }
}

/// The next line; none where there is none, or where it is too long for the line or for the memory.
async fn read_line(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let piece = reader.fill_buf().await.ok().filter(|piece| !piece.is_empty())?;
        let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |end| end + 1);
        if line.len() + end > MAX_LINE || line.try_reserve(end).is_err() {
            return None;
        }
        line.extend_from_slice(&piece[..end]);
        reader.consume(end);
    }
    Some(line)
}

async fn read(mut reader: BufReader<OwnedReadHalf>, incoming: mpsc::Sender<Result<Incoming, String>>) {
    let budget = MemoryBudget::new(MAX_INCOMING_BYTES);
    loop {
        let Some(line) = read_line(&mut reader).await else { return };
        let Some(reservation) = budget.reserve(line.len()).await else { return };
        let message = FromPlugins::parse(&line);
        drop(line);
        let is_good = message.is_ok();
        if incoming.send(message.map(|message| (message, reservation))).await.is_err() || !is_good {
            return;
        }
    }
}
