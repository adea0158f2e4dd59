"""Find the channels of an answer: their ids, and the byte span of each.

The *ids* are read with a `msgspec` decoder made for the rule's paths, which skips all else. Where each channel's object
stands is found when someone asks. A document that JavaScript accepts and `msgspec` does not takes a slower way through
the standard library's scanner, to the same result. A document that one call would take long for is cut into pieces
first.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final, NamedTuple, Union

import msgspec
from msgspec import Raw

from statusproxy.status.element_spans import Layout, Spans, as_spans, found_spans, given_spans, lay_out
from statusproxy.status.fields import (
    LENIENT_AT_ONCE,
    LONGEST_TEXT,
    Array,
    Path,
    first_scalar,
    free_in_steps,
    lookup,
    parse,
    parse_members_in_steps,
    usable_text,
)
from statusproxy.status.json_spans import Span, after_space, after_value, as_text, elements, locate
from statusproxy.status.long_spans import WINDOW, locate_in_steps
from statusproxy.status.long_values import Walk, after_blank, prepare, value_end
from statusproxy.status.member_types import (
    ARRAY,
    OBJECT,
    Tree,
    attribute,
    first_byte,
    follow_steps,
    members_decoder,
    object_type,
    steps_along,
    tree,
)
from statusproxy.status.pieces import LARGEST, TooLargeError, cut
from statusproxy.status.surrogates import NO_CHARACTER

SMALL: Final = 256 * 1024
"""Bytes of a document that is read in one go."""

_OBJECTS: Final = 32_768
"""Objects in a document of up to `LARGEST` bytes that is read in one go: a list of 10 000 channels has some 20 000. A
document of nothing but empty objects takes ten times as long for a byte."""

_COPIED: Final = 8 * 1024 * 1024
"""Bytes of the largest document with a byte-order mark: to read it without, it is copied in one call."""

_CHANNELS: Final = 500_000
"""Channels of the longest list that is read."""

_STEP: Final = 256
"""Elements between two yields where each takes some µs."""

_AN_ELEMENT: Final = 64
"""Bytes for which each element counts that is read slowly, besides its own."""

_SLOW_STEP: Final = 16 * 1024
"""Bytes of elements that are read the slow way between two yields: 4 ms at most, but for a longer one."""

_SLOW: Final = 256 * 1024
"""Bytes of the largest piece that is read the slow way: 5 ms in one call of the standard library, 18 for numbers."""


class Part:
    """Some channels of an answer, one behind the other."""

    __slots__ = ("_count", "_find", "_spans", "first", "ids")

    def __init__(self, ids: list[str | None], find: Callable[[], Generator[None, None, Spans]]) -> None:
        self.ids = ids
        self.first = 0
        """How many channels stand before these."""
        self._count = len(ids)
        self._find = find
        self._spans: Spans | None = None

    def __len__(self) -> int:
        return self._count

    def locate(self) -> Generator[None, None, None]:
        """Find where the channels stand, unless that has been done; yields after each short step."""
        if self._spans is None:
            spans = yield from self._find()
            self._spans = spans

    def span(self, index: int) -> Span:
        """Where the channel with this index stands; all are found on the first call."""
        if self._spans is None:
            for _ in self.locate():
                pass
            assert self._spans is not None
        return self._spans[index]


class Found(NamedTuple):
    """The channels of an answer."""

    path: Path
    """Where they stand: the path of the rule that leads to them."""
    parts: list[Part]
    """All of them, in their order."""


class ListReader:
    """Finds channels for one rule; its decoders built."""

    def __init__(self, lists: tuple[Path, ...], ids: tuple[Path, ...]) -> None:
        """`lists`: where the channels are; `ids`: the members that may name one. The first that is there counts."""
        self._list_paths = lists
        self._id_paths = ids
        id_tree, list_tree = tree(ids), tree(lists)
        either = tree([*lists, *(path + tail for path in lists for tail in ids)])
        element = object_type({name: _id_type(inner) for name, inner in id_tree.items()})
        decoder = msgspec.json.Decoder
        self._one = decoder(_node_type(either, element))
        # The quick decoders refuse a list in which not every element is an object, or an array stands for an id. Of
        # such a list the elements are read one by one.
        self._several = decoder(_node_type(list_tree, element))
        self._piece = decoder(list[element])  # type: ignore[valid-type]
        self._elements = decoder(_node_type(list_tree, Raw))
        self._piece_elements = decoder(list[Raw])
        self._raw_members = members_decoder(id_tree)
        self._raw_ids = [(attribute(path[0]), steps_along(id_tree[path[0]], path[1:])) for path in ids if path]
        self._lists = [_attributes(path) for path in lists]
        self._ids = [_attributes(path) for path in ids]
        self._first_id = attrgetter(self._ids[0][0]) if self._ids and len(self._ids[0]) == 1 else None

    def find(self, body: bytes, *, one: bool) -> Generator[None, None, Found | None]:
        """Find the channels and their ids; `None` if no path leads to any. Yields after short steps.

        `one`: the answer is about one channel, which may stand there without a list.

        Raises ValueError if `body` is not JSON (`TooLargeError` if it cannot be read in short steps), and
        RecursionError if it is nested too deep.
        """
        if len(body) > _COPIED and body.startswith(codecs.BOM_UTF8):
            raise TooLargeError
        document = body.removeprefix(codecs.BOM_UTF8)
        offset = len(body) - len(document)
        if one:
            if len(document) > LARGEST:
                raise TooLargeError
        elif _is_long(document):
            return (yield from self._find_in_pieces(document, offset))
        decoders = (self._one,) if one else (self._several, self._elements)
        for decoder in decoders:
            try:
                root = decoder.decode(document)
                yield
                return (yield from self._find_in(root, document, offset, one))
            except ValueError:
                if one and len(document) > SMALL:
                    raise TooLargeError from None
                yield
            if len(document) > SMALL:
                return (yield from self._find_in_pieces(document, offset))
        return (yield from self._find_slowly(document, offset, one))

    def _find_in(self, root: object, document: bytes, offset: int, one: bool) -> Generator[None, None, Found | None]:
        """Find the channels in a document that has been decoded. ValueError if an element is not JSON."""
        for path, attributes in zip(self._list_paths, self._lists, strict=True):
            node = _follow(root, attributes)
            if type(node) is list:
                spans = partial(self._spans, document, offset, path, attributes)
                return Found(path, [Part((yield from self._read_ids(node)), spans)])
            if one and isinstance(node, msgspec.Struct):
                return Found(path, [Part([self._read_id(node)], partial(_object_span, document, offset, path))])
        return None

    def _find_slowly(self, document: bytes, offset: int, one: bool) -> Generator[None, None, Found | None]:
        text = as_text(document)
        start = after_space(text, 0)
        if after_space(text, after_value(text, start)) != len(text):
            raise ValueError("more than one JSON value")
        yield
        for path in self._list_paths:
            span, _ = locate(text, start, path, partial(after_value, text))
            yield
            if span is None or text[span[0]] not in ("[{" if one else "["):
                continue
            spans = elements(text, span[0]) if text[span[0]] == "[" else [span]
            return Found(path, [(yield from self._read_slowly(document, offset, spans))])
        return None

    def _read_slowly(self, document: bytes, offset: int, spans: Iterable[Span]) -> Generator[None, None, Part]:
        ids: list[str | None] = []
        places: list[Span] = []
        spent = 0
        for start, end in spans:
            element = document[start:end]
            value = parse(element) if len(element) <= LENIENT_AT_ONCE else (yield from _parse_long(element))
            ids.append(first_scalar(value, self._id_paths))
            places.append((start + offset, end + offset))
            spent += end - start + _AN_ELEMENT
            if spent > _SLOW_STEP:
                spent = 0
                yield
        return Part(ids, partial(given_spans, places))

    def _find_in_pieces(self, document: bytes, offset: int) -> Generator[None, None, Found | None]:
        pieces = yield from cut(document)
        frame = yield from _read_frame(pieces.frame)
        found = ((path, _array_number(lookup(frame, path))) for path in self._list_paths)
        where, wanted = next(
            ((path, pieces.arrays[number]) for path, number in found if number is not None), (None, None)
        )
        yield from free_in_steps(frame)
        parts: list[Part] = []
        count = 0
        for cut_array in pieces.arrays:
            for first, last in cut_array.pieces():
                yield
                if cut_array is wanted:
                    parts.append((yield from self._read_piece(document, (first, last), offset)))
                    count += len(parts[-1].ids)
                    if count > _CHANNELS:
                        raise TooLargeError
                else:
                    yield from self._check(_piece(document, (first, last)))
        yield
        return None if where is None else Found(where, parts)

    def _read_piece(self, document: bytes, place: Span, offset: int) -> Generator[None, None, Part]:
        piece = _piece(document, place)
        for decoder in (self._piece, self._piece_elements):
            try:
                nodes = decoder.decode(piece)
                yield
                ids = yield from self._read_ids(nodes)
            except ValueError:
                yield
            else:
                return Part(ids, partial(self._piece_spans, document, place, offset))
        _check_slowly(piece)
        yield
        return (yield from self._read_slowly(piece, offset + place[0] - 1, elements(as_text(piece), 0)))

    def _check(self, piece: bytes) -> Generator[None, None, None]:
        """Raise ValueError unless the piece is JSON."""
        try:
            self._piece_elements.decode(piece)
        except ValueError:
            yield
            _check_slowly(piece)

    def _read_ids(self, nodes: Sequence[object]) -> Generator[None, None, list[str | None]]:
        if self._first_id is not None and nodes:
            # Nearly always each channel has a plain string under the first path: thousands are read without a loop.
            try:
                ids: list[Any] = list(map(self._first_id, nodes))
                usable = all(ids) and not any(map(str.isspace, ids)) and max(map(len, ids)) <= LONGEST_TEXT
                if usable and NO_CHARACTER not in "".join(ids):
                    return ids
            except (AttributeError, TypeError):  # an element is not an object, or an id is not a string
                pass
        found = [self._read_id(node) for node in nodes[:_STEP]]
        for start in range(_STEP, len(nodes), _STEP):  # a piece may have 65 000: `1,1,1,…`
            yield
            found += map(self._read_id, nodes[start : start + _STEP])
        return found

    def _read_id(self, node: object) -> str | None:
        if type(node) is Raw:
            return self._read_raw_id(node)
        for attributes in self._ids:
            text = usable_text(_follow(node, attributes))
            if text is not None:
                return text
        return None

    def _read_raw_id(self, element: Raw) -> str | None:
        """The id of an element that is not decoded; ValueError if it is not JSON."""
        if first_byte(element) != OBJECT:
            return None
        members = self._raw_members(element)
        for name, steps in self._raw_ids:
            value = follow_steps(getattr(members, name), steps)
            if value is not None and first_byte(value) not in (OBJECT, ARRAY):
                text = usable_text(_scalar(value))
                if text is not None:
                    return text
        return None

    def _spans(self, document: bytes, offset: int, path: Path, attributes: Path) -> Generator[None, None, Spans]:
        """Where the elements of a list stand, by laying the list's raw elements over the document."""
        raws = _follow(self._elements.decode(document), attributes)
        assert type(raws) is list
        layouts: dict[int, Layout] = {}

        def laid_out(position: int) -> Layout | None:
            layout = lay_out(document, position, raws) if document.startswith(b"[", position) else None
            if layout is not None:
                layouts[position] = layout
            return layout

        if len(document) > WINDOW:
            yield

            def skip_in_steps(document: bytes, position: int) -> Walk:
                layout = laid_out(position)
                return (yield from value_end(document, position)) if layout is None else layout.end

            yield from prepare()
            span, _ = yield from locate_in_steps(document, after_blank(document, 0), path, skip_in_steps)
        else:
            text = as_text(document)

            def skip(position: int) -> int:
                layout = laid_out(position)
                return after_value(text, position) if layout is None else layout.end

            span, _ = locate(text, after_blank(document, 0), path, skip)
        assert span is not None
        return (yield from found_spans(document, span[0], layouts.get(span[0]), raws, offset))

    def _piece_spans(self, document: bytes, place: Span, offset: int) -> Generator[None, None, Spans]:
        piece = _piece(document, place)
        raws = self._piece_elements.decode(piece)
        yield
        return (yield from found_spans(piece, 0, lay_out(piece, 0, raws), raws, offset + place[0] - 1))


