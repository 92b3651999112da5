//! All methods.

use supervisord_core::call::Call;
use supervisord_core::output::Channel::{self, Stderr, Stdout};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;

use super::arguments::Arguments;
use super::method::Type::{self, Array, Boolean, Int, String, Struct};
use super::method::{Method, Parameter};
use super::request::{MethodRequest, SystemMethod};
use crate::xmlrpc::read::Read;

const fn param(name: &'static str, kind: Type, about: &'static str) -> Parameter {
    Parameter { name, kind, optional: false, about }
}

const fn wait(about: &'static str) -> Parameter {
    Parameter { name: "wait", kind: Boolean, optional: true, about }
}

const PROCESS: Parameter = param("name", String, "the process, as name or group:name");
const PROCESSES: Parameter = param("name", String, "the process, as name or group:name, or group:* for a whole group");
const PROGRAM: Parameter = param("name", String, "the program, a group of one program, or a process as group:name");
const NUMPROCS: Parameter =
    param("numprocs", Int, "how many processes; as a string with a sign, such as +2 or -1, how many more or fewer");
const PERSIST: Parameter = Parameter {
    name: "persist",
    kind: Boolean,
    optional: true,
    about: "also write it into a file that the configuration includes; false if left out",
};
const GROUP: Parameter = param("name", String, "the group");
const SIGNAL: Parameter = param("signal", String, "the signal, by name (HUP or SIGHUP) or by number");
const START_WAIT: Parameter = wait("answer only when startsecs have passed or the start has failed; true if left out");
const STOP_WAIT: Parameter = wait("answer only when the process has ended; true if left out");
const OFFSET: Parameter = param("offset", Int, "where to begin, in bytes; negative counts from the end");
const LENGTH: Parameter = param("length", Int, "how many bytes at most; 0 for all the rest");
const TAIL_OFFSET: Parameter = param("offset", Int, "the offset the previous call answered, in bytes; 0 at first");
const TAIL_LENGTH: Parameter = param("length", Int, "how many bytes at most");

const METHOD: Parameter = param("name", String, "the method, as namespace.method");

const TRUE: (&str, &str) = ("result", "always true; anything else is a fault");
const STATUSES: (&str, &str) =
    ("result", "one struct with name, group, status and description for each process concerned");
const TEXT: (&str, &str) = ("text", "that part of the log");
const TAIL: (&str, &str) =
    ("result", "the text, the size of the log, and whether something before the text was left out");

const READ_MAIN_ABOUT: &str = "Read a part of the activity log of the daemon. Either begin at an offset from the start, \
or ask with a negative offset and length 0 for that many bytes from the end.";
const READ_ABOUT: &str = "Read a part of the log of a process. Either begin at an offset from the start, or ask with a \
negative offset and length 0 for that many bytes from the end.";
const TAIL_ABOUT: &str = "Read the end of the log of a process and learn where it ends now, in order to follow it.";
const CLEAR_ABOUT: &str = "Empty the logs of a process.";

/// A method that is refused while the supervisor is shutting down or restarting.
const fn method(
    name: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    returns: Type,
    result: (&'static str, &'static str),
    build: fn(Arguments) -> Result<MethodRequest, Fault>,
) -> Method {
    Method { name, about, parameters, returns, result, guarded: true, build }
}

const fn unguarded(method: Method) -> Method {
    Method { guarded: false, ..method }
}

fn read(read: Read) -> Result<MethodRequest, Fault> {
    Ok(MethodRequest::Read(read))
}

fn call(call: Call) -> Result<MethodRequest, Fault> {
    Ok(MethodRequest::Call(call))
}

fn system(system: SystemMethod) -> Result<MethodRequest, Fault> {
    Ok(MethodRequest::System(system))
}

/// What is about the methods themselves.
const fn introspection(
    name: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    returns: Type,
    result: (&'static str, &'static str),
    build: fn(Arguments) -> Result<MethodRequest, Fault>,
) -> Method {
    unguarded(method(name, about, parameters, returns, result, build))
}

