"""The objects of the original that plug-ins expect, as proxies for the state of the daemon.

Reading an attribute asks the daemon, unless the state was read less than `FRESH` seconds ago. Setting an attribute
calls the daemon where it has an operation for it; any other change stays in the plug-in process, or raises an error.
"""

import os

import time
import xmlrpc.client

from supervisor import loggers
from supervisor.datatypes import auto_restart
from supervisor.options import ServerOptions, make_namespec
from supervisor.states import SupervisorStates, getProcessStateDescription
from supervisor.xmlrpc import Faults, RPCError

_channel = None
_state = None
_read_at = 0.0

# How long the state is cached, in seconds; a plug-in method that runs longer sees later changes.
FRESH = 0.1


class OutOfProcess(NotImplementedError):
    """An operation that only code inside the daemon could perform."""


def connect(channel):
    """Sets the channel to the daemon."""
    global _channel
    _channel = channel


def warn(text):
    """Writes a line to the activity log, if a daemon is connected."""
    if _channel is not None:
        Logger().warn(text)


def forget():
    """Drops the cached state."""
    global _state
    _state = None


def state():
    """The present state of the daemon, as it describes itself."""
    global _state, _read_at
    if _state is None or time.monotonic() - _read_at > FRESH:
        message = _channel.ask("snapshot")
        if message["op"] == "refused":
            raise ValueError(message["text"])
        _state = message["state"]
        _read_at = time.monotonic()
    return _state


def begin_rpc(method, *params):
    """Begins an XML-RPC call; `finish_rpc` takes what it returns."""
    document = xmlrpc.client.dumps(params, method, allow_none=True)
    return _channel.begin("rpc", xml=document)


def finish_rpc(pending):
    """The result of a call; RPCError for a fault."""
    message = pending.get()
    forget()
    try:
        return xmlrpc.client.loads(message["xml"])[0][0]
    except xmlrpc.client.Fault as fault:
        raise _error(fault)


def rpc(method, *params):
    """Calls a method of the daemon."""
    return finish_rpc(begin_rpc(method, *params))


def _error(fault):
    error = RPCError(fault.faultCode)
    # The text of the daemon says more than the name of the number.
    error.text = fault.faultString
    error.args = (fault.faultString,)
    return error


def _edit(op, **fields):
    message = _channel.ask(op, **fields)
    forget()
    if message["op"] == "refused":
        raise ValueError(message["text"])
    if "xml" in message:
        try:
            return xmlrpc.client.loads(message["xml"])[0][0]
        except xmlrpc.client.Fault as fault:
            raise _error(fault)
    return message


class Logger(loggers.Logger):
    """The activity log of the daemon."""

    def __init__(self):
        loggers.Logger.__init__(self, loggers.LevelsByName.BLAT)

    def log(self, level, msg, **kw):
        _channel.send("log", level=level, text=msg % kw if kw else msg)


class Options(ServerOptions):
    """The options of the daemon."""

    def __init__(self):
        self.logger = Logger()
        self.httpservers = []
        self.environ_expansions = {"ENV_" + name: value for name, value in os.environ.items()}

    @property
    def mood(self):
        return state()["mood"]

    @mood.setter
    def mood(self, mood):
        if mood == SupervisorStates.SHUTDOWN:
            rpc("supervisor.shutdown")
        elif mood == SupervisorStates.RESTARTING:
            rpc("supervisor.restart")
        elif mood != SupervisorStates.RUNNING:
            raise ValueError("no such mood: %r" % (mood,))

    identifier = property(lambda self: state()["identifier"])
    server_configs = property(lambda self: state()["server_configs"])
    configfile = property(lambda self: state()["configfile"])
    here = property(lambda self: state()["here"])
    nodaemon = property(lambda self: state()["nodaemon"])
    silent = property(lambda self: state()["silent"])
    loglevel = property(lambda self: state()["loglevel"])
    logfile = property(lambda self: state()["logfile"])
    pidfile = property(lambda self: state()["pidfile"])

    @property
    def process_group_configs(self):
        return [GroupConfig(group["name"], group["priority"], group["processes"]) for group in state()["configured"]]

    def get_pid(self):
        """The process id of the daemon."""
        return state()["pid"]

    def kill(self, pid, sig):
        """Signals a supervised process; a negative pid stands for its process group."""
        for group in state()["groups"]:
            for process in group["processes"]:
                if process["pid"] and process["pid"] == abs(pid):
                    if pid < 0:
                        return os.killpg(-pid, sig)
                    return rpc("supervisor.signalProcess", "%s:%s" % (group["name"], process["name"]), str(int(sig)))
        raise ProcessLookupError(3, "no process of this daemon has the pid %s" % pid)

    def process_config(self, do_usage=True):
        """Reads the configuration again, as `reread` does."""
        try:
            rpc("supervisor.reloadConfig")
        except RPCError as error:
            raise ValueError(error.text)

    def processes_from_section(self, parser, section, group_name, klass=None):
        """The processes that a section of the parser would define in a group; ValueError where it defines none."""
        options = {name: str(value) for name, value in parser.items(section)}
        defined = _edit("define", group=group_name, section=section, options=options)["processes"]
        origin = {"group": group_name, "section": section, "options": options}
        return [ProcessConfig(config, origin) for config in defined]

    def close_httpservers(self):
        """Raises OutOfProcess."""
        raise OutOfProcess("the HTTP servers belong to the daemon; a plug-in cannot close them")


