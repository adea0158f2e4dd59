"""What several records of one session come to: each leg may spell its id in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.transitions import step_kin


def settled(kin: Sequence[Record], now: float, rules: SessionRules, doubted_at: float = NEVER) -> list[Record]:
    """The records of one session as the next corrected list will have them.

    An override that another spelling knows to be over is ended.
    """
    known = list(kin)
    return known if len(known) == 1 else [step_kin(record, known, now, rules, doubted_at)[0] for record in known]


def deciding(records: Sequence[Record]) -> Record:
    """Of the settled records of one session, at least one, the record that decides what is shown of it.

    If several overrides are in force, the record with the newest one decides. If none is in force, the record whose
    last event is the newest decides.
    """
    return max(records, key=_weight)


def caught_up(kin: Iterable[Record], source: str | None, asked_at: float) -> Override | None:
    """The newest loss in these records, if "connected" in this answer is fresh for it.

    Only then is "connected" true of the session, as with one record: an older loss may have its evidence, and the
    gateway may still not know of the newer one. A transient state that lasted counts only where there is no other
    loss: beside one it would begin no override in a single record.
    """
    losses = [record.override for record in kin if record.override is not None]
    newest = max(map(_loss, losses), default=None)
    return next((one for one in losses if _loss(one) == newest and one.is_fresh(source, asked_at)), None)


def with_evidence_of(record: Record, newest: Override) -> Record:
    """A record of the same session: where the gateway knows of the newest loss, it knows of the older ones."""
    override = record.override
    if override is None or override is newest:
        return record
    evidence = replace(override, caught_up=newest.caught_up, caught_up_at=newest.caught_up_at, seen_on=newest.seen_on)
    return replace(record, override=evidence)


def _loss(override: Override) -> tuple[bool, float]:
    return not override.transient, override.stamp.here


def _weight(record: Record) -> tuple[bool, float]:
    override = record.override
    return (False, record.heard_at) if override is None else (True, override.stamp.here)
