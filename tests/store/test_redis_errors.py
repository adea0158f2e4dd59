"""What is said when a Redis server refuses: what, where and how to fix it, and never the password."""

import pytest
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.redis_errors import LostError, describe, is_starting, may_pass_at_once

PLACE = Place("h.example", password="hunter2")


ANSWERS = {
    "WRONGPASS": ("login refused", "correct the user and password in state.url"),
    "NOAUTH": ("login refused", "put the password into state.url"),
    "NOPERM": ("not allowed", "allow the user these commands and keys (ACL SETUSER)"),
    "OOM": ("memory full", "raise the server's maxmemory, nothing else is needed"),
    "MISCONF": ("the server cannot persist", "look at its own log: its disk is full or failing"),
    "READONLY": ("a read-only replica", "name the primary in state.url"),
    "LOADING": ("still loading", "nothing is needed"),
    "MOVED": ("a cluster", "name a single server in state.url"),
    "CROSSSLOT": ("a cluster", "name a single server in state.url"),
}
ECHOED = "unknown command 'AUTH', with args beginning with: 'hunter2'"
UNREACHABLE = "check that the server runs and can be reached from here"


@pytest.mark.parametrize("code", ANSWERS)
@pytest.mark.parametrize("in_text", [True, False])
def test_an_answer_of_the_server_has_words_and_a_fix(code: str, in_text: bool) -> None:
    word, fix = ANSWERS[code]
    said = f"{code} as it says." if in_text else "as it says."
    error = redis.exceptions.ResponseError(said, status_code=None if in_text else code)
    assert describe(error, PLACE) == f"{word}: {PLACE}: {said[:-1]}; {fix}"


def chained(cause: BaseException | None, context: BaseException | None = None) -> Exception:
    """A connection error of redis-py's with what lies behind it."""
    error = redis.exceptions.ConnectionError("Error connecting to h.example")
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.exceptions.AuthenticationError("invalid password"),
         f"login refused: {PLACE}: invalid password; correct the user and password in state.url"),
        (redis.exceptions.TimeoutError("Timeout reading"),
         f"no answer: {PLACE}: Timeout reading; check that the server runs and is not overloaded"),
        (TimeoutError(), f"no answer: {PLACE}: nothing came back; check that the server runs and is not overloaded"),
        (chained(None), f"no connection: {PLACE}: Error connecting to h.example; {UNREACHABLE}"),
        (chained(ValueError("x")), f"no connection: {PLACE}: Error connecting to h.example; {UNREACHABLE}"),
        (chained(OSError("unreachable")), f"no connection: {PLACE}: unreachable; {UNREACHABLE}"),
        (chained(None, OSError("unreachable")), f"no connection: {PLACE}: unreachable; {UNREACHABLE}"),
        (OSError("unreachable"), f"no connection: {PLACE}: unreachable; {UNREACHABLE}"),
        (redis.exceptions.ResponseError(ECHOED), f"cannot be written: {PLACE}: {PLACE.conceal(ECHOED)}"),
        (redis.exceptions.ResponseError("ERR who are you?"), f"cannot be written: {PLACE}: ERR who are you?"),
        (StoreError("as it is."), "as it is."),
    ],
)  # fmt: skip
def test_an_error_says_what_where_and_how_to_fix_it(error: Exception, said: str) -> None:
    text = describe(error, PLACE)
    assert text == said
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
