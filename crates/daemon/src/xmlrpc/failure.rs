//! Why a method has no result.

use supervisord_core::call::Refusal;
use supervisord_wire::fault::Fault;

use crate::blocking::NotDone;
use crate::calls::CallFailure;
use crate::refusal_fault::fault;

/// Why a method has no result.
pub(super) enum Failure {
    /// The client gets this fault.
    Fault(Fault),
    /// The daemon ended before there was a result.
    Ended,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Fault(fault(&refusal))
    }
}

impl From<CallFailure> for Failure {
    fn from(failure: CallFailure) -> Failure {
        match failure {
            CallFailure::Refused(refusal) => refusal.into(),
            CallFailure::Ended => Failure::Ended,
        }
    }
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Failure {
        CallFailure::from(why).into()
    }
}
