"""Events: their classes, and subscriptions to the events of the daemon."""

from supervisor.childutils import get_headers
from supervisor.states import ProcessStates, getProcessStateDescription

callbacks = []
_listeners_changed = []


class Event:
    """Anything that happens."""

    _text = ""

    def payload(self):
        """The text that listeners get."""
        return self._text

    def __str__(self):
        return self.payload()


class ProcessLogEvent(Event):
    """A process wrote something; `data` is bytes."""

    channel = None

    def __init__(self, process, pid, data):
        self.process, self.pid, self.data = process, pid, data

    def payload(self):
        if self._text:
            return self._text
        group = self.process.group.config.name if self.process.group else ""
        names = (self.process.config.name, group, self.pid, self.channel, self.data.decode("utf-8", "replace"))
        return "processname:%s groupname:%s pid:%s channel:%s\n%s" % names


class ProcessLogStdoutEvent(ProcessLogEvent):
    channel = "stdout"


class ProcessLogStderrEvent(ProcessLogEvent):
    channel = "stderr"


class ProcessCommunicationEvent(ProcessLogEvent):
    """A process wrote a section between the tokens; `data` is bytes."""


class ProcessCommunicationStdoutEvent(ProcessCommunicationEvent):
    channel = "stdout"


class ProcessCommunicationStderrEvent(ProcessCommunicationEvent):
    channel = "stderr"


class RemoteCommunicationEvent(Event):
    """A client sent something."""

    def __init__(self, type, data):
        self.type, self.data = type, data

    def payload(self):
        return "type:%s\n%s" % (self.type, self.data)


class SupervisorStateChangeEvent(Event):
    """The daemon has begun, or is ending."""


class SupervisorRunningEvent(SupervisorStateChangeEvent):
    pass


class SupervisorStoppingEvent(SupervisorStateChangeEvent):
    pass


class EventRejectedEvent:
    """Internal to the original; never delivered here."""

    def __init__(self, process, event):
        self.process, self.event = process, event


class ProcessStateEvent(Event):
    """A process is in another state."""

    def __init__(self, process, from_state, expected=True):
        self.process, self.from_state, self.expected = process, from_state, expected
        self.extra_values = self.get_extra_values()

    def get_extra_values(self):
        """Further words of the payload, as pairs."""
        return []

    def payload(self):
        if self._text:
            return self._text
        group = self.process.group.config.name if self.process.group else ""
        words = [("processname", self.process.config.name), ("groupname", group)]
        words.append(("from_state", getProcessStateDescription(self.from_state)))
        return " ".join("%s:%s" % word for word in words + list(self.extra_values))


class ProcessStateFatalEvent(ProcessStateEvent):
    pass


class ProcessStateUnknownEvent(ProcessStateEvent):
    pass


class ProcessStateStartingOrBackoffEvent(ProcessStateEvent):
    pass


class ProcessStateBackoffEvent(ProcessStateStartingOrBackoffEvent):
    pass


class ProcessStateStartingEvent(ProcessStateStartingOrBackoffEvent):
    pass


class ProcessStateExitedEvent(ProcessStateEvent):
    pass


class ProcessStateRunningEvent(ProcessStateEvent):
    pass


class ProcessStateStoppingEvent(ProcessStateEvent):
    pass


class ProcessStateStoppedEvent(ProcessStateEvent):
    pass


class ProcessGroupEvent(Event):
    """A group has come or gone; `group` is its name."""

    def __init__(self, group):
        self.group = group

    def payload(self):
        return "groupname:%s\n" % self.group


class ProcessGroupAddedEvent(ProcessGroupEvent):
    pass


class ProcessGroupRemovedEvent(ProcessGroupEvent):
    pass


class TickEvent(Event):
    """Time passes; `when` is in seconds since the epoch."""

    period = None

    def __init__(self, when, supervisord):
        self.when, self.supervisord = when, supervisord

    def payload(self):
        return "when:%s" % self.when


class Tick5Event(TickEvent):
    period = 5


class Tick60Event(TickEvent):
    period = 60


class Tick3600Event(TickEvent):
    period = 3600


TICK_EVENTS = [Tick5Event, Tick60Event, Tick3600Event]


