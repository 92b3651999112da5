//! The order of starts, and when a process counts as started.

use super::*;

#[test]
fn groups_start_in_the_order_of_priority_and_name() {
    let world = World::started(vec![
        varied("late", |process| process.identity.priority = 1000),
        program("b"),
        program("a"),
        varied("early", |process| process.identity.priority = 1),
        varied("manual", |process| process.start.autostart = false),
    ]);
    let spawned: Vec<&str> = world.log.iter().filter_map(|line| line.strip_prefix("INFO spawned: ")).collect();
    assert_eq!(spawned, ["'early' with pid 1001", "'a' with pid 1002", "'b' with pid 1003", "'late' with pid 1004"]);
    assert_eq!(world.state("manual"), ProcessState::Stopped);
}

#[test]
fn a_program_without_startsecs_runs_before_the_next_is_started() {
    let at_once = |name| varied(name, |process| process.start.startsecs = 0);
    let world = World::started(vec![at_once("a"), at_once("b")]);
    let starts: Vec<&str> =
        world.log.iter().filter_map(|line| line.strip_prefix("INFO s")?.split(' ').next()).collect();
    assert_eq!(starts, ["pawned:", "uccess:", "pawned:", "uccess:"]);
}

#[test]
fn a_child_that_died_before_startsecs_has_failed_even_if_its_output_is_read_later() {
    let mut world = World::started(vec![program("p")]);
    let pid = world.pid_of("p");
    world.pass(500);
    let run = world.children.remove(&pid).unwrap().run;
    world.give(SupervisorInput::Died { run, at: world.now });
    world.pass(5_000);
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.give(SupervisorInput::Exited { run, pid, status: ExitStatus::Code(0) });
    assert_eq!(world.state("p"), ProcessState::Backoff);
}

#[test]
fn startsecs_counts_from_each_spawn() {
    let mut world = World::new((0..10).map(|number| program(&format!("p{number}"))).collect());
    world.birth = Duration::from_millis(200);
    world.give(SupervisorInput::Started);
    // The first was spawned 1.8 s before the last.
    world.give(SupervisorInput::Elapsed);
    assert_eq!(world.state("p4"), ProcessState::Running);
    assert_eq!(world.state("p5"), ProcessState::Starting);
    let pid = world.pid_of("p9");
    world.pass(900);
    assert_eq!(world.state("p8"), ProcessState::Running);
    world.end(pid, ExitStatus::Code(1));
    assert_eq!(world.state("p9"), ProcessState::Backoff);
    let starts: Vec<i64> =
        ["p0", "p9"].map(|name| world.supervisor.row(world.id(name)).unwrap().start).into_iter().collect();
    assert_eq!(starts[1] - starts[0], 2);
}

#[test]
fn an_exit_belongs_to_its_run_even_if_the_pid_is_reused() {
    let mut world = World::started(vec![varied("old", |process| process.restart.autorestart = AutoRestart::Never)]);
    world.pass(2_000);
    let pid = world.pid_of("old");
    let old = world.children.remove(&pid).unwrap().run;
    world.give(SupervisorInput::Died { run: old, at: world.now });
    // While the last output of the old child is read, the system reuses its process id.
    world.next_pid = pid - 1;
    let config = Box::new(samples::config(vec![program("old"), program("new")]));
    world.call(Call::ReloadConfig { config });
    world.call(Call::AddProcessGroup { group: "new".to_owned() });
    assert_eq!(world.pid_of("new"), pid);
    world.give(SupervisorInput::Exited { run: old, pid, status: ExitStatus::Code(0) });
    assert_eq!(world.state("old"), ProcessState::Exited);
    world.pass(2_000);
    assert_eq!(world.state("new"), ProcessState::Running);
    // A signal for the old child must not reach the new one.
    let new = world.children[&pid].run;
    world.call(stop("new", true));
    world.pass(100);
    assert_ne!(new, old);
    assert_eq!(world.state("new"), ProcessState::Stopped);
}

