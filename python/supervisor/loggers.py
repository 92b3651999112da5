"""Log levels, and small loggers for plug-ins with a log of their own."""

import sys
import time


class LevelsByName:
    CRIT = 50
    ERRO = 40
    WARN = 30
    INFO = 20
    DEBG = 10
    TRAC = 5
    BLAT = 3


class LevelsByDescription:
    critical = LevelsByName.CRIT
    error = LevelsByName.ERRO
    warn = LevelsByName.WARN
    info = LevelsByName.INFO
    debug = LevelsByName.DEBG
    trace = LevelsByName.TRAC
    blather = LevelsByName.BLAT


LOG_LEVELS_BY_NUM = {number: name for name, number in vars(LevelsByName).items() if not name.startswith("_")}


def getLevelNumByDescription(description):
    """The number of a level such as `warn`; None for an unknown one."""
    return getattr(LevelsByDescription, str(description), None)


class Handler:
    """Writes lines of at least a level to a stream."""

    fmt = "%(message)s"
    level = LevelsByName.INFO

    def __init__(self, stream=None):
        self.stream = stream

    def setFormat(self, fmt):
        """A pattern with %(message)s, %(levelname)s and %(asctime)s."""
        self.fmt = fmt

    def setLevel(self, level):
        """The least severe level that is written."""
        self.level = level

    def flush(self):
        """Writes what is buffered."""
        if self.stream is not None:
            self.stream.flush()

    def close(self):
        """Closes the stream, unless it is stdout or stderr."""
        if self.stream not in (None, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            self.stream.close()

    def remove(self):
        """Forgets the log."""

    def reopen(self):
        """Opens the log again where it is a file."""

    def emit(self, record):
        """Writes one record."""
        self.stream.write(self.fmt % record.asdict())
        self.flush()


StreamHandler = Handler


class FileHandler(Handler):
    """Writes to a file."""

    def __init__(self, filename, mode="a"):
        Handler.__init__(self, open(filename, mode))
        self.baseFilename = filename

    def reopen(self):
        self.close()
        self.stream = open(self.baseFilename, "a")

    def remove(self):
        import os

        self.close()
        os.remove(self.baseFilename)


class RotatingFileHandler(FileHandler):
    """Writes to a file that is rotated at a size."""

    def __init__(self, filename, mode="a", maxBytes=512 * 1024 * 1024, backupCount=10, encoding=None, delay=0):
        FileHandler.__init__(self, filename, mode)
        self.maxBytes = maxBytes
        self.backupCount = backupCount

    def emit(self, record):
        FileHandler.emit(self, record)
        if 0 < self.maxBytes <= self.stream.tell():
            self.doRollover()

    def doRollover(self):
        """Numbers the older files one higher and begins a new one."""
        import os

        self.stream.close()
        names = [self.baseFilename] + ["%s.%d" % (self.baseFilename, n + 1) for n in range(self.backupCount)]
        for older, newer in zip(reversed(names), list(reversed(names))[1:]):
            if os.path.exists(newer):
                os.replace(newer, older)
        self.stream = open(self.baseFilename, "w")


class LogRecord:
    """One log record."""

    def __init__(self, level, msg, **kw):
        self.level = level
        self.msg = msg
        self.kw = kw

    def asdict(self):
        """The fields that a format can contain."""
        now = time.time()
        stamp = "%s,%03d" % (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)), (now - int(now)) * 1000)
        message = self.msg % self.kw if self.kw else self.msg
        return {"message": message, "levelname": LOG_LEVELS_BY_NUM.get(self.level, "INFO"), "asctime": stamp}


class Logger:
    """Passes records to its handlers."""

    def __init__(self, level=None, handlers=None):
        self.level = LevelsByName.INFO if level is None else level
        self.handlers = [] if handlers is None else handlers

    def close(self):
        """Closes all handlers."""
        for handler in self.handlers:
            handler.close()

    def addHandler(self, handler):
        """Adds a handler."""
        self.handlers.append(handler)

    def getvalue(self):
        """Not kept."""
        raise NotImplementedError

    def log(self, level, msg, **kw):
        """Writes a line at a level."""
        if level >= self.level:
            record = LogRecord(level, msg, **kw)
            for handler in self.handlers:
                if level >= handler.level:
                    handler.emit(record)

    def critical(self, msg, **kw):
        self.log(LevelsByName.CRIT, msg, **kw)

    def error(self, msg, **kw):
        self.log(LevelsByName.ERRO, msg, **kw)

    def warn(self, msg, **kw):
        self.log(LevelsByName.WARN, msg, **kw)

    def info(self, msg, **kw):
        self.log(LevelsByName.INFO, msg, **kw)

    def debug(self, msg, **kw):
        self.log(LevelsByName.DEBG, msg, **kw)

    def trace(self, msg, **kw):
        self.log(LevelsByName.TRAC, msg, **kw)

    def blather(self, msg, **kw):
        self.log(LevelsByName.BLAT, msg, **kw)


def getLogger(level=None):
    """A logger without handlers."""
    return Logger(level)


def handle_stdout(logger, fmt):
    """Adds a handler that writes to stdout."""
    _handle(logger, Handler(sys.stdout), fmt)


def handle_file(logger, filename, fmt, rotating=False, maxbytes=0, backups=0):
    """Adds a handler that writes to a file; `syslog` is refused, because that log is the daemon's."""
    if filename == "syslog":
        raise NotImplementedError("plug-ins cannot log to the system log through supervisor.loggers; use syslog")
    handler = RotatingFileHandler(filename, "a", maxbytes, backups) if rotating else FileHandler(filename)
    _handle(logger, handler, fmt)


def _handle(logger, handler, fmt):
    handler.setFormat(fmt)
    handler.setLevel(logger.level)
    logger.addHandler(handler)
