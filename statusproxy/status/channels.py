"""The gateway's channel list with its stale words corrected: JSON and the map in, JSON out.

Only the bytes of the values that are set change. Correcting is reading (`channel_list`), observing (`observation`:
what the answer tells the map, and which channels are to be shown as disconnected), and splicing (`splice`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

import msgspec

from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.model import Change
from statusproxy.status.sessions import SessionMap
from statusproxy.status.splice import Edit, splice

__all__ = ["ChannelRule", "Correction", "correct", "correct_alike", "correct_at_once", "correct_in_steps", "rewrite"]

_STEP: Final = 128
"""Channels observed between two yields: 1 ms, and 5 ms where each of them ends an override and is logged."""


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
    if wanted and answer.find(wanted):
        return _finish(answer, sessions, sessions.answers.assign_named(wanted), wanted, asked_at, now)
    answer.read()
    if answer.failure is not None:
        return Correction(answer.body, failure=answer.failure)
    try:
        assigned = sessions.answers.assign(answer.ids, whole=answer.whole)
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
    decided in the last step, for the map as it is then.
    """
    if not sessions.has_overrides:
        return Correction(answer.body)
    wanted = sessions.answers.unmistakable()
    if wanted:
        for _ in answer.find_in_steps(wanted):
            yield ()
        wanted = sessions.answers.unmistakable()
        if answer.has_found(wanted):
            return _finish(answer, sessions, sessions.answers.assign_named(wanted), wanted, asked_at, now)
    for _ in answer.steps():
        yield ()
    if answer.failure is not None:
        return Correction(answer.body, failure=answer.failure)
    try:
        assigned = sessions.answers.assign(answer.ids, whole=answer.whole)
        channels = list(assigned)
        observed: set[str] = set()
        given_way = False
        for _ in answer.locate(channels):
            yield ()
            given_way = True
        for start in range(0, len(channels) - _STEP, _STEP):
            yield ()
            step = channels[start : start + _STEP]
            yield sessions.answers.observe(map(answer.said, step), assigned, asked_at, now, answer.rule.source).changes
            observed.update(step)
            given_way = True
        if given_way:
            assigned = sessions.answers.assign(answer.ids, whole=answer.whole)
            channels = [channel for channel in assigned if channel not in observed]
        if not assigned:
            return Correction(answer.body)
        return _finish(answer, sessions, assigned, channels, asked_at, now)
    except RecursionError:
        return Correction(answer.body, failure="too-deep")


def _finish(
    answer: ChannelList,
    sessions: SessionMap,
    assigned: Mapping[str, Sequence[str]],
    unobserved: Sequence[str],
    asked_at: float,
    now: float,
) -> Correction:
    """Observe what has not been observed yet, and write what is to be shown."""
    said = map(answer.said, unobserved)
    changes = sessions.answers.observe(said, assigned, asked_at, now, answer.rule.source).changes
    shown: dict[str, str | None] = {}
    for channel, known in assigned.items():
        override = sessions.override_of(known)
        if override is not None:
            shown[channel] = override.word
    body, corrected = rewrite(answer, shown)
    if corrected:
        sessions.answers.answer_changed(corrected, assigned, now)
    return Correction(body, corrected, changes)


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
    if not before.found or not answer.find(tuple(before.found)):
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
