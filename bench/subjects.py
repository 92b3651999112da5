"""The measured programs: ours, the original, and the bare loop; each runs in a directory of its own."""

import os
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class Fifo:
    """A FIFO for reports of the supervised programs: records of a pid and a time in nanoseconds."""

    SIZE = 16

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)

    def take(self, count=1, timeout=60.0):
        """The next `count` records as pairs of integers."""
        data = b""
        deadline = time.monotonic() + timeout
        while len(data) < count * self.SIZE:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f"{len(data) // self.SIZE} of {count} reports came")
            data += os.read(self.fd, count * self.SIZE - len(data))
        numbers = [int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, len(data), 8)]
        return list(zip(numbers[::2], numbers[1::2]))

    def drain(self):
        """All records that can be read now."""
        records = []
        while select.select([self.fd], [], [], 0)[0]:
            records += self.take(1)
        return records

    def close(self):
        os.close(self.fd)


class Scene:
    """A running supervisor with its directory."""

    def __init__(self, process, directory, fifo):
        self.process = process
        self.directory = directory
        self.fifo = fifo

    @property
    def pid(self):
        return self.process.pid

    @property
    def socket(self):
        return str(self.directory / "socket")

    def rss(self):
        """Resident memory in KiB."""
        return self.rss_of(self.pid)

    def cpu(self):
        """Seconds of processor time of all threads so far, exact to the nanosecond."""
        return self.cpu_of(self.pid)

    def wakeups(self):
        """The number of voluntary context switches of all threads so far."""
        return self.wakeups_of(self.pid)

    def cpu_of_process(self):
        """The same with that of threads that have ended, exact to a hundredth of a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def keeper(self):
        """The process that holds what has to outlive the supervisor, if there is one."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        is_keeper = lambda pid: Path(f"/proc/{pid}/comm").read_text().strip() == "sv-keeper"
        return next((int(pid) for pid in children if is_keeper(pid)), None)

    @staticmethod
    def rss_of(pid):
        return status_number(f"/proc/{pid}/status", "VmRSS")

    @staticmethod
    def pss_of(pid):
        """The same in KiB, where shared memory counts proportionally."""
        return status_number(f"/proc/{pid}/smaps_rollup", "Pss")

    @staticmethod
    def cpu_of(pid):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    @staticmethod
    def wakeups_of(pid):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(status_number(task / "status", "voluntary_ctxt_switches") for task in tasks)

    def log(self, index, channel=0):
        return self.directory / f"{index}.{channel}"

    def stop(self, timeout=120):
        """Shuts it down; returns the seconds from the signal to its exit."""
        if self.process.poll() is not None:
            return 0.0
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout)
        return time.monotonic() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.fifo.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def status_number(path, name):
    """The number after a name in a file below /proc/PID."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


class Subject:
    #: The most programs that it supports.
    most = 100_000

    def __init__(self, name, tools):
        self.name = name
        self.tools = tools

    def _directory(self):
        # In memory, because the speed of the disk is not measured.
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        directory = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
        return directory, Fifo(str(directory / "fifo"))

    def _spawn(self, command, directory, fifo, stdout=subprocess.DEVNULL):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL,
                                   cwd=directory)
        return Scene(process, directory, fifo)


class Daemon(Subject):
    """A supervisord with its supervisorctl: ours or the original."""

    def __init__(self, name, tools, programs):
        super().__init__(name, tools)
        self.supervisord = str(programs / "supervisord")
        self.supervisorctl = str(programs / "supervisorctl")

    def supervise(self, count, role, *arguments, how="eager", form=None, port=None):
        """Keeps `count` children of the probe running. Does not wait for them. "merged" is one log for both outputs; with a
        form, the lines in the log of stdout have it; with a port, there is a server for browsers, too."""
        directory, fifo = self._directory()
        command = " ".join([self.tools.probe, role, *(str(word).replace("FIFO", fifo.path) for word in arguments)])
        return self._start(directory, fifo, f"""
[program:p]
command={command}
process_name=p%(process_num)04d
numprocs={count}
autorestart=true
startsecs=0
startretries=1000000
stdout_logfile={directory}/%(process_num)d.0
stderr_logfile={directory}/%(process_num)d.1
stdout_logfile_maxbytes=0
stderr_logfile_maxbytes=0
redirect_stderr={"true" if how == "merged" else "false"}
{f"stdout_log_format={form}" if form else ""}
{f"[inet_http_server]{chr(10)}port=127.0.0.1:{port}" if port else ""}
""")

    def events(self, count):
        """A program that makes communication events and a listener that accepts them."""
        directory, fifo = self._directory()
        return self._start(directory, fifo, f"""
