"""Values of configuration options, from their text. All raise ValueError for what they do not accept."""

import os
import signal

TRUTHY_STRINGS = ("yes", "true", "on", "1")
FALSY_STRINGS = ("no", "false", "off", "0")


class Automatic:
    """A log file whose name the daemon makes up."""


class Syslog:
    """A log that goes to the system log."""


class SuffixMultiplier:
    """Numbers with a unit at their end, such as 5KB."""

    def __init__(self, d, default=1):
        self._units = sorted(d.items(), key=lambda unit: -len(unit[0]))
        self._default = default

    def __call__(self, v):
        text = str(v).strip().lower()
        for unit, factor in self._units:
            if text.endswith(unit.lower()):
                return int(text[: -len(unit)]) * factor
        return int(text) * self._default


byte_size = SuffixMultiplier({"kb": 1024, "mb": 1024 * 1024, "gb": 1024**3})
seconds_size = SuffixMultiplier({"s": 1, "m": 60, "h": 3600, "d": 86400})


def boolean(s):
    """yes, true, on and 1 are True; no, false, off and 0 are False."""
    text = str(s).lower()
    if text in TRUTHY_STRINGS:
        return True
    if text in FALSY_STRINGS:
        return False
    raise ValueError("not a valid boolean value: %r" % (s,))


def integer(value):
    """A whole number."""
    return int(value)


def octal_type(arg):
    """A number in octal digits."""
    try:
        return int(arg, 8)
    except (TypeError, ValueError):
        raise ValueError("%s can not be converted to an octal type" % (arg,))


def list_of_strings(arg):
    """Words between commas; a list or an empty text gives an empty list."""
    if not arg:
        return []
    return [word.strip() for word in arg.split(",")]


def list_of_ints(arg):
    """Whole numbers between commas."""
    return [int(word) for word in list_of_strings(arg)]


def list_of_exitcodes(arg):
    """Exit statuses from 0 to 255 between commas."""
    codes = list_of_ints(arg)
    for code in codes:
        if not 0 <= code <= 255:
            raise ValueError("Invalid exit code %s" % code)
    return codes


def dict_of_key_value_pairs(arg):
    """KEY=value pairs between commas; values may be quoted."""
    import shlex

    lexer = shlex.shlex(str(arg), posix=True)
    lexer.wordchars += "/.+-():"
    lexer.commenters = ""
    words = list(lexer)
    pairs = {}
    index = 0
    while index < len(words):
        if words[index] == ",":
            index += 1
            continue
        if words[index + 1 : index + 2] != ["="] or index + 2 >= len(words):
            raise ValueError("Unexpected end of key/value pairs in value %r" % arg)
        pairs[words[index]] = words[index + 2]
        index += 3
    return pairs


def signal_number(value):
    """The number of a signal, given by number or by name with or without SIG."""
    text = str(value).strip().upper()
    try:
        number = int(text)
    except ValueError:
        name = text if text.startswith("SIG") else "SIG" + text
        number = int(getattr(signal, name, 0) or 0)
    if number not in [int(known) for known in signal.valid_signals()]:
        raise ValueError("value %r is not a valid signal name or number" % (value,))
    return number


def auto_restart(value):
    """The class RestartUnconditionally, RestartWhenExitUnexpected, or False."""
    text = str(value).lower()
    if text in TRUTHY_STRINGS:
        return RestartUnconditionally
    if text in FALSY_STRINGS:
        return False
    if text == "unexpected":
        return RestartWhenExitUnexpected
    raise ValueError("invalid 'autorestart' value %r" % value)


class RestartUnconditionally:
    """autorestart=true"""


class RestartWhenExitUnexpected:
    """autorestart=unexpected"""


def logfile_name(val):
    """A path, the class Automatic or Syslog, or None."""
    text = str(val).lower()
    if text == "none":
        return None
    if text == "auto":
        return Automatic
    if text == "syslog":
        return Syslog
    return existing_dirpath(val)


def logging_level(value):
    """The number of a log level, from its name."""
    from supervisor.loggers import getLevelNumByDescription

    number = getLevelNumByDescription(str(value).lower())
    if number is None:
        raise ValueError("bad logging level name %r" % value)
    return number


def existing_dirpath(v):
    """A path whose directory exists."""
    path = os.path.expanduser(v)
    directory = os.path.dirname(path)
    if directory and not os.path.isdir(directory):
        raise ValueError("The directory named as part of the path %s does not exist" % v)
    return path


def existing_directory(v):
    """A directory that exists."""
    path = os.path.expanduser(v)
    if not os.path.isdir(path):
        raise ValueError("%s is not an existing directory" % v)
    return path


def url(value):
    """A URL with a scheme and something after it."""
    from urllib.parse import urlparse

    parts = urlparse(value)
    if parts.scheme and (parts.netloc or parts.path):
        return value
    raise ValueError("value %r is not a URL" % value)


def name_to_uid(name):
    """The number of a user."""
    import pwd

    try:
        return int(name)
    except ValueError:
        pass
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ValueError("Invalid user name %s" % name)


def name_to_gid(name):
    """The number of a group."""
    import grp

    try:
        return int(name)
    except ValueError:
        pass
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError("Invalid group name %s" % name)
