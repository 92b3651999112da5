//! Who is left of a process group whose leader has ended.

use std::collections::HashMap;

use crate::proc_fd::processes;
use crate::{Errno, Pid, proc_stat, signal};

/// Whether anybody is left of the group that a process has led, the dead that nobody has reaped among them. It costs one system call.
/// Its number goes to no other process as long as somebody is left.
pub fn has_members(leader: Pid) -> bool {
    // Whoever may not be signalled is there.
    !matches!(signal::kill_group(leader, 0), Err(Errno::ESRCH | Errno::EINVAL))
}

/// The members of these groups that live, found in one look at all processes; nobody without `/proc`.
pub fn living(leaders: &[Pid]) -> HashMap<Pid, Vec<Pid>> {
    let mut living: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for pid in processes() {
        if let Some(group) = proc_stat::group_of(pid).filter(|group| leaders.contains(group))
            && proc_stat::read(pid).is_some_and(|stat| !stat.is_zombie)
        {
            living.entry(group).or_default().push(pid);
        }
    }
    living
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn those_are_found_who_outlive_the_leader() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & echo $!"]).stdout(Stdio::piped()).process_group(0);
        let child = command.spawn().unwrap();
        let leader = Pid::new(child.id()).unwrap();
        // It holds its end of the pipe as well, so that only the leader is waited for.
        let mut child = child;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        child.wait().unwrap();
        let member = Pid::new(line.trim().parse().unwrap()).unwrap();
        assert!(has_members(leader));
        assert_eq!(living(&[leader]), HashMap::from([(leader, vec![member])]));
        signal::kill(member, libc::SIGKILL).unwrap();
        let begin = std::time::Instant::now();
        while !living(&[leader]).is_empty() {
            assert!(begin.elapsed() < std::time::Duration::from_secs(60), "it is dead");
            std::thread::yield_now();
        }
    }
}
