"""The gateway's channel list with its stale words corrected: JSON and the map in, JSON out.

Only the bytes of the values that are set change. No library re-encodes JSON like that (`1.10`, `1e400`, a
repeated key, half a surrogate pair would all come out different), so deciding and editing are two steps:

- *decide* with a `msgspec` decoder made for the rule, which reads the ids and skips all else;
- *edit* only if a channel with an override is among them: find its element's bytes, walk its members, and put
  new values between slices of the old document.

A document that JavaScript accepts and `msgspec` does not takes a slower way through the standard library's
scanner, to the same result.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property, partial
from typing import Any, Final, Union, cast

import msgspec
from msgspec import Raw

from statusproxy.status.fields import (
    LONGEST_TEXT,
    Path,
    first_scalar,
    fold_word,
    parse,
    refuse_constant,
    usable_text,
)
from statusproxy.status.sessions import Change, Said, SessionMap

Scalar = str | bool | int | float | None
Span = tuple[int, int]
"""Where a value stands in the document: its first byte, and the one after its last."""


class ChannelRule(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """Where an answer holds its channels, what names them, and what is set in one that is overridden."""

    list: tuple[Path, ...]
    """Where the channels are: the first of these that leads to an array (of one channel: also to an object)."""
    id: tuple[Path, ...]
    set: Mapping[str, Scalar]
    """The members that tell a channel's status, and the value each gets where the channel is disconnected."""
    keep: frozenset[str] = frozenset()
    """Words that tell the user more than "disconnected": a member that says one of them stays as it is."""
    connected: frozenset[str] = frozenset({"connected", "open"})
    """Words by which the gateway says that a session is connected."""

    @cached_property
    def shape(self) -> _Shape:
        """The rule made ready for use."""
        return _Shape(self)


class Correction(msgspec.Struct, frozen=True):
    """An answer after correction."""

    body: bytes
    """The very object that came in, if nothing had to change."""
    corrected: tuple[str, ...] = ()
    """The ids of the channels in which a value was set."""
    changes: tuple[Change, ...] = ()
    """What the answer changed in the map."""
    failure: str | None = None
    """Why the answer could not be read (`not-json`, `no-list`, `too-deep`); it is untouched then."""


def correct(
    body: bytes,
    rule: ChannelRule,
    sessions: SessionMap,
    asked_at: float,
    now: float,
    path_id: str | None = None,
) -> Correction:
    """Correct an answer that was asked for at `asked_at` and complete at `now` (epoch seconds). Never raises.

    `path_id` is given where the route answers for one channel: the id in the request's path.
    """
    if not sessions.has_overrides:
        return Correction(body)
    try:
        return _correct(body, rule.shape, sessions, asked_at, now, path_id)
    except RecursionError:
        return Correction(body, failure="too-deep")
    except ValueError:
        return Correction(body, failure="not-json")


def _correct(
    body: bytes, shape: _Shape, sessions: SessionMap, asked_at: float, now: float, path_id: str | None
) -> Correction:
    document = body.removeprefix(codecs.BOM_UTF8)
    found = shape.find(document, one=path_id is not None)
    if found is None:
        return Correction(body, failure="no-list")
    ids = found.ids
    if path_id is not None and len(ids) == 1:
        ids = [ids[0] or path_id]
    distinct = dict.fromkeys(ids)
    distinct.pop(None, None)  # quicker for thousands than to leave it out
    assigned = sessions.assign(cast("Set[str]", distinct.keys()), whole=path_id is None)
    if not assigned:
        return Correction(body)

    indices = [index for index, one in enumerate(ids) if one in assigned]
    items: dict[str, list[_Item]] = {}
    text = _text(document)
    for index, (start, _) in zip(indices, found.spans(text, indices), strict=True):
        channel = ids[index]
        assert channel is not None
        items.setdefault(channel, []).append(_Item(text, document, start, shape))
    observed = sessions.observe((_said(channel, alike) for channel, alike in items.items()), assigned, asked_at, now)

    edits: list[tuple[int, int, bytes]] = []
    corrected: list[str] = []
    for channel in (one for one in items if one in observed.overridden):
        before = len(edits)
        for item in items[channel]:
            edits += item.edits
        if len(edits) > before:
            corrected.append(channel)
    if not edits:
        return Correction(body, (), observed.changes)
    head = body[: len(body) - len(document)]
    return Correction(head + _splice(document, edits), tuple(corrected), observed.changes)