class ProcessConfig:
    """The definition of a process. Changing an attribute does not change the daemon."""

    def __init__(self, config, origin=None):
        self.__dict__.update(config)
        if "autorestart" in config:
            self.autorestart = auto_restart(config["autorestart"])
        self.options = None
        self._origin = origin

    def create_autochildlogs(self):
        """Does nothing: the daemon chooses the names when it adds the process."""

    def make_process(self, group=None):
        """Returns the process, for `group.processes`."""
        if self._origin is None:
            raise OutOfProcess("only processes of processes_from_section can be made; use addProcessGroup")
        return NewProcess(self, group)


class NewProcess:
    """A process that is not in a group yet."""

    pid = 0
    state = 0

    def __init__(self, config, group):
        self.config = config
        self.group = group


class GroupConfig:
    """The definition of a group. Changing an attribute does not change the daemon."""

    def __init__(self, name, priority, processes):
        self.name = name
        self.priority = priority
        self.process_configs = [ProcessConfig(process) for process in processes]


class Process:
    """A process of an active group."""

    _mirrored = ("pid", "state", "laststart", "laststop", "spawnerr", "exitstatus", "delay", "backoff", "killing")

    def __init__(self, group, name):
        self.__dict__["group"] = group
        self.__dict__["_name"] = name

    def _row(self):
        return self.group._row_of(self._name)

    @property
    def config(self):
        row = self._row()
        return ProcessConfig(row["config"] if row else {"name": self._name})

    def __getattr__(self, name):
        if name in Process._mirrored:
            row = self._row()
            return (row or _GONE).get(name, 0)
        raise AttributeError(name)

    def __setattr__(self, name, value):
        if name in Process._mirrored:
            raise OutOfProcess("%s of a process belongs to the daemon; use the methods of the RPC interface" % name)
        self.__dict__[name] = value

    def __lt__(self, other):
        return (self.config.priority, self._name) < (other.config.priority, other._name)

    def get_state(self):
        """Returns the number of the state of the process."""
        return self.state

    def signal(self, sig):
        """Sends a signal to the process."""
        rpc("supervisor.signalProcess", self._full_name(), str(int(sig)))

    def kill(self, sig):
        """Sends a signal to the process."""
        self.signal(sig)

    def stop(self):
        """Stops the process, without waiting."""
        rpc("supervisor.stopProcess", self._full_name(), False)

    def spawn(self):
        """Starts the process, without waiting."""
        rpc("supervisor.startProcess", self._full_name(), False)

    def transition(self):
        """Does nothing: the daemon does this itself."""

    def give_up(self):
        """Raises OutOfProcess."""
        raise OutOfProcess("the state of a process belongs to the daemon; it cannot be forced")

    def _full_name(self):
        return "%s:%s" % (self.group._name, self._name)

    def __repr__(self):
        name = make_namespec(self.group._name, self._name)
        return "<Process %s in state %s>" % (name, getProcessStateDescription(self.state))


_GONE = {"pid": 0, "state": 0, "laststart": 0, "laststop": 0, "spawnerr": None, "exitstatus": None}


