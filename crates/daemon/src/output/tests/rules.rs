//! Logs that are rotated by time, and whose backups have dates, an age and a total.

use std::time::SystemTime;

use supervisord_config::date_format::DateFormat;
use supervisord_config::model::LogRotation;
use supervisord_config::rotate_when::RotateWhen;
use supervisord_core::rotation::backup_name;

use super::*;
use crate::clock;

const DAY: Duration = Duration::from_secs(86_400);

fn ruled(plan: ChannelPlan, rotation: LogRotation) -> ChannelPlan {
    ChannelPlan { backups: 3, rotation_rules: RotationRules::of(&rotation), ..plan }
}

/// A file whose last line is so old.
fn write(path: &Path, text: &str, age: Duration) {
    let mut file = fs::File::create(path).expect("created");
    file.write_all(text.as_bytes()).expect("written");
    file.set_modified(SystemTime::now() - age).expect("set");
}

fn daily() -> LogRotation {
    LogRotation {
        logfile_rotate: Some(RotateWhen { period: 86_400, offset: 0 }),
        logfile_date_format: Some(DateFormat::parse("%Y%m%d").expect("a format")),
        ..LogRotation::default()
    }
}

/// The date of so long ago.
fn date(age: Duration) -> String {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("now") - age;
    let format = DateFormat::parse("%Y%m%d").expect("a format");
    backup_name::date(&format, clock::local_time(i64::try_from(seconds.as_secs()).expect("a time")))
}

#[test]
fn a_rotation_that_was_missed_is_done_before_the_first_write() {
    let rig = Rig::new();
    let backup = format!("web-{}.log", date(2 * DAY));
    write(&rig.path("web.log"), "old\n", 2 * DAY);
    write(&rig.path(&backup), "of the same day\n", 2 * DAY);
    let mut writer = rig.attach(1, ruled(rig.plan("web.log"), daily()));
    writer.write_all(b"new\n").expect("written");
    drop(writer);
    rig.drain(1);
    assert_eq!(rig.text("web.log"), "new\n");
    assert_eq!(rig.text(&backup), "of the same day\n");
    assert_eq!(rig.text(&format!("{backup}.1")), "old\n");
    // The same after an upgrade, when nothing is opened before there is something to write.
    write(&rig.path("web.log"), "older\n", DAY);
    let writer = rig.resume(2, ruled(rig.plan("web.log"), daily()));
    wait_until("it is rotated though nothing is written", || rig.text(&format!("web-{}.log", date(DAY))) == "older\n");
    drop(writer);
    rig.drain(2);
    assert_eq!(rig.text("web.log"), "");
}

#[test]
fn a_quiet_log_is_rotated_when_its_time_has_come_and_an_empty_one_is_not() {
    let rig = Rig::new();
    let every_second =
        LogRotation { logfile_rotate: Some(RotateWhen { period: 1, offset: 0 }), ..LogRotation::default() };
    let mut writer = rig.attach(1, ruled(rig.plan("out"), every_second.clone()));
    let empty = rig.attach(2, ruled(rig.plan("empty"), every_second));
    for round in 1..=5 {
        writeln!(writer, "{round}").expect("written");
        wait_until("it is rotated", || rig.text("out.1") == format!("{round}\n") && rig.text("out").is_empty());
    }
    assert_eq!(["out.2", "out.3"].map(|name| rig.text(name)), ["4\n", "3\n"]);
    assert!(!rig.path("out.4").exists() && !rig.path("empty.1").exists());
    drop((writer, empty));
    rig.drain(1);
}

#[test]
fn backups_are_removed_by_their_age_and_total_and_nothing_else_is() {
    let rig = Rig::new();
    let others = ["out.txt", "out.1.bak", "other.1", "out-20200101", "out.01"];
    others.iter().for_each(|name| write(&rig.path(name), "somebody's\n", 400 * DAY));
    for (number, age, size) in [(1, 1, 10), (2, 5, 40), (3, 6, 60), (7, 40, 1)] {
        write(&rig.path(&format!("out.{number}")), &"x".repeat(size), age * DAY);
    }
    let limits = LogRotation { logfile_max_age: Some(30 * DAY), logfile_max_total: 100, ..LogRotation::default() };
    let mut writer = rig.attach(1, ChannelPlan { maxbytes: 30, ..ruled(rig.plan("out"), limits) });
    wait_until("what is too old or too much is removed", || !rig.path("out.7").exists() && !rig.path("out.3").exists());
    assert!(rig.path("out.1").exists() && rig.path("out.2").exists());
    writer.write_all(&[b'y'; 60]).expect("written");
    wait_until("the size counts too, and the total after it", || size(&rig.path("out.1")) == 60);
    wait_until("the oldest is removed", || !rig.path("out.3").exists());
    assert_eq!(size(&rig.path("out.2")), 10);
    drop(writer);
    rig.drain(1);
    others.iter().for_each(|name| assert_eq!(rig.text(name), "somebody's\n", "{name}"));
}

#[test]
fn the_number_of_backups_with_dates_is_limited() {
    let rig = Rig::new();
    for age in 3..8 {
        write(&rig.path(&format!("out-{}", date(age * DAY))), "", age * DAY);
    }
    write(&rig.path("out"), "yesterday\n", DAY);
    let writer = rig.attach(1, ruled(rig.plan("out"), daily()));
    wait_until("the oldest are removed", || !rig.path(&format!("out-{}", date(5 * DAY))).exists());
    assert_eq!(rig.text(&format!("out-{}", date(DAY))), "yesterday\n");
    drop(writer);
    rig.drain(1);
    let mut names: Vec<String> = fs::read_dir(rig.dir.path())
        .expect("read")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .filter(|name| name.starts_with("out-"))
        .collect();
    names.sort();
    assert_eq!(names, [4, 3, 1].map(|age| format!("out-{}", date(age * DAY))));
}
