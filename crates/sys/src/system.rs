//! All differences between systems. No other module depends on the target system.
//!
//! `linux` has the features of Linux, and `portable` their replacements on all other systems, which return errors where
//! there is none; both export the same names. The files of the other systems have their specific names and numbers. The
//! table in [`capabilities`](crate::capabilities) shows the effect for users.

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "solaris", target_os = "illumos")))]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(any(target_os = "solaris", target_os = "illumos"))]
mod solaris;

#[cfg(target_vendor = "apple")]
pub(crate) use apple::*;
#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "solaris", target_os = "illumos")))]
pub(crate) use freebsd::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::*;
#[cfg(any(target_os = "solaris", target_os = "illumos"))]
pub(crate) use solaris::*;

/// The allocator of the C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "system/glibc_allocator.rs"]
mod allocator;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[path = "system/other_allocator.rs"]
mod allocator;

pub(crate) use allocator::*;

mod prepared_child;

pub(crate) use prepared_child::{PreparedChild, fork};

/// Children share the daemon's memory on the processors for which the system calls of a child are written.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod clone_spawn;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod fork_spawn;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use clone_spawn::{Launcher, calls as child_calls};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use fork_spawn::{Launcher, calls as child_calls};
