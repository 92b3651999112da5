//! How far a program has got with being recycled: stopped and started again because it has run for long enough.

use super::phase::ProcessPhase;

/// Of the programs of a group, only one at a time is recycled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recycling {
    /// It is not to be recycled yet.
    #[default]
    No,
    /// It is to be recycled when no other one of its group is.
    Due,
    /// It has been stopped for that, and is not up again.
    UnderWay,
}

impl Recycling {
    /// What is left of it when the process enters a phase: it ends when the process is up again, or when that cannot be waited
    /// for.
    pub(super) fn after(self, phase: ProcessPhase) -> Recycling {
        match phase {
            ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
            | ProcessPhase::RunningToEnd
            | ProcessPhase::PreStop
            | ProcessPhase::Stopping
            | ProcessPhase::Stopped
            | ProcessPhase::BackingOff
                if self == Recycling::UnderWay =>
            {
                Recycling::UnderWay
            }
            ProcessPhase::NeverStarted
            | ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
            | ProcessPhase::RunningToEnd
            | ProcessPhase::Up
            | ProcessPhase::PreStop
            | ProcessPhase::Stopping
            | ProcessPhase::Stopped
            | ProcessPhase::Exited
            | ProcessPhase::Completed
            | ProcessPhase::WaitingToRestart
            | ProcessPhase::BackingOff
            | ProcessPhase::GivenUp
            | ProcessPhase::Unreachable => Recycling::No,
        }
    }
}
