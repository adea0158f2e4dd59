"""Read the gateway's channel list: the ids, the gateway's own words, and the byte spans of the values to change.

Deciding and editing are two steps, since only the bytes of the values that are set may change, and no library
re-encodes JSON like that (`1.10`, `1e400`, a repeated key, half a surrogate pair would all come out different). So the
ids are read first (`list_reader`), and the objects of those channels that someone asks for are found among the bytes
and read one by one (`channel_object`). All that must know what an answer says read it here: the correction, the
gateway's own words on the page and in the history, the doctor.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from statusproxy.status.channel_object import ChannelObject, ObjectReader
from statusproxy.status.element_spans import FEW
from statusproxy.status.fields import Path, fold_word, lookup, parse, parse_path
from statusproxy.status.identity import ChannelIds
from statusproxy.status.json_spans import Span, as_text
from statusproxy.status.list_reader import SMALL, Found, ListReader, Part
from statusproxy.status.long_spans import WINDOW, take_long
from statusproxy.status.model import Said
from statusproxy.status.named_elements import NamedElements
from statusproxy.status.pieces import TooLargeError
from statusproxy.status.set_values import OTHERWISE, SetValue, any_values, named_words, values_for
from statusproxy.status.splice import Edit

_LOOKED_AT: Final = 16_384
"""Elements between two yields where each takes 0.1 µs."""

_AN_OBJECT: Final = 64
"""Bytes for which each object counts that is read, besides its own: it takes some µs."""

_MOST_REPEATED: Final = 50_000
"""Channels of the longest list that have the id of another one."""

_FEW_OBJECTS: Final = 16
"""Objects of one channel that are read in one go. Mostly there is one."""


class ChannelRule(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """Where an answer holds its channels, what names them, and what is set in one that is overridden."""

    list: tuple[Path, ...]
    """Where the channels are: the first of these that leads to an array (of one channel: also to an object)."""
    id: tuple[Path, ...]
    set: Mapping[str, SetValue]
    """The members that tell a channel's status, and the value each gets where the channel is disconnected. A name with
    dots leads into objects."""
    keep: frozenset[str] = frozenset()
    """Words that tell the user more than "disconnected": a member that says one of them stays as it is. The words
    "false" and "true" are booleans as well."""
    one: bool = False
    """The answer is about one channel, which is named in it alone, not by the request's path. An array lists all."""
    connected: frozenset[str] = frozenset({"connected", "open"})
    """Words by which the gateway says that a session is connected."""
    source: str = ""
    """Names where the answers come from: the path of the configured entry. What one source shows is not evidence
    about another, for one may be live and the other stale."""

    @cached_property
    def list_reader(self) -> ListReader:
        """What finds the channels."""
        return ListReader(self.list, self.id)

    @property
    def is_prepared(self) -> bool:
        """Whether `list_reader` has been built, which takes some milliseconds."""
        return "list_reader" in self.__dict__

    @cached_property
    def named_elements(self) -> NamedElements:
        """What finds a few channels by their ids."""
        return NamedElements(self.list, self.id)

    @cached_property
    def object_reader(self) -> ObjectReader:
        """What reads a channel's object."""
        return ObjectReader(any_values(self.set), self.keep, self.connected)

    @property
    def goes_by_word(self) -> bool:
        """Whether what is set depends on the word of the event."""
        return bool(self._named)

    @cached_property
    def _named(self) -> frozenset[str]:
        return named_words(self.set)

    @cached_property
    def _readers(self) -> dict[str, ObjectReader]:
        return {}

    def reader_for(self, word: str | None) -> ObjectReader:
        """What reads the object of a channel that is disconnected by an event with this word, or without one."""
        if not self._named:
            return self.object_reader
        folded = OTHERWISE if word is None else fold_word(word)
        if folded not in self._named:
            folded = OTHERWISE
        reader = self._readers.get(folded)
        if reader is None:
            values = values_for(self.set, folded)
            reader = self._readers[folded] = ObjectReader(values, self.keep, self.connected)
        return reader


