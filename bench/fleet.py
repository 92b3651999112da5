"""Many agents, each beside a daemon that only pretends, with a NATS server, the hub and the client on one machine."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from subjects import status_number, wait_for

#: How many agents there are in turn.
CROWDS = (10, 30, 100, 300)


class Fleet:
    """A server, a hub and agents, with all files in memory: hosts do not share a disk."""

    def __init__(self, programs):
        self.program = str(programs / "supervisor-fleet")
        self.directory = Path(tempfile.mkdtemp(prefix="bench-fleet-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.processes = []
        nats = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/bin")
        configuration = self.directory / "nats.conf"
        configuration.write_text(
            f'host: 127.0.0.1\nport: -1\nports_file_dir: "{self.directory}"\njetstream {{ store_dir: "{self.directory}/js" }}\n'
        )
        server = self.start([nats, "-c", str(configuration)], "nats.log")
        ports = self.directory / f"nats-server_{server.pid}.ports"
        wait_for(lambda: ports.exists() and ports.read_text().rstrip().endswith("}"))
        self.environment = {**os.environ, "SUPERVISOR_FLEET_NATS": json.loads(ports.read_text())["nats"][0], "SUPERVISOR_FLEET_AS": "bench"}
        self.socket = str(self.directory / "socket")
        stub = [str(programs / "examples" / "stub_daemon"), self.socket]
        self.stub = self.start(stub, "stub.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        wait_for(lambda: os.path.exists(self.socket))
        self.ask("setup")
        self.hub = self.start([self.program, "hub", "--listen", "127.0.0.1:0"], "hub.log")
        told = lambda: (self.directory / "hub.log").read_text()
        wait_for(lambda: "the hub listens on " in told() and told().endswith("\n"))
        address = told().split("the hub listens on ")[1].split()[0]
        self.hosts = address + "/api/hosts"

    def start(self, command, log, **more):
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "env": getattr(self, "environment", None), **more}
        with open(self.directory / log, "w") as file:
            process = subprocess.Popen(command, stderr=file, **settings)
        self.processes.append(process)
        return process

    def agent(self, number):
        name = f"h{number}"
        command = [self.program, "agent", "--host", name, "--daemon", f"unix://{self.socket}", "--state", str(self.directory / name)]
        return self.start(command, f"{name}.log")

    def ask(self, *words):
        """What a command prints, and how many seconds it took."""
        start = time.monotonic()
        done = subprocess.run([self.program, *words], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise ValueError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout, time.monotonic() - start

    def connected(self):
        with urllib.request.urlopen(self.hosts) as answer:
            return answer.read().count(b'"link":"connected"')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def memory(process, name):
    """In MB."""
    return status_number(f"/proc/{process.pid}/status", name) / 1024


def measure(programs, count, repetitions):
    """The figures of so many agents."""
    with Fleet(programs) as fleet:
        start = time.monotonic()
        agents = [fleet.agent(number) for number in range(count)]
        wait_for(lambda: fleet.connected() == count)
        figures = {"presence": time.monotonic() - start}
        for verb, words, sign in [("status", ["status"], "RUNNING"), ("restart", ["restart", "all"], "restarted")]:
            took = []
            for _ in range(repetitions):
                printed, seconds = fleet.ask(*words)
                if printed.count(sign) != count:
                    raise ValueError(f"{verb}: {printed.count(sign)} of {count} hosts have answered")
                took.append(seconds)
            figures[verb] = statistics.median(took)
        figures["agent"] = max(memory(agent, "VmRSS") for agent in agents)
        figures["agent own"] = max(memory(agent, "RssAnon") for agent in agents)
        figures["hub"] = memory(fleet.hub, "VmRSS")
        figures["hub own"] = memory(fleet.hub, "RssAnon")
        asked = int(fleet.stub.communicate(timeout=60)[0])
        if asked != count * repetitions:
            raise ValueError(f"{asked} commands were executed instead of {count * repetitions}")
    return figures
