"""A state in Redis: the package is installed, the server answers and is durable, the journal can be written."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from statusproxy.config.settings import State
from statusproxy.config.state_url import Place, parse_state_url
from statusproxy.doctor.findings import Finding, ok, problem, warning
from statusproxy.doctor.subject import Subject
from statusproxy.store.extras import missing_package
from statusproxy.store.files import resolve

#: Seconds for each answer of the server.
_PATIENCE: Final = 3.0


async def look(subject: Subject) -> list[Finding]:
    """Look at the server that holds the subject's state, where one does."""
    return await state_server(subject.settings.state, subject.service_environ, works=subject.store_works)


async def state_server(state: State, environ: Mapping[str, str], *, works: bool) -> list[Finding]:
    """Look at the server that `state.url` names; `works` tells that a running proxy's store takes writes.

    Reads settings of the server and changes nothing there. `environ` may hold `STATE_DIRECTORY`, in which a relative
    `state.journal` lies.
    """
    place = _place(state.url)
    if place is None:
        return []
    missing = missing_package(state.url)
    if missing is not None:
        return [problem("disk.redis-package", why=missing)]
    findings = await _server(place, works=works)
    # A running proxy reports on its journal itself.
    return findings if works else [*findings, await asyncio.to_thread(_journal, state.journal, environ)]


def _place(url: str) -> Place | None:
    state = parse_state_url(url)
    return state if isinstance(state, Place) else None


async def _server(place: Place, *, works: bool) -> list[Finding]:
    from redis.exceptions import RedisError

    from statusproxy.store.redis_errors import describe
    from statusproxy.store.redis_keys import Keyspace

    try:
        async with asyncio.timeout(2 * _PATIENCE):
            keys = await Keyspace.open(place, _PATIENCE)
            await keys.drop()
    except (RedisError, OSError, TimeoutError) as error:
        why = describe(error, place)
        return [warning("disk.redis-not-seen", why=why) if works else problem("disk.redis-unreachable", why=why)]
    risks = [warning("disk.redis-risk", place=place, what=what) for what in keys.durability.caveats]
    return [ok("disk.redis-works" if works else "disk.redis-reachable", place=place), *risks]


def _journal(journal: str | None, environ: Mapping[str, str]) -> Finding:
    if journal is None:
        return warning("disk.journal-off")
    directory = resolve(journal, environ)
    existing = next(folder for folder in (directory, *directory.absolute().parents, Path("/")) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return warning("disk.journal-not-writable", directory=directory)
    return ok("disk.journal-writable", directory=directory)
