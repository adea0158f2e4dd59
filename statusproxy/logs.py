"""Log lines: friendly text on a terminal, one JSON object a line otherwise, with syslog priorities for journald.

Nothing personal goes through here: callers log ids of sessions, codes, counts and addresses of peers, never a
body, a field's value, a query or a contact.
"""

import json
import logging
import os
import re
import sys
import time
from typing import Final, Literal, TextIO

Format = Literal["auto", "text", "json"]

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

#: syslog's severities (RFC 5424 §6.2.1), which journald reads from a `<n>` prefix.
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
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
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object: `time` (ISO 8601, UTC), `level`, `message`, and what the caller gave in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str, separators=(",", ":"))


class _Journal(logging.Formatter):
    """Puts the severity before each line, as journald wants it on a service's output."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).splitlines())


def set_up(form: Format, level: str, stream: TextIO | None = None) -> None:
    """Send all log records to `stream` (standard error by default) in the form wanted."""
    stream = stream or sys.stderr
    text = form == "text" or (form == "auto" and stream.isatty())
    formatter: logging.Formatter = TextFormatter() if text else JsonFormatter()
    if _is_journal(stream):
        formatter = _Journal(formatter)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("statusproxy").setLevel(level.upper())


def _is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the journal's: systemd says which device and inode it connected (`JOURNAL_STREAM`)."""
    said = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return said == f"{status.st_dev}:{status.st_ino}"
