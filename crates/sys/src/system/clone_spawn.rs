//! Starting children without copying the daemon's memory, and without waiting for them.
//!
//! A fork copies page tables and, dearer, costs a fault for every page that any thread of the daemon writes to
//! afterwards. A child that shares the memory until it executes its program costs neither. It has a stack of its own
//! and leaves no trace in what it shares (see `spawn::child`), so that the daemon can go on at once: a disk that dies
//! while a program is read keeps that child from getting off the ground, and nobody else.

pub(crate) mod calls;
mod stack;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use std::{mem, ptr};

use libc::c_int;

use crate::spawn::{Child, ProcessGroup, SpawnPlan, Stdio, begin, spawn_and_store};
use crate::user::RunAs;
use crate::{Errno, Pid};
use stack::Stack;

/// How many children may be on their way to their program; the next one waits for the first of them.
const MOST_UNDER_WAY: usize = 8;

/// For how long; a child that takes longer is left to its own devices.
const PATIENCE: Duration = Duration::from_millis(100);

/// Makes children.
#[derive(Debug)]
pub struct Spawner {
    /// Whether children share the memory of the daemon until they execute their programs.
    shares_memory: bool,
    /// Children on their way, the oldest first.
    under_way: VecDeque<Box<LaunchSlot>>,
    /// Those nobody waits for any more.
    stuck: VecDeque<Box<LaunchSlot>>,
    /// A stack that can be used again.
    spare: Option<Stack>,
    /// Whether the daemon may dump core, which is a property of its memory: a child that changes its user takes it
    /// away, and it must stay away until no such child shares the memory, or that user could look into it.
    dumpable: Option<c_int>,
}

impl Default for Spawner {
    /// For the system that runs here.
    fn default() -> Spawner {
        Spawner::on(&crate::host::release())
    }
}

impl Spawner {
    /// For this release of Linux, such as `6.1.0-28-amd64`. Until 5.16, a child that dies of a signal that dumps core
    /// before it executes its program takes all with it who share its memory; so none does there, nor where the release
    /// is not known.
    pub fn on(release: &str) -> Spawner {
        Spawner {
            shares_memory: is_at_least(release, (5, 16)),
            under_way: VecDeque::new(),
            stuck: VecDeque::new(),
            spare: None,
            dumpable: None,
        }
    }

    /// Does what [`spawn`](crate::spawn::spawn) does, but cheaper where that is safe. The system itself stores the process id in `pid_slot` before
    /// the child runs, so that it is there even if this process is killed at that moment.
    pub fn spawn(&mut self, plan: SpawnPlan, stdio: Stdio<'_>, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        if !self.shares_memory {
            return spawn_and_store(plan, stdio, pid_slot);
        }
        self.make_room();
        let changes_user = matches!(plan.run_as, RunAs::Other(_));
        if changes_user {
            self.dumpable.get_or_insert_with(dumpable);
        }
        let stack = self.spare.take().map_or_else(Stack::new, Ok)?;
        let group = plan.group;
        let child = Child::new(plan, stdio);
        let slot = Box::new(LaunchSlot { child, group, stack, changes_user, is_occupied: AtomicI32::new(0) });
        let pid = slot.make_child(pid_slot);
        self.under_way.push_back(slot);
        pid
    }

    /// Tidies up after children that have executed their programs.
    pub fn settle(&mut self) {
        if self.under_way.is_empty() && self.stuck.is_empty() {
            return;
        }
        self.stuck.retain(|slot| slot.is_occupied());
        for slot in mem::take(&mut self.under_way) {
            match slot.is_occupied() {
                true => self.under_way.push_back(slot),
                false => self.spare = Some(slot.stack),
            }
        }
        let mut occupied = self.under_way.iter().chain(&self.stuck);
        if !occupied.any(|slot| slot.changes_user)
            && let Some(before) = self.dumpable.take()
        {
            set_dumpable(before);
        }
    }

    fn make_room(&mut self) {
        self.settle();
        if self.under_way.len() < MOST_UNDER_WAY {
            return;
        }
        // Where one has been given up already, the next ones are not waited for either.
        let patience = if self.stuck.is_empty() { PATIENCE } else { Duration::ZERO };
        if let Some(oldest) = self.under_way.pop_front()
            && !oldest.wait(patience)
        {
            self.stuck.push_back(oldest);
        }
    }
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

impl Drop for Spawner {
    /// What a child still uses stays.
    fn drop(&mut self) {
        self.settle();
        mem::forget((mem::take(&mut self.under_way), mem::take(&mut self.stuck)));
    }
}

