"""What several records of one session come to: each leg may spell its id in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.model import Record, SessionRules
from statusproxy.status.transitions import step_kin


def deciding(kin: Sequence[Record], now: float, rules: SessionRules, doubted_at: float = NEVER) -> Record:
    """The record that decides what is shown of a session which has these records, as the next corrected list will.

    An override that another spelling knows to be over is ended first. If several overrides are in force, the record
    with the newest one decides. If none is in force, the record whose last event is the newest decides.
    """
    if len(kin) == 1:
        return kin[0]
    known = list(kin)
    return max((step_kin(record, known, now, rules, doubted_at)[0] for record in known), key=_weight)


def _weight(record: Record) -> tuple[bool, float]:
    override = record.override
    return (False, record.heard_at) if override is None else (True, override.stamp.here)
