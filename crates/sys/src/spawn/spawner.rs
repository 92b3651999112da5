//! Starting children without copying the daemon's memory, several at a time.
//!
//! A fork copies page tables and, dearer, costs a fault for every page that any thread of the daemon writes to
//! afterwards. A child that shares the memory until it executes its program costs neither, but whoever made it stands
//! still until then, and on a dead network disk that is for ever. Therefore helper threads make the children: the
//! daemon goes on as soon as a child exists, and a helper whose child does not come off the ground is left to its wait.

use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::*;

/// How long to wait for a free helper before those at work are left behind.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many helpers there are at most, where there are that many processors.
const MOST_HELPERS: usize = 4;

/// Makes children.
#[derive(Debug, Default)]
pub struct Spawner {
    helpers: Vec<Helper>,
    dumpable: Arc<Dumpable>,
}

impl Spawner {
    /// Does what [`spawn`] does, but cheaper. Like it, it returns when the child exists and leads its group.
    pub fn spawn(&mut self, plan: SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
        if !cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            return spawn(&plan, stdio);
        }
        match self.free_helper() {
            Some(helper) => helper.make(plan, stdio.numbers()),
            None => spawn(&plan, stdio),
        }
    }

    /// A helper without a child in its hands; none when there can be no more threads.
    fn free_helper(&mut self) -> Option<&Helper> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(free) = self.helpers.iter().position(Helper::is_free) {
                return self.helpers.get(free);
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.helpers.clear();
            }
            if self.helpers.len() < most_helpers() {
                self.helpers.push(Helper::start(self.dumpable.clone()).ok()?);
                return self.helpers.last();
            }
            thread::park_timeout(left);
        }
    }
}

fn most_helpers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_HELPERS)
}

/// A thread that makes children. It ends when it is dropped, or as soon after as its last child executes its program.
#[derive(Debug)]
struct Helper {
    desk: Arc<Desk>,
    thread: Thread,
}

/// What is to be made. The descriptors are the customer's and stay open until the child exists, which has copies.
#[derive(Debug)]
struct Order {
    plan: SpawnPlan,
    stdio: [RawFd; 3],
    customer: Thread,
}

/// Where orders are handed over and children collected. Whoever changes it wakes the other side.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    /// The pid of the child being made, written by the system before the child runs; 0 before that.
    child: AtomicI32,
    /// The child has begun and leads its group.
    exists: AtomicBool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Free,
    Ordered(Order),
    InWork,
    Failed(Errno),
    Closed,
}

impl Helper {
    fn start(dumpable: Arc<Dumpable>) -> std::io::Result<Helper> {
        let desk = Arc::new(Desk::default());
        let own = desk.clone();
        let serve = move || own.serve(&dumpable);
        let thread = thread::Builder::new().name("spawn".to_owned()).stack_size(STACK * 2).spawn(serve)?;
        Ok(Helper { desk, thread: thread.thread().clone() })
    }

    fn is_free(&self) -> bool {
        matches!(*self.desk.lock(), State::Free)
    }

    fn make(&self, plan: SpawnPlan, stdio: [RawFd; 3]) -> Result<Pid, Errno> {
        self.desk.child.store(0, Ordering::SeqCst);
        self.desk.exists.store(false, Ordering::SeqCst);
        self.put(State::Ordered(Order { plan, stdio, customer: thread::current() }));
        while !self.desk.exists.load(Ordering::SeqCst) {
            let mut state = self.desk.lock();
            match *state {
                // It has come and gone.
                State::Free => break,
                State::Failed(error) => {
                    *state = State::Free;
                    return Err(error);
                }
                State::Ordered(_) | State::InWork | State::Closed => {}
            }
            drop(state);
            thread::park();
        }
        Pid::from_raw(self.desk.child.load(Ordering::SeqCst)).ok_or(Errno::EINVAL)
    }

    fn put(&self, next: State) {
        *self.desk.lock() = next;
        self.thread.unpark();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.put(State::Closed);
    }
}

impl Desk {
    /// Makes what is ordered until the desk is closed.
    fn serve(&self, dumpable: &Dumpable) {
        let mut stack = vec![0; STACK];
        while let Some(order) = self.next_order() {
            let changes_user = order.plan.identity().is_some();
            if changes_user {
                dumpable.suspend();
            }
            let made = make_sharing_memory(&order, &mut stack, self);
            if changes_user {
                dumpable.resume();
            }
            let mut state = self.lock();
            if let State::InWork = *state {
                *state = made.map_or_else(State::Failed, |()| State::Free);
            }
            drop(state);
            order.customer.unpark();
        }
    }

    fn next_order(&self) -> Option<Order> {
        loop {
            let mut state = self.lock();
            match mem::replace(&mut *state, State::InWork) {
                State::Ordered(order) => return Some(order),
                State::Closed => return None,
                other => *state = other,
            }
            drop(state);
            thread::park();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the daemon may dump core, which is a property of its memory: a child that changes its user takes it away,
/// and it must stay away until no such child shares the memory any more, or that user could look into it.
#[derive(Debug, Default)]
struct Dumpable {
    state: Mutex<Suspended>,
}

#[derive(Debug, Default)]
struct Suspended {
    /// How many children are changing their user.
    by: usize,
    /// What it was before the first of them.
    before: c_int,
}

impl Dumpable {
    /// A child is about to change its user.
    fn suspend(&self) {
        let mut suspended = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if suspended.by == 0 {
            suspended.before = dumpable();
        }
        suspended.by += 1;
    }

    /// A child that changes its user has left the memory.
    fn resume(&self) {
        let mut suspended = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        suspended.by -= 1;
        if suspended.by == 0 {
            set_dumpable(suspended.before);
        }
    }
}

#[cfg(target_os = "linux")]
fn dumpable() -> c_int {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }
}

#[cfg(target_os = "linux")]
fn set_dumpable(value: c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, value) };
}

