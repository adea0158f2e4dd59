"""A session's id separated from a secret in the same text, as in `sales:TOKEN`."""

from __future__ import annotations

from typing import Final

import msgspec

NO_SESSIONS: Final = frozenset({"", ".", ".."})
"""Segments of a path that name nothing, but say where it leads (RFC 3986 §3.3)."""


class Cut(msgspec.Struct, frozen=True):
    """A text that holds a session's id and a secret, with `separator` between."""

    separator: str
    session_first: bool

    def session(self, text: str) -> str | None:
        """The id; None if the separator, or the text on one side of it, is missing.

        If there are several separators, the secret is the part that contains the others: no part of it is treated as
        the id.
        """
        session, secret = self._parts(text)
        return session if secret and session not in NO_SESSIONS else None

    def bare(self, text: str) -> str | None:
        """The id in a text that may be the id alone; None if there is only a secret."""
        session, secret = self._parts(text)
        if not secret:
            return text
        return session if session not in NO_SESSIONS else None

    def _parts(self, text: str) -> tuple[str, str]:
        if self.session_first:
            session, _, secret = text.partition(self.separator)
        else:
            secret, _, session = text.rpartition(self.separator)
        return session, secret
