"""The objects of supervisorctl that its plug-ins use."""

import sys
import threading
import xmlrpc.client

from supervisor.options import ClientOptions
from supervisor.xmlrpc import Faults, SupervisorTransport


class LSBInitExitStatuses:
    SUCCESS = 0
    GENERIC = 1
    INVALID_ARGS = 2
    UNIMPLEMENTED_FEATURE = 3
    INSUFFICIENT_PRIVILEGES = 4
    NOT_INSTALLED = 5
    NOT_RUNNING = 7


class LSBStatusExitStatuses:
    NOT_RUNNING = 3
    UNKNOWN = 4


BUILT_IN = (
    "EOF add avail clear exit fg help maintail open pid quit reload remove reread restart shutdown signal start status "
    "stop tail update version"
).split()

DEAD_PROGRAM_FAULTS = (Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION, Faults.NOT_RUNNING)


class ControllerPluginBase:
    """The base of plug-ins: every method `do_x` is an action, `help_x` prints its help."""

    name = "unnamed"

    def __init__(self, controller):
        self.ctl = controller

    def do_help(self, arg):
        """Never called, because the built-in help comes first."""


class DefaultControllerPlugin(ControllerPluginBase):
    """The built-in actions: `do_x(arg)` runs the built-in action x."""

    name = "default"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return lambda arg="": self.ctl.onecmd(("%s %s" % (name[3:], arg)).strip())
        raise AttributeError(name)


class Controller:
    """The running supervisorctl."""

    def __init__(self, channel):
        self._channel = channel
        self._turn = threading.RLock()
        self.options = ClientOptions()
        self.exitstatus = LSBInitExitStatuses.SUCCESS
        self.stdout = sys.stdout
        self.vocab = []
        self.nohelp = "*** No help on %s"
        self.prompt = "supervisor> "

    def adopt(self, settings):
        """Adopts the current settings of supervisorctl."""
        for name in ("serverurl", "username", "password", "interactive", "prompt"):
            setattr(self.options, name, settings[name])
        self.prompt = settings["prompt"] + "> "

    def output(self, message):
        """Prints a line."""
        text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
        with self._turn:
            self.stdout.write(text + "\n")
            self.stdout.flush()

    def get_server_proxy(self, namespace=None):
        """A proxy of a namespace of the daemon, or of the daemon."""
        options = self.options
        transport = SupervisorTransport(options.username, options.password, options.serverurl)
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport)
        return proxy if namespace is None else getattr(proxy, namespace)

    def get_supervisor(self):
        """A proxy of the namespace `supervisor`."""
        return self.get_server_proxy("supervisor")

    def onecmd(self, line):
        """Runs an action; True if it leaves the shell. Any thread may call it; calls are serialized."""
        name, _, argument = line.strip().partition(" ")
        with self._turn:
            self.stdout.flush()
            for plugin in self.options.plugins[1:]:
                if name not in BUILT_IN and hasattr(plugin, "do_" + name):
                    return getattr(plugin, "do_" + name)(argument.strip())
            answer = self._channel.ask("perform", line=line)
            if answer["status"]:
                self.exitstatus = answer["status"]
            return answer["yes"]

    def upcheck(self):
        """Whether the daemon can be reached; prints the error if not."""
        with self._turn:
            self.stdout.flush()
            answer = self._channel.ask("upcheck")
            if not answer["yes"]:
                self.exitstatus = answer["status"]
            return answer["yes"]

    def set_exitstatus_from_xmlrpc_fault(self, faultcode, ignored_faultcode=None):
        """Sets the exit status for a fault of the daemon."""
        if faultcode in (ignored_faultcode, Faults.SUCCESS):
            return
        if faultcode in DEAD_PROGRAM_FAULTS:
            self.exitstatus = LSBInitExitStatuses.NOT_RUNNING
        else:
            self.exitstatus = LSBInitExitStatuses.GENERIC

    def print_topics(self, header, cmds, cmdlen, maxcol):
        """Prints a block of names."""
        if cmds:
            self.output("%s\n%s\n%s\n" % (header, "=" * len(header), "  ".join(cmds)))

    def emptyline(self):
        """Does nothing."""
