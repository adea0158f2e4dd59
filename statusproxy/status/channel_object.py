"""Read one channel's object: what it says of the channel's status, and the edits that make it read disconnected."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import Final

import msgspec

from statusproxy.status.fields import Path, fold_word, parse, parse_path, usable_text
from statusproxy.status.json_spans import Span, after_space, after_value, as_text, locate, member_name
from statusproxy.status.long_spans import WINDOW, locate_in_steps, member_at
from statusproxy.status.long_values import after_blank, after_comma, members_end, prepare, value_end
from statusproxy.status.set_values import Scalar
from statusproxy.status.splice import Edit

_LONGEST_KNOWN: Final = 64
"""Characters of the longest value that is remembered with what it means. Status words are short."""

_LONGEST_WRITTEN: Final = 64 * 1024
"""Characters of the longest value that is looked at, as it is written. To fold 2 MB takes 24 ms."""

_MOST_KNOWN: Final = 256
"""Values remembered for each member. A gateway has some ten words; beyond, values are read each time."""

_LONGEST_OBJECT: Final = 2048
"""Characters of the longest object that is remembered with what it says. Most are the same in the next answer."""

_MOST_OBJECTS: Final = 64
"""Objects remembered: those of the few channels that are shown as disconnected."""


class ChannelObject(msgspec.Struct, frozen=True, gc=False):
    """What one channel's object says."""

    word: str | None
    """The gateway's own word: the first status that is text or a number, else the first that is a boolean."""
    keeps: bool
    """One of the status members is a word of `keep`."""
    connected: bool
    """One of the status members reads connected."""
    edits: tuple[Edit, ...]
    """What must change in the document so that the channel reads disconnected."""


class ObjectReader:
    """Reads channels' objects for one rule; holds its words folded, its values encoded, its patterns compiled."""

    def __init__(self, values: Mapping[str, Scalar], keep: Iterable[str], connected: Iterable[str]) -> None:
        self._values = values
        self._encoded = {name: json.dumps(value).encode() for name, value in values.items()}
        self._keep = frozenset(map(fold_word, keep))
        self._connected = frozenset(map(fold_word, connected))
        self._known: dict[str, dict[str, _Value]] = {name: {} for name in values}
        self._objects: dict[str, ChannelObject] = {}
        self._nested: dict[str, Path] = {name: parse_path(name) for name in values if "." in name}
        self._flat = values.keys() - self._nested.keys()
        names = "|".join(map(re.escape, sorted(self._flat))) or "(?!)"
        others = _OTHERS % f'(?!(?:{names})")'
        self._others = re.compile(others, re.DOTALL).match
        self._usual = re.compile(
            rf'\{{{others}(?>(?:{_SPACE}"({names})"{_SPACE}:{_SPACE}({_SCALAR}){_SPACE}(?:,|(?=\}})){others})?){_SPACE}\}}\Z',
            re.DOTALL,
        ).match

    def read(self, text: str, start: int) -> ChannelObject:
        """Read the JSON value `text` (Latin-1), which stands at `start` in its document and is known to be JSON.

        A value that is not an object says nothing.
        """
        known = self._objects.get(text)
        if known is None:
            known = self._look(text)
            if len(text) <= _LONGEST_OBJECT:
                if len(self._objects) == _MOST_OBJECTS:
                    self._objects.clear()
                self._objects[text] = known
        if not known.edits:
            return known
        edits = tuple([(start + first, start + end, value) for first, end, value in known.edits])
        return ChannelObject(known.word, known.keeps, known.connected, edits)

    def _look(self, text: str) -> ChannelObject:
        """Read a value that stands at the beginning of its document."""
        usual = None if self._nested else self._usual(text)
        if usual is not None:
            name = usual[1]
            if name is None:
                return _NOTHING
            value = self._known[name].get(usual[2]) or self._value(name, usual[2])
            if not value.differs:
                return value.alone
            edit = *usual.span(2), self._encoded[name]
            return ChannelObject(value.alone.word, value.alone.keeps, value.alone.connected, (edit,))
        return self._read(text) if text[0] == "{" else _NOTHING

    def read_in_steps(self, document: bytes, span: Span) -> Generator[None, None, ChannelObject]:
        """Read a long value of the document as `read` does a short one; yields after each short step."""
        start, end = span
        if not document.startswith(b"{", start):
            return _NOTHING
        yield
        yield from prepare()
        last: dict[str, _Value] = {}
        edits: list[Edit] = []
        position = after_blank(document, start + 1)
        while not document.startswith(b"}", position):
            some = members_end(document, position, WINDOW)
            if some > position:
                self._read_members(as_text(b"{%b}" % document[position:some]), position - 1, last, edits)
                position = some
            else:
                name, first = yield from member_at(document, position)
                end = yield from value_end(document, first)
                if name in self._flat:
                    self._note(name, as_text(document[first:end]), first, last, edits)
                position = after_comma(document, end)
            position = after_blank(document, position)
            yield
        for name, path in self._nested.items():
            place, _ = yield from locate_in_steps(document, start, path)
            if place is not None:
                self._note(name, as_text(document[slice(*place)]), place[0], last, edits)
        return self._tell(last, edits)

    def _note(self, name: str, written: str, first: int, last: dict[str, _Value], edits: list[Edit]) -> None:
        """Note a status member whose value is written like this and begins at `first`."""
        value = _CONTAINER if written[0] in "{[" else self._value(name, written)
        last[name] = value  # of a repeated key JavaScript sees the last
        if value.differs:
            edits.append((first, first + len(written), self._encoded[name]))

    def _read(self, text: str) -> ChannelObject:
        """Read an object of any form: names with escapes, several status members, one of them more than once."""
        last: dict[str, _Value] = {}
        edits: list[Edit] = []
        self._read_members(text, 0, last, edits)
        for name, path in self._nested.items():
            span, _ = locate(text, 0, path, partial(after_value, text))
            if span is not None:
                self._note(name, text[slice(*span)], span[0], last, edits)
        return self._tell(last, edits)

    def _read_members(self, text: str, offset: int, last: dict[str, _Value], edits: list[Edit]) -> None:
        """Note the object's own status members. It stands at `offset` in its document; its last comma may be left."""
        position = 1
        while True:
            others = self._others(text, position)
            assert others is not None
            member = _MEMBER(text, others.end())
            if member is None:
                return
            first, end = member.span(2)
            if member[2] is None:  # an object or array
                first = member.end()
                end = after_value(text, first)
                position = after_space(text, end)
                position += text[position] == ","
            else:
                position = member.end()
            name = member_name(member[1])
            if name in self._flat:
                self._note(name, text[first:end], first + offset, last, edits)

    def _tell(self, last: Mapping[str, _Value], edits: list[Edit]) -> ChannelObject:
        """What an object says in which these are the last values of its status members."""
        if not last:
            return _NOTHING
        said = [last[name] for name in self._values if name in last]
        return ChannelObject(
            _word(said),
            any(value.alone.keeps for value in said),
            any(value.alone.connected for value in said),
            tuple(edits),
        )

    def _value(self, name: str, written: str) -> _Value:
        if len(written) > _LONGEST_WRITTEN:
            return _TOO_LONG
        known = self._known[name]
        value = known.get(written)
        if value is None:
            value = self._judge(name, parse(written.encode("latin-1")))
            if len(written) <= _LONGEST_KNOWN and len(known) < _MOST_KNOWN:
                known[written] = value
        return value

    def _judge(self, name: str, value: object) -> _Value:
        wanted = self._values[name]
        said = str(value).lower() if isinstance(value, bool) else value
        keeps = _folds_into(said, self._keep)
        text = usable_text(value)
        truth = f"{name}: {said}" if isinstance(value, bool) else None
        connected = _folds_into(said, self._connected) or (value is True and wanted is False)
        return _Value(
            text=text,
            truth=truth,
            alone=ChannelObject(text if text is not None else truth, keeps, connected, ()),
            differs=not keeps and not _equal(value, wanted),
        )


