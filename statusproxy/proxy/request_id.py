"""The id of a request (`X-Request-Id`): the client's own where it is usable, else a fresh one."""

import random
import re
from collections.abc import Iterator
from typing import Final

#: An id as it may be passed on and logged: printable, short; others are replaced.
_USABLE: Final = re.compile(rb"[\x21-\x7e]{1,128}")

#: Ids made at once: one alone takes five times as long.
_AT_ONCE: Final = 256

_random_bits = random.Random().getrandbits  # noqa: S311 - an id to find, not to guess


def _ids() -> Iterator[str]:
    while True:
        digits = _random_bits(64 * _AT_ONCE).to_bytes(8 * _AT_ONCE, "big").hex()
        for at in range(0, 16 * _AT_ONCE, 16):
            yield digits[at : at + 16]


_next_id = _ids().__next__


def new_request_id() -> str:
    """A fresh request id: 16 hexadecimal digits."""
    return _next_id()


def usable_id(said: list[bytes] | None) -> str | None:
    """The id that the values of a request's `X-Request-Id` give; None where there is none that may be passed on."""
    if said is None or len(said) != 1 or _USABLE.fullmatch(said[0]) is None:
        return None
    return said[0].decode()
