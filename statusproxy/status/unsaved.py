"""Which sessions of the map are not saved yet, and which have changed since a watcher last looked."""

from __future__ import annotations

from itertools import islice

from statusproxy.status.model import Record


class Watch:
    """What changed in a map since it was last looked at: at most one entry for each session."""

    __slots__ = ("changed", "gone")

    def __init__(self) -> None:
        self.changed: dict[str, None] = {}
        """Sessions whose records are new or different."""
        self.gone: dict[str, None] = {}
        """Sessions that were forgotten."""

    def take(self) -> tuple[list[str], list[str]]:
        """The sessions changed and those gone; from now on others are collected."""
        taken = list(self.changed), list(self.gone)
        self.changed.clear()
        self.gone.clear()
        return taken


class Unsaved:
    """The sessions whose records differ from what was last taken to be saved.

    Two kinds: those with a change in what decides what is shown, and those with other changes only.
    """

    __slots__ = ("_decisive", "_forgotten", "_rest", "_watches")

    def __init__(self) -> None:
        self._decisive: dict[str, None] = {}
        self._rest: dict[str, None] = {}
        self._forgotten: dict[str, None] = {}
        self._watches: list[Watch] = []

    def changed(self, session: str, *, decisive: bool) -> None:
        """A record is new or different; `decisive`: in what decides what is shown."""
        if decisive:
            self._decisive[session] = None
            self._rest.pop(session, None)
        elif session not in self._decisive:
            self._rest[session] = None
        for watch in self._watches:
            watch.changed[session] = None

    def added(self, session: str) -> None:
        """A session is new in the map; it may have been forgotten a moment ago."""
        self._forgotten.pop(session, None)

    def forgotten(self, session: str) -> None:
        """A session is not in the map any more."""
        self._decisive.pop(session, None)
        self._rest.pop(session, None)
        self._forgotten[session] = None
        for watch in self._watches:
            watch.changed.pop(session, None)
            watch.gone[session] = None

    def taken_over(self, session: str) -> None:
        """The session is as other proxies wrote it, or forgotten as they forgot it: nothing is left to save here."""
        self._decisive.pop(session, None)
        self._rest.pop(session, None)
        self._forgotten.pop(session, None)

    def saved(self) -> None:
        """All is as it is on disk."""
        self._decisive.clear()
        self._rest.clear()

    def __bool__(self) -> bool:
        """Whether anything must be durable before it is reported."""
        return bool(self._decisive or self._forgotten)

    def take_decisive(self) -> tuple[list[str], list[str]]:
        """The sessions whose records must be durable, and those forgotten; they count as saved from now on."""
        taken = list(self._decisive), list(self._forgotten)
        self._decisive.clear()
        self._forgotten.clear()
        return taken

    def take_rest(self, at_most: int | None = None) -> list[str]:
        """The sessions with changes that decide nothing of what is shown; they count as saved from now on.

        `at_most` so many, those that have waited for longest.
        """
        taken = list(islice(self._rest, at_most))
        for session in taken:
            del self._rest[session]
        return taken

    def watch(self) -> Watch:
        """Collect what changes, until `unwatch`."""
        watch = Watch()
        self._watches.append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Collect no longer."""
        self._watches.remove(watch)


def shows_alike(one: Record, other: Record) -> bool:
    """Whether two records agree in what decides what is shown now."""
    return (
        one.known_at == other.known_at
        and one.verdict == other.verdict
        and (one.override is other.override or one.override == other.override)
        and one.released == other.released
        and one.released_at == other.released_at
    )
