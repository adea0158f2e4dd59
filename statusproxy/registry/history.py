"""Changes as the history stores them: with the gateway's claim at that time, and without invented sessions."""

from collections.abc import Sequence

from msgspec.structs import replace

from statusproxy.registry.gateway_view import Word
from statusproxy.status.model import Change, Record, Release
from statusproxy.status.sessions import SessionMap


def with_claim(change: Change, word: Word | None, record: Record | None) -> Change:
    """The change with the gateway's newest claim about the session.

    `word` is the claim in the gateway's last answers; the map notes claims itself, but only for corrected sessions
    (`record`, None where the session is forgotten). The newer of the two counts.
    """
    noted_at = record.gateway_said_at if record is not None else None
    if word is None or (change.gateway_said is not None and (noted_at is None or noted_at >= word.at)):
        return change
    return replace(change, gateway_said=word.said)


def to_keep(changes: Sequence[Change], sessions: SessionMap) -> Sequence[Change]:
    """The changes that go into the history: where the map is full, none of sessions that may be made up.

    A flood of made-up sessions would push the changes of real ones out of the history. What an operator does is
    always kept.
    """
    if not sessions.is_full:
        return changes
    known = sessions.get
    return [
        change
        for change in changes
        if change.reason == Release.OPERATOR or ((record := known(change.session)) is not None and record.confirmed)
    ]
