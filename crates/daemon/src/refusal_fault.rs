//! A refusal in the words of the original's faults, which XML-RPC, the page, plug-ins and the audit log share.

use supervisord_core::call::{Reason, Refusal};
use supervisord_wire::fault::{Fault, FaultCode};

/// The fault that says why something is refused.
pub fn fault(refusal: &Refusal) -> Fault {
    let code = code(refusal.reason);
    match &refusal.detail {
        Some(detail) => Fault::with(code, detail),
        None => Fault::new(code),
    }
}

fn code(reason: Reason) -> FaultCode {
    match reason {
        Reason::BadArguments => FaultCode::BadArguments,
        Reason::ShuttingDown => FaultCode::ShutdownState,
        Reason::UnknownName => FaultCode::BadName,
        Reason::UnknownSignal => FaultCode::BadSignal,
        Reason::NoFile => FaultCode::NoFile,
        Reason::NotExecutable => FaultCode::NotExecutable,
        // The numbers of faults are the original's, which knows no rights.
        Reason::Failed | Reason::NotPermitted | Reason::NotConfigured | Reason::UnderWay | Reason::CommandFailed => {
            FaultCode::Failed
        }
        Reason::AbnormalTermination | Reason::DependencyFailed | Reason::Disabled => FaultCode::AbnormalTermination,
        Reason::SpawnError => FaultCode::SpawnError,
        Reason::AlreadyStarted => FaultCode::AlreadyStarted,
        Reason::NotRunning => FaultCode::NotRunning,
        Reason::AlreadyAdded => FaultCode::AlreadyAdded,
        Reason::StillRunning => FaultCode::StillRunning,
        Reason::CannotReread => FaultCode::CantReread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_faults_with_the_original_texts() {
        let fault = fault(&Refusal::new(Reason::ShuttingDown));
        assert_eq!((fault.code, fault.text.as_str()), (6, "SHUTDOWN_STATE"));
        let fault = super::fault(&Refusal::with(Reason::UnknownName, "a:b"));
        assert_eq!((fault.code, fault.text.as_str()), (10, "BAD_NAME: a:b"));
    }
}
