"""The table of the figures with the targets, and the page that contains it."""

import fleet_part
import plot


class Row:
    """One measurement: its name in the figures, its description, its unit, and its target relative to another subject."""

    def __init__(self, key, title, unit, target=None, of="limit", more_is_better=False):
        self.key = key
        self.title = title
        self.unit = unit
        self.target = target
        self.of = of
        self.more_is_better = more_is_better

    def bound(self, figures):
        """The target as a number in the row's unit; None without a target or a figure to compare with."""
        if self.target is None or self.of == "fixed":
            return self.target
        return self.target * figures[self.of] if self.of in figures else None

    def is_met(self, figures):
        """Whether ours reaches the target; None if that cannot be decided."""
        bound = self.bound(figures)
        if bound is None or "ours" not in figures:
            return None
        return figures["ours"] >= bound if self.more_is_better else figures["ours"] <= bound


def _programs(count):
    return "1 program" if count == 1 else f"{count:,} programs"


def rows():
    """All rows in the order of the page."""
    for count, target in [(1, None), (10, 4.2), (100, None), (1000, 7.5), (5000, None)]:
        yield Row(f"rss {count}", f"memory of the daemon, {_programs(count)}", "MB", target, "fixed")
    for count, target in [(1, None), (10, None), (100, None), (1000, 1.0), (5000, None)]:
        yield Row(f"keeper {count}", f"memory of its keeper, shared memory counted proportionally, {_programs(count)}", "MB", target, "fixed")
    for count in [1, 10, 100, 1000, 5000]:
        yield Row(f"wakeups {count}", f"wake-ups when idle, {_programs(count)}", "/s", 0, "fixed")
    for count in [1, 10, 100, 1000, 5000]:
        yield Row(f"boot {count}", f"launch to the first instruction of the last child, {_programs(count)}", "ms",
                  1.42 if count == 1000 else None)
    yield Row("graph start", "the same, 1,000 programs in ten layers that depend on each other", "ms")
    yield Row("graph ratio", "that, beside the same programs without an order", "×", 1.5, "fixed")
    yield Row("restart p50", "kill to the replacement's first instruction, median", "ms", 1.1)
    yield Row("restart p99", "kill to the replacement's first instruction, 99th percentile", "ms", 1.3)
    yield Row("storm", "500 children killed at once, all back", "ms", 1.8)
    yield Row("sustained", "processor time of the supervisor for each restart", "µs", 1.4)
    yield Row("log one rate", "log, one child, 64 KiB writes: rate", "MB/s", 0.9, more_is_better=True)
    yield Row("log one cpu", "log, one child, 64 KiB writes: processor time", "s/GB", 1.2)
    yield Row("log lines rate", "log, one child, 100-byte lines: rate", "MB/s", more_is_better=True)
    yield Row("log lines cpu", "log, one child, 100-byte lines: processor time", "s/GB", 1.0, "fixed")
    yield Row("log hundred rate", "log, 100 children, 4 KiB writes: rate", "MB/s", 0.85, more_is_better=True)
    yield Row("log hundred cpu", "log, 100 children, 4 KiB writes: processor time", "s/GB", 1.2)
    for form, name in [("text", "text"), ("json", "JSON")]:
        for writers, whose in [(1, "one child"), (100, "100 children")]:
            title = f"log as {name}, {whose}, 100-byte lines"
            yield Row(f"log {form} {writers} rate", f"{title}: rate", "MB/s", 150, "fixed", more_is_better=True)
            yield Row(f"log {form} {writers} cpu", f"{title}: processor time", "s/GB", 3.0, "fixed")
    for count in [10, 100, 1000]:
        yield Row(f"state {count} rate", f"getState, {_programs(count)}", "/s", 0.5, more_is_better=True)
        yield Row(f"state {count} p99", f"getState, {_programs(count)}, 99th percentile", "ms")
    for count, target in [(10, None), (100, None), (1000, 0.6)]:
        yield Row(f"all {count} rate", f"getAllProcessInfo, {_programs(count)}", "/s", target, more_is_better=True)
        yield Row(f"all {count} p99", f"getAllProcessInfo, {_programs(count)}, 99th percentile", "ms")
    for count, target in [(10, None), (100, None), (1000, 0.6)]:
        yield Row(f"api {count} rate", f"`/api/v1/programs`, {_programs(count)}", "/s", target, more_is_better=True)
        yield Row(f"api {count} p99", f"`/api/v1/programs`, {_programs(count)}, 99th percentile", "ms")
    yield Row("streams", "memory of the daemon, 1,000 clients that follow its events", "MB", 20, "fixed")
    yield Row("page", "an open page, 1,000 programs, 10 restarts in a second: processor time", "% of a core", 2, "fixed")
    yield Row("browser first", "the page of 5,000 programs in Chromium: until the first rows are painted", "ms", 1000, "fixed")
    yield Row("browser frame p50", "scrolling it: a frame, median", "ms")
    yield Row("browser frame p99", "scrolling it: a frame, 99th percentile", "ms", 50, "fixed")
    yield Row("browser share", "the page of 1,000 programs, 10 restarts in a second: its main thread", "% of a core")
    yield Row("browser restart", "its work for each restart", "ms")
    for count, target in [(10, 5), (100, None), (1000, 6)]:
        yield Row(f"status {count}", f"`supervisorctl status`, the whole command, {_programs(count)}", "ms", target, "fixed")
    yield Row("follow p50", "`tail -f`: write to display, median", "ms", 2)
    yield Row("follow p99", "`tail -f`: write to display, 99th percentile", "ms", 5, "fixed")
    for count in [1, 10, 100, 1000, 5000]:
        yield Row(f"shutdown {count}", f"end by SIGTERM with obedient children, {_programs(count)}", "ms", 1.3 if count == 1000 else None)
    yield Row("events", "communication events through to a listener", "/s", 0.9, more_is_better=True)
    yield Row("upgrade", "upgrade under 1,000 programs: longest time in which nobody restarts them", "ms", 100, "fixed")
    yield Row("update one", "`update --minimal`, one of 1,000 programs changed: to the first instruction of the new child", "ms", 50, "fixed")
    yield Row("plan nothing", "`update --plan` of 5,000 programs, nothing changed: the whole command", "ms", 200, "fixed")
    yield Row("plan all", "`update --plan` of 5,000 programs, all changed: the whole command", "ms", 200, "fixed")
    yield Row("check", "`supervisord --check` of 10,000 sections", "ms", 1000, "fixed")
    yield Row("resolved", "`supervisord --resolved` of 10,000 sections", "ms", 1000, "fixed")
    yield Row("health", "100 HTTP health checks every 30 s: processor time", "% of a core", 0.2, "fixed")
    yield Row("growth restarts", "memory grown by 10,000 restarts", "KiB", 256, "fixed")
    yield Row("growth requests", "memory grown by 100,000 requests", "KiB", 0, "fixed")