class _Value(msgspec.Struct, frozen=True, gc=False):
    """What one value of a status member means."""

    text: str | None
    truth: str | None
    alone: ChannelObject
    """What an object says in which it is the only status member; without edits."""
    differs: bool
    """It must be replaced if the channel is disconnected."""


def _word(said: Iterable[_Value]) -> str | None:
    return next(
        (value.text for value in said if value.text is not None),
        next((value.truth for value in said if value.truth is not None), None),
    )


def _folds_into(value: object, words: frozenset[str]) -> bool:
    return isinstance(value, str) and fold_word(value) in words


def _equal(value: object, wanted: Scalar) -> bool:
    """Compare as JSON values: 1 and 1.0 are the same number, 1 and true are not."""
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


_NOTHING: Final = ChannelObject(None, False, False, ())
_TOO_LONG: Final = _Value(text=None, truth=None, alone=_NOTHING, differs=True)
"""A scalar that is too long for a word, and for any value that is set."""

_CONTAINER: Final = _Value(text=None, truth=None, alone=_NOTHING, differs=False)
"""An object or array, which is no status. Clients crash on it, but also on a member that is no longer there."""

# Atomic groups (`(?>…)`) and possessive quantifiers (`*+`) never go back, so that no input makes a match take more than
# one pass. A group itself is never possessive: `tests/quality/test_patterns.py` says why.
_SPACE: Final = r"[ \t\n\r]*+"
_STRING: Final = r'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
_SCALAR: Final = rf"(?:{_STRING}|[-+.\w]++)"
_FLAT: Final = rf'(?>(?:[^"{{}}\[\]]++|{_STRING})*)'
_VALUE: Final = rf"(?:{_SCALAR}|\{{{_FLAT}\}}|\[{_FLAT}\])"
_OTHERS: Final = rf'(?>(?:{_SPACE}"%s[ !#-\[\]-~]*+"{_SPACE}:{_SPACE}{_VALUE}{_SPACE}(?:,|(?=\}})))*)'
"""All members in a row that no one asks for, if their names are plain and their values hold nothing nested."""
_MEMBER: Final = re.compile(
    rf'{_SPACE}"([^"\\]*+(?>(?:\\.[^"\\]*+)*))"{_SPACE}:{_SPACE}(?:({_SCALAR}){_SPACE},?)?', re.DOTALL
).match
