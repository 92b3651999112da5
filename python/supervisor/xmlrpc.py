"""XML-RPC with the daemon: faults, and a transport that also supports Unix sockets."""

import base64
import http.client
import socket
import urllib.parse
import xmlrpc.client
from xml.etree import ElementTree
from xmlrpc.client import Fault

from supervisor.compat import as_string
from supervisor.http import NOT_DONE_YET


class Faults:
    """The numbers of faults. Plug-ins may add their own."""

    UNKNOWN_METHOD = 1
    INCORRECT_PARAMETERS = 2
    BAD_ARGUMENTS = 3
    SIGNATURE_UNSUPPORTED = 4
    SHUTDOWN_STATE = 6
    BAD_NAME = 10
    BAD_SIGNAL = 11
    NO_FILE = 20
    NOT_EXECUTABLE = 21
    FAILED = 30
    ABNORMAL_TERMINATION = 40
    SPAWN_ERROR = 50
    ALREADY_STARTED = 60
    NOT_RUNNING = 70
    SUCCESS = 80
    ALREADY_ADDED = 90
    STILL_RUNNING = 91
    CANT_REREAD = 92


def getFaultDescription(code):
    """The name of a fault, UNKNOWN for an unknown number."""
    for name, number in vars(Faults).items():
        if number == code and not name.startswith("_"):
            return name
    return "UNKNOWN"


class RPCError(Exception):
    """Raised by a method of a plug-in to answer with a fault."""

    def __init__(self, code, extra=None):
        self.code = code
        self.text = getFaultDescription(code)
        if extra is not None:
            self.text = "%s: %s" % (self.text, extra)
        Exception.__init__(self, self.text)

    def __str__(self):
        return "code=%r, text=%r" % (self.code, self.text)


class DeferredXMLRPCResponse:
    """Only for `isinstance`: the plug-in process polls answers that take long."""


def capped_int(value):
    """The number limited to the 32 bits of XML-RPC."""
    return max(xmlrpc.client.MININT, min(int(value), xmlrpc.client.MAXINT))


def make_datetime(text):
    """The datetime of an ISO 8601 text of XML-RPC."""
    import datetime

    return datetime.datetime.strptime(text, "%Y%m%dT%H:%M:%S")


def gettags(comment):
    """The tags of a documentation text: (line, tag, type, name, text) each. What stands before the first tag comes
    first, with None for tag, type and name."""
    tags = []
    current = [0, None, None, None, []]
    for number, line in enumerate(comment.split("\n")):
        line = line.strip()
        if line.startswith("@"):
            tags.append(_finished(current))
            words = line[1:].split(None, 3) + ["", "", "", ""]
            current = [number, words[0], words[1], words[2], [words[3]]]
        elif line:
            current[4].append(line)
    tags.append(_finished(current))
    return [tag for tag in tags if tag[1] is not None or tag[4]]


def _finished(tag):
    number, name, kind, label, lines = tag
    return number, name, kind, label, "\n".join(line for line in lines if line).strip()


def signature(function):
    """The types in the documentation of a method: of its result, then of its parameters; None without tags."""
    returns, parameters = None, []
    for _, tag, kind, _, _ in gettags(str(function.__doc__)):
        if tag == "return":
            returns = kind
        elif tag == "param":
            parameters.append(kind)
    return None if returns is None else [returns] + parameters


class UnixStreamHTTPConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket with the path `socketfile`."""

    def __init__(self, host, socketfile=None, timeout=None):
        http.client.HTTPConnection.__init__(self, host)
        self.socketfile = socketfile
        self._patience = timeout

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if self._patience is not None:
            self.sock.settimeout(self._patience)
        self.sock.connect(self.socketfile)


class SupervisorTransport(xmlrpc.client.Transport):
    """Sends calls to `http://host:port` or `unix:///path`, with credentials if given."""

    connection = None

    def __init__(self, username=None, password=None, serverurl=None):
        xmlrpc.client.Transport.__init__(self)
        self.username = username
        self.password = password
        self.verbose = False
        self.serverurl = serverurl
        parts = urllib.parse.urlparse(serverurl)
        if parts.scheme == "unix" and serverurl.startswith("unix://"):
            self._path = serverurl[len("unix://") :]
        elif parts.scheme == "http":
            self._path = None
            self._address = (parts.hostname, parts.port or 80)
        else:
            raise ValueError("Unknown protocol for serverurl %s" % serverurl)

    def _connect(self):
        if self._path is not None:
            return UnixStreamHTTPConnection("localhost", self._path)
        return http.client.HTTPConnection(*self._address)

    def request(self, host, handler, request_body, verbose=0):
        """Sends the document of a call and returns the result."""
        headers = {"User-Agent": "xmlrpc", "Content-Type": "text/xml", "Accept": "text/xml"}
        if self.username is not None and self.password is not None:
            credentials = "%s:%s" % (self.username, self.password)
            headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        for last in (False, True):
            fresh = self.connection is None
            self.connection = self.connection or self._connect()
            try:
                self.connection.request("POST", handler, request_body, headers)
                response = self.connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                # The daemon may have closed a kept-alive connection, which is no error.
                if fresh or last:
                    raise
            except Exception:
                self.close()
                raise
        body = response.read()
        if response.status != 200:
            self.close()
            raise xmlrpc.client.ProtocolError(str(host) + handler, response.status, response.reason, "")
        parser, target = self.getparser()
        parser.feed(body)
        parser.close()
        return target.close()

    def close(self):
        """Closes the connection; the next call opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def loads(data):
    """The parameters and the method name of an XML-RPC document."""
    return xmlrpc.client.loads(data, use_builtin_types=False)


__all__ = [
    "ElementTree",
    "Fault",
    "Faults",
    "NOT_DONE_YET",
    "RPCError",
    "SupervisorTransport",
    "UnixStreamHTTPConnection",
    "as_string",
    "capped_int",
    "getFaultDescription",
    "gettags",
    "loads",
    "make_datetime",
]
