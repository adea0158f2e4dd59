"""How long an idle connection to the gateway may be used again."""

import functools
from typing import Final

#: Idle connections are not reused after this many seconds unless the gateway promises longer: Node closes
#: after 5 s, and a request that meets a closing connection cannot always be repeated.
DEFAULT_IDLE: Final = 4.0

#: Seconds taken off what the gateway promises in `Keep-Alive: timeout=`, for the request's way there.
IDLE_MARGIN: Final = 1.0


#: Bytes of a promise that is read and remembered; those of gateways have some 20.
_LONGEST: Final = 256


def promised_idle(field_value: bytes) -> float:
    """Seconds an idle connection may be reused, by the answer's `Keep-Alive: timeout=N`."""
    return _promised(field_value) if len(field_value) <= _LONGEST else DEFAULT_IDLE


@functools.lru_cache(maxsize=64)  # a gateway says the same each time
def _promised(field_value: bytes) -> float:
    for part in field_value.split(b","):
        name, _, number = part.strip().partition(b"=")
        if name.strip().lower() == b"timeout" and number.strip().isdigit():
            return max(float(number) - IDLE_MARGIN, 0.0)
    return DEFAULT_IDLE
