"""Where the part about a fleet is in the page: each of the two reports keeps what the other has written."""

BEGIN = "<!-- Of a fleet: bench/run --fleet --write -->\n"
END = "<!-- end of the fleet -->\n"


def kept_of(text):
    """The part as it is in a page; empty if it is not."""
    begin, end = text.find(BEGIN), text.find(END)
    return text[begin : end + len(END)] if 0 <= begin < end else ""


def put(text, part):
    """The page with the part before its last heading, instead of the part that it has."""
    if kept := kept_of(text):
        text = text.replace(kept + "\n", "")
    before, heading, rest = text.rpartition("\n## ")
    return before + "\n" + part + heading + rest if part else text
