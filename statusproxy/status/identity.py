"""Which channel of an answer a session is, and which sessions a channel is: by the exact id, the folded id, an alias.

The engine's events name sessions, the gateway's answers name channels. Usually both spell the id alike. Where they do
not, several sessions of the map may be one channel: each leg has its own spelling.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Set
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace

from statusproxy.status.fields import fold_id, fold_ids
from statusproxy.status.model import Record

_FOLDED: Final = 1_024
"""Ids folded between two yields: 1 ms."""


class Aliases:
    """The configured aliases (session id -> channel id), ready for lookups in both directions."""

    __slots__ = ("_by_fold", "_exact", "_sessions")

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._exact = aliases
        self._by_fold = {fold_id(session): channel for session, channel in aliases.items()}
        self._sessions: dict[str, list[str]] = {}
        for session, channel in aliases.items():
            self._sessions.setdefault(fold_id(channel), []).append(fold_id(session))

    def __bool__(self) -> bool:
        return bool(self._exact)

    def of(self, session: str) -> str | None:
        """The channel id that this session id is an alias of."""
        alias = self._exact.get(session)
        return alias if alias is not None or not self._by_fold else self._by_fold.get(fold_id(session))

    def sessions(self, channel_fold: str) -> Iterable[str]:
        """The folded session ids that are aliases of channels with this folded id."""
        return self._sessions.get(channel_fold, ())


class Match(NamedTuple):
    """The channel that a session is, if any."""

    channel: str | None
    ambiguous: bool
    """Several channels fold to the session's id and none is exactly it: then it is none of them."""


class ChannelIds:
    """The channel ids of one answer. Folds them on first need: most answers spell every session as its events do."""

    __slots__ = ("_ambiguous", "_folded", "exact")

    def __init__(self, exact: Set[str]) -> None:
        self.exact = exact
        self._folded: dict[str, str] | None = None
        self._ambiguous: set[str] = set()

    @property
    def folds(self) -> Iterable[str]:
        """The folded ids."""
        return list(self._folds())

    @property
    def are_folded(self) -> bool:
        """Whether a look-up by the folded id is quick."""
        return self._folded is not None

    def fold(self) -> Generator[None, None, None]:
        """Fold them, unless that has been done; yields after each short step. Else the first that needs them does."""
        if self._folded is not None:
            return
        folded: dict[str, str] = {}
        ambiguous: set[str] = set()
        exact = iter(self.exact)
        while some := list(islice(exact, _FOLDED)):
            if folded:
                yield
            folds = fold_ids(some)
            more = dict(zip(folds, some, strict=True))
            if len(more) == len(some) and folded.keys().isdisjoint(more):
                folded |= more
                continue
            for fold, one in zip(folds, some, strict=True):
                if fold in folded:
                    ambiguous.add(fold)
                folded[fold] = one
        self._folded, self._ambiguous = folded, ambiguous

    def match(self, session: str, aliases: Aliases) -> Match:
        """Find a session's channel: the exact id first, then the folded one, then the alias."""
        if session in self.exact:
            return Match(session, False)
        found = self._by_fold(session)
        if found.channel is None:
            alias = aliases.of(session)
            if alias is not None:
                return Match(alias if alias in self.exact else self._by_fold(alias).channel, found.ambiguous)
        return found

    def _by_fold(self, session: str) -> Match:
        folds, fold = self._folds(), fold_id(session)
        return Match(None, True) if fold in self._ambiguous else Match(folds.get(fold), False)

    def _folds(self) -> dict[str, str]:
        if self._folded is None:
            for _ in self.fold():
                pass
            assert self._folded is not None
        return self._folded


class Spellings:
    """The ids of the map's sessions, found by what they fold to."""

    __slots__ = ("_by_fold", "_count")

    def __init__(self) -> None:
        self._by_fold: dict[str, dict[str, None]] = {}
        self._count = 0

    def add(self, session: str) -> int:
        """Add an id that is not there; give how many fold to the same now."""
        alike = self._by_fold.setdefault(fold_id(session), {})
        alike[session] = None
        self._count += 1
        return len(alike)

    def remove(self, session: str) -> None:
        """Remove an id that is there."""
        fold = fold_id(session)
        alike = self._by_fold[fold]
        del alike[session]
        self._count -= 1
        if not alike:
            del self._by_fold[fold]

    @property
    def differ(self) -> bool:
        """Whether any two ids fold to the same."""
        return len(self._by_fold) < self._count

    def folding_to(self, fold: str) -> Collection[str]:
        """The ids that fold to this, in the order in which they came."""
        return self._by_fold.get(fold, {}).keys()

    def kin(self, channel: str, aliases: Aliases) -> list[str]:
        """The sessions that may be this channel: those that fold to the same, and those aliased to it."""
        fold = fold_id(channel)
        kin = list(self.folding_to(fold))
        for alias in aliases.sessions(fold):
            kin += [session for session in self.folding_to(alias) if session not in kin]
        return kin


def learn_channel(
    record: Record, channels: ChannelIds, aliases: Aliases, *, whole: bool = True
) -> tuple[str | None, Record]:
    """A session's channel in an answer that lists channels; and its record, with what that answer teaches.

    That is: which channel the session is, for answers that show one; and that it is real. Of several channels that
    fold to the session it is none; that is learned too.

    `whole`: the answer lists all channels. One that may leave channels out does not tell that a session is another
    channel than it was found to be: its own may be left out. Nor does it teach what it tells by a fold or an alias.
    """
    session, before = record.session, record.channel
    if session in channels.exact:
        channel: str | None = session
        learned: str | None = session
    elif not whole and before is not None and before not in channels.exact:
        return None, record
    else:
        match = channels.match(session, aliases)
        channel = match.channel
        learned = channel or (session if match.ambiguous else None)
        if not whole and before is None and channel is not None:
            learned = None
    confirmed = record.confirmed or channel is not None
    if (learned is not None and learned != record.channel) or confirmed != record.confirmed:
        record = replace(record, channel=learned, confirmed=confirmed)
    return channel, record


def known_channel(record: Record, channels: ChannelIds, aliases: Aliases) -> str | None:
    """A session's channel in an answer that shows one: the one it was last found to be, where that is known."""
    if record.session in channels.exact:
        return record.session
    if record.channel is not None:
        return record.channel if record.channel in channels.exact else None
    return channels.match(record.session, aliases).channel


def unlearned(record: Record, aliases: Aliases) -> Record:
    """A record without a channel that only an alias can have taught, where the aliases do not say so now.

    Else a wrong alias would go on after it was removed, also after a restart, where no list teaches another channel. A
    channel that folds to the session may have been learned without an alias: it stays.
    """
    session, channel = record.session, record.channel
    if channel is None or channel == session:
        return record
    fold, alias = fold_id(channel), aliases.of(session)
    if fold == fold_id(session) or (alias is not None and fold == fold_id(alias)):
        return record
    return replace(record, channel=None)


def may_be(record: Record, channel: str) -> bool:
    """Whether a session that folds to this channel, or is aliased to it, is not known to be another one."""
    return record.session == channel or record.channel in (None, channel)
