"""The gateway's channel list with its stale words corrected: JSON and the map in, JSON out.

Only the bytes of the values that are set change. Correcting is reading (`channel_list`), observing (`observation`:
what the answer tells the map, and which channels must be shown as disconnected), and splicing (`splice`).
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.channel_object import ObjectReader
from statusproxy.status.model import Change
from statusproxy.status.sessions import SessionMap
from statusproxy.status.splice import COPIED, Edit, splice, splice_in_steps

__all__ = ["ChannelRule", "Correction", "correct", "correct_alike", "correct_at_once", "correct_in_steps", "rewrite"]

_STEP: Final = 32
"""Channels observed between two yields: 0.3 ms, and 1.5 ms where each of them ends an override and is logged."""

_DECIDED: Final = 512
"""Channels of which is decided how they are shown between two yields: 0.5 ms."""

_SORTED: Final = 2_048
"""Channels put into the answer's order between two yields: 2 ms."""

_REWRITTEN: Final = 512
"""Channels and edits between two yields: 1 ms."""

_NOTED: Final = 128
"""Channels noted as shown between two yields: 1 ms."""

_ATTEMPTS: Final = 4
"""How often what a long answer shows is decided, if the map changes while it is written."""

Result = TypeVar("Result")


class Correction(msgspec.Struct, frozen=True):
    """An answer after correction."""

    body: bytes
    """The very object that came in, if nothing had to change."""
    corrected: tuple[str, ...] = ()
    """The ids of the channels in which a value was set."""
    changes: tuple[Change, ...] = ()
    """What the answer changed in the map. Of a correction in steps: in its last step."""
    failure: str | None = None
    """Why the answer could not be read (`not-json`, `no-list`, `too-deep`, `too-large`); it is untouched then."""


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
    return correct_at_once(ChannelList(body, rule, path_id), sessions, asked_at, now)


def correct_at_once(answer: ChannelList, sessions: SessionMap, asked_at: float, now: float) -> Correction:
    """Correct an answer as `correct` does; parts of it may have been read before."""
    if not sessions.has_overrides:
        return Correction(answer.body)
    wanted = sessions.answers.unmistakable()
    try:
        if wanted and answer.find(wanted):
            return _finish(answer, sessions, sessions.answers.assign_named(wanted), wanted, asked_at, now)
        answer.read()
        if answer.failure is not None:
            return Correction(answer.body, failure=answer.failure)
        assigned = sessions.answers.assign(answer.ids, whole=answer.whole, partly=not answer.single)
        if not assigned:
            return Correction(answer.body)
        return _finish(answer, sessions, assigned, list(assigned), asked_at, now)
    except RecursionError:
        return Correction(answer.body, failure="too-deep")


def correct_in_steps(
    answer: ChannelList, sessions: SessionMap, asked_at: float, now: float
) -> Generator[Sequence[Change], None, Correction]:
    """Correct an answer as `correct` does, but yield after each step of some milliseconds at most. Never raises.

    Each step yields what it changed in the map. The map may change between two steps: what the answer tells is
    then observed a little late, which it may be (the map goes by when it was asked for). What the answer shows is
    decided anew then, up to `_ATTEMPTS` times, so that it holds when the last step is done.
    """
    if not sessions.has_overrides:
        return Correction(answer.body)
    wanted = sessions.answers.unmistakable()
    observed: set[str] = set()
    try:
        if wanted:
            yield from _silent(answer.find_in_steps(wanted))
            wanted = sessions.answers.unmistakable()
            if answer.has_found(wanted) and not answer.take_long(wanted):
                assigned = sessions.answers.assign_named(wanted)
                if len(answer.body) <= COPIED:
                    return _finish(answer, sessions, assigned, wanted, asked_at, now)
                correction = yield from _finish_in_steps(answer, sessions, assigned, wanted, asked_at, now)
                if correction is not None:
                    return correction
                observed.update(wanted)
        yield from _silent(answer.steps())
        if answer.failure is not None:
            return Correction(answer.body, failure=answer.failure)
        return (yield from _correct_read(answer, sessions, asked_at, now, observed))
    except RecursionError:
        return Correction(answer.body, failure="too-deep")


def _correct_read(
    answer: ChannelList, sessions: SessionMap, asked_at: float, now: float, observed: set[str]
) -> Generator[Sequence[Change], None, Correction]:
    """Correct an answer whose ids have been read, and of which these channels have been observed."""
    reader = answer.rule.object_reader
    yield ()  # the reader may be new, which takes some milliseconds
    attempt = 0
    while True:
        attempt += 1
        version = sessions.version
        assigning = sessions.answers.assign_in_steps(answer.ids, whole=answer.whole, partly=not answer.single)
        assigned = yield from _silent(assigning)
        yield from _silent(answer.number(len(assigned)))
        unobserved = [channel for channel in assigned if channel not in observed]
        for start in range(0, len(unobserved), _STEP):
            step = unobserved[start : start + _STEP]
            yield from _silent(answer.read_objects(step, reader))
            yield sessions.answers.observe(map(answer.said, step), assigned, asked_at, now, answer.rule.source).changes
            observed.update(step)
        if sessions.version != version and attempt < _ATTEMPTS:
            continue
        shown = yield from _silent(_shown_in_steps(sessions, assigned))
        yield from _silent(_read_by_word(answer, shown))
        body, corrected = yield from _silent(_rewrite_in_steps(answer, shown))
        if sessions.version == version or attempt == _ATTEMPTS:
            break
    for start in range(0, len(corrected), _NOTED):
        if start:
            yield ()
        sessions.answers.answer_changed(corrected[start : start + _NOTED], assigned, now)
    return Correction(body, corrected)