class EventTypes:
    """The names of events."""

    EVENT = Event
    PROCESS_STATE = ProcessStateEvent
    PROCESS_STATE_STOPPED = ProcessStateStoppedEvent
    PROCESS_STATE_EXITED = ProcessStateExitedEvent
    PROCESS_STATE_STARTING = ProcessStateStartingEvent
    PROCESS_STATE_STOPPING = ProcessStateStoppingEvent
    PROCESS_STATE_BACKOFF = ProcessStateBackoffEvent
    PROCESS_STATE_FATAL = ProcessStateFatalEvent
    PROCESS_STATE_RUNNING = ProcessStateRunningEvent
    PROCESS_STATE_UNKNOWN = ProcessStateUnknownEvent
    PROCESS_COMMUNICATION = ProcessCommunicationEvent
    PROCESS_COMMUNICATION_STDOUT = ProcessCommunicationStdoutEvent
    PROCESS_COMMUNICATION_STDERR = ProcessCommunicationStderrEvent
    PROCESS_LOG = ProcessLogEvent
    PROCESS_LOG_STDOUT = ProcessLogStdoutEvent
    PROCESS_LOG_STDERR = ProcessLogStderrEvent
    REMOTE_COMMUNICATION = RemoteCommunicationEvent
    SUPERVISOR_STATE_CHANGE = SupervisorStateChangeEvent
    SUPERVISOR_STATE_CHANGE_RUNNING = SupervisorRunningEvent
    SUPERVISOR_STATE_CHANGE_STOPPING = SupervisorStoppingEvent
    TICK = TickEvent
    TICK_5 = Tick5Event
    TICK_60 = Tick60Event
    TICK_3600 = Tick3600Event
    PROCESS_GROUP = ProcessGroupEvent
    PROCESS_GROUP_ADDED = ProcessGroupAddedEvent
    PROCESS_GROUP_REMOVED = ProcessGroupRemovedEvent


_OWN_NAMES = [name for name in vars(EventTypes) if not name.startswith("_")]


def getEventNameByType(requested):
    """The name of an event class, None where it has none."""
    return next((name for name, known in vars(EventTypes).items() if known is requested), None)


def register(name, event):
    """Names a class of events of one's own. It is known within the plug-in process; listeners cannot subscribe to it, and
    the activity log says so."""
    from supervisor import mirror

    setattr(EventTypes, name, event)
    mirror.warn("the event type %s of a plug-in is known to plug-ins only, event listeners do not get it" % name)


def subscribe(type, callback):
    """Has `callback(event)` called for every event of a class or of one derived from it."""
    callbacks.append((type, callback))
    _tell()


def unsubscribe(type, callback):
    """Takes back one subscription."""
    if (type, callback) in callbacks:
        callbacks.remove((type, callback))
        _tell()


def clear():
    """Takes back all subscriptions."""
    del callbacks[:]
    _tell()


def notify(event):
    """Passes an event to the subscribers within the plug-in process; a RemoteCommunicationEvent goes to the daemon,
    which passes it to all plug-ins and listeners."""
    if isinstance(event, RemoteCommunicationEvent):
        from supervisor import mirror

        mirror.rpc("supervisor.sendRemoteCommEvent", event.type, event.data)
    else:
        deliver(event)


def deliver(event):
    """Calls the subscribers of an event, in the order of subscription."""
    for type, callback in list(callbacks):
        if isinstance(event, type):
            callback(event)


def subscribed_names():
    """The names of the daemon's events with subscribers, without those that others of the list include."""
    wanted = {type for type, _ in callbacks}
    return [name for name in _OWN_NAMES if any(issubclass(getattr(EventTypes, name), type) for type in wanted)]


def _tell():
    for changed in _listeners_changed:
        changed(subscribed_names())


def make(name, payload, supervisord):
    """The event object for an event of the daemon."""
    cls = getattr(EventTypes, name)
    head, _, data = payload.partition("\n")
    words = get_headers(head) if issubclass(cls, (ProcessStateEvent, ProcessLogEvent)) else {}
    if issubclass(cls, ProcessStateEvent):
        process = supervisord.find_process(words["groupname"], words["processname"])
        from_state = getattr(ProcessStates, words["from_state"], ProcessStates.UNKNOWN)
        event = cls(process, from_state, words.get("expected", "1") == "1")
        known = ("processname", "groupname", "from_state")
        extra = [(key, int(value)) for key, value in words.items() if key not in known]
        event.extra_values = extra
        event.get_extra_values = lambda: extra
        event.pid = int(words.get("pid", 0))
    elif issubclass(cls, ProcessLogEvent):
        process = supervisord.find_process(words["groupname"], words["processname"])
        event = cls(process, int(words["pid"]), data.encode("utf-8", "surrogateescape"))
    elif issubclass(cls, RemoteCommunicationEvent):
        event = cls(head.partition(":")[2], data)
    elif issubclass(cls, ProcessGroupEvent):
        event = cls(head.partition(":")[2])
    elif issubclass(cls, TickEvent):
        event = cls(int(head.partition(":")[2]), supervisord)
    else:
        event = cls()
    event._text = payload
    return event
