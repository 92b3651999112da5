//! Programs that many scenes have, each the sections that make it: one for each way in which a program can be.

/// Runs from the start and gives back what it hears.
pub const CAT: &str = "
[program:cat]
command=cat
startsecs=0
stdout_logfile={dir}/cat.log
stderr_logfile=NONE
";

/// Runs when it is asked to.
pub const IDLE: &str = "
[program:idle]
command=sleep 1000
autostart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Runs when it is asked to, and has a word to say then.
pub const LATER: &str = "
[program:later]
command=sh -c 'echo ready; exec sleep 1000'
autostart=false
startsecs=0
stdout_logfile={dir}/later.log
stderr_logfile=NONE
";

/// Cannot be started: there is no such command.
pub const BROKEN: &str = "
[program:broken]
command=no-such-command
autostart=false
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Cannot be started: the command is a file that cannot be executed.
pub const PLAIN: &str = "
[program:plain]
command={dir}/supervisord.conf
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Ends before it counts as started.
pub const EARLY: &str = "
[program:early]
command=sh -c 'sleep 0.3; exit 3'
autostart=false
startsecs=5
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// A group of two that run from the start.
pub const TEAM: &str = "
[program:member]
command=sleep 1000
startsecs=0
numprocs=2
process_name=%(program_name)s_%(process_num)d
stdout_logfile=NONE
stderr_logfile=NONE
[group:team]
programs=member
";

/// What runs from the start, where [`CAT`] and [`TEAM`] are there.
pub const RUNNING: [&str; 3] = ["cat", "team:member_0", "team:member_1"];