def _said(channel: str, alike: Sequence[_Item]) -> Said:
    """Sum up what an answer says of a channel, which it may list more than once."""
    return Said(
        channel,
        word=next((item.word for item in alike if item.word is not None), None),
        keeps=any(item.keeps for item in alike),
        connected=any(item.connected for item in alike),
    )


def _splice(document: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    pieces: list[bytes | memoryview] = []
    view = memoryview(document)
    position = 0
    for start, end, value in sorted(edits):
        pieces += (view[position:start], value)
        position = end
    pieces.append(view[position:])
    return b"".join(pieces)


class _Item:
    """One channel's object: what it says, and the edits that would make it read disconnected."""

    __slots__ = ("connected", "edits", "keeps", "word")

    def __init__(self, text: str, document: bytes, start: int, shape: _Shape) -> None:
        rule = shape.rule
        last: dict[str, object] = {}
        self.edits: list[tuple[int, int, bytes]] = []
        for name, (first, end) in _members(text, start):
            if name not in shape.wanted:
                continue
            value = parse(document[first:end])
            last[name] = value  # of a repeated key JavaScript sees the last
            if isinstance(value, dict | list) or _folds_into(value, shape.keep):
                continue  # clients crash on a status that is no scalar, but also on one that is no longer there
            if not _equal(value, rule.set[name]):
                self.edits.append((first, end, shape.wanted[name]))
        said = [(name, last[name]) for name in rule.set if name in last]
        self.keeps = any(_folds_into(value, shape.keep) for _, value in said)
        self.connected = any(
            _folds_into(value, shape.connected) or (value is True and rule.set[name] is False) for name, value in said
        )
        self.word = _word(said)


def _word(said: Sequence[tuple[str, object]]) -> str | None:
    """Give the gateway's own word: the first status that is text or a number, else the first that is a boolean."""
    for _, value in said:
        text = usable_text(value)
        if text is not None:
            return text
    for name, value in said:
        if isinstance(value, bool):
            return f"{name}: {str(value).lower()}"
    return None


def _folds_into(value: object, words: frozenset[str]) -> bool:
    return isinstance(value, str) and fold_word(value) in words


def _equal(value: object, wanted: Scalar) -> bool:
    """Compare as JSON values: 1 and 1.0 are the same number, 1 and true are not."""
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


# Deciding: a decoder made for the rule


class _Shape:
    """A rule made ready: its words folded, its values encoded, its decoders built."""

    def __init__(self, rule: ChannelRule) -> None:
        self.rule = rule
        self.keep = frozenset(map(fold_word, rule.keep))
        self.connected = frozenset(map(fold_word, rule.connected))
        self.wanted = {name: json.dumps(value).encode() for name, value in rule.set.items()}
        ids, lists = _tree(rule.id), _tree(rule.list)
        either = _tree([*rule.list, *(path + tail for path in rule.list for tail in rule.id)])
        element = _object_type({name: _id_type(inner) for name, inner in ids.items()})
        self._several = msgspec.json.Decoder(_node_type(lists, element))
        self._one = msgspec.json.Decoder(_node_type(either, element))
        self._elements = msgspec.json.Decoder(_node_type(lists, Raw))
        self._lists = [_attributes(path) for path in rule.list]
        self._ids = [_attributes(path) for path in rule.id]

    def find(self, document: bytes, *, one: bool) -> _Found | None:
        """Find the channels and their ids; `None` if no path leads to any.

        Raises ValueError if `document` is not JSON, RecursionError if it is nested too deep.
        """
        try:
            root = (self._one if one else self._several).decode(document)
        except ValueError:
            return self._find_slowly(document, one)
        for path, attributes in zip(self.rule.list, self._lists, strict=True):
            node = _follow(root, attributes)
            if type(node) is list:
                return _Found(self._read_ids(node), partial(self._spans, document, path, attributes))
            if one and isinstance(node, msgspec.Struct):
                return _Found([self._read_id(node)], partial(_object_span, path))
        return None

    def _find_slowly(self, document: bytes, one: bool) -> _Found | None:
        text = _text(document)
        start = _space(text, 0)
        if _space(text, _skip(text, start)) != len(text):
            raise ValueError("more than one JSON value")
        for path in self.rule.list:
            span, _ = _locate(text, start, path, partial(_skip, text))
            bracket = "" if span is None else text[span[0]]
            if span is not None and (bracket == "[" or (one and bracket == "{")):
                spans = _elements(text, span[0]) if bracket == "[" else [span]
                ids = [first_scalar(parse(document[first:end]), self.rule.id) for first, end in spans]
                return _Found(ids, partial(_known_spans, spans))
        return None

    def _read_ids(self, elements: Sequence[object]) -> list[str | None]:
        if not self._ids or len(self._ids[0]) != 1:
            return [self._read_id(element) for element in elements]
        (name,) = self._ids[0]
        return [
            # Most channels have a plain string under the first path: those are told without a call.
            value
            if type(value := getattr(element, name)) is str and 0 < len(value) <= LONGEST_TEXT and not value.isspace()
            else self._read_id(element)
            for element in elements
        ]

    def _read_id(self, element: object) -> str | None:
        for attributes in self._ids:
            text = usable_text(_follow(element, attributes))
            if text is not None:
                return text
        return None

    def _spans(self, document: bytes, path: Path, attributes: Path, text: str, indices: Sequence[int]) -> list[Span]:
        """Tell where these elements of a list stand, by laying the list's raw elements over the document."""
        raws = _follow(self._elements.decode(document), attributes)
        assert type(raws) is list
        layouts: dict[int, _Layout] = {}

        def skip(position: int) -> int:
            layout = _lay_out(document, text, position, raws) if text[position] == "[" else None
            if layout is None:
                return _skip(text, position)
            layouts[position] = layout
            return layout.end

        span, _ = _locate(text, _space(text, 0), path, skip)
        assert span is not None
        if span[0] in layouts:
            return layouts[span[0]].spans(raws, indices)
        spans = _elements(text, span[0])
        return [spans[index] for index in indices]


class _Found(msgspec.Struct, frozen=True):
    """The channels of one document: the id of each, and the function that tells where those of some indices stand."""

    ids: list[str | None]
    spans: Callable[[str, Sequence[int]], list[Span]]


class _Tree(dict[str, "_Tree"]):
    """The members on the way of some paths, each with what is further down."""


def _tree(paths: Iterable[Path]) -> _Tree:
    root = _Tree()
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, _Tree())
    return root


