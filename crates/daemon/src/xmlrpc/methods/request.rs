//! What a client asks for, once its method and arguments have been understood.

use supervisord_config::scale::WantedCount;
use supervisord_core::call::Call;
use supervisord_wire::value::Value;

use crate::xmlrpc::read::Read;

/// What a client asks for.
#[derive(Debug)]
pub enum MethodRequest {
    /// Something that changes nothing.
    Read(Read),
    /// Something only the supervisor itself can do.
    Call(Call),
    /// `restart`, for which the configuration must be read.
    Restart,
    /// `reloadConfig`, for which the configuration must be read.
    ReloadConfig,
    /// `scaleProgram`, for which the configuration must be read.
    Scale { program: String, wanted: WantedCount, persists: bool },
    /// Something about the methods themselves.
    System(SystemMethod),
    /// `system.multicall`; each entry is parsed when its turn comes.
    Multicall { entries: Vec<Value> },
    /// A method of a plug-in.
    PlugIn { method: String, arguments: Vec<Value> },
}

/// A question about the methods, in the namespace `system`.
#[derive(Clone, Debug, PartialEq)]
pub enum SystemMethod {
    /// `listMethods`.
    ListMethods,
    /// `methodHelp`.
    MethodHelp { method: Value },
    /// `methodSignature`.
    MethodSignature { method: Value },
}
