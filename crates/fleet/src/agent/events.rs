//! The events of the daemon, onto the stream of the fleet.
//!
//! Nothing waits in the agent: while the server cannot be reached, it does not read on, and the daemon keeps its last 512 events.
//! Where those were not enough, the daemon says that there is a gap, and so does the stream.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::context::{AgentContext, Attempts, LONG};
use super::publishing::store;
use super::storage_complaint::StorageComplaint;
use crate::daemon_link::DaemonFailure;
use crate::event_batch::{EventBatch, FULL, FleetEvent, MAX_EVENTS};
use crate::subjects;

/// Passes them on for ever.
pub(super) async fn pass_on(context: Arc<AgentContext>) {
    let mut place = EventPlace::open(context.state.join("events"));
    let mut attempts = Attempts::new();
    loop {
        let begun = Instant::now();
        context.nats.connected().await;
        // That the daemon is away, the inventory has said already.
        let _ = follow(&context, &mut place).await;
        if begun.elapsed() > LONG {
            attempts = Attempts::new();
        }
        attempts.pause().await;
    }
}

/// Until the daemon ends the stream.
async fn follow(context: &AgentContext, place: &mut EventPlace) -> Result<(), DaemonFailure> {
    let mut stream = context.daemon.stream("/api/v1/events", place.last.as_deref()).await?;
    while let Some(first) = stream.next().await? {
        let mut batch = EventBatch::default();
        let mut size = 0;
        let mut next = Some(first);
        let mut last = String::new();
        while let Some(event) = next.take() {
            size += event.data.len();
            last.clone_from(&event.id);
            batch.events.extend(FleetEvent::of_daemon(&event));
            if size < FULL && batch.events.len() < MAX_EVENTS {
                next = stream.take_ready();
            }
        }
        if !batch.events.is_empty() {
            let message = serde_json::to_vec(&batch).unwrap_or_default();
            let id = batch.message_id(&context.host);
            store(context, subjects::event(&context.host), Some(id), message).await;
        }
        if !last.is_empty()
            && let Some(complaint) = place.set(last)
        {
            (context.log)(&complaint);
        }
    }
    Ok(())
}

/// How far the events have been passed on.
struct EventPlace {
    file: PathBuf,
    last: Option<String>,
    complaint: StorageComplaint,
}

impl EventPlace {
    fn open(file: PathBuf) -> EventPlace {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let is_id = |text: &&str| (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let last = Some(text.trim()).filter(is_id).map(str::to_owned);
        EventPlace { file, last, complaint: StorageComplaint::default() }
    }

    /// Events up to here have been passed on. Returns what there is to complain about.
    fn set(&mut self, id: String) -> Option<String> {
        let noted = self.note(&id).err();
        self.last = Some(id);
        let what = format!("cannot note in {} how far the events are", self.file.display());
        self.complaint.after(noted.as_ref(), &what)
    }

    fn note(&self, id: &str) -> io::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, id)?;
        std::fs::rename(&new, &self.file)
    }
}