def _node_type(tree: _Tree, element: Any) -> Any:
    """The type of a value that may be or hold a list, or be anything else."""
    members = {name: _node_type(inner, element) for name, inner in tree.items()}
    return Union[list[element], _object_type(members), str, int, float, bool, None]  # noqa: UP007


def _id_type(tree: _Tree) -> Any:
    """The type of a value that may be or hold an id."""
    return _node_type(tree, Raw) if tree else Any


def _object_type(members: Mapping[str, Any]) -> type[msgspec.Struct]:
    """The type of an object of which only these members are decoded; `None` stands for an absent one."""
    return msgspec.defstruct(
        "Members",
        [(_attribute(name), kind, None) for name, kind in members.items()],
        rename={_attribute(name): name for name in members},
        gc=False,  # thousands live for a moment, and none can be part of a cycle
    )


def _attribute(name: str) -> str:
    """An attribute's name for any member's name whatever."""
    return f"member_{name.encode().hex()}"


def _attributes(path: Path) -> Path:
    return tuple(map(_attribute, path))


def _follow(node: object, attributes: Path) -> object:
    for attribute in attributes:
        node = getattr(node, attribute, None)
    return node


# Editing: where things stand in the document


class _Layout(msgspec.Struct, frozen=True):
    """How a list stands in the document, proven equal to it byte for byte."""

    first: int
    separator: int
    """The length of what stands between two elements."""
    end: int

    def spans(self, raws: Sequence[Raw], indices: Sequence[int]) -> list[Span]:
        """Tell where the elements with these (ascending) indices stand."""
        sizes = list(map(len, raws))
        spans: list[Span] = []
        passed, start = 0, self.first
        for index in indices:
            start += sum(sizes[passed:index]) + (index - passed) * self.separator
            passed = index
            spans.append((start, start + sizes[index]))
        return spans


