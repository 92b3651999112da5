//! What listeners say, and what else happens to the descriptors of children.

use supervisord_core::output::Channel;
use supervisord_core::supervisor::{ProcessId, SupervisorInput};

use super::Control;
use super::children::MOST_AT_ONCE;
use crate::clock::present;
use crate::output::{OutputRequest, RunId};

impl Control {
    /// A stdin has room again, a listener wrote, a program is ready, or an orphan has ended.
    pub(super) fn descriptor_ready(&mut self, token: usize, writable: bool) {
        if writable {
            self.children.flush_stdin(token, self.poll.registry());
        }
        self.read_listener(token);
        self.hear_readiness(token);
        self.children.limit_capture(token);
        self.check_orphan(token);
        self.report_exits();
    }

    /// Goes on reading what there was too much of for one turn.
    pub(super) fn read_on(&mut self) {
        for token in std::mem::take(&mut self.unread) {
            self.read_listener(token);
            self.hear_readiness(token);
        }
    }

    /// Looks at the descriptors that the loop cannot watch.
    pub(super) fn look_at_unwatched(&mut self) {
        for token in self.children.take_unwatched(present().mono, self.poll.registry()) {
            self.descriptor_ready(token, false);
        }
    }

    /// Reads one piece of what a listener said; if it had more to say, it has its turn again soon.
    pub(super) fn read_listener(&mut self, token: usize) {
        if let Some((run, process, bytes)) = self.children.read_listener(token) {
            if bytes.len() >= MOST_AT_ONCE {
                self.unread.push(token);
            }
            self.listener_output(run, process, bytes);
        }
    }

    pub(super) fn listener_output(&mut self, run: RunId, process: ProcessId, bytes: Vec<u8>) {
        let copy = OutputRequest::Write { run, channel: Channel::Stdout, bytes: bytes.clone() };
        self.tools.output.leave(copy);
        self.listener_batching.heard(process, present().mono);
        self.input(SupervisorInput::ListenerOutput { process, bytes });
    }
}