def _finish(
    answer: ChannelList,
    sessions: SessionMap,
    assigned: Mapping[str, Sequence[str]],
    unobserved: Sequence[str],
    asked_at: float,
    now: float,
) -> Correction:
    """Observe what has not been observed yet, and write what must be shown.

    Raises RecursionError where a channel is nested too deep, before anything is observed.
    """
    said = [answer.said(channel) for channel in unobserved]
    changes = sessions.answers.observe(said, assigned, asked_at, now, answer.rule.source).changes
    try:
        body, corrected = rewrite(answer, _shown(sessions, assigned))
    except RecursionError:  # what it changed in the map must be told all the same
        return Correction(answer.body, changes=changes, failure="too-deep")
    if corrected:
        sessions.answers.answer_changed(corrected, assigned, now)
    return Correction(body, corrected, changes)


def _finish_in_steps(
    answer: ChannelList,
    sessions: SessionMap,
    assigned: Mapping[str, Sequence[str]],
    wanted: Sequence[str],
    asked_at: float,
    now: float,
) -> Generator[Sequence[Change], None, Correction | None]:
    """What `_finish` gives; yields after each short step. None if the map changed meanwhile."""
    said = [answer.said(channel) for channel in wanted]
    changes = sessions.answers.observe(said, assigned, asked_at, now, answer.rule.source).changes
    version = sessions.version
    yield changes
    body, corrected = yield from _silent(_rewrite_in_steps(answer, _shown(sessions, assigned)))
    if sessions.version != version:
        return None
    if corrected:
        sessions.answers.answer_changed(corrected, assigned, now)
    return Correction(body, corrected)


def _shown(sessions: SessionMap, assigned: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """Which channels must be shown as disconnected, and the word of the event for each."""
    shown: dict[str, str | None] = {}
    for channel, known in assigned.items():
        override = sessions.override_of(known)
        if override is not None:
            shown[channel] = override.word
    return shown


def _shown_in_steps(
    sessions: SessionMap, assigned: Mapping[str, Sequence[str]]
) -> Generator[None, None, dict[str, str | None]]:
    """What `_shown` gives; yields after each short step."""
    shown: dict[str, str | None] = {}
    channels = iter(assigned.items())
    while some := dict(islice(channels, _DECIDED)):
        shown |= _shown(sessions, some)
        yield
    return shown


def _read_by_word(answer: ChannelList, shown: Mapping[str, str | None]) -> Generator[None, None, None]:
    """Read what must be edited in these channels, if that depends on the word of the event."""
    if not answer.rule.goes_by_word:
        return
    by_reader: dict[ObjectReader, list[str]] = {}
    for channel, word in shown.items():
        reader = answer.rule.reader_for(word)
        if reader not in by_reader:
            yield
        by_reader.setdefault(reader, []).append(channel)
    for reader, channels in by_reader.items():
        yield from answer.read_objects(channels, reader)


def _rewrite_in_steps(
    answer: ChannelList, shown: Mapping[str, str | None]
) -> Generator[None, None, tuple[bytes, tuple[str, ...]]]:
    """What `rewrite` gives; yields after each short step."""
    edits: list[Edit] = []
    corrected: list[str] = []
    spent = 0
    runs: list[list[str]] = []
    unordered = iter(shown)
    while some := list(islice(unordered, _SORTED)):
        runs.append(sorted(some, key=answer.place))
        yield
    for channel in heapq.merge(*runs, key=answer.place):
        asked = answer.edits(channel, shown[channel])
        if asked:
            edits += asked
            corrected.append(channel)
        spent += 1 + len(asked)
        if spent > _REWRITTEN:
            spent = 0
            yield
    if not edits:
        return answer.body, ()
    return (yield from splice_in_steps(answer.body, edits)), tuple(corrected)


def _silent(steps: Generator[None, None, Result]) -> Generator[Sequence[Change], None, Result]:
    """Steps that change nothing in the map."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield ()


def rewrite(answer: ChannelList, shown: Mapping[str, str | None]) -> tuple[bytes, tuple[str, ...]]:
    """An answer that has been read, with these of its channels shown as disconnected; and those that had to change.

    `shown` has for each the word by which it is disconnected, `None` where an event said so without a word.
    The very object that came in, if none had to. A channel that says a word of `keep` stays as it is.
    """
    channels = sorted(shown, key=answer.place) if len(shown) > 1 else shown
    edits: list[Edit] = []
    corrected: list[str] = []
    for channel in channels:
        asked = answer.edits(channel, shown[channel])
        if asked:
            edits += asked
            corrected.append(channel)
    answer.edited = edits
    return (splice(answer.body, edits), tuple(corrected)) if edits else (answer.body, ())


def correct_alike(answer: ChannelList, before: ChannelList, correction: Correction) -> Correction | None:
    """Correct an answer as the one before was corrected; None where the channels that matter are not written alike.

    Only while the map is as it was then: it is told nothing, since it was told the same by the answer before.
    """
    if not before.found or before.edited is None or not answer.find(tuple(before.found)):
        return None
    edits: list[Edit] = []
    for channel, spans in answer.found.items():
        spans_before = before.found[channel]
        if len(spans) != len(spans_before):
            return None
        for (start, end), (start_before, end_before) in zip(spans, spans_before, strict=True):
            if answer.body[start:end] != before.body[start_before:end_before]:
                return None
            by = start - start_before
            edits += [
                (first + by, last + by, value)
                for first, last, value in before.edited
                if start_before <= first < end_before
            ]
    answer.edited = edits
    corrected = correction.corrected
    if len(corrected) > 1:
        corrected = tuple(sorted(corrected, key=answer.place))
    return Correction(splice(answer.body, edits) if edits else answer.body, corrected)
