//! Templates and defaults of programs.

use super::{group, host, read, try_read};
use crate::command_line::CommandLineFlags;
use crate::load;
use crate::model::{AutoRestart, Process};

fn process(text: &str, name: &str) -> Process {
    let config = read(text);
    (*group(&config, name).processes[0]).clone()
}

fn refused(text: &str) -> String {
    try_read(&format!("[supervisord]\n{text}")).unwrap_err().to_string()
}

#[test]
fn the_nearest_section_that_sets_an_option_wins() {
    let text = "[DEFAULT]\npriority=1\nstartsecs=1\n[program-default]\npriority=2\nstartsecs=2\nstopwaitsecs=2\n\
                [template:parent]\npriority=3\nstartretries=3\nautorestart=true\n[template:web]\ninherit=parent\npriority=4\n\
                [program:a]\ncommand=c\ninherit=web\npriority=5\n[program:b]\ncommand=c\ninherit = web\n\
                [program:d]\ncommand=c\n[program:e]\ncommand=c\ninherit=parent\n";
    for (name, priority, startretries, autorestart) in [
        ("a", 5, 3, AutoRestart::Always),
        ("b", 4, 3, AutoRestart::Always),
        ("d", 2, 3, AutoRestart::Unexpected),
        ("e", 3, 3, AutoRestart::Always),
    ] {
        let process = process(text, name);
        assert_eq!((process.identity.priority, process.start.startretries), (priority, startretries), "{name}");
        assert_eq!((process.restart.autorestart, process.start.startsecs), (autorestart, 2), "{name}");
        assert_eq!(process.stop.stopwaitsecs, 2, "{name}");
    }
}

#[test]
fn expansions_in_a_template_are_those_of_each_program() {
    let text = "[template:web]\ncommand=/bin/%(program_name)s\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)s\n\
                [program:a]\ninherit=web\n[program:b]\ninherit=web\n";
    let config = read(text);
    assert_eq!(group(&config, "b").processes.len(), 2);
    assert_eq!(process(text, "a").spawn.command, "/bin/a");
}