_NO_IDS: Final = ChannelIds(frozenset())
_ARRAY: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\n\r]*+\[").match

_NONE_REPEATED: Final[Mapping[str, list[int]]] = {}
_NONE_FOUND: Final[Mapping[str, Sequence[Span]]] = {}


class ChannelList:
    """One answer of the gateway, read as far as someone asked: the ids once, each channel's object once.

    `path_id` is given where the answer is about one channel: the id in the request's path. An answer that is not an
    array may also be about one channel which it names itself (`ChannelRule.one`); else it is about no channel.

    `query` is that of the request. Some gateways filter their list by it, and nobody but the gateway knows which query
    filters: so a list asked for with one may leave channels out.
    """

    __slots__ = (
        "_all",
        "_asked",
        "_objects",
        "_parts",
        "_places",
        "_repeated",
        "_sought",
        "_worded",
        "body",
        "edited",
        "failure",
        "found",
        "ids",
        "is_read",
        "path",
        "path_id",
        "rule",
        "single",
        "whole",
    )

    def __init__(self, body: bytes, rule: ChannelRule, path_id: str | None = None, query: str = "") -> None:
        self.body = body
        self.rule = rule
        self.path_id = path_id
        self.single = path_id is not None or (rule.one and _ARRAY(body) is None)
        """Whether the answer is about one channel; else it is a list."""
        self.whole = not self.single and not query
        """Whether the answer lists all channels."""
        self.is_read = False
        """Whether the ids have been read."""
        self.failure: str | None = None
        """Why the answer could not be read: `not-json`, `no-list`, `too-deep` or `too-large`."""
        self.ids = _NO_IDS
        """The ids of the channels."""
        self.path: Path | None = None
        """Where the channels stand: the first path of the rule that leads to them."""
        self._all: Sequence[str | None] = ()
        self._places: dict[str, int] | None = None  # made when some have been asked for
        self._asked = 0
        self._repeated: Mapping[str, list[int]] = _NONE_REPEATED
        self._parts: Sequence[Part] = ()
        self._objects: dict[str, tuple[ChannelObject, ...]] = {}
        self._worded: dict[ObjectReader, dict[str, tuple[ChannelObject, ...]]] = {}
        self.found = _NONE_FOUND
        """Where the channels stand that were found without reading the others; none once the ids have been read."""
        self._sought: tuple[str, ...] = ()  # the channels that were looked for
        self.edited: Sequence[Edit] | None = None
        """What was edited when this answer was last corrected; None where it was not, or in steps."""

    @property
    def subject(self) -> str | None:
        """The one channel that the answer is about, as far as that is known: "" where it is not. None for a list."""
        if not self.single:
            return None
        return self.path_id or next(iter(self.ids.exact), "")

    def find(self, channels: tuple[str, ...]) -> bool:
        """Find these channels without reading the others.

        False if any of them is not there by exactly this id, or if that cannot be determined: the ids must be read
        then. If it is true, these channels can be asked for as after `read`, except that a place counts bytes.
        """
        if self.is_read or self.single:
            return False
        if channels != self._sought:
            if len(self.body) > SMALL:
                for _ in self.find_in_steps(channels):
                    pass
            else:
                self.found = self.rule.named_elements.find(self.body, channels) or _NONE_FOUND
                self._sought = channels
        return bool(self.found)

    def find_in_steps(self, channels: tuple[str, ...]) -> Generator[None, None, None]:
        """Find channels as `find` does; yields after each short step of a long answer. See `has_found`."""
        if self.is_read or self.single:
            return
        elements = self.rule.named_elements
        yield  # it may be new
        named = yield from elements.find_in_steps(self.body, channels)
        if not self.is_read:  # as another one may have done between two steps
            self.found, self._sought = named or _NONE_FOUND, channels

    def has_found(self, channels: Sequence[str]) -> bool:
        """Whether these, of which there are some, were found without reading the others."""
        return bool(channels) and self.found.keys() >= set(channels)

    def read(self) -> None:
        """Read the ids, unless that has been done. Never raises, see `failure`."""
        for _ in self.steps():
            pass

    def steps(self) -> Generator[None, None, None]:
        """Read the ids as `read` does, but yield after each step of some milliseconds at most."""
        if self.is_read:
            return
        is_new = not self.rule.is_prepared
        reader = self.rule.list_reader
        if is_new and len(self.body) > SMALL:
            yield
        try:
            found = yield from reader.find(self.body, one=self.single)
            if found is None:
                self.failure = "no-list"
            else:
                yield from self._take(found)
        except RecursionError:
            self.failure = "too-deep"
        except TooLargeError:
            self.failure = "too-large"
        except ValueError:
            self.failure = "not-json"
        self.found = _NONE_FOUND
        self.is_read = True

    def _take(self, found: Found) -> Generator[None, None, None]:
        several = len(found.parts) > 1
        distinct: dict[str, None] = {}
        every: list[str | None] = []
        missing = 0
        for part in found.parts:
            ids, part.ids, part.first = part.ids, [], len(every)
            if self.path_id is not None and len(ids) == 1:
                ids = [ids[0] or self.path_id]
            fresh: dict[Any, None] = dict.fromkeys(ids)
            if None in fresh:
                del fresh[None]
                missing += ids.count(None)
            if several:
                distinct |= fresh
                every += ids
                yield
            else:
                distinct, every = fresh, ids
        if len(distinct) + missing + _MOST_REPEATED < len(every):
            raise TooLargeError
        if len(distinct) + missing < len(every):  # an id is listed more than once
            self._places, self._repeated = yield from _find_repeated(every)
        self._all = every
        self._parts = found.parts
        self.path = found.path
        self.ids = ChannelIds(distinct.keys())

    def number(self, wanted: int) -> Generator[None, None, None]:
        """Note the place of each channel, where so many are wanted that `place` is quick by that, or where the list is
        so long that each is looked for too long; yields after each short step."""
        if wanted <= FEW and len(self._all) <= _LOOKED_AT:
            return
        if self._places is None and not self.found:
            places: dict[str | None, int] = {}
            for first in range(0, len(self._all), _LOOKED_AT):
                some = self._all[first : first + _LOOKED_AT]
                places.update(zip(some, range(first, first + len(some)), strict=True))
                yield
            self._places = places  # type: ignore[assignment]

    def read_objects(self, channels: Iterable[str], reader: ObjectReader) -> Generator[None, None, None]:
        """Read these channels' objects, so that what the reader says of them is known; yields after each short step.

        For an answer whose ids have been read.
        """
        known = self._objects_by(reader)
        spent = 0
        for channel in channels:
            if channel in known:
                continue
            found: list[ChannelObject] = []
            part: Part | None = None
            for place in self._repeated.get(channel) or (self.place(channel),):
                if part is None or not 0 <= place - part.first < len(part):
                    part = self._part(place)
                    yield from part.locate()
                span = part.span(place - part.first)
                if take_long(self.body, (span,)):
                    found.append((yield from reader.read_in_steps(self.body, span)))
                else:
                    found.append(self._object(span, reader))
                    spent += span[1] - span[0] + _AN_OBJECT
                    if spent > WINDOW:
                        spent = 0
                        yield
            known[channel] = tuple(found)

    def take_long(self, channels: Iterable[str]) -> bool:
        """Whether these channels have too much in them to be read in one go, and have not been read yet."""
        spans: list[Span] = []
        for channel in channels:
            if channel not in self._objects:
                if len(self._repeated.get(channel, ())) > _FEW_OBJECTS:
                    return True
                spans += self._spans(channel)
        return take_long(self.body, spans)

    def said(self, channel: str) -> Said:
        """What the answer says of one of its channels, which it may list more than once."""
        objects = self.objects(channel)
        if len(objects) == 1:
            one = objects[0]
            return Said(channel, one.word, one.keeps, one.connected)
        return Said(
            channel,
            word=next((one.word for one in objects if one.word is not None), None),
            keeps=any(one.keeps for one in objects),
            connected=any(one.connected for one in objects),
        )

    def kept_word(self, channel: str) -> str | None:
        """The first word of `keep` that a channel says, where another member of it may read connected.

        Each call parses the channel's objects: such channels are few.
        """
        keep = frozenset(map(fold_word, self.rule.keep))
        for start, end in self._spans(channel):
            document = parse(self.body[start:end])
            for name in self.rule.set:
                value = lookup(document, parse_path(name))
                said = str(value).lower() if isinstance(value, bool) else value
                if isinstance(said, str) and fold_word(said) in keep:
                    return f"{name}: {said}" if isinstance(value, bool) else said
        return None

    def objects(self, channel: str) -> tuple[ChannelObject, ...]:
        """The objects of a channel, in their order."""
        found = self._objects.get(channel)
        if found is None:
            reader = self.rule.object_reader
            found = self._objects[channel] = tuple([self._object(span, reader) for span in self._spans(channel)])
        return found

    def _objects_by(self, reader: ObjectReader) -> dict[str, tuple[ChannelObject, ...]]:
        return self._objects if reader is self.rule.object_reader else self._worded.setdefault(reader, {})

    def _spans(self, channel: str) -> Iterable[Span]:
        if self.found:
            return self.found[channel]
        if self._repeated and channel in self._repeated:
            return map(self._span, self._repeated[channel])
        return (self._span(self.place(channel)),)

    def edits(self, channel: str, word: str | None) -> list[Edit]:
        """What changes so that a channel reads disconnected, by an event with this word, or without one."""
        reader = self.rule.reader_for(word)
        if reader is self.rule.object_reader:
            return [edit for one in self.objects(channel) for edit in one.edits]
        known = self._worded[reader].get(channel) if reader in self._worded else None
        if known is None:
            return [edit for span in self._spans(channel) for edit in self._object(span, reader).edits]
        return [edit for one in known for edit in one.edits]

    def place(self, channel: str) -> int:
        """How many channels stand before this one in the answer."""
        if self.found:
            return self.found[channel][0][0]
        if self._places is None:
            self._asked += 1
            if self._asked <= FEW:
                return self._all.index(channel)
            self._places = dict(zip(self._all, range(len(self._all)), strict=True))  # type: ignore[arg-type]
        return self._places[channel]

    def entries(self) -> Iterator[tuple[str | None, Span]]:
        """Every channel in its order, those without an id too: its id, and where it stands."""
        for index, channel in enumerate(self._all):
            yield channel, self._span(index)

    def __len__(self) -> int:
        """How many ids the answer names."""
        return len(self.ids.exact)

    def _object(self, span: Span, reader: ObjectReader) -> ChannelObject:
        start, end = span
        return reader.read(as_text(self.body[start:end]), start)

    def _span(self, index: int) -> Span:
        part = self._part(index)
        return part.span(index - part.first)

    def _part(self, index: int) -> Part:
        parts = self._parts
        return parts[0] if len(parts) == 1 else parts[bisect_right(parts, index, key=lambda part: part.first) - 1]


def _find_repeated(
    every: Sequence[str | None],
) -> Generator[None, None, tuple[dict[str, int], Mapping[str, list[int]]]]:
    """The first place of each id, and all places of one that is listed more than once; yields after each short step."""
    places: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for index, one in enumerate(every):
        if one is not None and (first := places.setdefault(one, index)) != index:
            repeated.setdefault(one, [first]).append(index)
        if index % _LOOKED_AT == 0:
            yield
    return places, repeated
