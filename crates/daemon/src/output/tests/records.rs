//! Logs whose lines become records.

use supervisord_config::log_form::LogFormat;
use supervisord_core::output::records::{RecordPlan, RecordSource};

use super::*;

fn plan(rig: &Rig, name: &str, pid: Option<u32>) -> ChannelPlan {
    let format = LogFormat::parse("%(pid)s> %(message)s").expect("a format");
    let (program, group, process) = ("web", "web", "web");
    let source = RecordSource { program, group, process, number: 0, channel: Channel::Stdout };
    ChannelPlan { records: RecordPlan::new(&format, &source, pid), ..rig.plan(name) }
}

#[test]
fn nothing_is_read_before_the_process_is_known() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, plan(&rig, "log", None));
    writer.write_all(b"a\nb").expect("written");
    rig.handle.send(OutputRequest::Spawned { run: RunId(1), pid: 42 });
    wait_until("it is read", || rig.text("log") == "42> a\n");
    writer.write_all(b"c\nd").expect("written");
    drop(writer);
    rig.drain(1);
    assert_eq!(rig.text("log"), "42> a\n42> bc\n42> d\n");
}

#[test]
fn a_process_that_runs_already_is_read_at_once() {
    let rig = Rig::new();
    let mut writer = rig.resume(1, plan(&rig, "log", Some(7)));
    writer.write_all(b"a\n").expect("written");
    wait_until("it is read", || rig.text("log") == "7> a\n");
}

#[test]
fn a_log_is_rotated_between_records() {
    let rig = Rig::new();
    let plan = ChannelPlan { maxbytes: 1000, backups: 500, ..plan(&rig, "log", Some(7)) };
    let mut writer = rig.attach(1, plan);
    let line = "x".repeat(9000) + "\n";
    let written = 200;
    for _ in 0..written {
        writer.write_all(line.as_bytes()).expect("written");
    }
    drop(writer);
    rig.drain(1);
    let names = (1..=500).map(|number| format!("log.{number}")).chain(["log".to_owned()]);
    let texts: Vec<String> = names.filter(|name| rig.path(name).exists()).map(|name| rig.text(&name)).collect();
    assert!(texts.len() > 2, "it was rotated");
    let record = format!("7> {line}");
    let count: usize =
        texts.iter().map(|text| text.split_inclusive('\n').filter(|found| *found == record).count()).sum();
    assert_eq!((count, texts.concat().len()), (written, written * record.len()));
}
