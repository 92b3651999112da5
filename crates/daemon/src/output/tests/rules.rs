//! Logs that are rotated by time, and whose backups have dates, an age and a total.

use std::io::Read;
use std::time::SystemTime;

use supervisord_config::date_format::DateFormat;
use supervisord_config::disk_reserve::DiskReserve;
use supervisord_config::log_compression::LogCompression;
use supervisord_config::model::LogRotation;
use supervisord_config::rotate_when::RotateWhen;
use supervisord_core::rotation::backup_name;

use super::*;
use crate::{clock, compressed_log};

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

/// All lines of a log and its backups, compressed or not.
fn lines(rig: &Rig, start: &str) -> Vec<u64> {
    let entries = fs::read_dir(rig.dir.path()).expect("read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    let mut lines = Vec::new();
    for name in names.filter(|name| name.starts_with(start)) {
        assert!(!name.ends_with(".compressing"), "{name}");
        let (form, _) = LogCompression::of_name(&name);
        let mut text = String::new();
        let file = fs::File::open(rig.path(&name)).expect("opened");
        compressed_log::decoder(form, file).expect("opened").read_to_string(&mut text).expect("read");
        lines.extend(text.lines().map(|line| line.parse::<u64>().expect("a number")));
    }
    lines.sort_unstable();
    lines
}

fn names(rig: &Rig, what: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir(rig.dir.path()).expect("read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.retain(|name| what(name));
    names.sort();
    names
}

/// How often the log is rotated in [`no_line_is_lost_while_rotated_logs_are_compressed`]; 10,000 take minutes.
fn rotations() -> u64 {
    std::env::var("SUPERVISORD_ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

#[test]
fn no_line_is_lost_while_rotated_logs_are_compressed() {
    const LINES: u64 = 100;
    for (form, dates) in [(LogCompression::Gzip, Some("%Y%m%d")), (LogCompression::Zstd, None)] {
        let rig = Rig::new();
        let rotations = if dates.is_some() { rotations() } else { rotations().min(50) };
        let rules = LogRotation {
            logfile_date_format: dates.map(|text| DateFormat::parse(text).expect("a format")),
            logfile_compress: form,
            ..LogRotation::default()
        };
        let plan = ChannelPlan { backups: 100_000, maxbytes: 1000, ..ruled(rig.plan("out"), rules) };
        // The log stays open.
        let other = rig.attach(2, plan.clone());
        let mut writer = rig.attach(1, plan);
        let mut written = 0;
        for _ in 0..rotations {
            let text: String = (written..written + LINES).map(|number| format!("{number:09}\n")).collect();
            written += LINES;
            writer.write_all(text.as_bytes()).expect("written");
        }
        drop(writer);
        rig.drain(1);
        let is_backup = |name: &str| name.starts_with("out") && name != "out";
        wait_until("all is compressed", || names(&rig, is_backup).iter().all(|name| name.ends_with(form.suffix())));
        drop(other);
        rig.drain(2);
        assert_eq!(lines(&rig, "out"), (0..written).collect::<Vec<u64>>());
        let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings, [] as [String; 0]);
    }
}

#[test]
fn a_compression_that_was_interrupted_is_begun_anew() {
    let rig = Rig::new();
    let rules = LogRotation { logfile_compress: LogCompression::Gzip, ..LogRotation::default() };
    write(&rig.path("out.1"), "1\n", DAY);
    write(&rig.path("out.compressing"), "half", DAY);
    // The daemon died after it had given the compressed file its name.
    write(&rig.path("out.2"), "2\n", 2 * DAY);
    let file = fs::File::create(rig.path("out.2.gz")).expect("created");
    let mut encoder = compressed_log::Encoder::new(LogCompression::Gzip, file);
    encoder.write_all(b"2\n").expect("written");
    let modified = fs::metadata(rig.path("out.2")).and_then(|found| found.modified()).expect("found");
    encoder.finish().and_then(|file| file.set_modified(modified)).expect("finished");
    // Two that have nothing to do with each other.
    write(&rig.path("out.3"), "3\n", 3 * DAY);
    write(&rig.path("out.3.gz"), "", 4 * DAY);
    let writer = rig.attach(1, ruled(rig.plan("out"), rules));
    wait_until("what is to be compressed is", || {
        names(&rig, |name| name.starts_with("out")) == ["out", "out.1.gz", "out.2.gz", "out.3", "out.3.gz"]
    });
    assert_eq!(lines(&rig, "out.1"), [1]);
    assert_eq!(lines(&rig, "out.2"), [2]);
    let modified = fs::metadata(rig.path("out.1.gz")).and_then(|found| found.modified()).expect("found");
    assert!(modified < SystemTime::now() - DAY, "it keeps the time of its last line");
    drop(writer);
    rig.drain(1);
}

/// Compression has been switched off; what it made is kept within the number, and what somebody else has compressed stays.
#[test]
fn compressed_files_go_on_to_be_removed_without_compression() {
    for form in [LogCompression::Gzip, LogCompression::Zstd] {
        let rig = Rig::new();
        let name = |number: u32| format!("out.{number}{}", form.suffix());
        for number in [1, 2, 3] {
            let file = fs::File::create(rig.path(&name(number))).expect("created");
            let mut encoder = compressed_log::Encoder::new(form, file);
            writeln!(encoder, "{number}").expect("written");
            encoder.finish().expect("finished");
        }
        write(&rig.path("out.1.gz.zst"), "somebody's", DAY);
        let foreign = if form == LogCompression::Gzip { "out.2.zst" } else { "out.2.gz" };
        let file = fs::File::create(rig.path(foreign)).expect("created");
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        encoder.write_all(b"somebody's").and_then(|()| encoder.finish()).expect("compressed");
        let before = fs::read(rig.path(foreign)).expect("read");
        let mut writer = rig.attach(1, ChannelPlan { maxbytes: 10, backups: 3, ..rig.plan("out") });
        let present = || names(&rig, |name| name.starts_with("out") && name != "out");
        let with_foreign = |own: [String; 3]| {
            let mut all: Vec<String> = own.into_iter().chain([foreign.to_owned(), "out.1.gz.zst".to_owned()]).collect();
            all.sort();
            all
        };
        let plain = |number: u32| format!("out.{number}");
        for (round, own) in
            [[plain(1), name(2), name(3)], [plain(1), plain(2), name(3)], [plain(1), plain(2), plain(3)]]
                .into_iter()
                .enumerate()
        {
            writeln!(writer, "a long line {round}").expect("written");
            let expected = with_foreign(own);
            wait_until("it is rotated", || present() == expected);
        }
        drop(writer);
        rig.drain(1);
        assert_eq!(fs::read(rig.path(foreign)).expect("read"), before);
    }
}

/// What is no regular file is told once, and stops nobody.
#[test]
fn a_backup_that_is_no_regular_file_is_left_alone_and_the_others_are_compressed() {
    let rig = Rig::new();
    let rules = LogRotation { logfile_compress: LogCompression::Gzip, ..LogRotation::default() };
    write(&rig.path("real"), "precious\n", DAY);
    std::os::unix::fs::symlink("real", rig.path("out.1")).expect("linked");
    std::os::unix::fs::symlink("/dev/zero", rig.path("out.2")).expect("linked");
    let fifo = rig.path("out.3");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("run").success());
    write(&rig.path("out.4"), "4\n", 2 * DAY);
    write(&rig.path("out.5"), "5\n", 3 * DAY);
    let plan = ChannelPlan { maxbytes: 10, ..ruled(rig.plan("out"), rules) };
    let mut writer = rig.attach(1, ChannelPlan { backups: 20, ..plan });
    let is_gone = |name: &str| !rig.path(name).exists();
    wait_until("what can be compressed is", || is_gone("out.4") && is_gone("out.5"));
    // A rotation tries again, and says nothing again.
    writer.write_all(b"a long line\n").expect("written");
    wait_until("it is compressed", || rig.path("out.1.gz").exists());
    drop(writer);
    rig.drain(1);
    let all = ["out.2", "out.3", "out.4", "out.5.gz", "out.6.gz"];
    assert!(all.iter().all(|name| fs::symlink_metadata(rig.path(name)).is_ok()), "{:?}", names(&rig, |_| true));
    assert_eq!(rig.text("real"), "precious\n");
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let kinds = [
        "out.1 is left alone, because it is a symbolic link",
        "out.2",
        "out.3 is left alone, because it is a named pipe",
    ];
    assert!(warnings.iter().zip(kinds).all(|(line, kind)| line.contains(kind)), "{warnings:?}");
}

/// The log itself may be a link, which the first rotation moves, as the original does.
#[test]
fn a_log_that_is_a_link_is_compressed_from_the_second_rotation_on() {
    let rig = Rig::new();
    let rules = LogRotation { logfile_compress: LogCompression::Zstd, ..LogRotation::default() };
    std::os::unix::fs::symlink("real", rig.path("out")).expect("linked");
    let plan = ChannelPlan { maxbytes: 10, ..ruled(rig.plan("out"), rules) };
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"a long line\n").expect("written");
    wait_until("it is rotated", || fs::symlink_metadata(rig.path("out")).is_ok_and(|found| found.is_file()));
    writer.write_all(b"another line\n").expect("written");
    wait_until("it is compressed", || rig.path("out.1.zst").exists() && !rig.path("out.1").exists());
    drop(writer);
    rig.drain(1);
    assert!(!rig.path("out.compressing").exists());
    assert_eq!(rig.text("out.2"), "a long line\n", "by the link");
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

/// A directory with a date in its name counts as none of those that are kept, and cannot stop their removal.
#[test]
fn a_directory_among_backups_with_dates_is_left_alone() {
    let rig = Rig::new();
    fs::create_dir(rig.path(&format!("out-{}", date(9 * DAY)))).expect("made");
    for age in 3..8 {
        write(&rig.path(&format!("out-{}", date(age * DAY))), "", age * DAY);
    }
    write(&rig.path("out"), "yesterday\n", DAY);
    let writer = rig.attach(1, ruled(rig.plan("out"), daily()));
    wait_until("the oldest are removed", || !rig.path(&format!("out-{}", date(5 * DAY))).exists());
    drop(writer);
    rig.drain(1);
    let names = names(&rig, |name| name.starts_with("out-"));
    assert_eq!(names, [9, 4, 3, 1].map(|age| format!("out-{}", date(age * DAY))));
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("it is a directory"), "{warnings:?}");
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
    let names = names(&rig, |name| name.starts_with("out-"));
    assert_eq!(names, [4, 3, 1].map(|age| format!("out-{}", date(age * DAY))));
}

/// Each has its turn, and requests are answered meanwhile.
#[test]
fn many_logs_in_one_directory_are_rotated_at_once() {
    const LOGS: u64 = 200;
    let rig = Rig::new();
    let rules = LogRotation { logfile_max_age: Some(30 * DAY), ..daily() };
    let backup = |log: u64, age: u32| rig.path(&format!("w{log}-{}.log", date(age * DAY)));
    for log in 0..LOGS {
        write(&rig.path(&format!("w{log}.log")), "old\n", DAY);
        (2..6).for_each(|age| write(&backup(log, age), "", age * DAY));
    }
    let resume = |log| rig.resume(log, ruled(rig.plan(&format!("w{log}.log")), rules.clone()));
    let writers: Vec<PipeWriter> = (0..LOGS).map(resume).collect();
    wait_until("all are rotated, and three backups are kept", || {
        (0..LOGS).all(|log| backup(log, 3).exists() && !backup(log, 4).exists() && backup(log, 1).exists())
    });
    drop(writers);
    (0..LOGS).for_each(|log| _ = rig.drain(log));
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings, [] as [String; 0]);
}

#[test]
fn nothing_is_compressed_on_a_disk_that_is_to_stay_free() {
    let rig = Rig::with(|options| options.disk_reserve = Some(DiskReserve::Bytes(u64::MAX)));
    let rules = LogRotation { logfile_compress: LogCompression::Gzip, ..LogRotation::default() };
    write(&rig.path("out.1"), "1\n", DAY);
    let writer = rig.attach(1, ruled(rig.plan("out"), rules));
    let reason = ": its disk has less free than log_min_free_disk";
    wait_until("it is refused", || rig.text("activity.log").contains(reason));
    assert_eq!(names(&rig, |name| name.starts_with("out")), ["out", "out.1"]);
    drop(writer);
    rig.drain(1);
}
