"""The first lines the plug-in process runs: takes the package from the channel, so that nothing need be installed."""

import sys

# `-c` put the current directory first: what happens to lie there is no plug-in, and no part of the standard library.
# Nothing else may be imported before. Empty entries of PYTHONPATH have become absolute paths by now.
sys.path[:] = [entry for entry in sys.path if entry]

import importlib.abc  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402


class Package(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds the modules of `supervisor` in memory, before any that may be installed: only these reach the daemon."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, fullname, path=None, target=None):
        if fullname in self.sources:
            spec = importlib.util.spec_from_loader(fullname, self, origin="<%s>" % fullname)
            if fullname == "supervisor":
                spec.submodule_search_locations = []
            return spec
        if fullname.startswith("supervisor."):
            raise ModuleNotFoundError(
                "%s is not available: plug-ins run outside of the daemon, where there is no such part of it" % fullname,
                name=fullname,
            )
        return None

    def get_source(self, fullname):
        return self.sources[fullname]

    def exec_module(self, module):
        code = compile(self.sources[module.__name__], "<%s>" % module.__name__, "exec", dont_inherit=True)
        exec(code, module.__dict__)


descriptor = int(sys.argv[1])
channel = socket.socket(fileno=os.dup(descriptor))
if descriptor == 0:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
else:
    os.close(descriptor)
sys.argv[:] = ["supervisord"]
# A long line comes in few pieces.
lines = channel.makefile("rb", 1 << 18)
sys.meta_path.insert(0, Package(json.loads(lines.readline())["sources"]))

from supervisor.plugin_process import main  # noqa: E402

main(channel, lines)
