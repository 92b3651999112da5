//! What callers are answered, and when.

use supervisord_config::diff::{ChangedGroup, Difference, GroupChange};
use supervisord_config::model::AutoRestart;
use supervisord_config::schema::Needs;

use super::*;
use crate::call::{ProgramAction, Status};
use crate::event::ProcessName;

/// What became of each process of a call for several: its name, and the reason where it was refused.
fn statuses(outcome: &CallOutcome) -> Vec<(&str, Option<Reason>)> {
    let Ok(Answer::Statuses(statuses)) = outcome else { panic!("{outcome:?}") };
    let reason = |status: &Status| status.result.as_ref().err().map(|refusal| refusal.reason);
    statuses.iter().map(|status| (status.process.as_str(), reason(status))).collect()
}

#[test]
fn a_signal_that_may_not_be_sent_changes_nothing() {
    let mut world = World::started(vec![program("p")]);
    world.untouchable.push("p".to_owned());
    world.pass(2000);
    let call = world.call(Call::SignalProcess { name: "p".to_owned(), signal: "HUP".to_owned() });
    assert!(world.reply(call).as_ref().unwrap_err().is(Reason::Failed));
    assert_eq!(world.state("p"), ProcessState::Running);
    let call = world.call(stop("p", true));
    assert!(world.reply(call).as_ref().unwrap_err().is(Reason::Failed));
    assert_eq!(world.state("p"), ProcessState::Unknown, "whether it will stop is not known");
    world.end(world.pid_of("p"), ExitStatus::Code(0));
    assert_eq!(world.state("p"), ProcessState::Exited);
}

#[test]
fn who_hears_that_a_signal_was_refused_sees_the_new_state() {
    let mut world = World::started(vec![program("p")]);
    world.untouchable.push("p".to_owned());
    world.pass(2000);
    let call = SupervisorInput::Call { id: CallId(1000), actor: Actor::plug_in(), call: stop("p", true) };
    world.supervisor.handle(world.now, call);
    let mut shown = Vec::new();
    while let Some(effect) = world.supervisor.poll_effect() {
        match &effect {
            Effect::PublishRow(_) => shown.push(world.state("p")),
            Effect::Reply { .. } => assert_eq!(shown.last(), Some(&ProcessState::Unknown)),
            _ => {}
        }
        if let Some(answer) = world.perform(effect) {
            world.supervisor.handle(world.now, answer);
        }
    }
    assert!(world.replies.contains_key(&CallId(1000)));
}

#[test]
fn a_start_that_waits_is_answered_when_the_program_runs() {
    let mut world = World::started(vec![varied("p", |process| process.start.autostart = false)]);
    let waiting = world.call(start("p", true));
    let quick = world.call(start("p", false));
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(world.reply(quick), &refused(Reason::AlreadyStarted, "p"));
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Answer::Done));
}

#[test]
fn a_start_that_fails_says_how() {
    let mut world = World::started(vec![varied("p", |process| process.start.autostart = false)]);
    let waiting = world.call(start("p", true));
    world.end(world.pid_of("p"), ExitStatus::Code(1));
    assert_eq!(world.reply(waiting), &refused(Reason::SpawnError, "p"));

    let unknown = world.call(start("nobody", true));
    assert_eq!(world.reply(unknown), &refused(Reason::UnknownName, "nobody"));

    world.call(stop("p", true));
    world.missing.push("p".to_owned());
    let missing = world.call(start("p", true));
    assert_eq!(world.reply(missing), &refused(Reason::NoFile, "can't find command 'x'"));
    assert_eq!(world.state("p"), ProcessState::Stopped, "the check comes before everything else");
}

#[test]
fn nothing_is_started_while_it_is_still_stopping() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(2000);
    world.call(stop("p", false));
    let call = world.call(start("p", false));
    assert_eq!(world.reply(call), &refused(Reason::AbnormalTermination, "p"));
}

#[test]
fn a_stop_that_waits_is_answered_when_the_child_is_gone() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(2000);
    let waiting = world.call(stop("p", true));
    let again = world.call(stop("p", true));
    assert_eq!(world.reply(again), &refused(Reason::NotRunning, "p"));
    world.pass(9000);
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(world.log.iter().filter(|line| *line == "INFO waiting for p to stop").count(), 5);
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Answer::Done));
}

