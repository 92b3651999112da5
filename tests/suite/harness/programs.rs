//! Program sections that many scenes share, one for each behaviour.

/// Starts automatically and writes its stdin to its stdout.
pub const CAT: &str = "
[program:cat]
command=cat
startsecs=0
stdout_logfile={dir}/cat.log
stderr_logfile=NONE
";

/// Starts only on request.
pub const IDLE: &str = "
[program:idle]
command=sleep 1000
autostart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Starts only on request, and writes a line then.
pub const LATER: &str = "
[program:later]
command=sh -c 'echo ready; exec sleep 1000'
autostart=false
startsecs=0
stdout_logfile={dir}/later.log
stderr_logfile=NONE
";

/// Cannot be started: the command does not exist.
pub const BROKEN: &str = "
[program:broken]
command=no-such-command
autostart=false
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Cannot be started: the command is a file that is not executable.
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

/// A group of two that start automatically.
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

/// The processes that start automatically, in scenes with [`CAT`] and [`TEAM`].
pub const RUNNING: [&str; 3] = ["cat", "team:member_0", "team:member_1"];
