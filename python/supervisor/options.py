"""Names of processes, configuration sections, and the classes that plug-ins look for here."""

import configparser
import os
import sys

from supervisor.compat import as_string
from supervisor.datatypes import boolean, integer, list_of_strings

VERSION = "4.3.0"


def split_namespec(namespec):
    """The group and the process of `process`, `group:process`, `group:*` and `group:`; no process for the last two."""
    group, colon, process = namespec.partition(":")
    if not colon:
        return namespec, namespec
    return group, (None if process in ("", "*") else process)


def make_namespec(group_name, process_name):
    """The shortest name of a process."""
    return process_name if group_name == process_name else "%s:%s" % (group_name, process_name)


def expand(value, expansions, name):
    """Expands %(x)s in a text; ValueError if that is impossible."""
    try:
        return value % expansions
    except KeyError as error:
        known = ", ".join(sorted(expansions))
        raise ValueError(
            "Format string %r for %r contains names (%s) which cannot be expanded. Available names: %s"
            % (value, name, error, known)
        )
    except (TypeError, ValueError) as error:
        raise ValueError("Format string %r for %r is badly formatted: %s" % (value, name, error))


class UnhosedConfigParser(configparser.RawConfigParser):
    """A parser of configuration files whose values can be expanded."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("inline_comment_prefixes", (";", "#"))
        kwargs.setdefault("strict", False)
        configparser.RawConfigParser.__init__(self, *args, **kwargs)
        self.expansions = {}
        self.mysection = "supervisord"
        self.section_to_file = {}

    def saneget(self, section, option, default=None, do_expand=True, expansions=None):
        """A value, expanded if it is text. A missing value is the default, or a ValueError without one."""
        try:
            value = self.get(section, option)
        except (configparser.NoSectionError, configparser.NoOptionError):
            if default is None:
                raise ValueError("%s.%s is missing" % (section, option))
            value = default
        if do_expand and isinstance(value, str):
            value = expand(value, dict(self.expansions, **(expansions or {})), "%s.%s" % (section, option))
        return value

    def getdefault(self, option, default=None, expansions=None, **kwargs):
        """A value of the main section."""
        return self.saneget(self.mysection, option, default, expansions=expansions, **kwargs)


def _candidates():
    base = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0] or ".")))
    names = [base + "/etc/supervisord.conf", base + "/supervisord.conf", "supervisord.conf"]
    return names + ["etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"]


class Options:
    """The common base of both programs' options."""

    progname = "supervisord"
    configfile = None


class ClientOptions(Options):
    """The connection settings of supervisorctl: `serverurl`, `username` and `password` after `realize`."""

    def __init__(self):
        self.serverurl = None
        self.username = None
        self.password = None
        self.prompt = "supervisor"
        self.history_file = None
        self.interactive = False
        self.plugins = []
        self.args = []

    def realize(self, *args, **kwargs):
        """Reads -c, -s, -u, -p of a command line and the configuration file. Exits with 2 after an error."""
        import getopt

        words = args[0] if args else sys.argv[1:]
        try:
            chosen, self.args = getopt.getopt(
                words, "c:s:u:p:ir:h", ["configuration=", "serverurl=", "username=", "password=", "interactive"]
            )
        except getopt.GetoptError as error:
            self.usage(str(error))
        chosen = dict(chosen)
        pick = lambda short, long: chosen.get(short, chosen.get(long))
        self.configfile = pick("-c", "--configuration") or self.default_configfile()
        if self.configfile:
            self.read_config(self.configfile)
        self.serverurl = pick("-s", "--serverurl") or self.serverurl or "http://localhost:9001"
        self.username = pick("-u", "--username") or self.username
        self.password = pick("-p", "--password") or self.password

    def default_configfile(self):
        """The first file at the usual paths, or None."""
        return next((name for name in _candidates() if os.path.exists(name)), None)

    def read_config(self, name):
        """Reads [supervisorctl] of a file."""
        parser = UnhosedConfigParser()
        if not parser.read(name):
            self.usage("could not read config file %s" % name)
        here = os.path.dirname(os.path.abspath(name))
        parser.expansions = dict({"ENV_" + key: value for key, value in os.environ.items()}, here=here)
        if not parser.has_section("supervisorctl"):
            self.usage(".ini file does not include supervisorctl section")
        for option in ("serverurl", "username", "password", "prompt"):
            if parser.has_option("supervisorctl", option):
                setattr(self, option, parser.saneget("supervisorctl", option))

    def usage(self, message):
        """Prints the error and exits."""
        sys.stderr.write("Error: %s\n" % message)
        sys.exit(2)

    def getServerProxy(self):
        """A proxy of the daemon."""
        import xmlrpc.client

        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(self.username, self.password, self.serverurl)
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport)


class ServerOptions(Options):
    """A stand-in for plug-ins that change its methods; this process does not use them.

    The daemon closes no descriptors of the plug-in process, and reads its configuration itself.
    """

    def cleanup_fds(self):
        """Nothing is closed."""


__all__ = [
    "ClientOptions",
    "ServerOptions",
    "UnhosedConfigParser",
    "VERSION",
    "as_string",
    "boolean",
    "expand",
    "integer",
    "list_of_strings",
    "make_namespec",
    "split_namespec",
]
