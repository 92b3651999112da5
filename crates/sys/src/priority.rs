//! The priority of threads.

use crate::system;

/// Lets this thread run only when nothing else wants to, where the system can do that for one thread alone.
pub fn lower_that_of_this_thread() {
    system::lower_priority_of_this_thread();
}
