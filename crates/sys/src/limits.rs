//! Resource limits of this process, which its children inherit.

use libc::{RLIM_INFINITY, rlim_t, rlimit};

use crate::{Errno, system};

/// A resource with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The number of open files of this process.
    OpenFiles,
    /// The number of processes of this user.
    Processes,
}

impl Limit {
    /// The name, as in `RLIMIT_NOFILE`.
    pub const fn name(self) -> &'static str {
        match self {
            Limit::OpenFiles => "RLIMIT_NOFILE",
            Limit::Processes => "RLIMIT_NPROC",
        }
    }

    const fn number(self) -> Option<system::LimitNumber> {
        match self {
            Limit::OpenFiles => Some(libc::RLIMIT_NOFILE),
            Limit::Processes => system::PROCESS_LIMIT,
        }
    }
}

/// A soft limit that could not be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitTooLow {
    /// The current hard limit, which only root may raise.
    pub hard: u64,
    /// The error of the system.
    pub errno: Errno,
}

/// Raises the soft limit to at least `wanted`, and the hard limit if that is too low as well. Returns whether it had to
/// be raised. It is never lowered.
pub fn ensure(limit: Limit, wanted: u64) -> Result<bool, LimitTooLow> {
    let now = read(limit).map_err(|errno| LimitTooLow { hard: 0, errno })?;
    let wanted = rlim_t::try_from(wanted).unwrap_or(rlim_t::MAX);
    if now.rlim_cur == RLIM_INFINITY || now.rlim_cur >= wanted {
        return Ok(false);
    }
    // "No limit" is the greatest number on every system.
    let raised = rlimit { rlim_cur: wanted, rlim_max: now.rlim_max.max(wanted) };
    write(limit, raised).map_err(|errno| LimitTooLow { hard: as_u64(now.rlim_max), errno })?;
    Ok(true)
}

/// Raises the soft limit by so much, as far as the system allows.
pub fn raise_by(limit: Limit, more: u64) {
    let Ok((soft, hard)) = get(limit) else { return };
    let wanted = soft.saturating_add(more);
    // Where neither is possible, what is in need of it says so.
    let _ = ensure(limit, wanted).or_else(|_| ensure(limit, hard.min(wanted)));
}

/// The soft and the hard limit; `u64::MAX` for none.
pub fn get(limit: Limit) -> Result<(u64, u64), Errno> {
    let limit = read(limit)?;
    Ok((as_u64(limit.rlim_cur), as_u64(limit.rlim_max)))
}

// `nix` does not know the limit on processes for every system that has it. The type of a resource's number differs by
// system. A system without the limit has no number.

fn read(limit: Limit) -> Result<rlimit, Errno> {
    let mut answer = rlimit { rlim_cur: RLIM_INFINITY, rlim_max: RLIM_INFINITY };
    let Some(number) = limit.number() else { return Ok(answer) };
    // SAFETY: `answer` may be written to.
    let result = unsafe { libc::getrlimit(number, &mut answer) };
    if result == -1 { Err(Errno::last()) } else { Ok(answer) }
}

fn write(limit: Limit, wanted: rlimit) -> Result<(), Errno> {
    let Some(number) = limit.number() else { return Ok(()) };
    // SAFETY: `wanted` is only read.
    let result = unsafe { libc::setrlimit(number, &wanted) };
    if result == -1 { Err(Errno::last()) } else { Ok(()) }
}

fn as_u64(limit: rlim_t) -> u64 {
    if limit == RLIM_INFINITY { u64::MAX } else { widened(limit) }
}

/// The type of a limit is signed on some systems.
fn widened<T: TryInto<u64>>(limit: T) -> u64 {
    limit.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because limits belong to the whole process.
    #[test]
    fn a_soft_limit_is_raised_and_never_lowered() {
        let (soft, hard) = get(Limit::OpenFiles).unwrap();
        assert_eq!(ensure(Limit::OpenFiles, soft), Ok(false));
        assert_eq!(ensure(Limit::OpenFiles, 1), Ok(false));
        if soft > 64 && soft != u64::MAX {
            let now = read(Limit::OpenFiles).unwrap();
            write(Limit::OpenFiles, rlimit { rlim_cur: now.rlim_cur - 1, ..now }).unwrap();
            assert_eq!(ensure(Limit::OpenFiles, soft), Ok(true));
            assert_eq!(get(Limit::OpenFiles), Ok((soft, hard)));
        }
    }

    #[test]
    fn a_limit_that_is_too_high_is_an_error_with_the_actual_hard_limit() {
        let (soft, hard) = get(Limit::OpenFiles).unwrap();
        // More than root may have.
        let beyond = u64::MAX / 4;
        if soft != u64::MAX {
            assert_eq!(ensure(Limit::OpenFiles, beyond).unwrap_err().hard, hard);
        }
    }
}
