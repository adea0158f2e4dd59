"""Which texts are words, and what they may mean."""

import pytest

from statusproxy.learning.words import Meaning, is_known, is_name, is_word, meaning, segments

LOST, FOUND, UNDER_WAY, HEARD = Meaning.DISCONNECTED, Meaning.CONNECTED, Meaning.TRANSIENT, Meaning.ALIVE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("status-find", ("status", "find")),
        ("SCAN_QR_CODE", ("scan", "qr", "code")),
        ("closesession", ("close", "session")),
        ("LoggedOut", ("loggedout",)),
        ("messages.upsert", ("messages", "upsert")),
        ("qrcode", ("qrcode",)),
        ("onmessageend", ("onmessage", "end")),
        ("v1", ("v1",)),
        ("sales", None),
        ("sales.closed", None),
        ("open sesame", None),
        ("", None),
        ("open" * 9, None),
        ("-", None),
    ],
)
def test_a_known_text_is_made_of_words_of_the_vocabulary(text: str, parts: tuple[str, ...] | None) -> None:
    assert segments(text) == parts
    assert is_known(text) is (parts is not None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("disconnectedMobile", LOST),
        ("browserClose", LOST),
        ("disconected", LOST),
        ("notLogged", LOST),
        ("closesession", LOST),
        ("logout.instance", LOST),
        ("LoggedOut", LOST),
        ("session_not_connected", LOST),
        ("linkDown", LOST),
        ("unlinkedByPhone", LOST),
        ("SIGNED_OUT", LOST),
        ("Logged-Off", LOST),
        ("CONN_CLOSED", LOST),
        ("kicked", LOST),
        ("notAuthenticated", LOST),
        ("Desconectada", LOST),
        ("opened", FOUND),
        ("Signed_In", FOUND),
        ("ESTABLISHED", FOUND),
        ("connLost", UNDER_WAY),
        ("LOST_CONNECTION", UNDER_WAY),
        ("timed_out", UNDER_WAY),
        ("UNAUTHENTICATED", None),
        ("inChat", FOUND),
        ("WORKING", FOUND),
        ("open", FOUND),
        ("connecting", UNDER_WAY),
        ("STARTING", UNDER_WAY),
        ("messages.upsert", HEARD),
        ("onmessage", HEARD),
        ("connection.update", None),
        ("logged", None),
        ("isLogged", None),
        ("SCAN_QR_CODE", None),
        ("success", None),
        ("unavailable", None),
        ("sales", None),
    ],
)
def test_known_gateways_words_have_a_meaning(text: str, said: Meaning | None) -> None:
    assert meaning(text) is said


@pytest.mark.parametrize("text", ["zonking", "boxGone", "evento-2", "linea_abierta"])
def test_a_word_that_nobody_knows_is_one_all_the_same(text: str) -> None:
    assert is_word(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two words",
        "5511999990000",
        "+5511999990000",
        "5511999990000@c.us",
        "x@g.us",
        "deadbeefcafe",
        "7b6c2e0a-41d2-4f5e-9a53-0f1f3f1a2b3c",
        "sk_live_51HxQ",
        "aBcDeFgHiJ",
        "kqzwvtrx",
        "Abc123",
        "a" * 17,
        "x" * 40,
        "---",
    ],
)
def test_ids_numbers_tokens_and_texts_are_no_words(text: str) -> None:
    assert not is_word(text)


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("connectionStatus", True),
        ("t", True),
        ("ctwaPayload", True),
        ("$t", True),
        ("5511999990000", False),
        ("5511999990000@c.us", False),
        ("deadbeefcafe", False),
        ("a b", False),
        ("x" * 41, False),
        ("abc123def", False),
    ],
)
def test_a_member_s_name_is_what_a_programmer_writes(key: str, is_one: bool) -> None:
    assert is_name(key) is is_one
