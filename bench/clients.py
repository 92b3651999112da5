"""Clients of the JSON API: one that follows events, and one that does what the page in a browser does."""

import json
import socket
import threading
import time
import urllib.parse


class Connection:
    """A connection over which one request after the other is sent."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.reader = self.socket.makefile("rb")

    def send(self, address):
        """Sends a GET and reads the head of the answer; returns its headers in lower case."""
        self.socket.sendall(f"GET /api/v1/{address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status = self.reader.readline()
        if b" 200 " not in status:
            raise OSError(f"{address}: {status}")
        lines = iter(lambda: self.reader.readline().decode().strip(), "")
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def get(self, address):
        """The answer to a GET."""
        return json.loads(self.reader.read(int(self.send(address)["content-length"])))

    def close(self):
        # Whoever reads at the moment is told as well.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class EventStream:
    """A stream of events."""

    def __init__(self, path, query=""):
        self.connection = Connection(path)
        self.connection.send(f"events{query}")
        self.text = b""

    def read(self):
        """The name of the next event, and what it says."""
        while True:
            block, found, rest = self.text.partition(b"\n\n")
            if not found:
                # Each piece comes as a chunk with its length before it.
                length = int(self.connection.reader.readline(), 16)
                self.text += self.connection.reader.read(length)
                self.connection.reader.readline()
                continue
            self.text = rest
            fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line)
            if "data" in fields:
                return fields["event"], json.loads(fields["data"])

    def close(self):
        self.connection.close()


class OpenPage:
    """Asks for what the page asks for, and when: everything once, then events and what programs use, and once a second the
    programs that have changed (`crates/daemon/assets/ui/live.js`)."""

    BATCH = 1.0
    USAGE = 5
    #: With more programs than this, all are asked for.
    SOME = 50

    def __init__(self, path):
        self.stream = EventStream(path, f"?usage={self.USAGE}")
        self.requests = Connection(path)
        self.requests.get("programs")
        self.requests.get("daemon")
        self.dirty = set()
        #: How many events have told of a program, and how many of what programs use.
        self.changes, self.usages = 0, 0
        self.failure = None
        self.is_open = True
        self.threads = [threading.Thread(target=self._guard, args=(work,)) for work in (self._follow, self._refresh)]

    def _guard(self, work):
        try:
            work()
        except Exception as error:
            if self.is_open:
                self.failure = error

    def _follow(self):
        while self.is_open:
            name, data = self.stream.read()
            if name == "usage":
                self.usages += 1
            elif name == "process_state":
                self.changes += 1
                self.dirty.add(f"{data['group']}:{data['name']}")

    def _refresh(self):
        while self.is_open:
            time.sleep(self.BATCH)
            changed, self.dirty = self.dirty, set()
            if len(changed) > self.SOME:
                self.requests.get("programs")
            elif changed:
                self.requests.get("programs?" + urllib.parse.urlencode([("select", key) for key in sorted(changed)]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.stream.close()
        for thread in self.threads:
            thread.join()
        self.requests.close()
