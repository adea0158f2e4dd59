"""What the preset `gateway-wrapper` reads in its gateway's webhooks, and how a list is corrected by it."""

import json
from pathlib import Path

import msgspec
import pytest

from statusproxy.config.load import loads
from statusproxy.status.channels import correct
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Signal, SignalKind, Verdict, read
from tests.presets.recorded import recorded
from tests.presets.stage import assert_told
from tests.rehearsal.golden import goldens

SETTINGS = loads("gateway: http://127.0.0.1:3000\npreset: gateway-wrapper")
RULES = SETTINGS.signal_rules()

NOW = 1_768_504_030.0
"""2026-01-15 19:07:10 UTC."""

#: What the engine posts when a phone is unlinked.
UNLINKED = b'{"event":"status-find","status":"disconnectedMobile","session":"sales"}'


@pytest.mark.parametrize("file", goldens(Path(__file__).parent / "gateway-wrapper"), ids=lambda file: file.stem)
def test_what_try_makes_of_its_traffic(file: Path) -> None:
    assert_told(file)


def channel(name: str, word: str) -> dict[str, object]:
    """One channel as the gateway lists it."""
    return {"id": name, "status": word, "connected": word == "connected"}


def test_a_start_by_qr_code_is_read_as_disconnected_and_then_connected() -> None:
    bodies = [json.dumps(body).encode() for body in recorded("wppconnect-server", "start-qr-scan-inchat")]
    readings = [read(body, RULES, NOW, "sales") for body in bodies]  # the session stands in the webhook's path
    assert [(reading.verdict, reading.event) for reading in readings] == [
        (Verdict.UNMATCHED, "qrcode"),
        (Verdict.SIGNAL, "status-find"),
        (Verdict.SIGNAL, "status-find"),
        (Verdict.NOTHING, "status-find"),
    ]
    assert [reading.signal for reading in readings if reading.signal] == [
        Signal(SignalKind.DISCONNECTED, "sales", None, "status-find", "notLogged", None),
        Signal(SignalKind.CONNECTED, "sales", None, "status-find", "inChat", None),
    ]


def test_a_lost_session_reads_disconnected_in_the_list_and_no_other_does() -> None:
    sessions = SessionMap()
    sessions.hear(read(UNLINKED, RULES, NOW), NOW)
    body = msgspec.json.encode({"channels": [channel("sales", "connected"), channel("support", "connected")]})
    correction = correct(body, SETTINGS.channels[0].rule(), sessions, asked_at=NOW + 1, now=NOW + 2)
    assert correction.corrected == ("sales",)
    assert json.loads(correction.body) == {
        "channels": [channel("sales", "disconnected"), channel("support", "connected")]
    }


def test_a_list_that_shows_a_qr_code_keeps_its_word() -> None:
    sessions = SessionMap()
    sessions.hear(read(UNLINKED, RULES, NOW), NOW)
    body = msgspec.json.encode({"channels": [{"id": "sales", "status": "qr_required"}]})
    correction = correct(body, SETTINGS.channels[0].rule(), sessions, asked_at=NOW + 1, now=NOW + 2)
    assert correction.body is body
