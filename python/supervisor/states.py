"""States of processes, of the daemon and of event listeners: their numbers and names."""


class ProcessStates:
    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200
    UNKNOWN = 1000


class SupervisorStates:
    FATAL = 2
    RUNNING = 1
    RESTARTING = 0
    SHUTDOWN = -1


class EventListenerStates:
    READY = 10
    BUSY = 20
    ACKNOWLEDGED = 30
    UNKNOWN = 40


STOPPED_STATES = (ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.FATAL, ProcessStates.UNKNOWN)
RUNNING_STATES = (ProcessStates.RUNNING, ProcessStates.BACKOFF, ProcessStates.STARTING)
SIGNALLABLE_STATES = (ProcessStates.RUNNING, ProcessStates.STARTING, ProcessStates.STOPPING)


def _names(states):
    return {number: name for name, number in vars(states).items() if not name.startswith("_")}


_PROCESS_NAMES = _names(ProcessStates)
_SUPERVISOR_NAMES = _names(SupervisorStates)
_LISTENER_NAMES = _names(EventListenerStates)


def getProcessStateDescription(code):
    """The name of a process state, None for an unknown number."""
    return _PROCESS_NAMES.get(code)


def getSupervisorStateDescription(code):
    """The name of a state of the daemon, None for an unknown number."""
    return _SUPERVISOR_NAMES.get(code)


def getEventListenerStateDescription(code):
    """The name of a state of an event listener, None for an unknown number."""
    return _LISTENER_NAMES.get(code)
