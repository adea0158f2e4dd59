"""What is said when a Redis server refuses: what, where and how to fix it, and never the password."""

import pytest
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.redis_errors import LostError, describe, is_starting, may_pass_at_once

PLACE = Place("h.example", password="hunter2")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.exceptions.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"),
         "login refused: {}: invalid username-password pair; correct the user and password in state.url"),
        (redis.exceptions.AuthenticationError("invalid password"), "login refused: {}: invalid password; correct the"),
        (redis.exceptions.OutOfMemoryError("command not allowed", status_code="OOM"), "memory full: {}: command not"),
        (redis.exceptions.ResponseError("MISCONF Redis is configured to save"), "the server cannot persist: {}: MISC"),
        (redis.exceptions.ConnectionError("Error 111 connecting to h.example"), "no connection: {}: Error 111"),
        (redis.exceptions.TimeoutError("Timeout reading"), "no answer: {}: Timeout reading; see that the server runs"),
        (TimeoutError(), "no answer: {}: nothing came back; see"),
        (OSError("unreachable"), "no connection: {}: unreachable"),
        (redis.exceptions.ResponseError("unknown command 'AUTH', with args beginning with: 'hunter2'"),
         "cannot be written: {}: unknown command 'AUTH'"),
        (StoreError("as it is"), "as it is"),
    ],
)  # fmt: skip
def test_an_error_says_what_where_and_how_to_fix_it(error: Exception, said: str) -> None:
    text = describe(error, PLACE)
    assert text.startswith(said.format("redis at h.example:6379/0, keys statusproxy:*"))
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("error", "at_once", "starting"),
    [
        (LostError("x"), True, False),
        (redis.exceptions.ConnectionError("closed"), True, True),
        (redis.exceptions.BusyLoadingError("loading"), False, True),
        (redis.exceptions.AuthenticationError("no"), False, False),
        (redis.exceptions.TimeoutError("no answer"), False, False),
        (StoreInUseError("x"), False, False),
    ],
)
def test_what_may_pass_soon_is_told_from_what_will_not(error: Exception, at_once: bool, starting: bool) -> None:
    assert (may_pass_at_once(error), is_starting(error)) == (at_once, starting)
