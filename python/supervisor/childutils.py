"""What event listeners and supervised programs need to talk to the daemon."""

import os
import sys
import time
import xmlrpc.client

from supervisor.xmlrpc import SupervisorTransport


def getRPCTransport(env):
    """A transport to the daemon that an environment names; KeyError if it names none."""
    return SupervisorTransport(
        env.get("SUPERVISOR_USERNAME", ""), env.get("SUPERVISOR_PASSWORD", ""), env["SUPERVISOR_SERVER_URL"]
    )


def getRPCInterface(env):
    """A proxy of the daemon that an environment names, usually os.environ."""
    # The proxy requires an address, but the transport has its own.
    return xmlrpc.client.ServerProxy("http://127.0.0.1", getRPCTransport(env))


def get_headers(line):
    """The key:value pairs of a line as a dictionary."""
    return dict(word.split(":") for word in line.split())


def eventdata(payload):
    """The key:value pairs of the first line of a payload, and the text after that line."""
    head, data = payload.split("\n", 1)
    return get_headers(head), data


def get_asctime(now=None):
    """Local time as YYYY-MM-DD HH:MM:SS,mmm; `now` in seconds since the epoch."""
    now = time.time() if now is None else now
    return "%s,%03d" % (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)), (now - int(now)) * 1000)


class ProcessCommunicationsProtocol:
    """Sections of output that become PROCESS_COMMUNICATION events."""

    _BEGIN = "<!--XSUPERVISOR:BEGIN-->"
    _END = "<!--XSUPERVISOR:END-->"

    def send(self, msg, fp=None):
        """Writes one section to a text or binary stream."""
        fp = sys.stdout if fp is None else fp
        text = msg.decode("utf-8", "surrogateescape") if isinstance(msg, bytes) else str(msg)
        framed = self._BEGIN + text + self._END
        try:
            fp.write(framed)
        except TypeError:
            fp.write(framed.encode("utf-8", "surrogateescape"))
        fp.flush()

    def stdout(self, msg):
        """Writes a section to stdout."""
        return self.send(msg, sys.stdout)

    def stderr(self, msg):
        """Writes a section to stderr."""
        return self.send(msg, sys.stderr)


pcomm = ProcessCommunicationsProtocol()


class EventListenerProtocol:
    """The listener's side of the event protocol."""

    def wait(self, stdin=None, stdout=None):
        """Reports READY and waits for an event: (header pairs, payload)."""
        stdin = sys.stdin if stdin is None else stdin
        self.ready(stdout)
        line = stdin.readline()
        if not line:
            # The daemon has closed the pipe; without this exit a listener would loop for ever.
            sys.exit(0)
        headers = get_headers(line)
        return headers, stdin.read(int(headers["len"]))

    def ready(self, stdout=None):
        """Reports READY, which requests an event."""
        self._write("READY\n", stdout)

    def ok(self, stdout=None):
        """Accepts the event."""
        self.send("OK", stdout)

    def fail(self, stdout=None):
        """Rejects the event: the daemon sends it again."""
        self.send("FAIL", stdout)

    def send(self, data, stdout=None):
        """Answers the event with any text. Its length is counted in bytes, as the daemon reads it."""
        self._write("RESULT %d\n%s" % (len(data.encode("utf-8", "surrogateescape")), data), stdout)

    def _write(self, text, stdout):
        stdout = sys.stdout if stdout is None else stdout
        stdout.write(text)
        stdout.flush()


listener = EventListenerProtocol()
