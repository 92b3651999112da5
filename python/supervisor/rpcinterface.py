"""The base class of RPC interfaces: each method of the daemon, called from a plug-in."""

import functools

from supervisor import mirror
from supervisor.http import NOT_DONE_YET
from supervisor.options import make_namespec, split_namespec
from supervisor.states import RUNNING_STATES, SIGNALLABLE_STATES, STOPPED_STATES, SupervisorStates
from supervisor.xmlrpc import Faults, RPCError

API_VERSION = "3.0"


def _deferred(interface, method, *params):
    """A function that returns the result of a call once it is available."""
    pending = mirror.begin_rpc("supervisor." + method, *params)

    def poll():
        return mirror.finish_rpc(pending) if pending.is_here() else NOT_DONE_YET

    poll.delay = 0.05
    poll.rpcinterface = interface
    return poll


def _direct(name):
    def method(self, *args):
        return mirror.rpc("supervisor." + name, *args)

    method.__name__ = name
    method.__doc__ = "The method %s of the daemon." % name
    return method


def _waiting(name, always):
    def method(self, *args, **kwargs):
        wait = kwargs.pop("wait", args[-1] if args and isinstance(args[-1], bool) else True)
        params = [arg for arg in args if not isinstance(arg, bool)] + list(kwargs.values())
        if wait or always:
            return _deferred(self, name, *(params + [wait]))
        return mirror.rpc("supervisor." + name, *(params + [False]))

    method.__name__ = name
    method.__doc__ = "The method %s of the daemon; a deferred answer where it takes time." % name
    return method


class SupervisorNamespaceRPCInterface:
    """Calls the methods of the namespace `supervisor`. A call that takes long returns a function to be polled."""

    def __init__(self, supervisord):
        self.supervisord = supervisord
        self.update_text = ""

    def _update(self, text):
        self.update_text = text
        if self.supervisord.get_state() < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)

    def _getAllProcesses(self, lexical=False):
        pairs = [
            (group, process)
            for group in self.supervisord.process_groups.values()
            for process in group.processes.values()
        ]
        key = lambda pair: (pair[0].config.name, pair[1].config.name)
        return sorted(pairs, key=key) if lexical else sorted(pairs, key=lambda pair: pair[1].config.priority)

    def _getGroupAndProcess(self, name):
        group_name, process_name = split_namespec(name)
        group = self.supervisord.process_groups.get(group_name)
        if group is None:
            raise RPCError(Faults.BAD_NAME, name)
        if process_name is None:
            return group, None
        process = group.processes.get(process_name)
        if process is None:
            raise RPCError(Faults.BAD_NAME, name)
        return group, process

    def _interpretProcessInfo(self, info):
        return info["description"]


for _name in (
    "getAPIVersion getVersion getSupervisorVersion getIdentification getState getPID readLog readMainLog clearLog "
    "shutdown restart reloadConfig addProcessGroup removeProcessGroup getAllConfigInfo getProcessInfo "
    "getAllProcessInfo readProcessLog readProcessStdoutLog readProcessStderrLog tailProcessLog tailProcessStdoutLog "
    "tailProcessStderrLog clearProcessLog clearProcessLogs clearAllProcessLogs sendProcessStdin sendRemoteCommEvent "
    "signalProcess signalProcessGroup signalAllProcesses"
).split():
    setattr(SupervisorNamespaceRPCInterface, _name, _direct(_name))
for _name in ("startProcess", "stopProcess"):
    setattr(SupervisorNamespaceRPCInterface, _name, _waiting(_name, False))
for _name in ("startProcessGroup", "startAllProcesses", "stopProcessGroup", "stopAllProcesses"):
    setattr(SupervisorNamespaceRPCInterface, _name, _waiting(_name, True))


def make_main_rpcinterface(supervisord):
    """An object with the methods of the namespace `supervisor`."""
    return SupervisorNamespaceRPCInterface(supervisord)


def isRunning(process):
    """Whether a process runs or is about to."""
    return process.get_state() in RUNNING_STATES


def isNotRunning(process):
    """Whether a process does not run and is not about to."""
    return not isRunning(process)


def isSignallable(process):
    """Whether a process can be sent a signal."""
    return process.get_state() in SIGNALLABLE_STATES


def isStopped(process):
    """Whether a process is stopped."""
    return process.get_state() in STOPPED_STATES


def make_allfunc(processes, predicate, func, **extra_kwargs):
    """A deferred function that calls `func(name, **extra_kwargs)` for all (group, process) pairs whose process
    satisfies the predicate, and returns a status struct for each."""
    waiting = [
        (group, process, functools.partial(func, make_namespec(group.config.name, process.config.name), **extra_kwargs))
        for group, process in processes
        if predicate(process)
    ]
    results = []

    def status(group, process, code, text):
        results.append(
            {"name": process.config.name, "group": group.config.name, "status": code, "description": text}
        )

    def allfunc():
        for entry in list(waiting):
            group, process, step = entry
            try:
                value = step()
            except RPCError as error:
                status(group, process, error.code, error.text)
                waiting.remove(entry)
                continue
            if callable(value) and value is not NOT_DONE_YET:
                waiting[waiting.index(entry)] = (group, process, value)
            elif value is not NOT_DONE_YET:
                status(group, process, Faults.SUCCESS, "OK")
                waiting.remove(entry)
        return NOT_DONE_YET if waiting else results

    allfunc.delay = 0.05
    return allfunc