def _lay_out(document: bytes, text: str, position: int, raws: Sequence[Raw]) -> _Layout | None:
    """Lay a list's elements over the `[` at `position`; `None` if they are not what stands there.

    `msgspec` gives the elements but not their places, and cuts integers of more than 20 digits short. So the
    elements are joined by the separator that follows the first, and only if that is what the document holds
    are their lengths believed: each element is then followed by a comma or by the end of the list.
    """
    first = _space(text, position + 1)
    separator = b","
    if len(raws) > 1:
        after = first + len(raws[0])
        comma = _space(text, after)
        separator = document[after : _space(text, comma + 1)]
        if text[comma : comma + 1] != ",":
            return None
    joined = separator.join(raws)
    last = _space(text, first + len(joined))
    if text[last : last + 1] != "]" or not document.startswith(joined, first):
        return None
    return _Layout(first, len(separator), last + 1)


def _text(document: bytes) -> str:
    """The document as text in which each character is one byte, so that positions are the same in both."""
    return document.decode("latin-1")


def _space(text: str, position: int) -> int:
    """Give the position after white space."""
    match = _WHITE_SPACE(text, position)
    assert match is not None
    return match.end()


def _skip(text: str, position: int) -> int:
    """Give the position after the JSON value at `position` (ValueError if there is none)."""
    return _scanner.raw_decode(text, position)[1]


def _known_spans(spans: Sequence[Span], _text: str, indices: Sequence[int]) -> list[Span]:
    return [spans[index] for index in indices]


def _object_span(path: Path, text: str, _indices: Sequence[int]) -> list[Span]:
    """Tell where the one channel under `path` stands."""
    span, _ = _locate(text, _space(text, 0), path, partial(_skip, text))
    assert span is not None
    return [span]


def _locate(text: str, start: int, path: Path, skip: Callable[[int], int]) -> tuple[Span | None, int]:
    """Find where the value under `path` stands, within the value at `start`; and where that one ends.

    Of a repeated key the last one counts. `skip` finds the end of a value that `path` may lead to.
    """
    if not path:
        end = skip(start)
        return (start, end), end
    if text[start] != "{":
        return None, _skip(text, start)
    found: Span | None = None

    def member(name: str, position: int) -> int:
        nonlocal found
        if name != path[0]:
            return _skip(text, position)
        found, end = _locate(text, position, path[1:], skip)
        return end

    end = _walk(text, start, member)
    return found, end


def _members(text: str, start: int) -> list[tuple[str, Span]]:
    """Give the members of the object at `start`, repeated ones too; none if it is no object."""
    members: list[tuple[str, Span]] = []
    if text[start] != "{":  # a list of bare ids: nothing to set in them
        return members

    def member(name: str, position: int) -> int:
        end = _skip(text, position)
        members.append((name, (position, end)))
        return end

    _walk(text, start, member)
    return members


def _elements(text: str, start: int) -> list[Span]:
    """Give the elements of the array at `start`."""
    spans: list[Span] = []
    position = _space(text, start + 1)
    while text[position] != "]":
        end = _skip(text, position)
        spans.append((position, end))
        position = _space(text, end)
        if text[position] == ",":
            position = _space(text, position + 1)
    return spans


def _walk(text: str, start: int, member: Callable[[str, int], int]) -> int:
    """Call `member` with the name and the value's position of each member of the object at `start`.

    It answers with the position after the value. Gives the position after the object. The document is known to
    be JSON, so that nothing but white space and separators needs a look.
    """
    position = start + 1
    while (head := _MEMBER(text, position)) is not None:
        name = head[1]
        if "\\" in name or not name.isascii():
            name = parse(f'"{name}"'.encode("latin-1"))
        position = _space(text, member(name, head.end())) + 1
        if text[position - 1] == "}":
            return position
    return _space(text, position) + 1


_WHITE_SPACE: Final = re.compile(r"[ \t\n\r]*").match
_MEMBER: Final = re.compile(r'[ \t\n\r]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\n\r]*:[ \t\n\r]*').match
_scanner: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=refuse_constant)
