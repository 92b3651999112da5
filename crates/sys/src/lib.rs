//! The Unix system calls of the supervisor, behind safe functions.
//!
//! This is the only crate with `unsafe` code. It makes no decisions and contains no texts for users, except for the few
//! lines that a child writes when it cannot be started, and the reasons why a file is not read: other errors are typed, and the
//! caller words them.

pub mod capabilities;
pub mod cgroup;
pub mod clock;
pub mod command;
pub mod daemonize;
mod datagram;
pub mod disk;
pub mod errno;
mod errno_names;
pub mod exec;
pub mod fd;
pub mod host;
pub mod inherited;
pub mod isolate;
pub mod journal_socket;
pub mod limits;
pub mod local_time;
pub mod memory;
pub mod memory_kills;
pub mod notification_socket;
pub mod own_child;
pub mod passing;
pub mod pipe;
pub mod priority;
pub mod proc_fd;
pub mod proc_stat;
pub mod process_group;
pub mod process_handle;
pub mod process_tree;
pub mod process_usage;
pub mod random;
pub mod service_manager_socket;
pub mod shared_memory;
pub mod signal;
pub mod signal_scope;
pub mod sink;
pub mod small_file;
pub mod socket;
pub mod spawn;
pub mod start_time;
pub mod syslog;
pub mod terminal;
pub mod thread;
mod ticks;
pub mod trusted;
pub mod user;
pub mod user_ids;
pub mod wait;

mod pid;
#[cfg(test)]
mod retry_until;
mod system;

pub use errno::Errno;
pub use errno_names::errno_name;
pub use pid::Pid;