def number(value):
    """Three significant digits, with separated thousands."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _target(row, figures):
    bound = row.bound(figures)
    if row.target is None:
        return ""
    sign = "≥" if row.more_is_better else "≤"
    basis = "" if row.of == "fixed" else f" ({row.target:g} × {row.of})"
    met = {True: " ✓", False: " **missed**", None: ""}[row.is_met(figures)]
    return f"{sign} {number(bound)}{basis}{met}"


def _ratio(figures, other):
    if "ours" not in figures or not figures.get(other):
        return "–"
    return f"{figures['ours'] / figures[other]:.3g}"


def table(medians):
    """The figures as a Markdown table."""
    columns = {"original": "the original", "runit": "runit", "s6": "s6", "limit": "bare C loop", "ours": "ours"}
    shown = [name for name in columns if any(name in figures for figures in medians.values())]
    titles = ["measure", "unit", *(columns[name] for name in shown), "ours / original", "ours / C", "target"]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|" + "--:|" * (len(shown) + 2) + "---|"]
    for row in rows():
        figures = medians.get(row.key)
        if not figures:
            continue
        cells = [row.title, row.unit, *(number(figures.get(name)) for name in shown)]
        cells += [_ratio(figures, "original"), _ratio(figures, "limit"), _target(row, figures)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


PAGE = """<!-- Written by bench/run; do not edit. -->

# Benchmarks

Medians of {rounds}. In every round each measure is taken of the bare loop, of ours and of the original, one after
the other, so that whatever else the machine does falls on all of them. The absolute figures belong to the machine they
were taken on; what can be compared with another machine are the two columns of ratios.

*The original* is Supervisor 4.3.0 with CPython. The *bare C loop* is `bench/limit.c`: it does the same work without a
configuration, a state, error handling or an activity log, and shows what the operating system asks for the work itself.
*runit* and *s6* are Debian's, where they are installed: each has a process for every program, whose memory, processor
time and wake-ups are added up; both wait a second before they restart a program that has just been started.

![Ours and the original compared with the bare loop](benchmarks.svg)

{table}
What is measured, and how, says `bench/measures.py`; the configuration both daemons get is in `bench/subjects.py`. All
files are in memory (`/dev/shm`), the children are small static C programs that report their first instruction.

## How to repeat it

```
bench/run --write
bench/run --fleet --write
```

It needs Linux, Rust, a C compiler and Python 3.9 or later with `venv`. The original is installed into the build
directory, or taken from the directory that `SUPERVISOR_ORIGINAL` names. The fleet needs `nats-server`. `bench/run --help` shows how to take less.
"""


def write(directory, medians, rounds):
    """Writes `benchmarks.md` and `benchmarks.svg`."""
    directory.mkdir(exist_ok=True)
    page = directory / "benchmarks.md"
    # What bench/run --fleet has written stays.
    fleet = fleet_part.kept_of(page.read_text()) if page.exists() else ""
    text = PAGE.format(rounds="one round" if rounds == 1 else f"{rounds} rounds", table=table(medians))
    page.write_text(fleet_part.put(text, fleet))
    (directory / "benchmarks.svg").write_text(plot.svg(rows(), medians))
