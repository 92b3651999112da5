"""Names that differed between Python 2 and 3, for code that still imports them from here."""

import http.client as httplib
import io
import queue
import urllib.parse as urlparse
import urllib.request as urllib
import xmlrpc.client as xmlrpclib
from base64 import decodebytes as decodestring
from base64 import encodebytes as encodestring
from configparser import ConfigParser, RawConfigParser
from hashlib import sha1
from html import escape
from http.client import HTTPConnection
from io import StringIO
from xmlrpc.client import Fault

PY2 = False
PY3 = True
unicode = str
basestring = str
long = int
raw_input = input
maxint = 2**63 - 1
unichr = chr

__all__ = [name for name in dir() if not name.startswith("_")]


def as_bytes(text, encoding="utf-8"):
    """The value as bytes."""
    return text if isinstance(text, bytes) else text.encode(encoding)


def as_string(text, encoding="utf-8"):
    """The value as text."""
    return text.decode(encoding) if isinstance(text, bytes) else str(text)


def as_bytes_or_none(text, encoding="utf-8"):
    """Bytes, or None for None."""
    return None if text is None else as_bytes(text, encoding)


def total_ordering(cls):
    """The standard decorator of that name."""
    import functools

    return functools.total_ordering(cls)


def print_function(*args, **kwargs):
    """The print function."""
    print(*args, **kwargs)


def is_text_stream(stream):
    """Whether a stream takes text rather than bytes."""
    return isinstance(stream, io.TextIOBase) or "b" not in getattr(stream, "mode", "")