class Group:
    """An active group."""

    def __init__(self, name):
        self._name = name
        self._known = {}
        self.processes = Processes(self)

    def _description(self):
        return next((group for group in state()["groups"] if group["name"] == self._name), None)

    def _rows(self):
        group = self._description()
        return {process["name"]: process for process in group["processes"]} if group else {}

    def _row_of(self, name):
        return self._rows().get(name)

    def _process(self, name):
        return self._known.setdefault(name, Process(self, name))

    @property
    def config(self):
        group = self._description() or {"priority": 999, "processes": []}
        return GroupConfig(self._name, group["priority"], [process["config"] for process in group["processes"]])

    def transition(self):
        """Does nothing: the daemon does this itself."""

    def stop_all(self):
        """Stops all processes of the group, without waiting."""
        rpc("supervisor.stopProcessGroup", self._name, False)

    def get_unstopped_processes(self):
        """Returns the processes of the group that are not stopped."""
        from supervisor.states import STOPPED_STATES

        return [process for process in self.processes.values() if process.state not in STOPPED_STATES]

    def __lt__(self, other):
        return self.config.priority < other.config.priority

    def __repr__(self):
        return "<Group %s>" % self._name


class _Mapping(dict):
    """A dictionary whose items are read from the daemon at each access."""

    def _names(self):
        raise NotImplementedError

    def _object(self, name):
        raise NotImplementedError

    def __getitem__(self, name):
        if name not in self._names():
            raise KeyError(name)
        return self._object(name)

    def get(self, name, default=None):
        return self._object(name) if name in self._names() else default

    def __contains__(self, name):
        return name in self._names()

    def __iter__(self):
        return iter(self._names())

    def __len__(self):
        return len(self._names())

    def __bool__(self):
        return bool(self._names())

    def keys(self):
        return self._names()

    def values(self):
        return [self._object(name) for name in self._names()]

    def items(self):
        return [(name, self._object(name)) for name in self._names()]

    def __repr__(self):
        return repr(dict(self.items()))


class Processes(_Mapping):
    """The processes of a group by name. Setting or deleting an item changes the group."""

    def __init__(self, group):
        dict.__init__(self)
        self._group = group

    def _names(self):
        return list(self._group._rows())

    def _object(self, name):
        return self._group._process(name)

    def __setitem__(self, name, process):
        if not isinstance(process, NewProcess):
            raise OutOfProcess("only processes that were just made can be added to a group")
        _edit("enlist", name=name, **process.config._origin)

    def __delitem__(self, name):
        _edit("discharge", group=self._group._name, name=name)
        self._group._known.pop(name, None)

    def pop(self, name):
        process = self[name]
        del self[name]
        return process


class Groups(_Mapping):
    """The active groups by name. Setting or deleting an item calls the RPC interface."""

    def __init__(self):
        dict.__init__(self)
        self._known = {}

    def _names(self):
        return [group["name"] for group in state()["groups"]]

    def _object(self, name):
        return self._known.setdefault(name, Group(name))

    def __setitem__(self, name, group):
        rpc("supervisor.addProcessGroup", name)

    def __delitem__(self, name):
        rpc("supervisor.removeProcessGroup", name)
        self._known.pop(name, None)

    def pop(self, name):
        group = self[name]
        del self[name]
        return group


class Supervisord:
    """The daemon."""

    def __init__(self):
        self.options = Options()
        self.process_groups = Groups()
        self.stopping = False
        self.ticks = {}

    def get_state(self):
        """Returns the number of the state of the daemon."""
        return self.options.mood

    def find_process(self, group, name):
        """Returns a process, even one that does not exist any more."""
        return self.process_groups._object(group)._process(name)

    def diff_to_active(self):
        """Returns the group definitions that were added, changed and removed since the last update."""
        active, configured = ({group["name"]: group for group in state()[key]} for key in ("groups", "configured"))
        config = lambda group: GroupConfig(group["name"], group["priority"], _definitions(group))
        added = [config(group) for name, group in configured.items() if name not in active]
        removed = [config(group) for name, group in active.items() if name not in configured]
        changed = [
            config(group)
            for name, group in configured.items()
            if name in active
            and (_definitions(active[name]), active[name]["priority"]) != (group["processes"], group["priority"])
        ]
        return added, changed, removed

    def add_process_group(self, config):
        """Activates a configured group; returns False if it is active already."""
        return self._answers(Faults.ALREADY_ADDED, "supervisor.addProcessGroup", config.name)

    def remove_process_group(self, name):
        """Removes a group whose processes are stopped; returns False if they are not."""
        return self._answers(Faults.STILL_RUNNING, "supervisor.removeProcessGroup", name)

    def _answers(self, refusal, method, name):
        try:
            return rpc(method, name)
        except RPCError as error:
            if error.code == refusal:
                return False
            raise

    def get_process_map(self):
        """Returns the processes by pid."""
        processes = [process for group in self.process_groups.values() for process in group.processes.values()]
        return {process.pid: process for process in processes if process.pid}


def _definitions(group):
    return [process.get("config", process) for process in group["processes"]]
