"""The measurements: each takes a subject and returns figures by the name of their row."""

import contextlib
import http.server
import os
import random
import signal
import socket
import statistics
import subprocess
import threading
import time

from browser import Browser
from clients import EventStream, OpenPage
from subjects import wait_for


def quantile(values, share):
    """The value below which this share of the values lies."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def boot(subject, size):
    """Launch, memory, idle cost and shutdown with few and with many children."""
    figures = {}
    for count in size.crowds:
        if count > subject.most:
            continue
        start = time.monotonic_ns()
        # The descriptors of more children with two logs each would be too many for some systems.
        how = "merged" if count > 1000 else "eager"
        with subject.supervise(count, "stamp", "FIFO", how=how) as scene:
            records = scene.fifo.take(count, timeout=300)
            figures[f"boot {count}"] = (max(at for _, at in records) - start) / 1e6
            time.sleep(1.2)
            figures[f"rss {count}"] = scene.rss() / 1024
            if keeper := scene.keeper():
                figures[f"keeper {count}"] = scene.pss_of(keeper) / 1024
            before = scene.wakeups()
            time.sleep(size.idle)
            figures[f"wakeups {count}"] = (scene.wakeups() - before) / size.idle
            figures[f"shutdown {count}"] = scene.stop() * 1e3
    return figures


def graph(subject, size):
    """The start of 1,000 children in ten layers, compared with that of the same without an order. Both in turn, several times."""
    if subject.name != "ours":
        return {}
    took = {True: [], False: []}
    for number in range(2 * size.graphs):
        is_ordered = number % 2 == 0
        start = time.monotonic_ns()
        with subject.layered(10, 100, is_ordered) as scene:
            took[is_ordered].append((max(at for _, at in scene.fifo.take(1000, timeout=300)) - start) / 1e6)
    ordered, plain = statistics.median(took[True]), statistics.median(took[False])
    return {"graph start": ordered, "graph ratio": ordered / plain}


def restart(subject, size):
    """From the kill of a child to the first instruction of its replacement."""
    figures = {}
    with subject.supervise(10, "stamp", "FIFO") as scene:
        pids = [pid for pid, _ in scene.fifo.take(10)]
        time.sleep(1.2)
        took = []
        deadline = time.monotonic() + size.seconds * 3
        while len(took) < size.restarts and time.monotonic() < deadline:
            victim = random.randrange(len(pids))
            start = time.monotonic_ns()
            os.kill(pids[victim], signal.SIGKILL)
            pids[victim], at = scene.fifo.take()[0]
            took.append((at - start) / 1e6)
            time.sleep(random.uniform(0.002, 0.012))
        figures["restart p50"] = quantile(took, 0.5)
        figures["restart p99"] = quantile(took, 0.99)
    return figures


def storm(subject, size):
    """Many children killed at once: the time until all have been replaced."""
    count = size.storm
    with subject.supervise(count, "stamp", "FIFO") as scene:
        pids = [pid for pid, _ in scene.fifo.take(count)]
        time.sleep(1.2)
        start = time.monotonic_ns()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return {"storm": (max(at for _, at in scene.fifo.take(count)) - start) / 1e6}


def sustained(subject, size):
    """Children that exit at once and are restarted for ever: processor time of the supervisor per restart."""
    with subject.supervise(20, "brief", "FIFO") as scene:
        scene.fifo.take(20)
        scene.fifo.drain()
        cpu, count = scene.cpu(), 0
        deadline = time.monotonic() + size.seconds
        while time.monotonic() < deadline:
            time.sleep(0.01)
            count += len(scene.fifo.drain())
        return {"sustained": (scene.cpu() - cpu) / count * 1e6}


def _flood(subject, writers, size_of_write, total, how):
    each = total // writers // size_of_write * size_of_write
    with subject.supervise(writers, "flood", "FIFO", each, size_of_write, how=how) as scene:
        start = min(at for _, at in scene.fifo.take(writers * 2)[:writers])
        wait_for(lambda: sum(scene.log(index).stat().st_size for index in range(writers)) >= each * writers)
        end = time.monotonic_ns()
        return each * writers / 1e6 / ((end - start) / 1e9), scene.cpu() / (each * writers / 1e9)


def logs(subject, size):
    """Floods of output: megabytes per second, and processor time of the supervisor per gigabyte. Each takes less than a
    second, in which a busy machine can do anything: of several the middle one counts."""
    figures = {}
    cases = [("one", 1, 64 << 10, 1.0, "eager"), ("lines", 1, 100, 0.25, "lazy"), ("hundred", 100, 4096, 1.0, "eager")]
    for name, writers, write, share, how in cases:
        floods = [_flood(subject, writers, write, int(size.bytes * share), how) for _ in range(size.floods)]
        rates, cpus = zip(*floods)
        figures[f"log {name} rate"] = statistics.median(rates)
        figures[f"log {name} cpu"] = statistics.median(cpus)
    return figures


def records(subject, size):
    """Floods of lines of 100 bytes whose log has a form: megabytes of output per second, and processor time per gigabyte.
    Ours only: the others have no such logs."""
    if subject.name != "ours":
        return {}
    figures = {}
    for form in ["text", "json"]:
        for writers in [1, 100]:
            floods = [_flood_of_records(subject, writers, form, size.bytes // 4) for _ in range(size.floods)]
            rates, cpus = zip(*floods)
            figures[f"log {form} {writers} rate"] = statistics.median(rates)
            figures[f"log {form} {writers} cpu"] = statistics.median(cpus)
    return figures


def _flood_of_records(subject, writers, form, total):
    lines = total // writers // 100
    with subject.supervise(writers, "flood", "FIFO", lines * 100, 100, form=form) as scene:
        start = min(at for _, at in scene.fifo.take(writers * 2)[:writers])
        # All records of a program have the same length.
        whole = [len(scene.log(index).open("rb").readline()) * lines for index in range(writers)]
        wait_for(lambda: all(scene.log(index).stat().st_size >= whole[index] for index in range(writers)))
        end, output = time.monotonic_ns(), lines * 100 * writers
        return output / 1e6 / ((end - start) / 1e9), scene.cpu() / (output / 1e9)


def requests(subject, size):
    """Calls over one kept-alive connection."""
    figures = {}
    for count in size.asked:
        with subject.serve(count) as scene:
            time.sleep(0.5)
            for row, method in [("state", "getState"), ("all", "getAllProcessInfo")]:
                command = [subject.tools.probe, "ask", scene.socket, size.seconds, 10**9, f"supervisor.{method}"]
                rate, median, late = subprocess.check_output([str(word) for word in command]).split()
                figures[f"{row} {count} rate"] = float(rate)
                figures[f"{row} {count} p99"] = float(late) / 1e6
            took = []
            for _ in range(size.commands):
                start = time.monotonic_ns()
                subprocess.run(subject.status(scene), stdout=subprocess.DEVNULL, check=False)
                took.append((time.monotonic_ns() - start) / 1e6)
            figures[f"status {count}"] = quantile(took, 0.5)
    return figures


def api(subject, size):
    """The list of programs of the JSON API, over one kept-alive connection. The bare loop sends the same bytes."""
    if subject.name == "original":
        return {}
    figures = {}
    for count in size.asked:
        with subject.serve(count) as scene:
            time.sleep(0.5)
            command = [subject.tools.probe, "get", scene.socket, size.seconds, 10**9, "/api/v1/programs"]
            rate, median, late = subprocess.check_output([str(word) for word in command]).split()
            figures[f"api {count} rate"] = float(rate)
            figures[f"api {count} p99"] = float(late) / 1e6
    return figures


def streams(subject, size):
    """Memory of the daemon while many clients follow its events, each of which has got some. Ours only: the others have no
    such stream."""
    if subject.name != "ours":
        return {}
    with subject.supervise(10, "stamp", "FIFO") as scene:
        victim, _ = scene.fifo.take(10)[0]
        time.sleep(1.2)
        clients = [EventStream(scene.socket) for _ in range(size.streams)]
        os.kill(victim, signal.SIGKILL)
        for client in clients:
            while client.read()[0] != "process_state":
                pass
        memory = scene.rss() / 1024
        for client in clients:
            client.close()
        return {"streams": memory}


def page(subject, size):
    """Processor time of the daemon for somebody who looks at the page, while 10 of 1,000 programs are restarted in every
    second. Ours only: the page of the original does not follow anything."""
    if subject.name != "ours":
        return {}
    with subject.supervise(1000, "stamp", "FIFO") as scene:
        pids = [pid for pid, _ in scene.fifo.take(1000)]
        time.sleep(1.5)
        with OpenPage(scene.socket) as viewer:
            wait_for(lambda: viewer.usages > 0)
            seen, usages, before, start = viewer.changes, viewer.usages, scene.cpu_of_process(), time.monotonic()
            while time.monotonic() < start + size.page or viewer.usages == usages:
                os.kill(pids.pop(), signal.SIGKILL)
                time.sleep(0.1)
            share = (scene.cpu_of_process() - before) / (time.monotonic() - start)
            if viewer.failure or viewer.changes - seen < size.page * 10:
                raise ValueError(f"the page saw only {viewer.changes - seen} changes: {viewer.failure}")
            return {"page": share * 100}


#: When the first rows have been painted, and what frames take while the table is scrolled.
WATCH_FIRST_ROWS = """
new MutationObserver((_, observer) => {
  if (document.querySelector('.rows .row')) {
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame((now) => (window.firstRows = now)));
  }
}).observe(document, { subtree: true, childList: true });
"""
SCROLL = """
window.frames = null;
const frames = [];
let before = performance.now();
const step = (now) => {
  frames.push(now - before);
  before = now;
  window.scrollBy(0, 260);
  frames.length < 300 ? requestAnimationFrame(step) : (window.frames = frames.slice(5));
};
requestAnimationFrame(step);
"""


def browser(subject, size):
    """The page in a browser: 5,000 programs until the first rows are painted, and a frame while the table is scrolled; and how
    long the page works for each restart among 1,000 programs, beside what it does anyway. Ours only."""
    if subject.name != "ours" or not Browser.is_there():
        return {}
    figures = {}
    with free_port() as port, subject.listed(5000, port), Browser() as window:
        window.before_each_page(WATCH_FIRST_ROWS)
        first = []
        for _ in range(size.commands):
            window.go("about:blank")
            go(window, port)
            first.append(window.wait("return window.firstRows ?? null"))
        figures["browser first"] = statistics.median(first)
        window.run(SCROLL)
        frames = window.wait("return window.frames")
        figures["browser frame p50"], figures["browser frame p99"] = quantile(frames, 0.5), quantile(frames, 0.99)
    with free_port() as port, subject.supervise(1000, "stamp", "FIFO", port=port) as scene, Browser() as window:
        pids = [pid for pid, _ in scene.fifo.take(1000)]
        go(window, port)
        window.wait("return document.querySelector('.has-usage .row') && true")

        def work(restarts):
            before, start = window.task_seconds(), time.monotonic()
            while time.monotonic() < start + size.page:
                if restarts:
                    os.kill(pids.pop(), signal.SIGKILL)
                time.sleep(0.1)
            return (window.task_seconds() - before) / (time.monotonic() - start)

        idle, busy = work(False), work(True)
        figures["browser share"] = busy * 100
        figures["browser restart"] = (busy - idle) / 10 * 1000
    return figures


def go(window, port):
    """Opens the page, once there is a server."""
    def is_there():
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0
    wait_for(is_there)
    window.go(f"http://127.0.0.1:{port}/")


@contextlib.contextmanager
def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    yield port


def follow(subject, size):
    """From a write of a program to its appearance on the screen of `tail -f`."""
    scene, shown = subject.follow_new(10_000)
    with scene:
        command = [subject.tools.probe, "display", scene.fifo.path]
        display = subprocess.Popen(command, stdin=shown.stdout)
        time.sleep(1.0)
        scene.fifo.drain()
        took = [delay / 1e6 for _, delay in scene.fifo.take(int(size.seconds * 50))]
        shown.terminate()
        shown.wait()
        display.wait()
    return {"follow p50": quantile(took, 0.5), "follow p99": quantile(took, 0.99)}


def events(subject, size):
    """Communication events through to a listener."""
    with subject.events(size.events) as scene:
        (_, start), (_, first), (_, last) = sorted(scene.fifo.take(3), key=lambda record: record[1])
        return {"events": size.events / ((last - start) / 1e9)}


def growth(subject, size):
    """Memory growth: after many restarts and requests, compared with after a few. The requests are made three times, and the
    middle growth counts: what leaks grows each time, while a page more or less at one moment says nothing."""
    with subject.supervise(20, "brief", "FIFO") as scene:
        grown = _grown_by_restarts(scene, size)
    if not hasattr(subject, "supervisorctl"):
        return {"growth restarts": grown}
    with subject.serve(10) as scene:
        asked = [subject.tools.probe, "ask", scene.socket, "60"]
        warm, many = size.growth_requests // 10, size.growth_requests
        subprocess.check_output([*asked, str(warm), "supervisor.getAllProcessInfo"])
        subprocess.check_output([*asked, str(warm), "supervisor.getProcessInfo", "p:p0001"])
        sizes = [scene.rss()]
        for _ in range(3):
            subprocess.check_output([*asked, str(many), "supervisor.getProcessInfo", "p:p0001"])
            sizes.append(scene.rss())
        growths = [after - before for before, after in zip(sizes, sizes[1:])]
        return {"growth restarts": grown, "growth requests": statistics.median(growths)}


def _grown_by_restarts(scene, size):
    def restarted(count):
        deadline = time.monotonic() + size.seconds * 10
        while count > 0 and time.monotonic() < deadline:
            time.sleep(0.01)
            count -= len(scene.fifo.drain())

    restarted(size.growth_restarts // 10)
    before = scene.rss()
    restarted(size.growth_restarts)
    return scene.rss() - before


def health(subject, size):
    """Processor time of the daemon for health checks over HTTP: 100 programs, each checked every second, as the share of a
    core that 100 checks every 30 seconds take. Ours only: the others have no such checks."""
    if subject.name != "ours":
        return {}
    with HealthyServer() as server, subject.checked(100, server.port) as scene:
        wait_for(lambda: server.answered > 200)
        answered, before = server.answered, scene.cpu()
        time.sleep(size.seconds * 5)
        used, checks = scene.cpu() - before, server.answered - answered
    return {"health": used / checks * 100 / 30 * 100}


class HealthyServer:
    """Answers every request with 204."""

    def __enter__(self):
        self.answered = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answered += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def upgrade(subject, size):
    """How long nobody is there for the children while the daemon replaces its program: 1,000 children, of which one is
    killed every three milliseconds, long before the upgrade is asked for until long after it is done. The figure is the
    longest time from a kill to the first instruction of a replacement, over all upgrades; the first kill after the
    first first instruction, and so on, so that an ordinary restart is part of it. Ours only: the others cannot."""
    if subject.name != "ours":
        return {}
    longest = []
    with subject.supervise(1000, "stamp", "FIFO") as scene:
        victims = [pid for pid, _ in scene.fifo.take(1000)]
        log = scene.directory / "activity.log"
        time.sleep(1.5)
        for number in range(1, size.upgrades + 1):
            killed, back, after = [], [], None
            asked = time.monotonic() + 0.05
            while after is None or time.monotonic() < after:
                if asked is not None and time.monotonic() > asked:
                    scene.process.send_signal(signal.SIGUSR1)
                    asked = None
                killed.append(time.monotonic_ns())
                os.kill(victims.pop(), signal.SIGKILL)
                time.sleep(0.003)
                back += scene.fifo.drain()
                if after is None and len(killed) % 10 == 0:
                    is_done = log.read_text().count("supervisord upgraded") == number
                    after = time.monotonic() + 0.05 if is_done else None
            back += scene.fifo.take(len(killed) - len(back))
            back = sorted(at for _, at in back)
            longest.append(max(at - start for start, at in zip(killed, back)) / 1e6)
            time.sleep(0.5)
    return {"upgrade": max(longest)}


def update(subject, size):
    """One of 1,000 sections has changed: from the beginning of the command that updates to the first instruction of the one
    child that is restarted."""
    if subject.name not in ("ours", "original"):
        return {}
    words = ["update", "--minimal"] if subject.name == "ours" else ["update"]
    took = []
    with subject.sections(1000, starts=True) as scene:
        scene.fifo.take(1000, timeout=300)
        wait_for(lambda: subprocess.run(subject.control(scene, "pid"), stdout=subprocess.DEVNULL).returncode == 0)
        time.sleep(1.2)
        for number in range(size.updates):
            subject.change(scene, 100 * number, number + 2)
            start = time.monotonic_ns()
            with subprocess.Popen(subject.control(scene, *words), stdout=subprocess.DEVNULL) as command:
                (_, at), = scene.fifo.take(1)
                command.wait()
            took.append((at - start) / 1e6)
            if scene.fifo.drain():
                raise ValueError("more than one child was restarted")
    return {"update one": statistics.median(took)}


def reading(subject, size):
    """What is told of large files: the plan of an update of 5,000 programs, and what the daemon says of 10,000 sections
    without running them. Ours only: the original has neither."""
    if subject.name != "ours":
        return {}
    figures = {}

    def timed(row, command):
        took = []
        for _ in range(size.updates):
            start = time.monotonic_ns()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            took.append((time.monotonic_ns() - start) / 1e6)
        figures[row] = statistics.median(took)

    with subject.sections(5000, starts=False) as scene:
        wait_for(lambda: subprocess.run(subject.control(scene, "pid"), stdout=subprocess.DEVNULL).returncode == 0)
        time.sleep(0.5)
        timed("plan nothing", subject.control(scene, "update", "--plan", "--minimal"))
        text = (scene.directory / "conf").read_text()
        (scene.directory / "conf").write_text(text.replace('VERSION="1"', 'VERSION="2"'))
        timed("plan all", subject.control(scene, "update", "--plan", "--minimal"))
    with subject.sections(10_000, starts=False) as scene:
        for option in ["check", "resolved"]:
            timed(option, [subject.supervisord, f"--{option}", "-c", str(scene.directory / "conf")])
    return figures


ALL = {
    "boot": boot, "graph": graph, "restart": restart, "storm": storm, "sustained": sustained, "logs": logs,
    "records": records, "requests": requests, "api": api, "streams": streams, "page": page, "browser": browser, "follow": follow,
    "events": events, "growth": growth, "upgrade": upgrade, "health": health, "update": update,
    "reading": reading,
}
