"""The word that clients read of a lost session, as page and command line tell it."""

import pytest

from statusproxy.config.load import loads
from statusproxy.status.lost_word import lost_word
from statusproxy.status.set_values import ByWord
from tests.status.test_channels import LIST


@pytest.mark.parametrize(
    ("preset", "word", "said", "reads"),
    [
        ("gateway-wrapper", "browserClose", "connected", "disconnected"),
        ("gateway-wrapper", "browserClose", "qr_required", "qr_required"),
        ("gateway-wrapper", None, None, "disconnected"),
        ("wppconnect-server", "browserClose", "CONNECTED", "CLOSED"),
        ("evolution-v2", "close", "open", "close"),
        ("evolution-v2", "connecting", "open", "connecting"),
        ("evolution-v1", "close", "open", "connecting"),
        ("evolution-v1", "401", "open", "close"),
        ("waha", "FAILED", "WORKING", "FAILED"),
        ("waha", "scan_qr_code", None, "SCAN_QR_CODE"),
        ("waha", "SCAN_QR_CODE", "Stopped", "Stopped"),
        ("wwebjs-api", None, "CONNECTED", "session_not_connected"),
        ("wuzapi", None, "true", "connected: false"),
        ("wuzapi", None, "false", "connected: false"),
        ("baileys-api", "disconected", "connected", "disconected"),
    ],
)
def test_each_gateways_own_word_is_told(preset: str, word: str | None, said: str | None, reads: str) -> None:
    rule = loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}").channels[0].rule()
    assert lost_word(rule, word, said) == reads


def test_where_nothing_is_set_for_a_word_there_is_none_to_tell() -> None:
    rule = type(LIST)(list=LIST.list, id=LIST.id, set={"status": ByWord({"close": "close"})})
    assert lost_word(rule, "refused", None) is None
    assert lost_word(rule, "close", None) == "close"
