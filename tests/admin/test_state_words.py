"""How a session stands, in words of both languages."""

import pytest

from statusproxy.admin.state_words import SHORT, reason
from statusproxy.registry.session_rows import Row
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.model import Override, Record
from statusproxy.status.session_state import Claim, SessionState

RULE = ChannelRule(list=((),), id=(("id",),), set={"status": "disconnected"})
OVERRIDE = Override(since=1.0, at=1.0, began=1.0, event="status-find", word="browserClose")


def row(
    state: SessionState, word: str | None = None, *, connected: bool = False, listed: bool = True,
    override: Override | None = None,
) -> Row:  # fmt: skip
    claim = None if word is None else Claim(word, 5.0, connected, not connected, RULE)
    return Row("sales", "sales", Record("sales", override=override), ("sales",), listed, claim, state, word)


@pytest.mark.parametrize(
    ("one", "english", "portuguese"),
    [
        (
            row(SessionState.LOST, "connected", connected=True, override=OVERRIDE),
            "lost, according to the event status-find browserClose; the gateway still says connected",
            "caiu pelo evento status-find browserClose; o gateway ainda diz connected",
        ),
        (
            row(SessionState.LOST, "qr_required", override=Override(1.0, 1.0, 1.0, "closesession")),
            "lost, according to the event closesession",
            "caiu pelo evento closesession",
        ),
        (row(SessionState.REPORTED_DOWN, "close"), "the gateway says close", "o gateway diz close"),
        (
            row(SessionState.NEEDS_QR, "qr_required"),
            "the gateway says qr_required: it is waiting for someone to link the phone, or starting",
            "o gateway diz qr_required: aguarda alguém vincular o celular, ou está iniciando",
        ),
        (row(SessionState.CONNECTED, "open"), "the gateway says open", "o gateway diz open"),
        (row(SessionState.CONNECTED), "an event said that it is connected", "um evento disse que está conectada"),
        (
            row(SessionState.UNKNOWN, "???"),
            "the gateway says ???, a status that the proxy does not know",
            "o gateway diz ???, um status que o proxy não conhece",
        ),
        (
            row(SessionState.UNKNOWN, listed=False),
            "the gateway's last list does not have it",
            "a última lista do gateway não a tem",
        ),
        (
            row(SessionState.UNKNOWN),
            "neither the gateway nor an event has said its state since the start",
            "nem o gateway nem um evento informou o estado dela desde o início",
        ),
    ],
)
def test_the_reason_says_what_is_known(one: Row, english: str, portuguese: str) -> None:
    assert reason(one, "en", list_seen=True) == english
    assert reason(one, "pt-BR", list_seen=True) == portuguese


def test_before_a_list_has_passed_none_is_said_to_lack_it() -> None:
    assert "neither" in reason(row(SessionState.UNKNOWN, listed=False), "en", list_seen=False)


def test_a_claim_without_a_record_has_a_reason() -> None:
    listed = row(SessionState.CONNECTED, "open")._replace(record=None)
    assert reason(listed, "en", list_seen=True) == "the gateway says open"


def test_braces_in_a_word_are_only_characters() -> None:
    assert reason(row(SessionState.REPORTED_DOWN, "{event}"), "en", list_seen=True) == "the gateway says {event}"


def test_each_state_has_a_word_in_each_language() -> None:
    assert all(words.keys() == set(SessionState) for words in SHORT.values())
