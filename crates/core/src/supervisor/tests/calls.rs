//! What callers are answered, and when.

use supervisord_config::model::AutoRestart;

use super::*;

/// `name status` of each element of a status array.
fn statuses(outcome: &Outcome) -> Vec<String> {
    let items = outcome.as_ref().unwrap().as_array().unwrap();
    let element = |item: &Value| {
        format!(
            "{} {}",
            item.member("name").unwrap().as_str().unwrap(),
            item.member("status").unwrap().as_int().unwrap()
        )
    };
    items.iter().map(element).collect()
}

#[test]
fn a_signal_that_may_not_be_sent_changes_nothing() {
    let mut world = World::started(vec![program("p")]);
    world.untouchable.push("p".to_owned());
    world.pass(2000);
    let call = world.call(Call::SignalProcess { name: "p".to_owned(), signal: "HUP".to_owned() });
    assert_eq!(fault(world.reply(call)).0, FaultCode::Failed as i32);
    assert_eq!(world.state("p"), ProcessState::Running);
    let call = world.call(stop("p", true));
    assert_eq!(fault(world.reply(call)).0, FaultCode::Failed as i32);
    assert_eq!(world.state("p"), ProcessState::Unknown, "whether it will stop is not known");
    world.end(world.pid_of("p"), ExitStatus::Code(0));
    assert_eq!(world.state("p"), ProcessState::Exited);
}

#[test]
fn a_start_that_waits_is_answered_when_the_program_runs() {
    let mut world = World::started(vec![varied("p", |process| process.autostart = false)]);
    let waiting = world.call(start("p", true));
    let quick = world.call(start("p", false));
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(fault(world.reply(quick)), (60, "ALREADY_STARTED: p"));
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Value::Bool(true)));
}

#[test]
fn a_start_that_fails_says_how() {
    let mut world = World::started(vec![varied("p", |process| process.autostart = false)]);
    let waiting = world.call(start("p", true));
    world.end(world.pid_of("p"), ExitStatus::Code(1));
    assert_eq!(fault(world.reply(waiting)), (50, "SPAWN_ERROR: p"));

    let unknown = world.call(start("nobody", true));
    assert_eq!(fault(world.reply(unknown)), (10, "BAD_NAME: nobody"));

    world.call(stop("p", true));
    world.missing.push("p".to_owned());
    let missing = world.call(start("p", true));
    assert_eq!(fault(world.reply(missing)), (20, "NO_FILE: can't find command 'x'"));
    assert_eq!(world.state("p"), ProcessState::Stopped, "the check comes before everything else");
}

#[test]
fn nothing_is_started_while_it_is_still_stopping() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    world.pass(2000);
    world.call(stop("p", false));
    let call = world.call(start("p", false));
    assert_eq!(fault(world.reply(call)), (40, "ABNORMAL_TERMINATION: p"));
}

#[test]
fn a_stop_that_waits_is_answered_when_the_child_is_gone() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    world.pass(2000);
    let waiting = world.call(stop("p", true));
    let again = world.call(stop("p", true));
    assert_eq!(fault(world.reply(again)), (70, "NOT_RUNNING: p"));
    world.pass(9000);
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(world.log.iter().filter(|line| *line == "INFO waiting for p to stop").count(), 5);
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Value::Bool(true)));
}

#[test]
fn a_program_that_is_stopped_while_it_waits_for_its_restart_stays_as_it_ended() {
    let mut world = World::started(vec![varied("p", |process| {
        process.startsecs = 0;
        process.autorestart = AutoRestart::Always;
    })]);
    for _ in 0..2 {
        world.end(world.pid_of("p"), ExitStatus::Code(1));
    }
    assert_eq!(world.state("p"), ProcessState::Exited);
    let stopped = world.call(stop("p", true));
    assert_eq!(world.reply(stopped), &Ok(Value::Bool(true)));
    world.pass(10_000);
    assert_eq!(world.state("p"), ProcessState::Exited, "it was told to stop");
    let again = world.call(stop("p", true));
    assert_eq!(fault(world.reply(again)), (70, "NOT_RUNNING: p"));
}

#[test]
fn a_group_is_answered_with_one_status_for_each_process_that_was_concerned() {
    let group = samples::group("g", 5, vec![samples::process("a"), samples::process("b")]);
    let mut world = World::new(vec![group]);
    world.missing.push("b".to_owned());
    world.give(Input::Started);
    world.pass(100_000);
    let started = world.call(start("g:*", true));
    assert_eq!(statuses(world.reply(started)), ["b 20"], "a runs already");
    let stopped = world.call(Call::StopProcessGroup { group: "g".to_owned(), wait: true });
    world.pass(0);
    assert_eq!(statuses(world.reply(stopped)), ["a 80"]);
    let again = world.call(Call::StopAllProcesses { wait: true });
    assert_eq!(world.reply(again), &Ok(Value::Array(Vec::new())));
}

#[test]
fn groups_come_and_go() {
    let mut world = World::started(vec![program("a"), program("b")]);
    world.pass(2000);
    let changed = varied("b", |process| process.startsecs = 7);
    let config = Box::new(samples::config(vec![program("c"), changed]));
    let reload = world.call(Call::ReloadConfig { config });
    let lists =
        |names: [&str; 3]| Value::Array(vec![Value::Array(names.map(|name| Value::Array(vec![name.into()])).to_vec())]);
    assert_eq!(world.reply(reload), &Ok(lists(["c", "b", "a"])));

    let group = |name: &str| name.to_owned();
    let early = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(fault(world.reply(early)), (91, "STILL_RUNNING: a"));
    let twice = world.call(Call::AddProcessGroup { group: group("b") });
    assert_eq!(fault(world.reply(twice)), (90, "ALREADY_ADDED: b"));
    world.call(stop("a", true));
    world.pass(0);
    let removed = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(world.reply(removed), &Ok(Value::Bool(true)));
    let added = world.call(Call::AddProcessGroup { group: group("c") });
    assert_eq!(world.reply(added), &Ok(Value::Bool(true)));
    assert_eq!(world.state("c"), ProcessState::Starting);
}

#[test]
fn clearing_the_activity_log_is_answered_when_it_has_been_tried() {
    let mut world = World::started(vec![program("p")]);
    world.cannot_clear = true;
    let cleared = world.call(Call::ClearLog);
    assert_eq!(world.reply(cleared).as_ref().unwrap_err().code, FaultCode::NoFile.code());
}
