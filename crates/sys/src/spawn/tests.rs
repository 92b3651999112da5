use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::sys::signal::SigSet;

use super::*;
use crate::cgroup::Cgroup;
use crate::pipe::pipe;
use crate::retry_until::retry_until;
use crate::signal::kill_group;
use crate::user::{RunAs, current_uid, user_by_name};
use crate::user_ids::{DropError, UserIds};
use crate::wait::{WaitStatus, wait_for};

fn plan(argv: &[&str]) -> SpawnPlan {
    SpawnPlan::new(Path::new(argv[0]), argv, Environment::default()).unwrap()
}

fn shell(script: &str) -> SpawnPlan {
    plan(&["/bin/sh", "-c", script])
}

/// One for each way in which children are made, with the release of Linux that has it.
fn spawners() -> [(&'static str, Spawner); 2] {
    ["6.1.0", "5.10.0"].map(|release| (release, Spawner::on(release)))
}

/// Runs a plan to its end: how it ended, and what it wrote to its stdout and stderr. That is the same in each way.
fn run(plan: SpawnPlan) -> (WaitStatus, String) {
    let [(_, ended), (release, otherwise)] = spawners().map(|(release, mut spawner)| {
        // As long as a child of another test has it open for writing, a file cannot be executed.
        let ended = || Some(run_by(&mut spawner, plan.clone())).filter(|(_, text)| !text.contains("ETXTBSY"));
        (release, retry_until(ended))
    });
    assert_eq!(ended, otherwise, "{release}");
    ended
}

fn run_by(spawner: &mut Spawner, plan: SpawnPlan) -> (WaitStatus, String) {
    let output = pipe().unwrap();
    let input = File::open("/dev/null").unwrap();
    let stdio = Stdio { stdin: input.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
    let pid_slot = AtomicU64::new(0);
    let child = spawner.spawn(plan, stdio, &pid_slot).unwrap();
    assert_eq!(pid_slot.into_inner(), u64::from(child.get()));
    drop(output.writer);
    let text = read_to_end(output.reader);
    (wait_for(child).unwrap(), text)
}

fn read_to_end(reader: OwnedFd) -> String {
    let mut bytes = Vec::new();
    File::from(reader).read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_program_gets_its_arguments_and_nothing_but_its_environment() {
    let plan =
        SpawnPlan::new(Path::new("/usr/bin/env"), &["some name"], [("A", "1"), ("B", "x=y z")].into_iter().collect())
            .unwrap();
    assert_eq!(run(plan), (WaitStatus::Code(0), "A=1\nB=x=y z\n".to_owned()));
    let (_, text) = run(plan_with_arguments());
    assert_eq!(text, "zero|a b||c\n");
}

fn plan_with_arguments() -> SpawnPlan {
    let argv = ["sh", "-c", "echo \"$0|$1|$2|$3\"", "zero", "a b", "", "c"];
    SpawnPlan::new(Path::new("/bin/sh"), &argv, Environment::default()).unwrap()
}

#[test]
fn one_spawner_starts_many_children() {
    let mut spawner = Spawner::default();
    for number in 0..20 {
        let ended = run_by(&mut spawner, shell(&format!("echo {number}; exit {number}")));
        assert_eq!(ended, (WaitStatus::Code(number), format!("{number}\n")));
    }
    let (status, text) = run_by(&mut spawner, plan(&["/nonexistent/program"]));
    assert_eq!(status, WaitStatus::Code(NOT_SPAWNED));
    assert!(text.starts_with("supervisor: couldn't exec /nonexistent/program: ENOENT\n"), "{text}");
    assert_eq!(run_by(&mut spawner, shell("exit 3")).0, WaitStatus::Code(3));
}

#[test]
fn a_plan_that_cannot_be_passed_to_the_system_is_refused() {
    assert_eq!(SpawnPlan::new(Path::new("/bin/sh"), &["a\0b"], Environment::default()).unwrap_err(), Errno::EINVAL);
    assert_eq!(SpawnPlan::new::<&str>(Path::new("/bin/sh"), &[], Environment::default()).unwrap_err(), Errno::EINVAL);
}

#[test]
fn the_exit_is_exact() {
    assert_eq!(run(shell("exit 37")).0, WaitStatus::Code(37));
    let killed = WaitStatus::Signal { number: libc::SIGUSR1, core_dumped: false };
    assert_eq!(run(shell("kill -USR1 $$")).0, killed);
}

#[test]
fn a_child_leads_a_group_of_its_own_or_stays_in_ours() {
    let script = "group=$(ps -o pgid= -p $$); [ $group = $$ ] || echo $$ is in the group $group";
    assert_eq!(run(shell(script)), (WaitStatus::Code(0), String::new()));
    let ours = nix::unistd::getpgrp();
    let script = format!("group=$(ps -o pgid= -p $$); [ $group = {ours} ] || echo $$ is in the group $group");
    assert_eq!(run(shell(&script).group(ProcessGroup::Inherited)), (WaitStatus::Code(0), String::new()));
}

#[test]
fn its_group_can_be_signalled_at_once() {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    for (release, mut spawner) in spawners() {
        for _ in 0..50 {
            let child = spawner.spawn(plan(&["/bin/sleep", "60"]), stdio, &AtomicU64::new(0)).unwrap();
            kill_group(child, libc::SIGTERM).unwrap();
            let ended = WaitStatus::Signal { number: libc::SIGTERM, core_dumped: false };
            assert_eq!(wait_for(child), Ok(ended), "{release}");
        }
    }
}

#[test]
fn directory_and_mask_are_those_of_the_plan() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().canonicalize().unwrap();
    let plan = shell("pwd; umask; > made").directory(directory.path()).unwrap().umask(0o137);
    assert_eq!(run(plan).1, format!("{}\n0137\n", real.display()));
    assert_eq!(real.join("made").metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn the_nice_value_is_that_of_the_plan() {
    assert_eq!(run(shell("nice").nice(19)), (WaitStatus::Code(0), "19\n".to_owned()));
    let ours: i8 = run(shell("nice")).1.trim().parse().unwrap();
    // Less than ours needs rights that not every test has, as nice(1) tells.
    let less = ours - 1;
    let expected = match run(shell("nice -n -1 nice 2>&1 | tail -n 1")).1.trim() == less.to_string() {
        true => (WaitStatus::Code(0), format!("{less}\n")),
        false => failed(&format!("supervisor: couldn't set nice to {less}: EACCES")),
    };
    assert_eq!(run(shell("nice").nice(less)), expected);
}

#[test]
fn only_three_descriptors_reach_a_child() {
    let leaked = File::open("/dev/null").unwrap();
    // SAFETY: clears the mark of a descriptor this test owns.
    unsafe { libc::fcntl(leaked.as_raw_fd(), libc::F_SETFD, 0) };
    let (_, text) = run(shell("cd /dev/fd; for fd in [0-9] [0-9][0-9]; do [ -e $fd ] && echo $fd; done; true"));
    if cfg!(target_os = "linux") {
        assert_eq!(text, "0\n1\n2\n");
    }
}

#[test]
fn descriptors_may_be_given_in_any_order() {
    // The descriptors 0 to 2 of the test process itself, crosswise: none may be overwritten before it is copied.
    let (input, output) = (std::io::stdin(), std::io::stdout());
    let inode = |fd: BorrowedFd<'_>| {
        let file = File::from(fd.try_clone_to_owned().unwrap());
        let metadata = file.metadata().unwrap();
        format!("{}:{}", metadata.dev(), metadata.ino())
    };
    for (release, mut spawner) in spawners() {
        let error = pipe().unwrap();
        let script = "stat -L -c %d:%i /dev/fd/0 /dev/fd/3 3>&1 >&2";
        let stdio = Stdio { stdin: output.as_fd(), stdout: input.as_fd(), stderr: error.writer.as_fd() };
        let child = spawner.spawn(shell(script), stdio, &AtomicU64::new(0)).unwrap();
        drop(error.writer);
        let text = read_to_end(error.reader);
        wait_for(child).unwrap();
        assert_eq!(text, format!("{}\n{}\n", inode(output.as_fd()), inode(input.as_fd())), "{release}");
    }
}

#[test]
fn a_further_descriptor_reaches_the_child_whatever_its_number_is_here() {
    for (release, mut spawner) in spawners() {
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let (output, further) = (pipe().unwrap(), pipe().unwrap());
        // Numbers that others have here, that of the descriptor itself, and one that nobody has.
        let (own, of_output) = (further.writer.as_raw_fd(), output.writer.as_raw_fd());
        for target in [3, 4, own, of_output, 200] {
            let script = format!("echo ready >&{target}; cd /dev/fd; ls");
            let stdio = Stdio { stdin: null.as_fd(), stdout: output.writer.as_fd(), stderr: null.as_fd() };
            let target = u16::try_from(target).unwrap();
            let descriptors = ChildDescriptors { stdio, further: Some((target, further.writer.as_fd())), cgroup: None };
            let bash = plan(&["/bin/bash", "-c", &script]);
            let child = spawner.spawn(bash, descriptors, &AtomicU64::new(0)).unwrap();
            wait_for(child).unwrap();
            let mut said = [0; 100];
            let length = crate::fd::read(further.reader.as_fd(), &mut said).unwrap();
            assert_eq!(&said[..length], b"ready\n", "{target} on {release}");
        }
    }
}

/// A group holds all that descend from its first member, reaches them, and is removed when they have ended.
#[test]
#[expect(clippy::print_stderr, reason = "whoever reads the output learns what was left out")]
fn a_child_enters_its_cgroup_before_it_executes_its_program() {
    for (number, (release, mut spawner)) in spawners().into_iter().enumerate() {
        let (cgroup, procs) = match Cgroup::make(number as u64) {
            Ok(made) => made,
            Err(reason) => return eprintln!("left out, because no cgroup can be made here: {reason:?}"),
        };
        let (output, null) = (pipe().unwrap(), File::options().read(true).write(true).open("/dev/null").unwrap());
        let stdio = Stdio { stdin: null.as_fd(), stdout: output.writer.as_fd(), stderr: null.as_fd() };
        let descriptors = ChildDescriptors { stdio, further: None, cgroup: Some(procs.as_fd()) };
        let script = "(setsid sleep 1000 &); trap '' TERM; echo ready; exec sleep 1000";
        let child = spawner.spawn(shell(script), descriptors, &AtomicU64::new(0)).unwrap();
        let mut said = [0; 100];
        assert_eq!(crate::fd::read(output.reader.as_fd(), &mut said).unwrap(), 6, "{release}");
        assert_eq!(Cgroup::of(child), Some(cgroup.clone()));
        assert!(Cgroup::left_behind().contains(&cgroup));
        assert!(cgroup.members().contains(&child) && cgroup.members().len() >= 2);
        assert!(!cgroup.remove(), "it is not empty");
        assert_eq!(cgroup.send(libc::SIGTERM, Some(child)), Ok(Vec::new()));
        retry_until(|| (cgroup.members() == [child]).then_some(()));
        assert_eq!(cgroup.send(libc::SIGKILL, Some(child)), Ok(Vec::new()));
        wait_for(child).unwrap();
        retry_until(|| cgroup.remove().then_some(()));
        assert_eq!(cgroup.send(libc::SIGTERM, None), Err(Errno::ESRCH));
    }
}

#[test]
fn all_signals_are_as_they_are_by_default() {
    crate::signal::ignore_write_signals().unwrap();
    if !cfg!(target_os = "linux") {
        return;
    }
    let (_, text) = run(plan(&["/bin/sed", "-n", "/^Sig[BIC]/p", "/proc/self/status"]));
    // Signals 32 and 33 belong to the C library, which lets nobody touch them.
    let own = 0b11 << 31;
    for field in ["SigBlk:\t", "SigIgn:\t", "SigCgt:\t"] {
        let mask = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & !own, 0, "{field}{mask}");
    }
}

#[test]
fn the_parent_keeps_its_signal_mask() {
    let mut before = SigSet::empty();
    before.add(nix::sys::signal::Signal::SIGWINCH);
    before.thread_set_mask().unwrap();
    run(shell("true"));
    assert_eq!(SigSet::thread_get_mask().unwrap(), before);
}

fn failed(text: &str) -> (WaitStatus, String) {
    (WaitStatus::Code(NOT_SPAWNED), format!("{text}\nsupervisor: child process was not spawned\n"))
}

#[test]
fn a_child_that_cannot_be_executed_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("no program");
    std::fs::write(&file, "nothing that can be executed").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    let run_file = |path: &Path| run(SpawnPlan::new(path, &["the name"], Environment::default()).unwrap());
    assert_eq!(run_file(&file), failed("supervisor: couldn't exec the name: ENOEXEC"));
    assert_eq!(run_file(Path::new("/nonexistent")), failed("supervisor: couldn't exec the name: ENOENT"));
    assert_eq!(run_file(directory.path()), failed("supervisor: couldn't exec the name: EACCES"));
    std::fs::write(&file, "#!/nonexistent/interpreter\n").unwrap();
    assert_eq!(run_file(&file), failed("supervisor: couldn't exec the name: ENOENT"));
}

#[test]
fn a_child_that_cannot_enter_its_directory_says_why() {
    let plan = shell("true").directory(Path::new("/nonexistent/dir")).unwrap();
    assert_eq!(run(plan), failed("supervisor: couldn't chdir to /nonexistent/dir: ENOENT"));
}

#[test]
fn a_child_that_cannot_change_its_user_says_why() {
    let refused = |uid, reason| run(shell("true").run_as(RunAs::Refused { uid, reason }));
    assert_eq!(
        refused(7, DropError::NotRoot),
        failed("supervisor: couldn't setuid to 7: Can't drop privilege as nonroot user")
    );
    assert_eq!(
        refused(4294967295, DropError::UnknownUser(4294967295)),
        failed("supervisor: couldn't setuid to 4294967295: Can't find uid 4294967295")
    );
    if current_uid() != 0 {
        let ids = UserIds { uid: 0, gid: 0, groups: vec![0] };
        let plan = shell("true").run_as(RunAs::Other(ids));
        assert_eq!(run(plan), failed("supervisor: couldn't setuid to 0: Could not set groups of effective user"));
    }
}

#[test]
fn a_child_becomes_another_user_before_it_enters_its_directory() {
    let Some(nobody) = user_by_name("nobody").filter(|_| current_uid() == 0) else { return };
    let ids = UserIds { uid: nobody.uid, gid: nobody.gid, groups: vec![nobody.gid, 4242] };
    let plan = shell("id -u; id -g; id -G").run_as(RunAs::Other(ids.clone()));
    let expected = format!("{}\n{}\n{} 4242\n", nobody.uid, nobody.gid, nobody.gid);
    assert_eq!(run(plan), (WaitStatus::Code(0), expected));

    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let plan = shell("true").run_as(RunAs::Other(ids)).directory(closed.path()).unwrap();
    assert_eq!(run(plan), failed(&format!("supervisor: couldn't chdir to {}: EACCES", closed.path().display())));
}
