use supervisord_config::samples;

use super::*;

fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), wall: Duration::from_secs(1_000_000 + seconds) }
}

fn policy(change: impl FnOnce(&mut supervisord_config::model::Health)) -> HealthPolicy {
    let mut config = samples::process("p");
    change(&mut config.health);
    HealthPolicy::of(&config).expect("it is watched")
}

fn checked_policy() -> HealthPolicy {
    policy(|health| {
        health.healthcheck = Some(Arc::new(Probe::parse("tcp:localhost:80").unwrap()));
    })
}

/// Runs a check that ends in the same second, and tells how the process is then, and when the next one comes.
fn check(health: &mut HealthProgress, policy: &HealthPolicy, second: u64, good: bool) -> (HealthStatus, u64) {
    assert!(health.begin_check(second, at(second).mono), "one is due");
    let result = if good { Ok(()) } else { Err("refused".to_owned()) };
    assert_ne!(health.checked(policy, second, result, at(second)), Checked::Ignored);
    (health.status, health.next_check.expect("another one comes").as_secs())
}

#[test]
fn nothing_is_watched_without_an_option() {
    assert_eq!(HealthPolicy::of(&samples::process("p")), None);
}

#[test]
fn the_first_check_comes_at_once_and_others_an_interval_later() {
    use HealthStatus::{Healthy, Starting};
    let policy = checked_policy();
    let mut health = HealthProgress::begin(&policy, at(10).mono);
    assert_eq!((health.status, health.deadline()), (Starting, Some(at(10).mono)));
    assert!(health.begin_check(1, at(10).mono));
    assert_eq!(health.deadline(), None, "one is under way");
    assert!(!health.begin_check(2, at(99).mono));
    assert_eq!(health.checked(&policy, 7, Ok(()), at(15)), Checked::Ignored);
    assert_eq!(health.checked(&policy, 1, Ok(()), at(15)), Checked::Noted);
    assert_eq!((health.status, health.deadline()), (Healthy, Some(at(45).mono)));
    assert_eq!(health.last, Some(HealthResult { at: 1_000_015, failure: None }));
    assert!(health.begin_check(2, at(45).mono));
    assert_eq!(health.checked(&policy, 2, Ok(()), at(45)), Checked::AsBefore);
}

#[test]
fn so_many_failures_in_a_row_make_it_unhealthy_and_one_success_healthy() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let policy = checked_policy();
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert_eq!(check(&mut health, &policy, 0, false), (Starting, 30));
    assert_eq!(check(&mut health, &policy, 30, false), (Starting, 60));
    assert_eq!(check(&mut health, &policy, 60, false), (Unhealthy, 90));
    assert_eq!(health.trouble().as_deref(), Some("refused (3 failures in a row)"));
    assert_eq!(check(&mut health, &policy, 90, false), (Unhealthy, 120));
    assert_eq!(check(&mut health, &policy, 120, true), (Healthy, 150));
    assert_eq!(health.trouble(), None);
    assert_eq!(check(&mut health, &policy, 150, false), (Healthy, 180));
    assert_eq!(check(&mut health, &policy, 180, false), (Healthy, 210));
    assert_eq!(check(&mut health, &policy, 210, true), (Healthy, 240));
    assert_eq!(health.failures, 0);
}

#[test]
fn failures_do_not_count_within_the_start_period_which_a_success_ends() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let policy = policy(|health| {
        health.healthcheck = Some(Arc::new(Probe::parse("tcp:localhost:80").unwrap()));
        health.healthcheck_start_period = Duration::from_secs(12);
        health.healthcheck_retries = 1;
    });
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert_eq!(check(&mut health, &policy, 0, false), (Starting, 5));
    assert_eq!(check(&mut health, &policy, 5, false), (Starting, 10));
    assert_eq!(check(&mut health, &policy, 10, false), (Starting, 15));
    let mut other = health.clone();
    assert_eq!(check(&mut other, &policy, 15, false), (Unhealthy, 45));
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert_eq!(check(&mut health, &policy, 0, true), (Healthy, 30));
    health.next_check = Some(at(6).mono);
    assert_eq!(check(&mut health, &policy, 6, false), (Unhealthy, 36), "the start is over");
}

