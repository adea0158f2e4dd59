"""Durability of a Redis server: whether what it confirmed survives a power cut."""

from dataclasses import dataclass

from statusproxy.store.redis_link import Link, Reply

__all__ = ["Durability", "durability"]


@dataclass(frozen=True, slots=True)
class Durability:
    """What the server's "OK" is worth."""

    waits: bool
    """Each write is followed by WAITAOF: it is on the server's disk when it is answered for."""
    caveats: tuple[str, ...] = ()
    """What the operator should know, and set."""


async def durability(link: Link) -> Durability:
    """What the server promises with its answers. Where it may not be asked, it is told what it should be."""
    waitaof, only, fsync, eviction, info, _ = await link.ask(
        ("WAITAOF", 1, 0, 1),  # nothing was written yet, so it returns at once
        ("CONFIG", "GET", "appendonly"),
        ("CONFIG", "GET", "appendfsync"),
        ("CONFIG", "GET", "maxmemory-policy"),
        ("INFO", "persistence"),
        ("CLIENT", "SETNAME", "statusproxy"),
    )
    can_wait = isinstance(waitaof, list)
    log_kept = {b"yes": True, b"no": False}.get(_setting(only) or b"")
    if log_kept is None and isinstance(info, bytes):
        log_kept = True if b"aof_enabled:1" in info else False if b"aof_enabled:0" in info else None
    if log_kept is None and (can_wait or "appendonly is disabled" in str(waitaof)):
        log_kept = can_wait
    policy = _setting(fsync)
    caveats = []
    if log_kept is False:
        caveats.append(
            "appendonly is off: a confirmed change is lost if the server stops before its next snapshot; "
            "set appendonly yes and appendfsync always"
        )
    elif policy == b"no":
        caveats.append("appendfsync is no: a power cut loses confirmed changes; set appendfsync always")
    elif log_kept is None:
        caveats.append(
            "its durability settings cannot be read; check that it has appendonly yes and appendfsync always"
        )
    elif not can_wait and policy is None:
        caveats.append("its appendfsync cannot be read; check that it is always")
    elif not can_wait and policy != b"always":
        caveats.append(
            f"appendfsync is {policy.decode('utf-8', 'replace') if policy else policy}: a power cut may lose "
            "confirmed changes of the last second or two; set appendfsync always (or run Redis 7.2 or newer, "
            "which tells when changes are on disk)"
        )
    evicts = _setting(eviction) or b""
    if evicts.startswith(b"allkeys"):
        caveats.append(
            f"maxmemory-policy is {evicts.decode('ascii', 'replace')}: it may delete the state when memory runs "
            "short; set noeviction or a volatile-* policy"
        )
    return Durability(can_wait and log_kept is not False and policy != b"no", tuple(caveats))


def _setting(reply: Reply) -> bytes | None:
    """The value of CONFIG GET's answer; None where it was refused, or the setting is unknown there."""
    return reply[1] if isinstance(reply, list) and len(reply) == 2 else None