pub(super) static METHODS: [Method; 49] = [
    method(
        "supervisor.getAPIVersion",
        "Tell the version of this interface.",
        &[],
        String,
        ("version", "the version, such as 3.0"),
        |_| read(Read::ApiVersion),
    ),
    method(
        "supervisor.getVersion",
        "The old name of getAPIVersion.",
        &[],
        String,
        ("version", "the version, such as 3.0"),
        |_| read(Read::ApiVersion),
    ),
    method(
        "supervisor.getSupervisorVersion",
        "Tell the version of Supervisor this daemon behaves like.",
        &[],
        String,
        ("version", "the version, such as 4.3.0"),
        |_| read(Read::SupervisorVersion),
    ),
    method(
        "supervisor.getIdentification",
        "Tell the identifier of this daemon, by which clients tell several of them apart.",
        &[],
        String,
        ("identifier", "the identifier"),
        |_| read(Read::Identification),
    ),
    method(
        "supervisor.getState",
        "Tell what the daemon is doing.",
        &[],
        Struct,
        ("state", "a struct with an int statecode and a string statename"),
        |_| read(Read::State),
    ),
    method("supervisor.getPID", "Tell the process id of the daemon.", &[], Int, ("pid", "the process id"), |_| {
        read(Read::Pid)
    }),
    method("supervisor.readLog", READ_MAIN_ABOUT, &[OFFSET, LENGTH], String, TEXT, read_log),
    method("supervisor.readMainLog", "The old name of readLog.", &[OFFSET, LENGTH], String, TEXT, read_log),
    method(
        "supervisor.clearLog",
        "Remove the activity log of the daemon and begin a new one.",
        &[],
        Boolean,
        TRUE,
        |_| call(Call::ClearLog),
    ),
    method("supervisor.shutdown", "Stop all processes and end the daemon.", &[], Boolean, TRUE, |_| {
        call(Call::Shutdown)
    }),
    method(
        "supervisor.upgrade",
        "Hand everything over to the program that is now on disk, after it has been tried. No process notices.",
        &[],
        Boolean,
        TRUE,
        |_| call(Call::Upgrade),
    ),
    method(
        "supervisor.restart",
        "Stop all processes and begin again with the configuration as it is now.",
        &[],
        Boolean,
        TRUE,
        |_| Ok(MethodRequest::Restart),
    ),
    method(
        "supervisor.reloadConfig",
        "Read the configuration again and tell which groups differ from the active ones. No process is touched: use \
         addProcessGroup and removeProcessGroup for that.",
        &[],
        Array,
        ("result", "an array with one item: the arrays of the names of added, changed and removed groups"),
        |_| Ok(MethodRequest::ReloadConfig),
    ),
    method(
        "supervisor.addProcessGroup",
        "Make a group of the configuration active and start what is to be started with it.",
        &[GROUP],
        Boolean,
        TRUE,
        |mut args| call(Call::AddProcessGroup { group: args.name()? }),
    ),
    method(
        "supervisor.removeProcessGroup",
        "Make a group inactive. All its processes must have ended.",
        &[GROUP],
        Boolean,
        TRUE,
        |mut args| call(Call::RemoveProcessGroup { group: args.name()? }),
    ),
    method(
        "supervisor.getProcessInfo",
        "Describe a process.",
        &[PROCESS],
        Struct,
        ("info", "what is known about the process"),
        |mut args| read(Read::ProcessInfo { name: args.name()? }),
    ),
    method(
        "supervisor.getAllProcessInfo",
        "Describe all processes of the active groups, sorted by group and name.",
        &[],
        Array,
        ("infos", "for each process what getProcessInfo answers"),
        |_| read(Read::AllProcessInfo),
    ),
    method(
        "supervisor.getAllConfigInfo",
        "Describe all processes of the configuration as it was last read, active or not.",
        &[],
        Array,
        ("infos", "for each process a struct with its options"),
        |_| read(Read::AllConfigInfo),
    ),
    method(
        "supervisor.getConfigWarnings",
        "Return the warnings about the configuration as it was last read: settings without effect and likely mistakes.",
        &[],
        Array,
        ("warnings", "a sentence for each, with its place in the file"),
        |_| read(Read::ConfigWarnings),
    ),
    method("supervisor.startProcess", "Start a process.", &[PROCESSES, START_WAIT], Boolean, TRUE, |mut args| {
        call(Call::StartProcess { name: args.name()?, wait: args.wait() })
    }),
    method(
        "supervisor.startProcessGroup",
        "Start all processes of a group that are not running.",
        &[GROUP, START_WAIT],
        Array,
        STATUSES,
        |mut args| call(Call::StartProcessGroup { group: args.name()?, wait: args.wait() }),
    ),
    method(
        "supervisor.startAllProcesses",
        "Start all processes that are not running.",
        &[START_WAIT],
        Array,
        STATUSES,
        |mut args| call(Call::StartAllProcesses { wait: args.wait() }),
    ),
    method("supervisor.stopProcess", "Stop a process.", &[PROCESSES, STOP_WAIT], Boolean, TRUE, |mut args| {
        call(Call::StopProcess { name: args.name()?, wait: args.wait() })
    }),
    method(
        "supervisor.stopProcessWithDependents",
        "Stop a process or a group, after all that depend on it.",
        &[PROCESSES, STOP_WAIT],
        Array,
        STATUSES,
        |mut args| call(Call::StopWithDependents { name: args.name()?, wait: args.wait() }),
    ),
    method(
        "supervisor.disableProcess",
        "Stop a process or those of a group, and start them no more until somebody enables them, not even after a reboot.",
        &[PROCESSES, STOP_WAIT],
        Array,
        STATUSES,
        |mut args| call(Call::DisableProcess { name: args.name()?, wait: args.wait() }),
    ),
    method(
        "supervisor.enableProcess",
        "Let a process or those of a group be started again, without starting them. The group may be one that was removed.",
        &[PROCESSES],
        Array,
        STATUSES,
        |mut args| call(Call::EnableProcess { name: args.name()? }),
    ),
    method(
        "supervisor.getDisabledProcesses",
        "Tell which processes are disabled, those among them that no active group has.",
        &[],
        Array,
        (
            "infos",
            "for each a struct with name, group, who has disabled it (by), when (at), and whether a group has it (active)",
        ),
        |_| read(Read::DisabledProcesses),
    ),
    method(
        "supervisor.scaleProgram",
        "Give a program another number of processes. Only the difference starts or stops, and what else has changed in the \
         configuration is left alone.",
        &[PROGRAM, NUMPROCS, PERSIST],
        Array,
        ("steps", "one struct with name, group and action (add, start, stop or remove) for each process concerned"),
        |mut args| Ok(MethodRequest::Scale { program: args.name()?, wanted: args.count()?, persists: args.flag() }),
    ),
    method(
        "supervisor.reloadProcess",
        "Have a process, or those of a group that run, read their configurations again.",
        &[PROCESSES],
        Array,
        STATUSES,
        |mut args| call(Call::ReloadProcess { name: args.name()? }),
    ),
    method(
        "supervisor.stopProcessGroup",
        "Stop all running processes of a group.",
        &[GROUP, STOP_WAIT],
        Array,
        STATUSES,
        |mut args| call(Call::StopProcessGroup { group: args.name()?, wait: args.wait() }),
    ),
    method("supervisor.stopAllProcesses", "Stop all running processes.", &[STOP_WAIT], Array, STATUSES, |mut args| {
        call(Call::StopAllProcesses { wait: args.wait() })
    }),
    method(
        "supervisor.signalProcess",
        "Send a signal to a process.",
        &[PROCESSES, SIGNAL],
        Boolean,
        TRUE,
        |mut args| call(Call::SignalProcess { name: args.name()?, signal: args.signal()? }),
    ),
    method(
        "supervisor.signalProcessGroup",
        "Send a signal to all processes of a group.",
        &[GROUP, SIGNAL],
        Array,
        STATUSES,
        |mut args| call(Call::SignalProcessGroup { group: args.name()?, signal: args.signal()? }),
    ),
    method(
        "supervisor.signalAllProcesses",
        "Send a signal to all processes.",
        &[SIGNAL],
        Array,
        STATUSES,
        |mut args| call(Call::SignalAllProcesses { signal: args.signal()? }),
    ),
    method(
        "supervisor.sendProcessStdin",
        "Write text to the stdin of a process.",
        &[PROCESS, param("chars", String, "the text, which is written as UTF-8")],
        Boolean,
        TRUE,
        send_process_stdin,
    ),
    unguarded(method(
        "supervisor.sendRemoteCommEvent",
        "Tell event listeners something, as a REMOTE_COMMUNICATION event.",
        &[param("type", String, "what the event says after type:"), param("data", String, "the body of the event")],
        Boolean,
        TRUE,
        |mut args| call(Call::SendRemoteCommEvent { kind: args.printed(), data: args.printed() }),
    )),
    method("supervisor.readProcessStdoutLog", READ_ABOUT, &[PROCESS, OFFSET, LENGTH], String, TEXT, read_stdout),
    method(
        "supervisor.readProcessLog",
        "The old name of readProcessStdoutLog.",
        &[PROCESS, OFFSET, LENGTH],
        String,
        TEXT,
        read_stdout,
    ),
    method("supervisor.readProcessStderrLog", READ_ABOUT, &[PROCESS, OFFSET, LENGTH], String, TEXT, |args| {
        read_process_log(args, Stderr)
    }),
    method(
        "supervisor.tailProcessStdoutLog",
        TAIL_ABOUT,
        &[PROCESS, TAIL_OFFSET, TAIL_LENGTH],
        Array,
        TAIL,
        tail_stdout,
    ),
    method(
        "supervisor.tailProcessLog",
        "The old name of tailProcessStdoutLog.",
        &[PROCESS, TAIL_OFFSET, TAIL_LENGTH],
        Array,
        TAIL,
        tail_stdout,
    ),
    method("supervisor.tailProcessStderrLog", TAIL_ABOUT, &[PROCESS, TAIL_OFFSET, TAIL_LENGTH], Array, TAIL, |args| {
        tail_process_log(args, Stderr)
    }),
    method("supervisor.clearProcessLogs", CLEAR_ABOUT, &[PROCESS], Boolean, TRUE, clear_process_logs),
    method(
        "supervisor.clearProcessLog",
        "The old name of clearProcessLogs.",
        &[PROCESS],
        Boolean,
        TRUE,
        clear_process_logs,
    ),
    method("supervisor.clearAllProcessLogs", "Empty the logs of all processes.", &[], Array, STATUSES, |_| {
        call(Call::ClearAllProcessLogs)
    }),
    introspection(
        "system.listMethods",
        "Tell the names of all methods.",
        &[],
        Array,
        ("names", "the names, sorted"),
        |_| system(SystemMethod::ListMethods),
    ),
    introspection(
        "system.methodHelp",
        "Explain a method.",
        &[METHOD],
        String,
        ("text", "a text with a line for each parameter and one for the result"),
        |mut args| system(SystemMethod::MethodHelp { method: args.any() }),
    ),
    introspection(
        "system.methodSignature",
        "Tell the types a method takes and answers.",
        &[METHOD],
        Array,
        ("types", "the type of the result, then the types of the parameters"),
        |mut args| system(SystemMethod::MethodSignature { method: args.any() }),
    ),
    introspection(
        "system.multicall",
        "Call several methods, one after the other.",
        &[param("calls", Array, "structs with the name of a method as methodName and an array of arguments as params")],
        Array,
        ("results", "for each call its bare result, or a struct with faultCode and faultString"),
        multicall,
    ),
];

