"""Makes the wheel. No build tool is needed, so the package can be installed without a network.

The modules go into a directory of their own, which a .pth file puts at the end of the search path: where the original
is installed beside it, `import supervisor` finds the original.
"""

import base64
import hashlib
import os
import zipfile

NAME = "supervisord_compat"
VERSION = "0.1.0"
INFO = "%s-%s.dist-info" % (NAME, VERSION)
HERE = os.path.dirname(os.path.abspath(__file__))

METADATA = """Metadata-Version: 2.1
Name: supervisord-compat
Version: %s
Summary: The package `supervisor` for event listeners and scripts, where the original is not installed
License: MIT OR Apache-2.0
Requires-Python: >=3.8
""" % VERSION

WHEEL = "Wheel-Version: 1.0\nGenerator: supervisord-compat\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _files():
    package = os.path.join(HERE, "supervisor")
    for name in sorted(os.listdir(package)):
        if name.endswith(".py"):
            with open(os.path.join(package, name), encoding="utf-8") as module:
                yield "%s/supervisor/%s" % (NAME, name), module.read()
    yield NAME + ".pth", NAME + "\n"
    yield INFO + "/METADATA", METADATA
    yield INFO + "/WHEEL", WHEEL


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes the wheel and gives its name."""
    name = "%s-%s-py3-none-any.whl" % (NAME, VERSION)
    record = []
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in _files():
            data = text.encode("utf-8")
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
            wheel.writestr(path, data)
        record.append(INFO + "/RECORD,,\n")
        wheel.writestr(INFO + "/RECORD", "".join(record))
    return name


def build_sdist(sdist_directory, config_settings=None):
    """Refused: the wheel is all there is."""
    raise NotImplementedError("install from the directory, or build a wheel")