[program:speaker]
command={self.tools.probe} speaker {fifo.path} {count}
startsecs=0
stdout_capture_maxbytes=1MB
stdout_logfile={directory}/0.0
stderr_logfile=NONE
[eventlistener:listener]
command={self.tools.probe} listener {fifo.path} {count}
events=PROCESS_COMMUNICATION
buffer_size={2 * count}
startsecs=0
priority=1
stderr_logfile=NONE
""")

    def listed(self, count, port):
        """Programs that are not started, and a server for browsers."""
        directory, fifo = self._directory()
        return self._start(directory, fifo, f"""
[inet_http_server]
port=127.0.0.1:{port}
[program:p]
command=sleep 100000
process_name=p%(process_num)04d
numprocs={count}
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
""")

    def checked(self, count, port):
        """Children that sleep, each with a health check over HTTP every second."""
        directory, fifo = self._directory()
        return self._start(directory, fifo, f"""
[program:p]
command=sleep 100000
process_name=p%(process_num)04d
numprocs={count}
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
healthcheck=http://127.0.0.1:{port}/
healthcheck_interval=1s
""")

    def layered(self, layers, width, is_ordered):
        """Children in layers, each of which depends on three of the layer before, unless there is to be no order."""
        directory, fifo = self._directory()
        choice = random.Random(1)
        programs = []
        for number in range(layers * width):
            before = (number // width - 1) * width
            others = choice.sample(range(before, before + width), 3) if is_ordered and before >= 0 else []
            depends = f"depends_on={','.join(f'p{other:04}' for other in others)}" if others else ""
            programs.append(f"""
[program:p{number:04}]
command={self.tools.probe} stamp {fifo.path}
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
{depends}
""")
        return self._start(directory, fifo, "".join(programs))

    def sections(self, count, starts):
        """As many sections with a child each, which are started or not."""
        directory, fifo = self._directory()
        return self._start(directory, fifo, "".join(f"""
[program:p{number:05}]
command={self.tools.probe} stamp {fifo.path}
autostart={"true" if starts else "false"}
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
environment=VERSION="1"
""" for number in range(count)))

    def change(self, scene, number, version):
        """Writes another value into the environment of one of the sections."""
        configuration = scene.directory / "conf"
        before, section = configuration.read_text().split(f"[program:p{number:05}]\n")
        others = section.split("[program:", 1)
        others[0] = re.sub('VERSION="[0-9]*"', f'VERSION="{version}"', others[0])
        configuration.write_text(f"{before}[program:p{number:05}]\n{'[program:'.join(others)}")

    def control(self, scene, *words):
        """The command line of an action."""
        return [self.supervisorctl, "-c", str(scene.directory / "conf"), *words]

    def serve(self, count):
        scene = self.supervise(count, "stamp", "FIFO")
        scene.fifo.take(count)
        return scene

    def status(self, scene):
        """The command that shows all processes."""
        return [self.supervisorctl, "-c", str(scene.directory / "conf"), "status"]

    def follow(self, scene):
        """Starts a process that follows the log of the first program."""
        command = [self.supervisorctl, "-c", str(scene.directory / "conf"), "tail", "-f", "p:p0000"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def follow_new(self, microseconds):
        """A scene with one program that writes the time at that interval, and what shows its log."""
        scene = self.supervise(1, "ticker", microseconds)
        wait_for(lambda: scene.log(0).exists() and scene.log(0).stat().st_size > 0)
        return scene, self.follow(scene)

    def _start(self, directory, fifo, programs):
        configuration = directory / "conf"
        configuration.write_text(f"""
[supervisord]
nodaemon=true
silent=true
minfds=19000
logfile={directory}/activity.log
logfile_maxbytes=0
pidfile={directory}/pid
childlogdir={directory}
[unix_http_server]
file={directory}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{directory}/socket
{programs}""")
        return self._spawn([self.supervisord, "-c", str(configuration)], directory, fifo)


class Limit(Subject):
    """The bare C loop."""

    def supervise(self, count, role, *arguments, how="eager", stdout=subprocess.DEVNULL):
        directory, fifo = self._directory()
        words = [str(word).replace("FIFO", fifo.path) for word in arguments]
        command = [self.tools.limit, "supervise", str(count), str(directory), how, self.tools.probe, role, *words]
        return self._spawn(command, directory, fifo, stdout)

    def events(self, count):
        directory, fifo = self._directory()
        return self._spawn([self.tools.limit, "events", self.tools.probe, fifo.path, str(count)], directory, fifo)

    def serve(self, count):
        directory, fifo = self._directory()
        scene = self._spawn([self.tools.limit, "serve", f"{directory}/socket", str(count)], directory, fifo)
        wait_for(lambda: Path(scene.socket).exists())
        time.sleep(0.05)
        return scene

    def status(self, scene):
        return [self.tools.limit, "status", scene.socket]

    def follow_new(self, microseconds):
        scene = self.supervise(1, "ticker", microseconds, how="copy", stdout=subprocess.PIPE)
        return scene, scene.process


def wait_for(condition, timeout=60.0):
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.002)