def _piece(document: bytes, place: Span) -> bytes:
    """A piece of an array as an array by itself, which begins one byte before `place`."""
    return b"[%b]" % document[place[0] : place[1]]


def _check_slowly(piece: bytes) -> None:
    """Raise ValueError unless the piece is JSON as JavaScript reads it."""
    if len(piece) > _SLOW:
        raise TooLargeError
    # A value that begins here ends with the piece: `cut` has counted the brackets, outside of strings.
    after_value(as_text(piece), 0)


def _is_long(document: bytes) -> bool:
    """Whether one call could take too long for this document."""
    size = len(document)
    return size > SMALL and (size > LARGEST or document.count(b"{") > _OBJECTS)


def _node_type(tree: Tree, element: Any) -> Any:
    """The type of a value that may be or hold a list, or be anything else."""
    members = {name: _node_type(inner, element) for name, inner in tree.items()}
    return Union[list[element], object_type(members), str, int, float, bool, None]  # noqa: UP007


def _id_type(tree: Tree) -> Any:
    """The type of a value that may be or hold an id. It may be anything but an array, which none is."""
    inside = object_type({name: _id_type(inner) for name, inner in tree.items()})
    return Union[inside, str, int, float, bool, None]  # noqa: UP007


def _read_frame(frame: bytes) -> Generator[None, None, Any]:
    """Read what surrounds the arrays of a document; yields after each short step. Raises ValueError."""
    try:
        return (yield from parse_members_in_steps(frame))
    except ValueError:
        if len(frame) > LENIENT_AT_ONCE:
            raise TooLargeError from None
        return parse(frame)


def _array_number(node: object) -> int | None:
    """Which array of a document stands here in its frame, if one does."""
    number = node.first if isinstance(node, Array) else node[0] if type(node) is list else None
    return number if isinstance(number, int) else None


def _attributes(path: Path) -> Path:
    return tuple(map(attribute, path))


def _parse_long(element: bytes) -> Generator[None, None, Any]:
    """What `parse` gives, as far as an id is looked up in it; yields after each short step."""
    yield
    try:
        return (yield from parse_members_in_steps(element))
    except ValueError:  # a number beyond those of a double, which JavaScript takes
        return parse(element)


def _follow(node: object, attributes: Path) -> object:
    for name in attributes:
        node = getattr(node, name, None)
    return node


def _object_span(document: bytes, offset: int, path: Path) -> Generator[None, None, Spans]:
    """Where the one channel under `path` stands."""
    if len(document) <= WINDOW:
        text = as_text(document)
        span, _ = locate(text, after_space(text, 0), path, partial(after_value, text))
    else:
        yield from prepare()
        span, _ = yield from locate_in_steps(document, after_blank(document, 0), path)
    assert span is not None
    return as_spans([(span[0] + offset, span[1] + offset)])


_scalar: Final = msgspec.json.Decoder().decode
