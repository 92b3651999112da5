//! Descriptors of children that the loop cannot watch, because the system has no room for one more watch: they are looked
//! at now and then instead.

use std::time::Duration;

use supervisord_config::model::LogLevel;

use crate::activity::Activity;

/// How often they are looked at.
const WITHOUT_WATCH: Duration = Duration::from_millis(100);

/// The tokens of descriptors that are not watched.
#[derive(Default)]
pub(super) struct Unwatched {
    tokens: Vec<usize>,
    /// When they are looked at again; none while there are none.
    pub(super) due: Option<Duration>,
}

impl Unwatched {
    /// A descriptor cannot be watched. `name` and `what` say in the log which one that is.
    pub(super) fn add(&mut self, token: usize, name: &str, what: &str, error: &std::io::Error, activity: &Activity) {
        let pause = WITHOUT_WATCH.as_millis();
        let text = format!("cannot watch {what} of {name}, which is looked at every {pause} ms instead: {error}");
        activity.log(LogLevel::Warn, &text);
        self.tokens.push(token);
        // The first look finds what has happened until now.
        self.due = Some(Duration::ZERO);
    }

    /// Takes the tokens that are due.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<usize> {
        match self.due.take_if(|due| *due <= now) {
            Some(_) => std::mem::take(&mut self.tokens),
            None => Vec::new(),
        }
    }

    /// These have been looked at, and are still not watched.
    pub(super) fn put_off(&mut self, tokens: Vec<usize>, now: Duration) {
        if !tokens.is_empty() {
            self.tokens.extend(tokens);
            self.due = Some(now + WITHOUT_WATCH);
        }
    }
}
