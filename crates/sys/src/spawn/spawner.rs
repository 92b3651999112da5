//! Starting children without copying the daemon's memory.
//!
//! A fork copies page tables and, dearer, costs a fault for every page that any thread of the daemon writes to
//! afterwards. A child that shares the memory until it executes its program costs neither, but whoever made it stands
//! still until then, and on a dead network disk that is for ever. Therefore a helper thread makes the children. Should
//! one of them not come off the ground, the helper is left to its wait and the next child gets another helper.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::*;

/// How long to wait until a child has executed its program before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// Makes children, one at a time.
#[derive(Debug, Default)]
pub struct Spawner {
    helper: Option<Helper>,
}

impl Spawner {
    /// Does what [`spawn`] does, but cheaper.
    ///
    /// It returns when the child has executed its program, or somewhat later when that takes long; the child then goes
    /// on by itself.
    pub fn spawn(&mut self, plan: SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
        if !cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            return spawn(&plan, stdio);
        }
        let helper = match self.helper.take().map_or_else(Helper::start, Ok) {
            Ok(helper) => helper,
            Err(_) => return spawn(&plan, stdio),
        };
        let Made { child, is_off } = helper.make(Order { plan, stdio: stdio.numbers() });
        self.helper = is_off.then_some(helper);
        child
    }
}

/// A thread that makes children. It ends when it is dropped, or as soon after as its last child executes its program.
#[derive(Debug)]
struct Helper {
    desk: Arc<Desk>,
}

/// What is to be made. The descriptors are the caller's and stay open until the child exists, which has copies.
#[derive(Debug)]
struct Order {
    plan: SpawnPlan,
    stdio: [RawFd; 3],
}

/// What the helper has done.
struct Made {
    child: Result<Pid, Errno>,
    /// Whether the child has executed its program, so that the helper can make the next one.
    is_off: bool,
}

/// Where orders are handed over and children collected.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    /// The pid of the child being made, written by the system as soon as it exists; 0 before that.
    child: AtomicI32,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Ordered(Order),
    InWork,
    Made(Result<Pid, Errno>),
    Closed,
}

impl Helper {
    fn start() -> std::io::Result<Helper> {
        let desk = Arc::new(Desk::default());
        let own = desk.clone();
        thread::Builder::new().name("spawn".to_owned()).stack_size(STACK * 2).spawn(move || own.serve())?;
        Ok(Helper { desk })
    }

    fn make(&self, order: Order) -> Made {
        self.desk.child.store(0, Ordering::SeqCst);
        self.desk.put(State::Ordered(order));
        let mut state = self.desk.lock();
        loop {
            if let State::Made(child) = *state {
                *state = State::Idle;
                return Made { child, is_off: true };
            }
            let (next, waited) =
                self.desk.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            let child = Pid::from_raw(self.desk.child.load(Ordering::SeqCst));
            if let (true, State::InWork, Some(child)) = (waited.timed_out(), &*state, child) {
                return Made { child: Ok(child), is_off: false };
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.desk.put(State::Closed);
    }
}

impl Desk {
    /// Makes what is ordered until the desk is closed.
    fn serve(&self) {
        let mut stack = vec![0; STACK];
        while let Some(order) = self.next_order() {
            let made = make_sharing_memory(&order, &mut stack, &self.child);
            let mut state = self.lock();
            if let State::InWork = *state {
                *state = State::Made(made);
                drop(state);
                self.changed.notify_all();
            }
        }
    }

    fn next_order(&self) -> Option<Order> {
        let mut state = self.lock();
        loop {
            match mem::replace(&mut *state, State::InWork) {
                State::Ordered(order) => return Some(order),
                State::Closed => return None,
                other => *state = other,
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, next: State) {
        *self.lock() = next;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much stack a child may use until it executes its program; the texts it may have to say are made before.
const STACK: usize = 64 << 10;

/// Makes a child in this memory; returns when it has executed its program or is gone.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn make_sharing_memory(order: &Order, stack: &mut [u8], child: &AtomicI32) -> Result<Pid, Errno> {
    extern "C" fn enter(prepared: *mut libc::c_void) -> c_int {
        // SAFETY: it is the pointer given below, and what it points to lives until the caller goes on, which is after
        // this child has executed its program or is gone.
        unsafe { &*prepared.cast::<Prepared<'_>>() }.become_program()
    }
    let prepared = Prepared::new(&order.plan, order.stdio);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % 16);
    // SAFETY: no memory is involved.
    let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    // A signal that arrives in the child before it has left our handlers must not run them in our memory.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the stack is ours and large enough, and grows down from its aligned end. This thread, whose error number
    // and other thread-local variables the child uses, stands still until the child is out of our memory. The child
    // keeps to async-signal-safe calls and changes nothing but its stack.
    let made = match unsafe {
        let argument = ptr::from_ref(&prepared).cast_mut().cast();
        libc::clone(enter, top.cast(), flags, argument, child.as_ptr())
    } {
        -1 => Err(Errno::last()),
        pid => Pid::from_raw(pid).ok_or(Errno::EINVAL),
    };
    // It cannot fail: the mask is one the system gave us.
    let _ = before.thread_set_mask();
    if order.plan.identity().is_some() {
        // A change of user takes the right to a core dump from the memory, which is the daemon's too.
        // SAFETY: no memory is involved.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable) };
    }
    made
}

/// Never called there.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn make_sharing_memory(_order: &Order, _stack: &mut [u8], _child: &AtomicI32) -> Result<Pid, Errno> {
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
