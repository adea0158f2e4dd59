"""The proxies that share the keys in Redis: each writes down every few seconds that it is there, and who else is."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_link import Command, Link, raise_first
from statusproxy.store.redis_names import Names

__all__ = ["SHARED_MARK", "leave", "mark", "report", "seen"]

#: Seconds after which a proxy that says nothing is not counted any more …
PRESENT: Final = 12.0
#: … and after which what it said is deleted.
REMEMBERED: Final = 60.0

#: Stands under the key by which a version that knows no sharing has the keys for itself: it reads this as the name of
#: another process that holds them, and refuses to start.
SHARED_MARK: Final = b'{"id":"proxies of a newer version, which share these keys"}'

_MARK_LIFETIME_MS: Final = 9_000


def mark(names: Names) -> Command:
    """Keep out versions that know no sharing, for some seconds."""
    return "SET", names.owner, SHARED_MARK, "PX", _MARK_LIFETIME_MS


async def report(link: Link, names: Names, me: Proxy, now: float) -> Sequence[Proxy]:
    """Write that `me` is there at `now` (the server's time); those that are, in the order of their start."""
    mine = replace(me, seen=now)
    replies = await link.ask(
        mark(names),
        ("HSET", names.proxies, me.id, msgspec.json.encode(mine)),
        ("HGETALL", names.proxies),
    )
    raise_first(replies)
    found, gone = _told(replies[2], now)
    if gone:
        raise_first(await link.ask(("HDEL", names.proxies, *gone)))
    return found


async def seen(link: Link, names: Names, now: float) -> Sequence[Proxy]:
    """The proxies that are there at `now` (the server's time), in the order of their start; nothing is written."""
    replies = await link.ask(("HGETALL", names.proxies))
    raise_first(replies)
    return _told(replies[0], now)[0]


def _told(flat: Sequence[bytes], now: float) -> tuple[list[Proxy], list[bytes]]:
    """The proxies that are there, and the ids of those that have been gone for long, or said what cannot be read."""
    found: list[Proxy] = []
    gone: list[bytes] = []
    for field, text in zip(flat[::2], flat[1::2], strict=True):
        try:
            proxy = msgspec.json.decode(text, type=Proxy)
        except (msgspec.DecodeError, UnicodeDecodeError):
            gone.append(field)
            continue
        if abs(now - proxy.seen) <= PRESENT:
            found.append(proxy)
        elif abs(now - proxy.seen) > REMEMBERED:
            gone.append(field)
    return sorted(found, key=lambda proxy: (proxy.started, proxy.id)), gone


async def leave(link: Link, names: Names, me: Proxy) -> None:
    """Write that `me` is there no longer."""
    await link.ask(("HDEL", names.proxies, me.id))
