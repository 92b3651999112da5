//! Why a method has no result.

use supervisord_core::call::Refusal;
use supervisord_wire::fault::Fault;

use super::encode;
use crate::api;
use crate::blocking::NotDone;

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
        Failure::Fault(encode::fault(&refusal))
    }
}

impl From<api::CallFailure> for Failure {
    fn from(failure: api::CallFailure) -> Failure {
        match failure {
            api::CallFailure::Refused(refusal) => refusal.into(),
            api::CallFailure::Ended => Failure::Ended,
        }
    }
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Failure {
        api::CallFailure::from(why).into()
    }
}