fn read_log(mut args: Arguments) -> Result<MethodRequest, Fault> {
    read(Read::Log { offset: args.int()?, length: args.int()? })
}

fn read_stdout(args: Arguments) -> Result<MethodRequest, Fault> {
    read_process_log(args, Stdout)
}

fn read_process_log(mut args: Arguments, channel: Channel) -> Result<MethodRequest, Fault> {
    read(Read::ProcessLog { channel, name: args.name()?, offset: args.int()?, length: args.int()? })
}

fn tail_stdout(args: Arguments) -> Result<MethodRequest, Fault> {
    tail_process_log(args, Stdout)
}

fn tail_process_log(mut args: Arguments, channel: Channel) -> Result<MethodRequest, Fault> {
    read(Read::ProcessLogTail { channel, name: args.name()?, offset: args.int()?, length: args.int()? })
}

fn clear_process_logs(mut args: Arguments) -> Result<MethodRequest, Fault> {
    call(Call::ClearProcessLogs { name: args.name()? })
}

/// The text is looked at before the name, as clients of the original see from its faults.
fn send_process_stdin(mut args: Arguments) -> Result<MethodRequest, Fault> {
    let name = args.any();
    let chars = args.chars()?;
    match name {
        Value::Str(name) => call(Call::SendProcessStdin { name, chars }),
        _ => Err(Fault::new(FaultCode::IncorrectParameters)),
    }
}

/// Entries that are no structs spoil the whole call; everything else about them is said in their own results.
fn multicall(mut args: Arguments) -> Result<MethodRequest, Fault> {
    match args.any() {
        Value::Array(entries) if entries.iter().all(|entry| matches!(entry, Value::Struct(_))) => {
            Ok(MethodRequest::Multicall { entries })
        }
        _ => Err(Fault::new(FaultCode::IncorrectParameters)),
    }
}
