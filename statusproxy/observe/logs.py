"""Log formats: text on a terminal, `message key=value` in systemd's journal, one JSON object a line elsewhere.

Nothing personal goes through here: callers log ids of sessions, codes, counts and addresses of peers, never a
body, a field's value, a query or a contact. Whatever an id holds, a record is one line, and nothing in it reaches a
terminal as a command (`observe.visible`). Logging never waits (`observe.log_writer`).
"""

import json
import logging
import os
import re
import sys
import threading
import time
from functools import lru_cache
from typing import Any, Final, Literal, TextIO

import msgspec

from statusproxy.observe.log_writer import LogWriter
from statusproxy.observe.visible import json_visible, quoted, visible

_log: Final = logging.getLogger("statusproxy.log")

Format = Literal["auto", "text", "json"]

#: Between info and warning: normal, but worth a look, as syslog has it (RFC 5424 §6.2.1). Python's logging lacks it.
NOTICE: Final = 25
logging.addLevelName(NOTICE, "NOTICE")

#: What a record has besides what its caller gave in `extra`; `form` is the caller's choice of a formatter.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "form"}

#: syslog's severities (RFC 5424 §6.2.1), which journald reads from a `<n>` prefix.
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (NOTICE, 5),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)


#: A session's id may be the phone number it is logged in with: so many digits in a row are one.
_NUMBER: Final = re.compile(r"\d{6,}(?=\d{4})")


def public_name(session: str) -> str:
    """A session's id as it may be logged: of a phone number in it, only the last four digits."""
    return _NUMBER.sub("…", session)


class TextFormatter(logging.Formatter):
    """`12:34:56 warning  the gateway broke off its answer  request_id=…`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; a traceback follows on lines of its own."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{clock} {level}{record.getMessage()}"
        if "request_id" in record.__dict__:
            line += f"  [{record.__dict__['request_id']}]"
        return "\n".join([visible(line), *_traceback(self, record)])


class JournalFormatter(logging.Formatter):
    """`Front Desk: no longer shown as disconnected change=released`, for systemd's journal.

    Time, severity and program are the journal's own fields. What the caller gave in `extra` follows, as in logfmt, less
    the time of an event (`at`), which would be a second time in the line; JSON and the history have it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; a traceback follows on lines of its own."""
        pairs = [f"{key}={_value(value)}" for key, value in _extra(record).items() if value is not None and key != "at"]
        return "\n".join([visible(" ".join([record.getMessage(), *pairs])), *_traceback(self, record)])


class JsonFormatter(logging.Formatter):
    """One JSON object: `time` (ISO 8601, UTC), `level`, `message`, and what the caller gave in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        fields: dict[str, object] = {
            "time": f"{_to_the_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= _extra(record)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json_visible(_json(fields))


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def _json(fields: dict[str, object]) -> str:
    try:
        return _encode(fields).decode()
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, or a number beyond 64 bits
        return json.dumps(fields, ensure_ascii=False, default=str, separators=(",", ":"))


@lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    """Epoch seconds in ISO 8601, UTC. Many records are of one second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class CombinedFormatter(logging.Formatter):
    """An exchange as Apache's combined log format has it, then the request's id and the time it took.

    Referer and user agent are always `-`: they may hold anything. An exchange that a stop cut off reads
    499, as one whose client left does: readers of this format take no 0.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One access record as one line."""
        said = record.__dict__
        at = time.gmtime(record.created)
        moment = f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S', at)} +0000"
        client, request_id = quoted(said["client"]), quoted(said["request_id"])
        request = quoted(f"{said['method']} {said['path']} HTTP/1.1")
        return (
            f'{client} - - [{moment}] "{request}" {said["status"] or 499} {said["sent"] or "-"} "-" "-" '
            f"{request_id} {said['ms']:.2f}ms"
        )


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave in `extra`."""
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _value(value: object) -> str:
    """A value of logfmt: in double quotes where it has spaces, quotes or an equals sign."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


_PLAIN: Final = re.compile(r'[^\s"=]+')


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """The lines of a record's traceback, set in: text of the error cannot look like a line of the log."""
    if not record.exc_info:
        return []
    return ["    " + visible(line) for line in formatter.formatException(record.exc_info).split("\n")]


#: Not by `strftime`, which would write them in the locale's language.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _Chosen(logging.Formatter):
    """The formatter that a record asks for in `form`, else the usual one."""

    def __init__(self, usual: logging.Formatter) -> None:
        super().__init__()
        self._usual = usual
        self._others = {"json": JsonFormatter(), "combined": CombinedFormatter()}

    def format(self, record: logging.LogRecord) -> str:
        return self._others.get(record.__dict__.get("form", ""), self._usual).format(record)


class _Journal(logging.Formatter):
    """Puts the severity before each line, as journald wants it on a service's output."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).split("\n"))


def set_up(form: Format, level: str, stream: TextIO | None = None) -> None:
    """Send all log records to `stream` (standard error by default) in the form wanted."""
    stream = stream or sys.stderr
    journal = _is_journal(stream)
    formatter: logging.Formatter = _Chosen(_usual(form, journal=journal, terminal=stream.isatty()))
    if journal:
        formatter = _Journal(formatter)
    handler = _handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [handler]
    for one in before:
        if isinstance(one, LogWriter):
            one.flush()
            one.close()
    root.setLevel(logging.WARNING)
    logging.getLogger("statusproxy").setLevel(level.upper())
    # Access lines depend on `log.access` alone, not on `log.level`.
    logging.getLogger("statusproxy.access").setLevel(logging.INFO)


def take_over() -> None:
    """Log what Python itself would write to standard error, where a full pipe would stop the process.

    That is: warnings, and errors in threads and destructors.
    """
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_unraisable


def flush() -> None:
    """Wait until what was logged is written, a few seconds at most."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _usual(form: Format, *, journal: bool, terminal: bool) -> logging.Formatter:
    if form == "auto":
        return JournalFormatter() if journal else TextFormatter() if terminal else JsonFormatter()
    return TextFormatter() if form == "text" else JsonFormatter()


def _handler(stream: TextIO) -> logging.Handler:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # in memory: it has none, and keeps no one waiting
        return logging.StreamHandler(stream)
    stream.flush()
    return LogWriter(descriptor, stream.encoding)


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None and not isinstance(error.exc_value, SystemExit):
        name = error.thread.name if error.thread is not None else "?"
        _log.error("a thread ended with an error: %s", name, exc_info=error.exc_value)


def _log_unraisable(error: "sys.UnraisableHookArgs") -> None:
    where = getattr(error.object, "__qualname__", type(error.object).__qualname__)
    _log.error("%s: %s", error.err_msg or "an error that could not be raised", where, exc_info=error.exc_value)


def _is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the journal's: systemd says which device and inode it connected (`JOURNAL_STREAM`)."""
    said = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return said == f"{status.st_dev}:{status.st_ino}"
