//! One stream of one process: its pipe, its pipeline and where the pieces go.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::unix::pipe::Receiver;
use mio::{Interest, Registry, Token};
use supervisord_config::model::LogLevel;
use supervisord_core::output::pipeline::{Piece, Pipeline};
use supervisord_core::output::{Channel, ChannelPlan, debug_text};
use supervisord_core::rotation::Rotation;

use super::outlets::Outlets;
use super::sinks::SinkId;
use super::{AttachChannel, Report, RunId};

/// A stream being read.
pub(super) struct Stream {
    pipe: Option<Receiver>,
    pipeline: Pipeline,
    source: Source,
    /// Whether it stands in the list of streams to be read.
    pub is_queued: bool,
}

/// Whose output it is and what happens to it.
pub(super) struct Source {
    pub run: RunId,
    pub process: Arc<str>,
    pub channel: Channel,
    pub plan: ChannelPlan,
    pub sink: Option<SinkId>,
}

/// How a turn of reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There may be more.
    More(usize),
    /// The pipe is empty.
    Empty,
    /// The pipe is closed, by all writers or by us.
    Closed,
}

impl Stream {
    /// Opens the log and begins to watch the pipe under `token`.
    pub fn attach(
        run: RunId,
        process: Arc<str>,
        channel: AttachChannel,
        token: Token,
        registry: &Registry,
        outlets: &mut Outlets,
    ) -> io::Result<Stream> {
        let AttachChannel { channel, pipe, plan } = channel;
        let sink = plan.file.as_deref().map(|path| outlets.sinks.acquire(path)).transpose()?;
        let pipe = match pipe.map(|pipe| watch(pipe.into(), token, registry)).transpose() {
            Ok(pipe) => pipe,
            Err(error) => {
                sink.into_iter().for_each(|sink| outlets.sinks.release(sink));
                return Err(error);
            }
        };
        // What control reads itself it also shows to the onlookers itself.
        let watched = pipe.is_some() && (plan.events_enabled || outlets.activity.wants(LogLevel::Debug));
        let pipeline = Pipeline::new(&plan, outlets.strip_ansi, watched);
        let source = Source { run, process, channel, plan, sink };
        Ok(Stream { pipe, pipeline, source, is_queued: false })
    }

    /// Whose output it is.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Reads one piece, at most as long as the buffer, and passes it on.
    pub fn read_once(&mut self, buffer: &mut [u8], registry: &Registry, outlets: &mut Outlets) -> Turn {
        let Some(pipe) = &mut self.pipe else { return Turn::Closed };
        match pipe.read(buffer) {
            Ok(0) => {
                self.end_of_file(registry, outlets);
                Turn::Closed
            }
            Ok(count) => {
                self.push(&buffer[..count], outlets);
                Turn::More(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Turn::Empty,
            Err(error) if error.kind() == ErrorKind::Interrupted => Turn::More(0),
            Err(error) => {
                let Source { process, channel, .. } = &self.source;
                outlets.log(LogLevel::Error, &format!("could not read {} of {process}: {error}", channel.name()));
                self.close_pipe(registry);
                Turn::Closed
            }
        }
    }

    /// Passes on what control has read.
    pub fn write(&mut self, bytes: &[u8], outlets: &mut Outlets) {
        let Source { process, channel, .. } = &self.source;
        if outlets.activity.wants(LogLevel::Debug) {
            outlets.log(LogLevel::Debug, &debug_text::listener_copy(process, *channel, bytes));
        }
        self.push(bytes, outlets);
    }

    /// Everything the process wrote has been read: hands out what the pipeline held back and closes the pipe.
    pub fn finish(&mut self, registry: &Registry, outlets: &mut Outlets) {
        self.close_pipe(registry);
        let Stream { pipeline, source, .. } = self;
        pipeline.finish(&mut |piece| outlets.deliver(source, piece));
    }

    /// Closes the pipe without a word and gives back the log.
    pub fn release(mut self, registry: &Registry, outlets: &mut Outlets) {
        self.close_pipe(registry);
        if let Some(sink) = self.source.sink {
            outlets.sinks.release(sink);
        }
    }

    /// Turns stripping on or off.
    pub fn set_strip_ansi(&mut self, on: bool, outlets: &mut Outlets) {
        let Stream { pipeline, source, .. } = self;
        pipeline.set_strip_ansi(on, &mut |piece| outlets.deliver(source, piece));
    }

    /// Forgets what is captured so far.
    pub fn clear_capture(&mut self) {
        self.pipeline.clear_capture();
    }

    /// Whether its output causes reports to control.
    pub fn causes_reports(&self) -> bool {
        self.source.plan.events_enabled || self.source.plan.capture_maxbytes > 0
    }

    fn push(&mut self, bytes: &[u8], outlets: &mut Outlets) {
        let Stream { pipeline, source, .. } = self;
        pipeline.push(bytes, &mut |piece| outlets.deliver(source, piece));
    }

    fn end_of_file(&mut self, registry: &Registry, outlets: &mut Outlets) {
        let fd = self.pipe.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        self.finish(registry, outlets);
        let Source { process, channel, .. } = &self.source;
        outlets.log(LogLevel::Debug, &debug_text::closed(process, *channel, fd));
    }

    fn close_pipe(&mut self, registry: &Registry) {
        if let Some(mut pipe) = self.pipe.take() {
            // Closing the descriptor is what counts; a failure here would mean it was not watched.
            let _ = registry.deregister(&mut pipe);
        }
    }
}

impl Outlets {
    /// Takes one piece of output to where it belongs.
    fn deliver(&mut self, source: &Source, piece: Piece<'_>) {
        let Source { run, process, channel, plan, sink } = source;
        match piece {
            Piece::Log(bytes) => {
                if let Some(sink) = sink {
                    let rotation = Rotation { maxbytes: plan.maxbytes, backups: plan.backups };
                    self.sinks.write(*sink, bytes, rotation);
                }
            }
            Piece::Onlookers(bytes) => {
                if self.activity.wants(LogLevel::Debug) {
                    self.log(LogLevel::Debug, &debug_text::copy(process, *channel, bytes));
                }
                if plan.events_enabled {
                    self.report(Report::Log { run: *run, channel: *channel, bytes: bytes.to_vec() }, bytes.len());
                }
            }
            Piece::Section(held) => {
                self.say_cut(process, *channel, held.dropped);
                self.log(LogLevel::Debug, &debug_text::section(process, *channel));
                let length = held.bytes.len();
                self.report(Report::Communication { run: *run, channel: *channel, bytes: held.bytes }, length);
            }
            Piece::Cut(dropped) => self.say_cut(process, *channel, dropped),
        }
    }

    fn say_cut(&mut self, process: &str, channel: Channel, dropped: u64) {
        if dropped > 0 {
            let channel = channel.name();
            let text = format!("{process}: {dropped} bytes beyond {channel}_capture_maxbytes were dropped");
            self.log(LogLevel::Warn, &text);
        }
    }
}

fn watch(mut pipe: Receiver, token: Token, registry: &Registry) -> io::Result<Receiver> {
    pipe.set_nonblocking(true)?;
    registry.register(&mut pipe, token, Interest::READABLE)?;
    Ok(pipe)
}