#[test]
fn a_heartbeat_must_come_in_time_and_may_come_back() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let policy = policy(|health| health.watchdog = Some(Duration::from_secs(30)));
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert_eq!((health.status, health.deadline()), (Starting, Some(at(30).mono)));
    assert!(health.beat(&policy, at(20)), "the first one is news");
    assert!(!health.beat(&policy, at(21)));
    assert_eq!((health.status, health.deadline()), (Healthy, Some(at(51).mono)));
    assert!(!health.miss_due_heartbeat(&policy, at(50)));
    assert!(health.miss_due_heartbeat(&policy, at(51)));
    assert_eq!((health.status, health.deadline()), (Unhealthy, None));
    assert_eq!(health.trouble().as_deref(), Some("it sent no WATCHDOG=1 within 30s"));
    assert!(health.beat(&policy, at(60)));
    assert_eq!(health.status, Healthy);
    health.set_heartbeat_interval(&policy, Duration::from_secs(2), at(60).mono);
    assert_eq!(health.deadline(), Some(at(62).mono));
    health.report_trouble(&policy, at(61));
    assert_eq!(health.status, Unhealthy);
    assert_eq!(health.trouble().as_deref(), Some("it sent WATCHDOG=trigger"));
    assert!(!health.beat(&policy, at(61)), "not in the same second: that would flood the log and the events");
    assert_eq!(health.status, Unhealthy);
    assert!(health.beat(&policy, at(62)));
    assert_eq!(health.status, Healthy);
    health.set_heartbeat_interval(&policy, Duration::from_micros(1), at(62).mono);
    assert!(!health.miss_due_heartbeat(&policy, at(63)), "nobody looked when it was due");
    assert_eq!((health.status, health.deadline()), (Healthy, Some(at(63).mono + Duration::from_millis(10))));
    assert!(health.miss_due_heartbeat(&policy, at(64)), "once");
    assert_eq!(health.trouble().as_deref(), Some("it sent no WATCHDOG=1 within 10ms"));
}

#[test]
fn with_checks_and_a_heartbeat_both_must_be_good() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let policy = policy(|health| {
        health.healthcheck = Some(Arc::new(Probe::parse("tcp:localhost:80").unwrap()));
        health.watchdog = Some(Duration::from_secs(300));
    });
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert_eq!(check(&mut health, &policy, 0, true), (Starting, 30));
    health.beat(&policy, at(1));
    assert_eq!(health.status, Healthy);
    for second in [30, 60, 90] {
        check(&mut health, &policy, second, false);
    }
    assert_eq!(health.status, Unhealthy);
}

#[test]
fn another_daemon_goes_on_where_this_one_was() {
    let policy = policy(|health| {
        health.healthcheck = Some(Arc::new(Probe::parse("tcp:localhost:80").unwrap()));
        health.watchdog = Some(Duration::from_secs(30));
    });
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    check(&mut health, &policy, 0, false);
    let mut waiting = health.clone();
    waiting.resume(&policy, at(10).mono);
    assert_eq!((waiting.failures, waiting.next_check), (1, Some(at(30).mono)));
    assert_eq!(waiting.heartbeat.due, Some(at(40).mono), "nobody listened for a while");
    assert!(health.begin_check(9, at(30).mono));
    health.resume(&policy, at(35).mono);
    assert_eq!((health.next_check, health.under_way), (Some(at(35).mono), None), "it is made again");
    assert_eq!(health.checked(&policy, 9, Ok(()), at(36)), Checked::Ignored);
}

#[test]
fn a_result_is_one_short_line() {
    let policy = checked_policy();
    let mut health = HealthProgress::begin(&policy, at(0).mono);
    assert!(health.begin_check(1, at(0).mono));
    health.checked(&policy, 1, Err(format!("a\u{1b}[31m\nb{}", "ü".repeat(200))), at(0));
    let text = health.last.unwrap().failure.unwrap();
    assert!(text.starts_with("a [31m bü") && text.ends_with("ü...") && text.len() <= MOST_TEXT + 3, "{text}");
}
