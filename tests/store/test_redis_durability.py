"""What a Redis server's "OK" is worth, and what the operator is told of it."""

from typing import Any

import pytest
import redis.exceptions

from statusproxy.store.redis_durability import durability
from statusproxy.store.redis_link import Link

from .redis_server import RedisServer

UNKNOWN = redis.exceptions.ResponseError("unknown command 'WAITAOF'")
DENIED = redis.exceptions.NoPermissionError("this user has no permissions", status_code="NOPERM")
OFF = redis.exceptions.ResponseError("WAITAOF cannot be used when numlocal is set but appendonly is disabled.")


class Said(Link):
    """A server that answers the questions about its durability in a given way."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {
            "WAITAOF": [1, 0], "appendonly": [b"appendonly", b"yes"], "appendfsync": [b"appendfsync", b"always"],
            "maxmemory-policy": [b"maxmemory-policy", b"noeviction"], "INFO": b"# Persistence\r\naof_enabled:1\r\n",
        } | {name.replace("_", "-"): answer for name, answer in answers.items()}  # fmt: skip

    async def ask(self, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        names = [str(command[2] if command[0] == "CONFIG" else command[0]) for command in commands]
        return [self._answers.get(name) for name in names]


@pytest.mark.parametrize(
    ("answers", "waits", "caveat"),
    [
        ({}, True, None),
        ({"appendfsync": [b"appendfsync", b"everysec"]}, True, None),
        ({"appendonly": DENIED, "appendfsync": DENIED, "INFO": DENIED}, True, None),
        ({"WAITAOF": UNKNOWN}, False, None),
        ({"WAITAOF": UNKNOWN, "appendfsync": [b"appendfsync", b"everysec"]}, False, "appendfsync is everysec"),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "appendfsync": DENIED}, False, "appendfsync may not be asked for"),
        ({"WAITAOF": UNKNOWN, "appendonly": [], "INFO": DENIED}, False, "may not be asked how durable"),
        ({"appendfsync": [b"appendfsync", b"no"]}, False, "appendfsync is no"),
        ({"WAITAOF": OFF, "appendonly": [b"appendonly", b"no"]}, False, "appendonly is off"),
        ({"WAITAOF": OFF, "appendonly": DENIED, "INFO": DENIED}, False, "appendonly is off"),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "INFO": b"aof_enabled:0\r\n"}, False, "appendonly is off"),
        ({"maxmemory_policy": [b"maxmemory-policy", b"allkeys-lru"]}, True, "allkeys-lru: it may throw the state away"),
    ],
)  # fmt: skip
async def test_what_the_servers_ok_is_worth(answers: dict[str, Any], waits: bool, caveat: str | None) -> None:
    found = await durability(Said(**answers))
    assert found.waits == waits
    assert len(found.caveats) == (caveat is not None)
    assert caveat is None or caveat in found.caveats[0]


async def test_of_a_real_server_with_an_always_synced_log_nothing_is_to_be_said(redis_server: RedisServer) -> None:
    link = await Link.open(redis_server.place, 2)
    assert (await durability(link)).caveats == ()
    await link.close()
