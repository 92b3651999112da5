use supervisord_config::host::Account;
use supervisord_config::model::{ChannelLog, ProgramServerUrl};
use supervisord_config::samples::{self, config, group};
use supervisord_wire::info::ConfigInfo;

use super::*;

fn log(file: LogFile) -> ChannelLog {
    ChannelLog { file, maxbytes: 52_428_800, backups: 10, ..ChannelLog::default() }
}

fn process(name: &str) -> Process {
    let mut process = samples::process(name);
    (process.logging.stdout, process.logging.stderr) = (log(LogFile::Auto), log(LogFile::Auto));
    process
}

/// Somebody for whom everything exists but what is active.
#[derive(Default)]
struct Somebody {
    row: Option<Arc<Row>>,
    has_no_rights: bool,
}

impl Audience for Somebody {
    fn includes(&self, _: &str, process: &str) -> bool {
        !self.has_no_rights || process == "visible"
    }

    fn has_group(&self, _: &str) -> bool {
        self.row.is_some()
    }

    fn row(&self, _: &str, _: &str) -> Option<Arc<Row>> {
        self.row.clone()
    }

    fn shows_secrets(&self) -> bool {
        !self.has_no_rights
    }
}

#[test]
fn nobody_else_reads_arguments_and_other_programs() {
    let mut secret = process("visible");
    secret.spawn.command = "/bin/login --password=hunter2".to_owned();
    let config = config(vec![group("g", 5, vec![secret, process("other")])]);
    let told = all(&config, &Somebody { has_no_rights: true, ..Somebody::default() });
    let infos = told.as_array().expect("an array");
    assert_eq!(infos.len(), 1);
    assert!(members(&infos[0]).contains(&"command='/bin/login ...'".to_owned()));
    assert!(!format!("{told:?}").contains("hunter2"));
}

fn inactive(config: &Config) -> Vec<Value> {
    match all(config, &Somebody::default()) {
        Value::Array(items) => items,
        other => panic!("{other:?}"),
    }
}

/// The members as `name=value`, in order.
fn members(value: &Value) -> Vec<String> {
    let Value::Struct(members) = value else { panic!("{value:?}") };
    let shown = |value: &Value| match value {
        Value::Str(text) => format!("'{text}'"),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(items) => format!("{:?}", items.iter().filter_map(Value::as_int).collect::<Vec<_>>()),
        other => panic!("{other:?}"),
    };
    members.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect()
}

#[test]
fn members_are_those_of_the_original_in_its_order() {
    let mut one = process("a");
    one.spawn.directory = Some("/tmp".to_owned());
    one.spawn.user = Some(Account { name: "root".into(), uid: 0, gid: 0, home: "/root".into() });
    one.restart.exitcodes = vec![0, 2];
    one.spawn.serverurl = ProgramServerUrl::Text(String::new());
    one.logging.stdout = log(LogFile::Path("/a.log".into()));
    let infos = inactive(&config(vec![group("a", 5, vec![one])]));
    let expected = "autostart=true autorestart='unexpected' directory='/tmp' uid=0 command='/bin/cat' exitcodes=[0, 2] group='a' group_prio=5 \
         inuse=false killasgroup=false name='a' process_prio=999 redirect_stderr=false startretries=3 startsecs=1 \
         stdout_capture_maxbytes=0 stdout_events_enabled=false stdout_logfile='/a.log' stdout_logfile_backups=10 \
         stdout_logfile_maxbytes=52428800 stdout_syslog=false stopsignal=15 stopwaitsecs=10 stderr_capture_maxbytes=0 \
         stderr_events_enabled=false stderr_logfile='auto' stderr_logfile_backups=10 stderr_logfile_maxbytes=52428800 \
         stderr_syslog=false serverurl=''";
    assert_eq!(members(&infos[0]).join(" "), expected);
}

#[test]
fn clients_can_read_what_they_need() {
    let infos = inactive(&config(vec![group("g", 5, vec![process("a")])]));
    let info = ConfigInfo {
        name: "a".to_owned(),
        group: "g".to_owned(),
        in_use: false,
        autostart: true,
        group_priority: 5,
        process_priority: 999,
    };
    assert_eq!(ConfigInfo::from_value(infos[0].clone()), Some(info));
}

#[test]
fn what_is_not_set_is_none() {
    let mut one = process("a");
    one.logging.stdout = log(LogFile::None);
    one.logging.redirect_stderr = true;
    one.logging.stderr = log(LogFile::Path("/ignored".into()));
    let infos = inactive(&config(vec![group("a", 999, vec![one])]));
    for name in ["directory", "uid", "stdout_logfile", "stderr_logfile", "serverurl"] {
        assert_eq!(infos[0].member(name), Some(&Value::from("none")), "{name}");
    }
}

#[test]
fn an_active_process_shows_its_made_up_log() {
    let config = config(vec![group("g", 999, vec![process("a")])]);
    let row = Arc::new(Row {
        config: config.groups[0].processes[0].clone(),
        stdout_logfile: Some("/a-stdout---x.log".into()),
        ..supervisord_core::samples::row("g", "a")
    });
    let Value::Array(infos) = all(&config, &Somebody { row: Some(row), ..Somebody::default() }) else {
        panic!("an array")
    };
    assert_eq!(infos[0].member("inuse"), Some(&Value::Bool(true)));
    assert_eq!(infos[0].member("stdout_logfile"), Some(&Value::from("/a-stdout---x.log")));
    assert_eq!(infos[0].member("stderr_logfile"), Some(&Value::from("auto")));
}

#[test]
fn processes_are_sorted_by_their_own_name_only() {
    let groups = vec![
        group("z", 1, vec![process("b"), process("a")]),
        group("b", 2, vec![process("b")]),
        group("a", 2, vec![process("c")]),
    ];
    let infos = inactive(&config(groups));
    let places: Vec<_> = infos
        .iter()
        .map(|info| (info.member("name").and_then(Value::as_str), info.member("group").and_then(Value::as_str)))
        .collect();
    let expected = [("a", "z"), ("b", "z"), ("b", "b"), ("c", "a")].map(|(name, group)| (Some(name), Some(group)));
    assert_eq!(places, expected);
}