/// The stack and the data of a child until it executes its program.
#[derive(Debug)]
struct LaunchSlot {
    child: Child,
    group: ProcessGroup,
    stack: Stack,
    /// Whether the child becomes another user.
    changes_user: bool,
    /// Not 0 while there is a child. The system makes it 0, and wakes who waits, when the child leaves this memory.
    is_occupied: AtomicI32,
}

impl LaunchSlot {
    fn is_occupied(&self) -> bool {
        self.is_occupied.load(Ordering::Acquire) != 0
    }

    /// The slot must neither move nor be dropped as long as it is occupied.
    fn make_child(&self, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        extern "C" fn enter(slot: *mut libc::c_void) -> c_int {
            // SAFETY: it is the pointer given below, and what it points to stays as long as this child is in it.
            unsafe { &*slot.cast::<LaunchSlot>() }.child.become_program()
        }
        let flags = libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
        self.is_occupied.store(1, Ordering::Release);
        // SAFETY: nobody else uses the stack, which is large enough and grows down from its aligned end. The child
        // reads what was prepared for it, changes nothing but that stack, and calls the system without the C library,
        // whose thread-local variables it shares with this thread.
        let made = begin(self.group, || unsafe {
            let slot = ptr::from_ref(self).cast_mut().cast();
            let nothing = ptr::null_mut::<libc::c_void>();
            // The low half of the word, on the little-endian systems that this is for.
            let pid_slot = pid_slot.as_ptr().cast::<libc::pid_t>();
            libc::clone(enter, self.stack.top(), flags, slot, pid_slot, nothing, self.is_occupied.as_ptr())
        });
        if made.is_err() {
            self.is_occupied.store(0, Ordering::Release);
        }
        made
    }

    /// Waits until the child has left; false when the time passed first.
    fn wait(&self, patience: Duration) -> bool {
        let timeout = libc::timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        // SAFETY: the number and the time live until the call returns, which is at once when the number is another.
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
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;

    use std::path::Path;

    use super::*;
    use crate::pipe::pipe;
    use crate::spawn::NOT_SPAWNED;
    use crate::wait::{ExitStatus, wait_for};

    fn plan(argv: &[&str]) -> SpawnPlan {
        SpawnPlan::new(Path::new(argv[0]), argv, [("A", "b")].into_iter().collect()).unwrap()
    }

    /// Runs a plan to its end: how it ended, and what it wrote.
    fn run(spawner: &mut Spawner, plan: SpawnPlan) -> (ExitStatus, String) {
        let output = pipe().unwrap();
        let input = File::open("/dev/null").unwrap();
        let (stdout, stderr) = (output.writer.as_fd(), output.writer.as_fd());
        let pid_slot = AtomicU64::new(0);
        let child = spawner.spawn(plan, Stdio { stdin: input.as_fd(), stdout, stderr }, &pid_slot).unwrap();
        assert_eq!(pid_slot.into_inner(), u64::from(child.get()));
        drop(output.writer);
        let mut text = String::new();
        File::from(output.reader).read_to_string(&mut text).unwrap();
        (wait_for(child).unwrap(), text)
    }

    #[test]
    fn releases_are_compared_by_their_numbers() {
        for (release, expected) in [("6.1.0-28-amd64", true), ("5.16.0\n", true), ("5.10.0-33", false), ("", false)] {
            assert_eq!(is_at_least(release, (5, 16)), expected, "{release}");
        }
    }

    #[test]
    fn children_come_one_after_the_other() {
        let mut spawner = Spawner::default();
        for number in 0..20 {
            let script = format!("echo $A {number}; exit {number}");
            let ended = run(&mut spawner, plan(&["/bin/sh", "-c", &script]));
            assert_eq!(ended, (ExitStatus::Code(number), format!("b {number}\n")));
        }
    }

    #[test]
    fn a_child_without_a_program_says_so_and_harms_nobody() {
        let mut spawner = Spawner::default();
        let (status, text) = run(&mut spawner, plan(&["/nonexistent/program"]));
        assert_eq!(status, ExitStatus::Code(NOT_SPAWNED));
        assert!(text.starts_with("supervisor: couldn't exec /nonexistent/program: ENOENT\n"), "{text}");
        assert_eq!(run(&mut spawner, plan(&["/bin/sh", "-c", "exit 3"])).0, ExitStatus::Code(3));
    }
}
