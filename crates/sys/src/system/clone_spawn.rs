//! Starts children without copying the daemon's memory, and without waiting until they execute their programs.
//!
//! A fork copies the page tables. What costs more: afterwards, every page that any thread of the daemon writes to causes a
//! page fault. A child that shares the memory until it executes its program causes neither. Such a child has its own stack
//! and writes to no other memory (see `spawn::child`), so the daemon does not have to wait for it: if reading the program
//! hangs because of a dead disk, only that child hangs.

pub(crate) mod calls;
mod raw_clone;
mod stack;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use std::{mem, ptr};

use libc::c_int;

use super::prepared_child::{PreparedChild, fork_and_store, start};
use crate::{Errno, Pid};
use raw_clone::{CloneWords, clone_with_stack};
use stack::Stack;

/// How many children may be starting at a time. The launcher waits for the oldest of them before it starts another one.
const MAX_STARTING: usize = 8;

/// How many stacks are kept: of each, a page or two are in memory.
const MAX_SPARE: usize = 4;

/// How long the launcher waits for the oldest child. After that it no longer waits for this child.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Starts children.
#[derive(Debug)]
pub(crate) struct Launcher<C: PreparedChild> {
    /// Whether children share the memory of the daemon until they execute their programs.
    shares_memory: bool,
    /// Children that have not executed their programs yet, the oldest first.
    starting: VecDeque<Box<LaunchSlot<C>>>,
    /// Those for which the launcher no longer waits.
    stuck: VecDeque<Box<LaunchSlot<C>>>,
    /// Stacks for the next children.
    spare: Vec<Stack>,
    /// The `dumpable` flag of the daemon before it started a child that changes its user. The flag belongs to the memory,
    /// and changing the user clears it for all processes that share the memory. It stays cleared while such a child shares
    /// the memory: otherwise its user could read the daemon's memory.
    dumpable: Option<c_int>,
}

impl<C: PreparedChild> Launcher<C> {
    /// For this release of Linux. Before 5.16, a signal that dumps core and kills a child before it executes its program
    /// also kills all processes that share its memory. Children of those releases, and of unknown ones, share none.
    pub(crate) fn on(release: &str) -> Launcher<C> {
        Launcher {
            shares_memory: is_at_least(release, (5, 16)),
            starting: VecDeque::new(),
            stuck: VecDeque::new(),
            spare: Vec::new(),
            dumpable: None,
        }
    }

    /// Starts a child. The kernel stores its process id in `pid_slot` before the child runs, if it shares the memory.
    pub(crate) fn launch(&mut self, child: C, changes_user: bool, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        if !self.shares_memory {
            return fork_and_store(&child, pid_slot);
        }
        self.make_room();
        if changes_user {
            self.dumpable.get_or_insert_with(dumpable);
        }
        let stack = self.spare.pop().map_or_else(Stack::new, Ok)?;
        let slot = Box::new(LaunchSlot { child, stack, changes_user, is_occupied: AtomicI32::new(0) });
        let pid = slot.start_child(pid_slot);
        self.starting.push_back(slot);
        pid
    }

    /// Releases the slots of children that have executed their programs.
    pub(crate) fn settle(&mut self) {
        if self.starting.is_empty() && self.stuck.is_empty() {
            return;
        }
        self.stuck.retain(|slot| slot.is_occupied());
        for slot in mem::take(&mut self.starting) {
            match slot.is_occupied() {
                true => self.starting.push_back(slot),
                false if self.spare.len() < MAX_SPARE => self.spare.push(slot.stack),
                false => {}
            }
        }
        let mut occupied = self.starting.iter().chain(&self.stuck);
        if !occupied.any(|slot| slot.changes_user)
            && let Some(before) = self.dumpable.take()
        {
            set_dumpable(before);
        }
    }

    fn make_room(&mut self) {
        self.settle();
        if self.starting.len() < MAX_STARTING {
            return;
        }
        // While a child is stuck, the launcher does not wait for others either.
        let timeout = if self.stuck.is_empty() { MAX_WAIT } else { Duration::ZERO };
        if let Some(oldest) = self.starting.pop_front()
            && !oldest.wait(timeout)
        {
            self.stuck.push_back(oldest);
        }
    }
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

impl<C: PreparedChild> Drop for Launcher<C> {
    /// Leaks the slots that children still use.
    fn drop(&mut self) {
        self.settle();
        mem::forget((mem::take(&mut self.starting), mem::take(&mut self.stuck)));
    }
}

/// The stack and the data of a child until it executes its program.
#[derive(Debug)]
struct LaunchSlot<C> {
    child: C,
    stack: Stack,
    changes_user: bool,
    /// Not 0 while a child uses the slot. The kernel sets it to 0, and wakes a waiting thread, when the child executes its
    /// program or ends.
    is_occupied: AtomicI32,
}

impl<C: PreparedChild> LaunchSlot<C> {
    /// The slot must neither move nor be dropped while it is occupied.
    fn start_child(&self, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        extern "C" fn enter<C: PreparedChild>(slot: *mut libc::c_void) -> ! {
            // SAFETY: it is the pointer to the slot that is passed below, which lives while the child uses it.
            unsafe { &*slot.cast::<LaunchSlot<C>>() }.child.run()
        }
        let flags = libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
        self.is_occupied.store(1, Ordering::Release);
        // SAFETY: nothing else uses the stack, which is large enough and grows down from its aligned end. The child writes
        // to no other memory and does not use the C library, whose thread-local variables it shares with this thread:
        // `PreparedChild` promises that.
        let started = start(&self.child, || unsafe {
            let slot = ptr::from_ref(self).cast_mut().cast();
            // The low half of the word: the processors that this code supports are little-endian.
            let pid = pid_slot.as_ptr().cast::<libc::pid_t>();
            let words = CloneWords { pid, cleared: self.is_occupied.as_ptr() };
            clone_with_stack(flags, self.stack.top(), &words, enter::<C>, slot)
        });
        if started.is_err() {
            self.is_occupied.store(0, Ordering::Release);
        }
        started
    }
}

impl<C> LaunchSlot<C> {
    fn is_occupied(&self) -> bool {
        self.is_occupied.load(Ordering::Acquire) != 0
    }

    /// Waits until the child has left the slot. False if it is still there after the timeout.
    fn wait(&self, timeout: Duration) -> bool {
        let timeout = libc::timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() };
        // SAFETY: word and timeout live until the call returns. It returns at once if the word is not 1.
        unsafe {
            let word = self.is_occupied.as_ptr();
            libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, 1, &raw const timeout)
        };
        !self.is_occupied()
    }
}

fn dumpable() -> c_int {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }
}

fn set_dumpable(value: c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, value) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        for (release, expected) in [("6.1.0-28-amd64", true), ("5.16.0\n", true), ("5.10.0-33", false), ("", false)] {
            assert_eq!(is_at_least(release, (5, 16)), expected, "{release}");
        }
    }
}