#[test]
fn stopwaitsecs_counts_from_each_signal() {
    let mut world = World::started(vec![program("p")]);
    world.pass(2_000);
    world.children.values_mut().for_each(|child| child.ignores_term = true);
    world.signalling = Duration::from_millis(700);
    world.call(stop("p", false));
    world.pass(9_900);
    assert!(world.children.len() == 1 && !world.log.iter().any(|line| line.contains("SIGKILL")));
    world.pass(200);
    assert!(world.log.iter().any(|line| line.contains("SIGKILL")));
}

#[test]
fn the_result_of_a_spawn_is_processed_before_the_next_spawn() {
    let mut world = World::new(vec![program("a"), program("b")]);
    let mut order = Vec::new();
    world.supervisor.handle(world.now, SupervisorInput::Started);
    while let Some(effect) = world.supervisor.poll_effect() {
        match &effect {
            Effect::Spawn { .. } => order.push("spawn".to_owned()),
            Effect::Log(_, line) => order.push(line.chars().take(11).collect()),
            _ => {}
        }
        if let Some(answer) = world.perform(effect) {
            world.supervisor.handle(world.now, answer);
        }
    }
    assert_eq!(order, ["spawn", "spawned: 'a", "spawn", "spawned: 'b"]);
}

#[test]
fn events_are_kept_in_order_and_each_is_followed_by_its_row() {
    let mut world = World::started(vec![varied("p", |process| process.start.startsecs = 0)]);
    world.published.clear();
    world.call(stop("p", true));
    world.pass(1000);
    world.call(start("p", true));
    let kept = |line: &&String| !line.starts_with("row");
    let events: Vec<_> = world.published.iter().filter(kept).map(String::as_str).collect();
    let expected =
        ["PROCESS_STATE_STOPPING", "PROCESS_STATE_STOPPED", "PROCESS_STATE_STARTING", "PROCESS_STATE_RUNNING"];
    assert_eq!(events, expected);
    for (position, event) in world.published.iter().enumerate().filter(|(_, line)| kept(line)) {
        let row = world.published[position..].iter().find(|line| line.starts_with("row")).expect("a row");
        let is_present = event.ends_with(row.trim_start_matches("row ")) || row == "row RUNNING";
        assert!(is_present, "{event} is followed by {row}");
    }
    world.published.clear();
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "d".to_owned() });
    assert!(world.published.is_empty(), "what clients send is not kept");
}

#[test]
fn lost_output_is_counted_and_told_of_each_stream_once_a_minute() {
    let mut world = World::started(vec![varied("p", |process| process.start.startsecs = 0)]);
    let run = *world.supervisor.by_run.keys().next().expect("it runs");
    let lose = |world: &mut World, channel, bytes| {
        world.published.clear();
        world.give(SupervisorInput::OutputLost { run, channel, bytes });
        world.published.iter().find(|line| line.starts_with("lost")).cloned()
    };
    assert_eq!(lose(&mut world, Channel::Stdout, 3).as_deref(), Some("lost stdout 3"));
    assert_eq!(lose(&mut world, Channel::Stdout, 4), None);
    assert_eq!(lose(&mut world, Channel::Stderr, 5).as_deref(), Some("lost stderr 5"));
    world.pass(60_000);
    assert_eq!(lose(&mut world, Channel::Stdout, 1).as_deref(), Some("lost stdout 8"));
    // What waited may be lost after the end of the program.
    let pid = world.pid_of("p");
    world.end(pid, ExitStatus::Code(0));
    lose(&mut world, Channel::Stderr, 2);
    let counts = world.supervisor.row(world.id("p")).and_then(|row| row.counts).expect("something happened");
    assert_eq!((counts.lost_output.stdout, counts.lost_output.stderr), (8, 7));
    let lines = |world: &mut World, process: &str, lines| {
        let process = crate::event::ProcessName { group: "p".into(), process: process.into() };
        world.give(SupervisorInput::LinesLost { process, channel: Channel::Stderr, lines });
    };
    lines(&mut world, "p", 2);
    lines(&mut world, "p", 3);
    lines(&mut world, "nobody", 1);
    let counts = world.supervisor.row(world.id("p")).and_then(|row| row.counts).expect("something happened");
    assert_eq!((counts.lost_lines.stdout, counts.lost_lines.stderr), (0, 5));
    world.give(SupervisorInput::OutputLost { run: RunId(u64::MAX), channel: Channel::Stdout, bytes: 1 });
}