#[test]
fn variables_are_merged_and_tags_are_not() {
    let text = "[program-default]\nenvironment=A=\"1\",B=\"1\",C=\"1\"\ntags=all\n[template:t]\nenvironment=B=\"2\",C=\"2\"\n\
                tags=blue, green\n[program:a]\ncommand=c\ninherit=t\nenvironment=C=\"3\"\n[program:b]\ncommand=c\n";
    let variables = |name: &str| {
        let pairs = process(text, name).spawn.environment;
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((variables("a").as_str(), variables("b").as_str()), ("A=1 B=2 C=3", "A=1 B=1 C=1"));
    assert_eq!(
        (process(text, "a").labels().join(" "), process(text, "b").labels().join(" ")),
        ("blue green".into(), "all".into())
    );
}

#[test]
fn an_option_in_other_words_is_decided_by_the_nearest_section_too() {
    let delay = |text: &str| process(text, "a").restart.restart_delay.unwrap().as_secs();
    assert_eq!(delay("[program-default]\nrestart_delay=5\n[program:a]\ncommand=c\nrestartpause=7\n"), 7);
    assert_eq!(delay("[program-default]\nrestartpause=5\n[program:a]\ncommand=c\n"), 5);
    let steps = process("[program-default]\nstop_sequence=TERM:5s,KILL\n[program:a]\ncommand=c\nstopsignal=INT\n", "a");
    assert!(steps.stop.stop_sequence.is_none());
    let signal =
        process("[program-default]\nstopsignal=INT\n[program:a]\ncommand=c\nstop_sequence=TERM:5s,KILL\n", "a");
    assert!(signal.stop.stop_sequence.is_some());
}

#[test]
fn a_default_that_cannot_be_for_a_program_is_left_out() {
    let text = "[program-default]\nhealthcheck_interval=5\nredirect_stderr=true\npost_start=/bin/true\n\
                [program:a]\ncommand=c\n[program:b]\ncommand=c\ntype=oneshot\nhook_timeout=5\n\
                [eventlistener:l]\ncommand=c\nevents=EVENT\n";
    assert!(!process(text, "l").logging.redirect_stderr && process(text, "a").logging.redirect_stderr);
    assert_eq!(process(text, "a").health.healthcheck_interval.as_secs(), 30);
    assert!(process(text, "b").hooks.post_start.is_none() && process(text, "a").hooks.post_start.is_some());
    let message =
        refused("[template:t]\nredirect_stderr=true\n[eventlistener:l]\ncommand=c\nevents=EVENT\ninherit=t\n");
    assert!(message.contains("(c.conf:3, [template:t] redirect_stderr=true, used by [eventlistener:l]"), "{message}");
}

#[test]
fn a_mistake_is_shown_where_it_is_written_with_who_uses_it() {
    let message = refused("[program:a]\ncommand=c\ninherit=t\n[template:t]\nstopwaitsecs=30s\n");
    assert!(message.contains(" in section 'program:a' "), "{message}");
    assert!(
        message.ends_with(
            "(c.conf:6, [template:t] stopwaitsecs=30s, used by [program:a]: expected a whole number; write 30)"
        ),
        "{message}"
    );
    let message = refused("[program-default]\nenvironment=A\n[program:a]\ncommand=c\nenvironment=B=\"1\"\n");
    assert!(message.contains("(c.conf:3, [program-default] environment=***, used by [program:a]"), "{message}");
}

#[test]
fn unknown_templates_and_circles_are_refused_with_their_places() {
    for (text, expected) in [
        (
            "[program:a]\ncommand=c\ninherit=wbe\n[template:web]\n",
            "section [program:a] inherits from unknown template wbe (c.conf:4, [program:a] inherit=wbe: did you mean web?)",
        ),
        (
            "[program:a]\ncommand=c\ninherit=b\n[program:b]\ncommand=c\n",
            "[program:b] is no template: move what both share to [template:NAME]",
        ),
        ("[program:a]\ncommand=c\ninherit=x\n", "write a section [template:x]"),
        ("[program:a]\ncommand=c\ninherit=x, y\n", "write one name; templates can inherit from others"),
        (
            "[template:a]\ninherit=b\n[template:b]\ninherit=c\n[template:c]\ninherit=b\n",
            "templates inherit from each other: [template:b] (c.conf:5) -> [template:c] (c.conf:7) -> [template:b] (c.conf:7, \
             [template:c] inherit=b: remove one of these lines)",
        ),
        ("[template:a]\ninherit=a\n", "templates inherit from each other: [template:a] (c.conf:3) -> [template:a]"),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn templates_come_from_included_files() {
    let host = host("[supervisord]\n[include]\nfiles=/conf/t.ini\n[program:a]\ncommand=c\ninherit=t\n")
        .file("/conf/t.ini", "[template:t]\ndirectory=%(here)s/x\n");
    let config = load("c.conf", &CommandLineFlags::default(), &host).unwrap();
    assert_eq!(group(&config, "a").processes[0].spawn.directory.as_deref(), Some("/conf/x"));
}

#[test]
fn a_tag_in_the_programs_of_a_user_is_those_that_have_it() {
    let token = format!("{{SHA256}}{}", "0".repeat(64));
    let text = format!(
        "[unix_http_server]\nfile=/tmp/s\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n[user:u]\ntoken={token}\n\
         programs=@blue, @none\n[program:a]\ncommand=c\ntags=blue\n[program:b]\ncommand=c\n"
    );
    let config = read(&text);
    let programs = config.servers[0].users[0].programs.clone().unwrap();
    assert_eq!(programs.to_string(), "a:a, @none");
    assert!(programs.includes("a", "a") && !programs.includes("b", "b") && !programs.may_include_some_of("b"));
}

#[test]
fn processes_are_counted_in_processors_and_numbered_by_arithmetic() {
    for (numprocs, count) in [("cpus", 4), ("cpus*2", 8), (" cpus - 1", 3), ("cpus/8", 1), ("2", 2)] {
        let text = format!(
            "[program:a]\ncommand=c --port %(process_num + 8000)d\nnumprocs={numprocs}\nprocess_name=%(process_num + 1)s\n"
        );
        let config = read(&text);
        let group = group(&config, "a");
        assert_eq!(group.processes.len(), count, "{numprocs}");
        assert_eq!(
            (group.processes[0].identity.name.as_str(), group.processes[0].spawn.command.as_str()),
            ("1", "c --port 8000")
        );
    }
    let message = refused("[program:a]\ncommand=c\nprocess_name=%(process_num)s\nnumprocs=cpu*2\n");
    assert!(message.contains("numprocs=cpu*2: expected a whole number, or cpus, as in cpus*2"), "{message}");
}

#[test]
fn secrets_keep_the_names_of_their_variables_and_are_inherited_one_by_one() {
    let text = "[template:t]\nsecret.DB_PASSWORD=file:/run/db\nsecret.Key = credential:key\n\
                [program:a]\ncommand=c\ninherit=t\nsecret.KEY=file:/run/%(program_name)s\n[program:b]\ncommand=c\ninherit=t\n";
    let secrets = |name: &str| {
        let secrets = process(text, name).spawn.secrets;
        let mut texts: Vec<String> = secrets.iter().map(ToString::to_string).collect();
        texts.sort();
        texts.join(" ")
    };
    assert_eq!(
        (secrets("a").as_str(), secrets("b").as_str()),
        ("DB_PASSWORD=file:/run/db KEY=file:/run/a", "DB_PASSWORD=file:/run/db Key=credential:key")
    );
    let message = refused("[program:a]\ncommand=c\nsecret.A-B=file:/x\n");
    assert!(
        message.contains("'A-B' cannot be the name of a variable")
            && message.contains("(c.conf:4, [program:a] secret.A-B=***: "),
        "{message}"
    );
    let message = refused("[program:a]\ncommand=c\nsecret.dbpw=exec:\n");
    assert!(
        message.contains("not a place of a secret: the command behind exec: is missing")
            && message.contains("[program:a] secret.dbpw=exec:: expected ")
            && message.contains("; write a program with its arguments, such as exec:"),
        "{message}"
    );
    let message = refused("[program:a]\ncommand=c\nsecret.A=hunter2\n");
    assert!(
        message.contains("the value itself does not belong here: write file:/PATH, credential:NAME or exec:COMMAND")
            && !message.contains("hunter2"),
        "{message}"
    );
}
