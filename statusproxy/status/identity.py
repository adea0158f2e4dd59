"""Which channel of an answer a session is: by the exact id, by the folded id, or by an alias.

The engine's events name sessions, the gateway's answers name channels. Usually both spell the id alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from statusproxy.status.fields import fold_id, fold_ids


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
            distinct = list(self.exact)
            folds = fold_ids(distinct)
            self._folded = dict(zip(folds, distinct, strict=True))
            if len(self._folded) < len(distinct):
                self._ambiguous = {fold for fold, count in Counter(folds).items() if count > 1}
        return self._folded
