"""What a Redis server's "OK" is worth, and what the operator is told of it."""

from typing import Any

import pytest
import redis.exceptions

from statusproxy.store.redis_durability import Durability, durability
from statusproxy.store.redis_link import Link

from .redis_server import RedisServer

UNKNOWN = redis.exceptions.ResponseError("unknown command 'WAITAOF'")
DENIED = redis.exceptions.NoPermissionError("this user has no permissions", status_code="NOPERM")
OFF = redis.exceptions.ResponseError("WAITAOF cannot be used when numlocal is set but appendonly is disabled.")


class Said(Link):
    """A server that answers the questions about its durability in a given way."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[tuple[str | bytes | int | float, ...], ...]] = []
        self._answers = {
            "WAITAOF": [1, 0], "appendonly": [b"appendonly", b"yes"], "appendfsync": [b"appendfsync", b"always"],
            "maxmemory-policy": [b"maxmemory-policy", b"noeviction"], "INFO": b"# Persistence\r\naof_enabled:1\r\n",
        } | {name.replace("_", "-"): answer for name, answer in answers.items()}  # fmt: skip

    async def ask(self, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        self.asked.append(commands)
        names = [str(command[2] if command[0] == "CONFIG" else command[0]) for command in commands]
        return [self._answers.get(name) for name in names]


def setting(name: str, value: str) -> list[bytes]:
    return [name.encode(), value.encode()]


APPENDONLY_OFF = (
    "appendonly is off: a confirmed change is lost if the server stops before its next snapshot; set "
    "appendonly yes and appendfsync always"
)
EVICTED = (
    "maxmemory-policy is allkeys-lru: it may delete the state when memory runs short; set noeviction or a "
    "volatile-* policy"
)
NO_SYNC = "appendfsync is no: a power cut loses confirmed changes; set appendfsync always"
NOT_ASKED = "its durability settings cannot be read; check that it has appendonly yes and appendfsync always"
SYNC_NOT_ASKED = "its appendfsync cannot be read; check that it is always"
EVERY_SECOND = (
    "appendfsync is everysec: a power cut may lose confirmed changes of the last second or two; set appendfsync "
    "always (or run Redis 7.2 or newer, which tells when changes are on disk)"
)


@pytest.mark.parametrize(
    ("answers", "waits", "caveats"),
    [
        ({}, True, ()),
        ({"appendfsync": setting("appendfsync", "everysec")}, True, ()),
        ({"appendonly": DENIED, "appendfsync": DENIED, "INFO": DENIED}, True, ()),
        ({"appendonly": DENIED, "appendfsync": DENIED}, True, ()),
        ({"WAITAOF": UNKNOWN}, False, ()),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED}, False, ()),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "INFO": DENIED, "appendfsync": DENIED}, False, (NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "INFO": b"# Persistence"}, False, (NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendonly": [b"appendonly", b"yes", b"x"], "INFO": DENIED}, False, (NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendonly": setting("appendonly", "maybe"), "INFO": DENIED}, False, (NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendonly": [], "INFO": DENIED}, False, (NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendfsync": setting("appendfsync", "everysec")}, False, (EVERY_SECOND,)),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "appendfsync": DENIED}, False, (SYNC_NOT_ASKED,)),
        ({"WAITAOF": UNKNOWN, "appendfsync": []}, False, (SYNC_NOT_ASKED,)),
        ({"appendfsync": setting("appendfsync", "no")}, False, (NO_SYNC,)),
        ({"WAITAOF": UNKNOWN, "appendfsync": setting("appendfsync", "no")}, False, (NO_SYNC,)),
        ({"WAITAOF": OFF, "appendonly": setting("appendonly", "no")}, False, (APPENDONLY_OFF,)),
        ({"appendonly": setting("appendonly", "no")}, False, (APPENDONLY_OFF,)),
        ({"WAITAOF": OFF, "appendonly": DENIED, "INFO": DENIED}, False, (APPENDONLY_OFF,)),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "INFO": b"aof_enabled:0\r\n"}, False, (APPENDONLY_OFF,)),
        ({"appendonly": setting("appendonly", "yes"), "INFO": b"aof_enabled:0\r\n"}, True, ()),
        ({"maxmemory_policy": setting("maxmemory-policy", "allkeys-lru")}, True, (EVICTED,)),
        ({"maxmemory_policy": setting("maxmemory-policy", "volatile-lru")}, True, ()),
        ({"maxmemory_policy": DENIED}, True, ()),
    ],
)  # fmt: skip
async def test_what_the_servers_ok_is_worth(answers: dict[str, Any], waits: bool, caveats: tuple[str, ...]) -> None:
    assert await durability(Said(**answers)) == Durability(waits, caveats)


async def test_all_is_asked_for_in_one_go() -> None:
    said = Said()
    await durability(said)
    assert said.asked == [(
        ("WAITAOF", 1, 0, 1), ("CONFIG", "GET", "appendonly"), ("CONFIG", "GET", "appendfsync"),
        ("CONFIG", "GET", "maxmemory-policy"), ("INFO", "persistence"), ("CLIENT", "SETNAME", "statusproxy"),
    )]  # fmt: skip


async def test_of_a_real_server_with_an_always_synced_log_nothing_is_to_be_said(redis_server: RedisServer) -> None:
    link = await Link.open(redis_server.place, 2)
    assert (await durability(link)).caveats == ()
    await link.close()
