"""The private channel to the program that started the plug-in process: one JSON object per line, in both directions.

A message with an `id` wants an answer with the same `id`. A thread reads; what is asked of the plug-in process waits in
`requests` for the main thread, so that plug-ins are only ever run by one thread, as in the original.
"""

import itertools
import json
import os
import queue
import sys
import threading

ANSWERS = ("answer", "state", "performed", "defined", "refused")


class ChannelClosed(Exception):
    """The other end has closed the channel."""


class Pending:
    """A pending answer."""

    def __init__(self):
        self._here = threading.Event()
        self._message = None

    def arrive(self, message):
        """Called by the reading thread."""
        self._message = message
        self._here.set()

    def is_here(self):
        """Whether `get` would return at once."""
        return self._here.is_set()

    def get(self):
        """Waits for the answer."""
        self._here.wait()
        if self._message is None:
            raise ChannelClosed("the daemon is gone")
        return self._message


class Channel:
    """One end of the channel."""

    def __init__(self, sock, lines):
        self._sock = sock
        self._lines = lines
        self._writing = threading.Lock()
        self._ids = itertools.count(1)
        self._pending = {}
        self.requests = queue.Queue()

    def start(self):
        """Starts the reading thread."""
        threading.Thread(target=self._read, name="channel", daemon=True).start()

    def send(self, op, **fields):
        """Sends one message."""
        line = json.dumps(dict(fields, op=op)).encode() + b"\n"
        with self._writing:
            try:
                self._sock.sendall(line)
            except OSError as error:
                raise ChannelClosed(str(error))

    def begin(self, op, **fields):
        """Sends a request and returns its `Pending` answer."""
        number, pending = next(self._ids), Pending()
        self._pending[number] = pending
        self.send(op, id=number, **fields)
        return pending

    def ask(self, op, **fields):
        """Sends a request and waits for its answer."""
        return self.begin(op, **fields).get()

    def _read(self):
        try:
            for line in self._lines:
                message = json.loads(line)
                if message["op"] in ANSWERS:
                    pending = self._pending.pop(message["id"], None)
                    if pending is not None:
                        pending.arrive(message)
                else:
                    self.requests.put(message)
        except OSError:
            pass
        # Without the other end the process has no purpose; a plug-in that hangs must not keep it alive.
        self.requests.put({"op": "end"})
        for pending in list(self._pending.values()):
            pending.arrive(None)
        sys.stdout.flush()
        last = threading.Timer(1.0, os._exit, (0,))
        last.daemon = True
        last.start()
