"""The id of a request (`X-Request-Id`): the client's own where it is usable, else a fresh one."""

import random
import re
from typing import Final

#: An id as it may be passed on and logged: printable, short; others are replaced.
_USABLE: Final = re.compile(rb"[\x21-\x7e]{1,128}")

_random_bits = random.Random().getrandbits  # noqa: S311 - an id to find, not to guess


def new_request_id() -> str:
    """A fresh request id: 16 hexadecimal digits."""
    return _random_bits(64).to_bytes(8, "big").hex()


def usable_id(said: list[bytes] | None) -> str | None:
    """The id in the values of a request's `X-Request-Id`; None if there is none that may be passed on."""
    if said is None or len(said) != 1 or _USABLE.fullmatch(said[0]) is None:
        return None
    return said[0].decode()
