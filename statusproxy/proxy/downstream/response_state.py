"""How far an answer has come, and what may happen to it then.

| state | what the client has |
| --- | --- |
| NEW | nothing of the final answer; interim answers may have been sent |
| HEAD_SENT | the head; more of the body is to come, or a tunnel's bytes behind a 101 |
| DONE | the whole answer |
| ABORTED | a part of an answer that cannot be completed: the connection was reset, so that no one takes it for whole |
| GONE | the client has left, or reads so slowly that it was disconnected; nothing is written any more |
"""

from enum import Enum, auto
from typing import Final

import msgspec


class ResponseState(Enum):
    """How far an answer has come; see this module's docstring."""

    NEW = auto()
    HEAD_SENT = auto()
    DONE = auto()
    ABORTED = auto()
    GONE = auto()


# Bound once: a look-up in an `Enum` costs more than one in a module.
NEW: Final = ResponseState.NEW
HEAD_SENT: Final = ResponseState.HEAD_SENT
DONE: Final = ResponseState.DONE
ABORTED: Final = ResponseState.ABORTED
GONE: Final = ResponseState.GONE


class Step(msgspec.Struct, frozen=True, eq=False):
    """Something that happens to an answer."""

    sources: tuple[ResponseState, ...]
    """The states in which it may happen."""
    target: ResponseState
    """The state that follows."""


# The table: all that may happen to an answer. The first five are writes, and nothing is written in another way.
INTERIM: Final = Step((NEW,), NEW)
"""An interim answer, of which there may be many, goes out."""
WHOLE: Final = Step((NEW,), DONE)
"""A whole answer goes out."""
HEAD: Final = Step((NEW,), HEAD_SENT)
"""The head of an answer goes out whose body follows."""
SWITCH: Final = Step((NEW,), HEAD_SENT)
"""A 101 goes out; what follows are a tunnel's bytes."""
PART: Final = Step((HEAD_SENT,), HEAD_SENT)
"""A part of the body goes out."""
END: Final = Step((HEAD_SENT,), DONE)
"""All of it is out, or the tunnel behind a 101 has ended."""
BREAK_OFF: Final = Step((NEW, HEAD_SENT), ABORTED)
"""It cannot be completed."""
LEAVE: Final = Step((NEW, HEAD_SENT, DONE), GONE)
"""The client leaves: before the exchange is over, it may have been sent all."""
STOP: Final = Step((NEW, HEAD_SENT, DONE, ABORTED, GONE), ABORTED)
"""The proxy stops before the exchange is over."""

ANSWERABLE: Final = (NEW, GONE)
"""The states in which an answer may be given. For a client that has left it is not sent."""
