"""The answer to a create or start: evidence, unless it repeats the stale word itself."""

import pytest

from statusproxy.status.created import claims_connected

WORDS = frozenset({"connected", "open", "working"})


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"CONNECTED","qrcode":null,"urlcode":"","version":"2.10.4","session":"pixel"}',  # wppconnect-server
        b'{"success":true,"channel":{"id":"sales","status":" connected "}}',
        b'{"instance":{"instanceName":"sales","state":"open"}}',
        b'{"name":"sales","status":"WORKING"}',
        b'{"data":{"session":{"connected":true}}}',
    ],
)
def test_an_answer_that_says_connected_claims_it(body: bytes) -> None:
    assert claims_connected(body, WORDS)


@pytest.mark.parametrize("holder", ["data", "result", "response", "channel", "session", "instance"])
@pytest.mark.parametrize("field", ["status", "state", "connection", "connectionStatus"])
def test_every_gateways_place_for_the_word_is_read(holder: str, field: str) -> None:
    assert claims_connected(b'{"%s":{"%s":"open"}}' % (holder.encode(), field.encode()), WORDS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"[]",
        b'"connected"',
        b'{"success":true}',
        b'{"status":"INITIALIZING","qrcode":null}',
        b'{"status":"QRCODE","qrcode":"iVBORw0KGgo="}',
        b'{"status":"CONNECTED","qrcode":"iVBORw0KGgo="}',  # a code counts more
        b'{"instance":{"instanceName":"sales","status":"created"},"hash":"x"}',
        b'{"message":"not connected","status":"not connected"}',
        b'{"connected":false}',
        b'{"data":{"session":{"instance":{"status":"CONNECTED","connected":true}}}}',  # deeper than any gateway says it
        b"[" * 100_000,
    ],
)
def test_any_other_answer_does_not(body: bytes) -> None:
    assert not claims_connected(body, WORDS)


def test_a_code_counts_more_than_words_where_the_gateway_puts_its_codes() -> None:
    body = b'{"status":"connected","pairing":"AAAA"}'
    assert claims_connected(body, WORDS)
    assert not claims_connected(body, WORDS, ("pairing",))
