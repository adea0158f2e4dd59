"""Messages about kept events: what an older version does not give has a default."""

from statusproxy.admin.spool_messages import SpoolTotals


def test_totals_without_what_came_later_are_read() -> None:
    totals = SpoolTotals(entries=1, bytes=2, waiting=1, unknown=0, dead=0, max_entries=9, max_bytes=99, max_age=60.0)
    assert (totals.waiting_since, totals.away) == (None, [])
