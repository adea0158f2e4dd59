"""Rows keep their meaning over versions."""

import json

import pytest

from statusproxy.status.signals import SignalKind
from statusproxy.store import codec
from statusproxy.store.codec import FORMAT, RowError, decode_change, decode_entry, decode_record, encode

from .samples import a_change, a_record, an_entry, overridden

# Rows as format 1 wrote them. They must be readable for ever: never edit them, add new ones below.
RECORD_1 = (
    '{"format":1,"session":"sales","verdict":"disconnected","known_at":1768504026.5,"alive_at":0.0,'
    '"heard_at":1768504026.5,"event":"status-find","override":{"since":1768504026.5,"at":1768504026.5,'
    '"began":1768504027.5,"event":"status-find","word":"browserClose","event_id":"e-1","caught_up":"qr",'
    '"caught_up_at":1768504028.5},"channel":"sales","gateway_said":"connected",'
    '"gateway_said_at":1768504026.5,"released":null,"released_at":null}'
)
CHANGE_1 = (
    '{"format":1,"session":"sales","what":"started","reason":"status-find browserClose","at":1768504026.5,'
    '"recorded_at":1768504026.5,"gateway_said":"connected"}'
)


def test_a_record_comes_back_as_it_was() -> None:
    assert decode_record(encode(overridden("sales"))) == overridden("sales")


def test_a_change_comes_back_as_it_was() -> None:
    assert decode_change(encode(a_change("sales"))) == a_change("sales")


def test_a_record_of_format_1_is_readable_for_ever() -> None:
    record = decode_record(RECORD_1)
    assert record.session == "sales"
    assert record.verdict is SignalKind.DISCONNECTED
    assert record.override is not None
    assert (record.override.word, record.override.caught_up) == ("browserClose", "qr")


def test_a_change_of_format_1_is_readable_for_ever() -> None:
    assert decode_change(CHANGE_1) == a_change("sales")


def test_an_unknown_field_is_ignored() -> None:
    fields = json.loads(RECORD_1) | {"of_a_later_version": [1, 2]}
    assert decode_record(json.dumps(fields)) == decode_record(RECORD_1)


@pytest.mark.parametrize("session", ["", "Sales Team", "vendas-são-paulo", "\ud800", "a\0b", "\u202e", "😀"])
def test_any_id_comes_back_as_it_was(session: str) -> None:
    row = encode(a_record(session))
    assert row.isascii()
    assert decode_record(row.encode()).session == session


def test_a_time_that_never_was_comes_back_as_it_was() -> None:
    assert decode_record(encode(a_record("sales", known_at=float("-inf")))).known_at == float("-inf")


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xff\xfe\xfd", b"[]", b"null", b"{}", b"[" * 100_000, '{"format":1}', '{"format":"1"}',
        '{"format":true,"session":"sales"}', '{"format":0,"session":"sales"}',
        RECORD_1.replace('"format":1', f'"format":{FORMAT + 1}'),
        RECORD_1.replace('"disconnected"', '"of a later version"'),
        RECORD_1.replace('"known_at":1768504026.5', '"known_at":"yesterday"'),
    ],
)  # fmt: skip
def test_what_is_no_row_is_one_kind_of_error(payload: bytes | str) -> None:
    with pytest.raises(RowError):
        decode_record(payload)


def test_a_row_of_an_old_format_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(fields: dict[str, object]) -> dict[str, object]:
        return {"session" if name == "channel_id" else name: value for name, value in fields.items()}

    monkeypatch.setattr(codec, "FORMAT", 3)
    monkeypatch.setattr(codec, "_UPGRADES", {1: renamed, 2: lambda fields: fields | {"event": "lifted"}})
    record = decode_record('{"format":1,"channel_id":"sales"}')
    assert (record.session, record.event) == ("sales", "lifted")


# As format 1 wrote it, with a member of a later version.
ENTRY_1 = (
    '{"format":1,"id":"0199a","path":"/hook","receiver":"gateway","queue":"sales","session":"lone \\ud800",'
    '"state":"waiting","reason":"not-sent","size":100,"received_at":1768504026.5,"next_at":1768504027.5,"later":1}'
)


def test_an_entry_comes_back_as_it_was_and_one_of_format_1_is_readable_for_ever() -> None:
    assert decode_entry(ENTRY_1) == an_entry("0199a", session="lone \ud800")
    full = an_entry("b", attempts=3, rejected=2, status=503, event="é", framed=True, filed=True)
    assert decode_entry(encode(full)) == full
    assert encode(full).isascii()
    with pytest.raises(RowError):
        decode_entry(RECORD_1)
