"""Rows of entries: the server's time in them, exact both ways, and what a newer version wrote stays."""

import json

import pytest

from statusproxy.store.codec import decode_entry
from statusproxy.store.redis_spool_rows import from_server, to_server, unknown_members, write_entry
from statusproxy.store.spooled import EntryState

from .samples import NOW, an_entry


@pytest.mark.parametrize("offset", [300.0, -300.25, 0.1])
def test_times_are_the_servers_there_and_the_systems_again_here(offset: float) -> None:
    entry = an_entry("01", received_at=NOW + 0.123456, next_at=NOW + 7.654321)
    there = to_server(entry, offset)
    expected = NOW + 0.123456 + offset, NOW + 7.654321 + offset
    assert (there.received_at, there.next_at) == pytest.approx(expected, abs=0.00001)
    assert from_server(there, offset) == entry


def test_clocks_that_agree_change_nothing() -> None:
    entry = an_entry("01", received_at=1 / 3)
    assert to_server(entry, 0.0) is entry
    assert from_server(entry, 0.0) is entry


def test_a_row_reads_as_the_entry_that_was_written() -> None:
    entry = an_entry("01", session="lone \ud800", state=EntryState.DEAD, status=404, checksum=7)
    row = write_entry(entry)
    assert decode_entry(row) == entry
    assert unknown_members(row) == {}


def test_what_a_newer_version_wrote_stays_when_the_row_is_written_again() -> None:
    newer = {"priority": 3, "of": {"a": 1, "name": "Zoë \ud800"}}
    row = json.dumps(json.loads(write_entry(an_entry("01"))) | newer).encode()
    unknown = unknown_members(row)
    assert unknown == newer
    again = write_entry(an_entry("01", attempts=2), unknown)
    assert json.loads(again) == json.loads(write_entry(an_entry("01", attempts=2))) | unknown
    assert decode_entry(again).attempts == 2
