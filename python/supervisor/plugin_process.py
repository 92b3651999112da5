"""The main loop of the plug-in process: runs plug-ins, one request at a time."""

import base64
import importlib
import queue
import re
import signal
import sys
import time
import traceback
import types
import xmlrpc.client

from supervisor import events, mirror
from supervisor.channel import Channel, ChannelClosed
from supervisor.dispatchers import RejectEvent
from supervisor.http import NOT_DONE_YET
from supervisor.loggers import LevelsByName
from supervisor.supervisorctl import Controller, DefaultControllerPlugin
from supervisor.xmlrpc import Faults, RPCError, signature

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# The shortest time between two polls of a deferred answer, in seconds.
_SHORTEST_DELAY = 0.01


def resolve(specification):
    """The object of `package.module:attribute`."""
    module, colon, attribute = specification.strip().partition(":")
    found = importlib.import_module(module)
    for name in attribute.split(".") if colon else ():
        found = getattr(found, name)
    return found


def reason(error):
    """An exception in one line."""
    return "%s: %s" % (type(error).__name__, " ".join(str(error).split()))


def _why_unresolved(error):
    """Why the object cannot be imported, in one line: without the class of the exception if that adds nothing."""
    if isinstance(error, (ImportError, AttributeError)):
        return " ".join(str(error).split())
    return reason(error)


