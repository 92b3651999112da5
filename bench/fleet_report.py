"""The part of the page with the figures of a fleet."""

from fleet import CROWDS
from fleet_part import BEGIN, END, put
from report import number

#: Key, title, unit, and the most that it may be with the largest crowd.
ROWS = [
    ("presence", "start of the first agent, to all on the page of the hub", "s", 5.0),
    ("status", "`status` of all hosts, the whole command", "s", 2.0),
    ("restart", "`restart` on all hosts, the whole command", "s", 2.0),
    ("agent", "memory of an agent, the largest", "MB", 8.0),
    ("agent own", "of that not shared with the other agents", "MB", None),
    ("hub", "memory of the hub", "MB", 60.0),
    ("hub own", "of that not the program itself", "MB", None),
]

SECTION = BEGIN + """
## Many hosts

Real agents, a NATS server with JetStream, the [hub](many-hosts.md#the-hub) and the client share one machine{cores}. The daemons only
pretend, so that what is measured is the fleet. Medians of {rounds}; the targets are for {most} agents.

{table}
""" + END


def table(medians):
    """The figures as a Markdown table, with a column for each number of agents."""
    counts = [count for count in CROWDS if count in medians]
    lines = ["| measure | unit | " + " | ".join(f"{count} agents" for count in counts) + " | target |"]
    lines.append("|---|---|" + "--:|" * len(counts) + "---|")
    for key, title, unit, most in ROWS:
        cells = [number(medians[count][key]) for count in counts]
        last = medians[counts[-1]][key]
        target = "" if most is None or counts[-1] != CROWDS[-1] else f"≤ {number(most)} " + ("✓" if last <= most else "**missed**")
        lines.append("| " + " | ".join([title, unit, *cells, target]) + " |")
    return "\n".join(lines)


def section(medians, rounds, cores):
    text = {"rounds": "one round" if rounds == 1 else f"{rounds} rounds", "most": CROWDS[-1]}
    cores = f" with {cores} cores" if cores else ""
    return SECTION.format(table=table(medians), cores=cores, **text)


def write(page, medians, rounds, cores):
    """Writes the part into the page."""
    page.write_text(put(page.read_text(), section(medians, rounds, cores)))