/// No memory is shared there.
#[cfg(not(target_os = "linux"))]
fn dumpable() -> c_int {
    0
}

#[cfg(not(target_os = "linux"))]
fn set_dumpable(_value: c_int) {}

/// How much stack a child may use until it executes its program; the texts it may have to say are made before.
const STACK: usize = 64 << 10;

/// Makes a child in this memory; returns when it has executed its program or is gone.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn make_sharing_memory(order: &Order, stack: &mut [u8], desk: &Desk) -> Result<(), Errno> {
    /// What the child works with; it lives on the stack of the helper, which stands still meanwhile.
    struct Cradle<'a> {
        prepared: Prepared<'a>,
        desk: &'a Desk,
        customer: &'a Thread,
    }
    extern "C" fn enter(cradle: *mut libc::c_void) -> c_int {
        // SAFETY: it is the pointer given below, and what it points to lives until the helper goes on, which is after
        // this child has executed its program or is gone.
        let Cradle { prepared, desk, customer } = unsafe { &*cradle.cast::<Cradle<'_>>() };
        lead_group();
        desk.exists.store(true, Ordering::SeqCst);
        // One atomic exchange and one system call on memory that is shared: no lock, no allocation.
        customer.unpark();
        prepared.become_program()
    }
    let cradle = Cradle { prepared: Prepared::new(&order.plan, order.stdio), desk, customer: &order.customer };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % 16);
    // A signal that arrives in the child before it has left our handlers must not run them in our memory.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the stack is ours and large enough, and grows down from its aligned end. This thread, whose error number
    // and other thread-local variables the child uses, stands still until the child is out of our memory. The child
    // keeps to async-signal-safe calls, and changes nothing but its stack and the desk's atomic mark.
    let made = match unsafe {
        let argument = ptr::from_ref(&cradle).cast_mut().cast();
        libc::clone(enter, top.cast(), flags, argument, desk.child.as_ptr())
    } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    };
    // It cannot fail: the mask is one the system gave us.
    let _ = before.thread_set_mask();
    made
}

/// Never called there.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn make_sharing_memory(_order: &Order, _stack: &mut [u8], _desk: &Desk) -> Result<(), Errno> {
    Err(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;
    use crate::pipe::pipe;
    use crate::wait::{ExitStatus, wait_for};

    fn plan(argv: &[&str]) -> SpawnPlan {
        SpawnPlan::new(Path::new(argv[0]), argv, [("A", "b")].into_iter().collect()).unwrap()
    }

    /// Runs a plan to its end: how it ended, and what it wrote.
    fn run(spawner: &mut Spawner, plan: SpawnPlan) -> (ExitStatus, String) {
        let output = pipe().unwrap();
        let input = File::open("/dev/null").unwrap();
        let (stdout, stderr) = (output.writer.as_fd(), output.writer.as_fd());
        let child = spawner.spawn(plan, Stdio { stdin: input.as_fd(), stdout, stderr }).unwrap();
        drop(output.writer);
        let mut text = String::new();
        File::from(output.reader).read_to_string(&mut text).unwrap();
        (wait_for(child).unwrap(), text)
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

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_becomes_another_user_and_the_daemon_does_not() {
        if crate::user::current_uid() != 0 {
            return;
        }
        let mut spawner = Spawner::default();
        let identity = plan(&["/bin/sh", "-c", "echo $(id -u)"]).run_as(crate::user::RunAs::uid(65534));
        let (status, text) = run(&mut spawner, identity);
        assert_eq!((status, text.as_str()), (ExitStatus::Code(0), "65534\n"));
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }, 1);
        let (_, text) = run(&mut spawner, plan(&["/bin/sh", "-c", "echo $(id -u)"]));
        assert_eq!((text.as_str(), crate::user::current_uid()), ("0\n", 0));
    }

    /// A stderr that is full, for a child that has something to say, stands for the dead disk.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_that_does_not_come_off_the_ground_holds_nobody_up() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        let full = pipe().unwrap();
        let capacity = crate::pipe::capacity(full.writer.as_fd()).unwrap();
        let mut writer = File::from(full.writer);
        writer.write_all(&vec![b'x'; capacity]).unwrap();
        assert!(writer.as_raw_fd() > 2);
        let input = File::open("/dev/null").unwrap();
        let mut spawner = Spawner::default();
        let stdio = Stdio { stdin: input.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
        let stuck = spawner.spawn(plan(&["/nonexistent/program"]), stdio).unwrap();
        assert_eq!(run(&mut spawner, plan(&["/bin/sh", "-c", "exit 4"])).0, ExitStatus::Code(4));
        drop(writer);
        let mut text = String::new();
        File::from(full.reader).read_to_string(&mut text).unwrap();
        assert!(text.trim_start_matches('x').starts_with("supervisor: couldn't exec"), "{text}");
        assert_eq!(wait_for(stuck).unwrap(), ExitStatus::Code(NOT_SPAWNED));
    }
}
