//! The priority of threads.

use crate::system;
use crate::user_ids::current_uid;

/// Lets this thread run only when nothing else wants to, where the system can do that for one thread alone.
pub fn lower_that_of_this_thread() {
    system::lower_priority_of_this_thread();
}

/// Whether this process may give a child this priority.
pub fn can_be(nice: i8) -> bool {
    // A thread may try it, which ends with it.
    let trial = std::thread::Builder::new().spawn(move || system::set_priority_of_this_thread(nice));
    let tried = trial.ok().and_then(|trial| trial.join().ok()).flatten();
    tried.unwrap_or(nice >= 0 || current_uid() == 0)
}
