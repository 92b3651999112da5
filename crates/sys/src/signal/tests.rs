use super::*;

/// The one test that sends signals to this process, because a process has only one set of handlers.
#[test]
fn signals_are_caught_once_each_and_in_order() {
    let mut signals = Signals::catch(&[Signal::Hangup, Signal::User1, Signal::User2]).unwrap();
    assert_eq!(signals.drain(), []);
    assert!(!signals.wait(Some(Duration::ZERO)).unwrap());

    // To the process: any of its threads may take it, at any time. Once only, so that none comes late.
    kill(Pid::current(), libc::SIGUSR2).unwrap();
    assert!(signals.wait(Some(Duration::from_secs(60))).unwrap());
    assert_eq!(signals.drain(), [Signal::User2]);

    // To this thread: it has been taken when the call returns.
    signal_hook::low_level::raise(libc::SIGUSR1).unwrap();
    signal_hook::low_level::raise(libc::SIGHUP).unwrap();
    signal_hook::low_level::raise(libc::SIGUSR1).unwrap();
    assert_eq!(signals.drain(), [Signal::User1, Signal::Hangup]);
    assert_eq!(signals.drain(), []);
    signal_hook::low_level::raise(libc::SIGUSR1).unwrap();
    assert_eq!(signals.drain(), [Signal::User1]);
}

#[test]
fn a_signal_to_nobody_is_an_error() {
    let nobody = Pid::new(i32::MAX as u32).unwrap();
    assert_eq!(kill(nobody, 0), Err(Errno::ESRCH));
    assert_eq!(kill_group(nobody, 0), Err(Errno::ESRCH));
    assert_eq!(kill_group(Pid::new(1).unwrap(), 0), Err(Errno::EINVAL));
    assert_eq!(kill(Pid::current(), 12345), Err(Errno::EINVAL));
}

#[test]
fn a_pid_is_positive() {
    assert_eq!(Pid::new(0), None);
    assert_eq!(Pid::new(u32::MAX), None);
    assert_eq!(Pid::new(17).map(Pid::get), Some(17));
}
