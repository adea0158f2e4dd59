"""Keys of rows: text where an operator can read it, bytes where no text can hold it."""

import pytest

from statusproxy.store.session_key import key_text, row_key, session_bytes


@pytest.mark.parametrize(
    ("session", "key"),
    [("sales", "sales"), ("café", "café"), ("", ""), ("lone \ud800", b"lone \xed\xa0\x80")],
)
def test_a_key_is_text_where_that_is_unicode(session: str, key: str | bytes) -> None:
    assert row_key(session) == key
    assert key_text(session_bytes(session)) == key