#[test]
fn a_program_that_is_stopped_while_it_waits_for_its_restart_stays_as_it_ended() {
    let mut world = World::started(vec![varied("p", |process| {
        process.start.startsecs = 0;
        process.restart.autorestart = AutoRestart::Always;
    })]);
    for _ in 0..2 {
        world.end(world.pid_of("p"), ExitStatus::Code(1));
    }
    assert_eq!(world.state("p"), ProcessState::Exited);
    let stopped = world.call(stop("p", true));
    assert_eq!(world.reply(stopped), &Ok(Answer::Done));
    world.pass(10_000);
    assert_eq!(world.state("p"), ProcessState::Exited, "it was told to stop");
    let again = world.call(stop("p", true));
    assert_eq!(world.reply(again), &refused(Reason::NotRunning, "p"));
}

#[test]
fn a_group_is_answered_with_one_status_for_each_process_that_was_concerned() {
    let group = samples::group("g", 5, vec![samples::process("a"), samples::process("b")]);
    let mut world = World::new(vec![group]);
    world.missing.push("b".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(100_000);
    let started = world.call(start("g:*", true));
    assert_eq!(statuses(world.reply(started)), [("b", Some(Reason::NoFile))], "a runs already");
    let stopped = world.call(Call::StopProcessGroup { group: "g".to_owned(), wait: true });
    world.pass(0);
    assert_eq!(statuses(world.reply(stopped)), [("a", None)]);
    let again = world.call(Call::StopAllProcesses { wait: true });
    assert_eq!(world.reply(again), &Ok(Answer::Statuses(Vec::new())));
}

#[test]
fn groups_come_and_go() {
    let mut world = World::started(vec![program("a"), program("b")]);
    world.pass(2000);
    let changed = varied("b", |process| process.start.startsecs = 7);
    let config = Box::new(samples::config(vec![program("c"), changed]));
    let reload = world.call(Call::ReloadConfig { config });
    let names = |name: &str| vec![name.to_owned()];
    let startsecs = GroupChange::OfProcess { process: "b".to_owned(), option: "startsecs", needs: Needs::Live };
    let changed = vec![ChangedGroup { name: "b".to_owned(), changes: vec![startsecs] }];
    let difference = Difference { added: names("c"), changed, removed: names("a") };
    assert_eq!(world.reply(reload), &Ok(Answer::Difference(difference)));
    assert!(world.log.contains(&"DEBG the definition of b differs: b startsecs (live)".to_owned()));

    let group = |name: &str| name.to_owned();
    let early = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(world.reply(early), &refused(Reason::StillRunning, "a"));
    let twice = world.call(Call::AddProcessGroup { group: group("b") });
    assert_eq!(world.reply(twice), &refused(Reason::AlreadyAdded, "b"));
    world.call(stop("a", true));
    world.pass(0);
    let removed = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(world.reply(removed), &Ok(Answer::Done));
    let added = world.call(Call::AddProcessGroup { group: group("c") });
    assert_eq!(world.reply(added), &Ok(Answer::Done));
    assert_eq!(world.state("c"), ProcessState::Starting);
}

#[test]
fn clearing_the_activity_log_is_answered_when_it_has_been_tried() {
    let mut world = World::started(vec![program("p")]);
    world.cannot_clear = true;
    let cleared = world.call(Call::ClearLog);
    assert_eq!(world.reply(cleared), &Err(Refusal::new(Reason::NoFile)));
}

#[test]
fn the_log_says_who_asks_for_what_whatever_becomes_of_it() {
    let mut world = World::started(vec![program("p")]);
    let of = |world: &World| world.log.iter().filter(|line| line.contains(" requested: ")).cloned().collect::<Vec<_>>();
    let refused = world.call(stop("nobody", true));
    assert!(world.reply(refused).is_err());
    world.call(Call::Shutdown);
    let late = world.call(start("p", true));
    assert!(world.reply(late).as_ref().unwrap_err().is(Reason::ShuttingDown));
    let line = |request: &str| format!("DEBG a plug-in requested: {request}");
    assert_eq!(of(&world), [line("stop 'nobody'"), line("shut down"), line("start 'p'")]);
}

#[test]
fn an_upgrade_is_what_the_driver_is_asked_for_and_answers() {
    let mut world = World::started(vec![program("p")]);
    let call = world.call(Call::Upgrade);
    assert_eq!(world.upgrades, [call]);
    assert!(!world.replies.contains_key(&call));
}

#[test]
fn who_asked_for_what_is_written_only_at_the_level_debug() {
    let mut world = World::started(vec![samples::group("g", 1, vec![samples::process("a")])]);
    for level in [LogLevel::Info, LogLevel::Debug] {
        world.supervisor.log_level = level;
        world.log.clear();
        world.call(Call::SignalAllProcesses { signal: "HUP".to_owned() });
        let is_written = world.log.iter().any(|line| line.ends_with(" requested: send signal 'HUP' to all"));
        assert_eq!(is_written, level == LogLevel::Debug, "{:?}", world.log);
    }
}

fn act_on(action: ProgramAction, names: &[&str], wait: bool) -> Call {
    let name = |name: &&str| ProcessName { group: (*name).into(), process: (*name).into() };
    Call::ActOn { action, processes: names.iter().map(name).collect(), wait }
}

#[test]
fn an_action_on_several_says_what_became_of_each() {
    let mut world = World::started(vec![program("a"), varied("b", |process| process.start.autostart = false)]);
    world.pass(2000);
    let call = world.call(act_on(ProgramAction::Start, &["a", "b", "nobody", "b"], false));
    let expected = [("nobody", Some(Reason::UnknownName)), ("a", Some(Reason::AlreadyStarted)), ("b", None)];
    assert_eq!(statuses(world.reply(call)), expected);
    let call = world.call(act_on(ProgramAction::Stop, &["a", "b"], true));
    world.pass(1000);
    assert_eq!(statuses(world.reply(call)), [("a", None), ("b", None)]);
    let call = world.call(act_on(ProgramAction::Signal(1), &["b"], true));
    assert_eq!(statuses(world.reply(call)), [("b", Some(Reason::NotRunning))]);
    let call = world.call(act_on(ProgramAction::Stop, &["b"], true));
    assert_eq!(statuses(world.reply(call)), [("b", Some(Reason::NotRunning))]);
}

#[test]
fn a_restart_is_answered_when_the_next_child_runs() {
    let mut world = World::started(vec![program("a"), varied("b", |process| process.start.autostart = false)]);
    world.pass(2000);
    let before = world.pid_of("a");
    let call = world.call(act_on(ProgramAction::Restart, &["a", "b"], true));
    assert!(!world.replies.contains_key(&call));
    world.pass(3000);
    assert_ne!(world.pid_of("a"), before);
    assert_eq!(statuses(world.reply(call)), [("a", None), ("b", None)]);
    let call = world.call(act_on(ProgramAction::Restart, &["a"], false));
    assert_eq!(statuses(world.reply(call)), [("a", None)], "nothing is waited for");
}

#[test]
fn a_restart_fails_where_somebody_stops_the_program_meanwhile() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(2000);
    let call = world.call(act_on(ProgramAction::Restart, &["p"], true));
    world.call(stop("p", false));
    assert_eq!(statuses(world.reply(call)), [("p", Some(Reason::AbnormalTermination))]);
    let call = world.call(act_on(ProgramAction::Restart, &["p"], true));
    assert_eq!(statuses(world.reply(call)), [("p", Some(Reason::AbnormalTermination))], "it is still stopping");
}

#[test]
fn a_restart_of_one_that_fails_again_says_so() {
    let mut world = World::started(vec![varied("p", |process| process.start.startretries = 0)]);
    world.pass(2000);
    let call = world.call(act_on(ProgramAction::Restart, &["p"], true));
    world.pass(100);
    world.end(world.pid_of("p"), ExitStatus::Code(1));
    assert_eq!(statuses(world.reply(call)), [("p", Some(Reason::SpawnError))]);
}
