"""Other supervisors, if they are installed: runit and s6, which run one supervising process per program. They only keep
programs running: they have no calls and no events, and other programs write the logs."""

import os
import shutil
import signal
import time
from pathlib import Path

from subjects import Scene, Subject, wait_for


class Forest(Scene):
    """A supervisor that consists of many processes, all of them named here."""

    def __init__(self, process, directory, fifo, names, end_signal):
        super().__init__(process, directory, fifo)
        self.names = names
        self.end_signal = end_signal

    def _pids(self):
        """The supervisor's own processes: its descendants that have one of its names."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                except OSError:
                    continue
                if name in self.names:
                    parents[int(entry.name)] = int(rest.split()[1])
        return [pid for pid, parent in parents.items() if self.pid in (pid, parent)]

    def _sum(self, figure):
        total = 0
        for pid in self._pids():
            try:
                total += figure(pid)
            except OSError:
                pass  # It has ended.
        return total

    def rss(self):
        """Resident memory in KiB; shared memory counts proportionally (PSS)."""
        return self._sum(self.pss_of)

    def cpu(self):
        return self._sum(self.cpu_of)

    def wakeups(self):
        return self._sum(self.wakeups_of)

    def stop(self, timeout=120):
        if self.process.poll() is not None:
            return 0.0
        left = self._pids()
        start = time.monotonic()
        self.process.send_signal(self.end_signal)
        self.process.wait(timeout)
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left), timeout)
        return time.monotonic() - start


class Peer(Subject):
    """A supervisor of a directory of services, each with a program named `run`."""

    #: The measurements that it supports.
    measures = ("boot", "restart", "storm", "sustained")
    #: The limit of runsvdir; one process per program is enough.
    most = 1000

    def __init__(self, name, tools, command, names, end_signal):
        super().__init__(name, tools)
        self.command = command
        self.names = names
        self.end_signal = end_signal

    @property
    def is_there(self):
        return shutil.which(self.command[0]) is not None

    def supervise(self, count, role, *arguments, how="eager"):
        directory, fifo = self._directory()
        words = [self.tools.probe, role, *(str(word).replace("FIFO", fifo.path) for word in arguments)]
        services = directory / "services"
        for number in range(count):
            service = services / f"p{number:04d}"
            service.mkdir(parents=True)
            run = service / "run"
            run.write_text(f"#!/bin/sh\nexec {' '.join(words)}\n")
            run.chmod(0o755)
        process = self._spawn([*self.command, str(services)], directory, fifo).process
        return Forest(process, directory, fifo, self.names, self.end_signal)


def peers(tools):
    """The installed peers."""
    known = [
        Peer("runit", tools, ["runsvdir"], {"runsvdir", "runsv"}, signal.SIGHUP),
        Peer("s6", tools, ["s6-svscan", "-c", "10000"], {"s6-svscan", "s6-supervise"}, signal.SIGTERM),
    ]
    return [peer for peer in known if peer.is_there]
