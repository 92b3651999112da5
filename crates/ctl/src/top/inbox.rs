//! Waits for keys, for another size of the terminal, and for news from threads.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use supervisord_sys::signal::{Signal, Signals};

use super::news::News;
use crate::input::Input;

const WAKE: Token = Token(0);
const KEYS: Token = Token(1);
const SIZE: Token = Token(2);

/// Where everything arrives.
pub struct ScreenInbox {
    poll: Poll,
    events: Events,
    sizes: Signals,
    news: Receiver<News>,
    outbox: Outbox,
}

/// The way to a [`ScreenInbox`] for other threads.
#[derive(Clone)]
pub struct Outbox {
    news: Sender<News>,
    waker: Arc<Waker>,
}

impl Outbox {
    /// Sends something; nobody minds when the receiver is gone.
    pub fn send(&self, news: News) {
        drop(self.news.send(news));
        drop(self.waker.wake());
    }
}

impl ScreenInbox {
    /// Takes the keys of standard input, and notices when the terminal gets another size.
    pub fn new() -> io::Result<ScreenInbox> {
        let poll = Poll::new()?;
        let sizes = Signals::catch(&[Signal::WindowChange])?;
        poll.registry().register(&mut SourceFd(&sizes.as_fd().as_raw_fd()), SIZE, Interest::READABLE)?;
        poll.registry().register(&mut SourceFd(&io::stdin().as_raw_fd()), KEYS, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, news) = channel();
        Ok(ScreenInbox { poll, events: Events::with_capacity(8), sizes, news, outbox: Outbox { news: sender, waker } })
    }

    /// A way to this inbox.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// What has arrived; nothing after this time.
    pub fn wait(&mut self, input: &mut Input, limit: Duration) -> io::Result<Vec<News>> {
        // Only a new registration reports what an earlier read left.
        self.poll.registry().reregister(&mut SourceFd(&io::stdin().as_raw_fd()), KEYS, Interest::READABLE)?;
        let has_keys = input.has_byte();
        match self.poll.poll(&mut self.events, Some(if has_keys { Duration::ZERO } else { limit })) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Vec::new()),
            result => result?,
        }
        let mut arrived = Vec::new();
        if has_keys || self.events.iter().any(|event| event.token() == KEYS) {
            arrived.push(keys(input)?);
        }
        if !self.sizes.drain().is_empty() {
            arrived.push(News::Resized);
        }
        arrived.extend(self.news.try_iter());
        Ok(arrived)
    }
}

fn keys(input: &mut Input) -> io::Result<News> {
    let Some(first) = input.byte()? else { return Ok(News::InputEnded) };
    let mut bytes = vec![first];
    while input.has_byte() {
        bytes.extend(input.byte()?);
    }
    Ok(News::Keys(bytes))
}
