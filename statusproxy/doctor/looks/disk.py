"""The directory of the state: it exists, is writable and has room."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from statusproxy.config.state_url import SqliteFile, parse_state_url
from statusproxy.doctor.findings import Finding, note, ok, problem, warning
from statusproxy.doctor.subject import Subject
from statusproxy.store.database import read_notices
from statusproxy.store.files import resolve

#: Bytes free below which the state may soon not be written any more; it is small, but shares its disk.
_LOW, _FULL = 256 * 1024**2, 8 * 1024**2


async def look(subject: Subject) -> list[Finding]:
    """Look at where the subject's state is."""
    return await disk(subject.settings.state.url, subject.service_environ, works=subject.store_works)


async def disk(url: str, environ: Mapping[str, str], *, works: bool) -> list[Finding]:
    """Look at where `state.url` points; `works` tells that a running proxy's store takes writes.

    `environ` may hold `STATE_DIRECTORY`, in which a relative path lies.
    """
    place = parse_state_url(url)
    if not isinstance(place, SqliteFile):
        return []
    return await asyncio.to_thread(_look, resolve(place.path, environ), works)


def _look(path: Path, works: bool) -> list[Finding]:
    folder = path.parent
    try:
        while not folder.exists():
            folder = folder.parent
        room = os.statvfs(folder)
    except OSError as error:
        if works:
            return [ok("disk.in-use", path=path)]
        return [note("disk.not-seen", path=path, why=error.strerror or str(error))]
    free = room.f_bavail * room.f_frsize
    facts = {"path": path, "folder": folder, "free": f"{free / 1024**2:,.0f} MiB"}
    findings = []
    if free < _FULL or (room.f_files and not room.f_favail):
        findings.append(problem("disk.full", **facts))
    elif free < _LOW:
        findings.append(warning("disk.low", **facts))
    if not works:  # a running proxy tells itself
        findings += [warning("disk.state-damaged", what=each) for each in read_notices(path)]
    if works:
        return findings or [ok("disk.works", **facts)]
    for needed in (folder, *(each for each in (path,) if each.exists())):
        if not os.access(needed, os.W_OK):
            return [*findings, warning("disk.not-writable", **facts, needed=needed)]
    return findings or [ok("disk.writable", **facts)]
