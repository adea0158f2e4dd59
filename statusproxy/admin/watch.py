"""What `statusproxy sessions --watch` shows: the sessions as they were last told, and whether that is live. Pure.

A screen for a terminal, redrawn in place, or lines and JSON documents for a pipe: one for each session at first, then
one for each change.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from unicodedata import east_asian_width

import msgspec

from statusproxy.admin.messages import Moment, Session, Sessions, to_text
from statusproxy.admin.table import sessions_table, shown
from statusproxy.observe.counted import counted
from statusproxy.observe.visible import delimited, json_visible, visible

__all__ = ["ENTER", "LEAVE", "by_name", "changes", "drawn", "json_line", "picture", "text_line"]

#: The alternate screen, with no line wrapped and no cursor; and back (xterm's control sequences, DEC private modes).
ENTER: Final = "\x1b[?1049h\x1b[?7l\x1b[?25l"
LEAVE: Final = "\x1b[?25h\x1b[?7h\x1b[?1049l"

_CLEAR_LINE: Final = "\x1b[K"
_HOME: Final = "\x1b[H"
_CLEAR_REST: Final = "\x1b[J"


def picture(answer: Sessions | None, lost: str | None, at: str, lines: int) -> list[str]:
    """One picture, as at most `lines` lines of any length.

    `answer` is the newest, None before the first. `lost` says why it is not live, None where it is; `at` is the time of
    day to show: of the newest answer.
    """
    head = f"Live, {at}. Ctrl-C ends it." if lost is None else f"NOT LIVE, as of {at}: {visible(lost)}"
    rows = [] if answer is None else sessions_table(answer).split("\n")
    room = max(lines - 2, 1)
    if len(rows) > room:
        hidden = len(rows) - (room - 1)
        rows = [*rows[: room - 1], f"… and {counted(hidden, 'line')} more; a taller window shows them"]
    return [head, "", *rows]


def drawn(lines: Sequence[str], columns: int) -> str:
    """A picture as a terminal of so many columns draws it over the one before; a line that was cut ends in `…`."""
    text = f"{_CLEAR_LINE}\r\n".join(_cut(line, columns) for line in lines)
    return f"{_HOME}{text}{_CLEAR_LINE}{_CLEAR_REST}"


def _cut(line: str, columns: int) -> str:
    """A line of at most so many columns, as Unicode's table of widths has them (UAX #11)."""
    end = used = 0
    for place, character in enumerate(line):
        width = 2 if east_asian_width(character) in "WF" else 1
        if used + width > columns:
            return f"{line[:end]}…"
        used += width
        if used < columns:
            end = place + 1
    return line


def by_name(answer: Sessions, before: Mapping[str, Session]) -> dict[str, Session]:
    """The sessions of an answer. From a proxy's start to its first list, those of the list before stay as they were."""
    kept = {} if answer.list_seen_at else {name: session for name, session in before.items() if session.listed}
    return kept | {session.session: session for session in answer.sessions}


def changes(before: Mapping[str, Session], now: Mapping[str, Session]) -> Iterator[tuple[str, Session | None]]:
    """The sessions that differ in what people watch for, with what they are now; None for those that are gone."""
    for name in before:
        if name not in now:
            yield name, None
    for name, session in now.items():
        if name not in before or _told(before[name]) != _told(session):
            yield name, session


def text_line(at: str, name: str, session: Session | None) -> str:
    """A change as a line: when, which session, what the list shows, since when, why."""
    if session is None:
        return f"{at}  {visible(delimited(name))}  gone"
    cells = [at, delimited(name), shown(session), session.reason, _says(session)]
    return "  ".join(visible(cell) for cell in cells if cell)


def json_line(at: Moment, name: str, session: Session | None) -> str:
    """A change as a JSON document of one line: the session's message with `at`; of one that is gone `"gone": true`."""
    text = to_text(session, at=at) if session is not None else to_text(_Named(name), at=at, gone=True)
    return json_visible(text)


class _Named(msgspec.Struct):
    session: str


def _says(session: Session) -> str | None:
    return None if session.gateway_said is None else f"(gateway: {session.gateway_said})"


def _told(session: Session) -> tuple[str | None, ...]:
    """The members whose changes are shown to a person: others change with each message that a session gets."""
    return session.state, shown(session), session.since, session.reason, session.gateway_said
