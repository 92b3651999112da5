//! What programs with hooks and their hooks have noted down: each hook has run once for each life of its program.

use std::collections::BTreeSet;

use crate::harness::Daemon;

/// Notes down that it begins and ends; with `post_start`, lets the program end. `cut` is said by one that is asked to end.
pub const HOOK: &str = r#"#!/usr/bin/perl
my ($kind, $name) = ($ARGV[0], $ENV{SUPERVISOR_PROCESS_NAME});
sub note {
    open(my $file, '>>', "state/$name") or die;
    syswrite($file, "$_[0] $kind\n");
}
$SIG{TERM} = sub { note('cut'); exit 1 };
unlink("state/up-$name") if $kind eq 'pre_start';
note('begin');
select(undef, undef, undef, rand(0.15));
$SIG{TERM} = 'IGNORE';
note('end');
if ($kind eq 'post_start') { open(my $up, '>', "state/up-$name") or die }
"#;

/// Lives until its hook after the start has run, and a little longer.
pub const HOOKED: &str = r#"#!/usr/bin/perl
my $name = $ENV{SUPERVISOR_PROCESS_NAME};
open(my $file, '>>', "state/$name") or die;
syswrite($file, "run $$\n");
close($file);
select(undef, undef, undef, 0.02) until -e "state/up-$name";
select(undef, undef, undef, rand(0.4));
"#;

/// One life of a program.
#[derive(Default)]
struct Life {
    has_run: bool,
    started: usize,
    stopping: usize,
    ended: usize,
}

/// What one program and its hooks have noted down.
#[derive(Default)]
struct Story {
    /// Which hooks run.
    running: BTreeSet<String>,
    life: Option<Life>,
    /// Whether a hook before the start has ended and no program has been started since.
    may_start: bool,
    lives: usize,
    /// How often the hook before the start ran once more without a life in between.
    repeated: usize,
}

impl Story {
    fn take(&mut self, line: &str) -> Result<(), String> {
        let (what, kind) = line.split_once(' ').ok_or("is torn")?;
        match what {
            "run" => {
                self.begin_life()?;
                let life = self.life.as_mut().filter(|life| !life.has_run).ok_or("begins without its hook")?;
                life.has_run = true;
            }
            "begin" => {
                if !self.running.insert(kind.to_owned()) {
                    return Err("begins while it runs".to_owned());
                }
                if kind == "pre_start" {
                    self.repeated += usize::from(std::mem::take(&mut self.may_start));
                    return self.finish_life();
                }
                self.begin_life()?;
                let life = self.life.as_mut().ok_or("belongs to no life")?;
                let count = match kind {
                    "post_start" => &mut life.started,
                    "pre_stop" => &mut life.stopping,
                    "post_stop" => &mut life.ended,
                    _ => return Err("is unknown".to_owned()),
                };
                *count += 1;
                if *count > 1 {
                    return Err("runs twice in one life".to_owned());
                }
            }
            "end" | "cut" => {
                if !self.running.remove(kind) {
                    return Err("ends twice".to_owned());
                }
                self.may_start = (what, kind) == ("end", "pre_start") || self.may_start;
            }
            _ => return Err("is torn".to_owned()),
        }
        Ok(())
    }

    /// Another life begins, unless its beginning has been noted down: the program and its hook after the start may do so in any
    /// order.
    fn begin_life(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.may_start) {
            self.finish_life()?;
            self.life = Some(Life::default());
            self.lives += 1;
        }
        Ok(())
    }

    /// What must have happened when another life begins.
    fn finish_life(&mut self) -> Result<(), String> {
        let Some(life) = self.life.take() else { return Ok(()) };
        match (life.started, life.stopping, life.ended) {
            (_, _, 0) => Err("comes after a life whose post_stop is missing".to_owned()),
            (0, 0, _) => Err("comes after a life whose post_start is missing".to_owned()),
            _ => Ok(()),
        }
    }
}

/// How many lives a program has had.
pub fn lives(daemon: &Daemon, name: &str) -> usize {
    daemon.read(&format!("state/{name}")).lines().filter(|line| line.starts_with("run ")).count()
}

/// Checks everything, now that all have ended. A hook before a start may have run again where the log says that it had failed,
/// or where a stop came before the program; `doubts` is how often everything was stopped, and how many lines the log may lack.
/// Gives the number of lives.
pub fn check(daemon: &Daemon, names: &[String], doubts: usize) -> usize {
    let log = daemon.log();
    let mut lives = 0;
    for name in names {
        let mut story = Story::default();
        let text = daemon.read(&format!("state/{name}"));
        for (number, line) in text.lines().enumerate() {
            story.take(line).unwrap_or_else(|wrong| panic!("{name}: {line:?} in line {} {wrong}\n{text}", number + 1));
        }
        story.finish_life().unwrap_or_else(|wrong| panic!("{name}: the end {wrong}\n{text}"));
        assert!(story.running.is_empty(), "{name}: {:?} have not ended\n{text}", story.running);
        let failed = log.matches(&format!("WARN {name}: pre-start hook failed")).count();
        assert!(story.repeated <= failed + doubts, "{name}: {} repeated, {failed} failed\n{text}", story.repeated);
        lives += story.lives;
    }
    lives
}

#[test]
fn what_is_lost_or_done_twice_is_found() {
    let wrong = |text: &str| {
        let mut story = Story::default();
        let found = text.split(", ").find_map(|line| story.take(line).err());
        found.or_else(|| story.finish_life().err())
    };
    let start = "begin pre_start, end pre_start, run 7, begin post_start, end post_start";
    let good =
        format!("{start}, begin post_stop, end post_stop, {start}, begin pre_stop, end pre_stop, begin post_stop");
    assert_eq!(wrong(&good), None);
    for bad in [
        "run 7".to_owned(),
        format!("{start}, {start}"),
        format!("{start}, begin post_start"),
        format!("{start}, begin post_stop, end post_stop, begin post_stop"),
        "begin pre_start, end pre_start, run 7, begin post_stop, end post_stop".to_owned(),
        "begin pre_start, begin pre_start".to_owned(),
        "begin pre_start, end pre_start, end pre_start".to_owned(),
    ] {
        assert!(wrong(&bad).is_some(), "{bad}");
    }
}