def _offer_to_die_first():
    """Makes the OOM killer choose this process before the programs of the daemon."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
    except OSError:
        pass  # there is no such thing on this system


def main(sock, lines):
    """Serves requests until the other end closes the channel."""
    channel = Channel(sock, lines)
    mirror.connect(channel)
    _offer_to_die_first()
    channel.start()
    try:
        PluginProcess(channel).run()
    except ChannelClosed:
        pass


class PluginProcess:
    """Handles the requests of the program that started this process."""

    def __init__(self, channel):
        self._channel = channel
        self._interfaces = {}
        self._handlers = {}
        self._deferred = []
        self._supervisord = mirror.Supervisord()
        self._controller = None
        self._plugins = []
        self._known_subscriptions = []

    def run(self):
        """Handles requests in order, and polls deferred answers in between."""
        while True:
            try:
                message = self._channel.requests.get(timeout=self._patience())
            except queue.Empty:
                message = None
            mirror.forget()
            if message is not None:
                if message["op"] == "end":
                    return
                getattr(self, "_" + message["op"])(message)
            self._look_at_deferred()
            sys.stdout.flush()

    def _log(self, level, text):
        self._channel.send("log", level=level, text=text)

    # Resolving

    def _resolve(self, message):
        reasons = []
        for specification in message["specs"]:
            try:
                resolve(specification)
                reasons.append(None)
            except BaseException as error:
                reasons.append(_why_unresolved(error))
        self._channel.send("resolved", id=message["id"], reasons=reasons)

    # RPC interfaces

    def _serve(self, message):
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        events._listeners_changed.append(self._subscribe)
        loaded = []
        for interface in message["interfaces"]:
            name, error = interface["name"], None
            try:
                made = resolve(interface["factory"])(self._supervisord, **dict(interface["options"]))
                self._interfaces[name] = made
            except BaseException as failure:
                error = reason(failure)
                self._log(LevelsByName.WARN, traceback.format_exc())
            loaded.append({"name": name, "methods": self._listed(name), "error": error})
        self._channel.send("serving", id=message["id"], interfaces=loaded)

    def _subscribe(self, names):
        if names != self._known_subscriptions:
            self._known_subscriptions = names
            self._channel.send("subscribe", events=names)

    def _listed(self, name):
        """The methods that are listed: those of the object's own class, not the inherited ones."""
        interface = self._interfaces.get(name)
        listed = []
        for method in vars(type(interface)) if interface is not None else ():
            function = getattr(interface, method, None)
            if method.startswith("_") or not callable(function):
                continue
            listed.append({"name": method, "help": str(function.__doc__), "signature": signature(function)})
        return listed

    def _call(self, message):
        number = message["id"]
        try:
            params, path = xmlrpc.client.loads(message["xml"])
            result = self._method(path)(*params)
        except BaseException as error:
            return self._refuse(number, error)
        if isinstance(result, types.FunctionType):
            self._defer(number, result)
        else:
            self._answer(number, result)

    def _method(self, path):
        namespace, _, name = path.partition(".")
        method = getattr(self._interfaces.get(namespace), name, None) if not name.startswith("_") else None
        if not isinstance(method, types.MethodType):
            raise RPCError(Faults.UNKNOWN_METHOD)
        return method

    def _defer(self, number, function):
        delay = getattr(function, "delay", None)
        if not isinstance(delay, (int, float)):
            return self._refuse(number, ValueError("a deferred answer without a delay"))
        self._deferred.append([time.monotonic(), number, function])
        self._channel.send("deferred", id=number)

    def _patience(self):
        if not self._deferred:
            return None
        return max(0.0, min(due for due, _, _ in self._deferred) - time.monotonic())

    def _look_at_deferred(self):
        now = time.monotonic()
        for entry in [entry for entry in self._deferred if entry[0] <= now]:
            _, number, function = entry
            try:
                result = function()
            except BaseException as error:
                self._deferred.remove(entry)
                self._refuse(number, error)
                continue
            if result is NOT_DONE_YET:
                entry[0] = time.monotonic() + max(float(function.delay), _SHORTEST_DELAY)
            else:
                self._deferred.remove(entry)
                self._answer(number, result)

    def _answer(self, number, result):
        try:
            # A tuple of one item means that item, as in the original.
            single = result[0] if isinstance(result, tuple) and len(result) == 1 else result
            document = xmlrpc.client.dumps((single,), methodresponse=True, allow_none=True)
        except BaseException as error:
            return self._refuse(number, error)
        self._send_document(number, document)

    def _refuse(self, number, error):
        if isinstance(error, RPCError):
            fault = xmlrpc.client.Fault(error.code, error.text)
        elif isinstance(error, TypeError):
            self._log(LevelsByName.DEBG, traceback.format_exc())
            fault = xmlrpc.client.Fault(Faults.INCORRECT_PARAMETERS, "INCORRECT_PARAMETERS")
        else:
            self._log(LevelsByName.WARN, traceback.format_exc())
            fault = xmlrpc.client.Fault(Faults.FAILED, "FAILED: %s:%s" % (type(error), error))
        self._send_document(number, xmlrpc.client.dumps(fault, methodresponse=True))

    def _send_document(self, number, document):
        self._channel.send("answer", id=number, xml=_NOT_XML.sub("\ufffd", document))

    # Events

    def _event(self, message):
        try:
            events.deliver(events.make(message["name"], message["payload"], self._supervisord))
        except BaseException:
            self._log(LevelsByName.WARN, traceback.format_exc())

    def _judge(self, message):
        verdict, text = "accepted", ""
        try:
            handler = self._handlers.get(message["handler"])
            if handler is None:
                handler = self._handlers[message["handler"]] = resolve(message["handler"])
            event = events.make(message["event"], message["payload"], self._supervisord)
            handler(event, base64.b64decode(message["result"]))
        except RejectEvent:
            verdict = "rejected"
        except BaseException as error:
            verdict, text = "failed", reason(error)
            self._log(LevelsByName.WARN, traceback.format_exc())
        self._channel.send("judged", id=message["id"], verdict=verdict, text=text)

    # supervisorctl

    def _control(self, message):
        controller = self._controller = Controller(self._channel)
        controller.adopt(message["settings"])
        builtin = DefaultControllerPlugin(controller)
        controller.options.plugins.append(builtin)
        error = None
        for plugin in message["plugins"]:
            name = plugin["name"]
            try:
                factory = resolve(plugin["factory"])
            except (ImportError, AttributeError) as failure:
                where = (plugin["factory"], name, _why_unresolved(failure))
                error = "%s cannot be resolved within [ctlplugin:%s]: %s" % where
                break
            try:
                made = factory(controller, **dict(plugin["options"]))
            except BaseException as failure:
                sys.stderr.write(traceback.format_exc())
                error = "Could not make %s ctl plugin: %s" % (name, reason(failure))
                break
            made.name = name
            self._plugins.append(made)
            controller.options.plugins.append(made)
        described = [{"name": plugin.name, "actions": self._documented(plugin)} for plugin in self._plugins]
        self._channel.send("controlling", id=message["id"], plugins=described, error=error)

    def _documented(self, plugin):
        actions = []
        for name in sorted(dir(plugin)):
            if name.startswith("do_") and name != "do_help":
                documented = getattr(plugin, "help_" + name[3:], None) or getattr(plugin, name).__doc__
                actions.append({"name": name[3:], "documented": bool(documented)})
        return actions

    def _act(self, message):
        """Runs an action of the first plug-in that has it."""
        self._controller.adopt(message["settings"])
        self._controller.exitstatus = message["status"]
        name, argument = message["name"], message["argument"]
        plugin = next(plugin for plugin in self._plugins if hasattr(plugin, "do_" + name))
        leave, error, unauthorized = False, None, False
        try:
            leave = bool(getattr(plugin, "do_" + name)(argument))
        except SystemExit as end:
            leave = True
            self._controller.exitstatus = end.code if isinstance(end.code, int) else int(bool(end.code))
        except xmlrpc.client.ProtocolError as failure:
            unauthorized, error = failure.errcode == 401, _error_line(failure)
        except Exception as failure:
            error = _error_line(failure)
        sys.stdout.flush()
        status = int(self._controller.exitstatus or 0)
        self._channel.send(
            "acted", id=message["id"], status=status, leave=leave, error=error, unauthorized=unauthorized
        )

    def _explain(self, message):
        """Prints the help of an action; every plug-in without that action prints so."""
        topic = message["topic"]
        for plugin in self._plugins:
            explain = getattr(plugin, "help_" + topic, None)
            text = getattr(getattr(plugin, "do_" + topic, None), "__doc__", None)
            try:
                if explain is not None:
                    explain()
                else:
                    self._controller.output(text or "*** No help on %s" % topic)
            except Exception as failure:
                self._controller.output(_error_line(failure))
        sys.stdout.flush()
        self._channel.send("acted", id=message["id"], status=0, leave=False, error=None, unauthorized=False)


def _error_line(error):
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return "error: %s, %s: file: %s line: %s" % (type(error), error, frame.filename, frame.lineno)

