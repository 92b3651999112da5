//! Which output of a program is kept in memory.

use supervisord_core::output::{Channel, MemoryPlan};
use supervisord_core::row::Row;
use supervisord_core::supervisor::{ProcessId, Supervisor};

use crate::control::tools::Tools;
use crate::output::{OutputRequest, RunId};

/// How the last bytes of a stream are kept; none where they are not.
pub(super) fn plan(row: &Row, channel: Channel) -> Option<MemoryPlan> {
    let bytes = row.memory_of(channel);
    (bytes > 0).then(|| MemoryPlan { process: row.namespec().into(), bytes })
}

/// Makes the memory before the output plane needs it, so that the keeper gets it in this turn.
pub(super) fn prepare(tools: &Tools) {
    // The output plane tries again, and tells what is wrong.
    drop(tools.memory.prepare());
}

/// Keeps the output of a process as its definition says now. `run` is its present run.
pub(in crate::control) fn follow_memory(supervisor: &Supervisor, id: ProcessId, run: Option<RunId>, tools: &Tools) {
    let Some(row) = supervisor.row(id) else { return };
    for channel in [Channel::Stdout, Channel::Stderr] {
        let plan = plan(&row, channel);
        match &plan {
            Some(_) => prepare(tools),
            None => tools.memory.forget(&row.namespec(), channel),
        }
        if let Some(run) = run {
            tools.output.put_off(OutputRequest::KeepInMemory { run, channel, plan });
        }
    }
}
