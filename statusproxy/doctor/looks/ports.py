"""The addresses to listen on: free, held by the running proxy, or taken by another program (Linux's /proc names it)."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from statusproxy.config.addresses import Address, parse_address
from statusproxy.doctor.findings import Finding, note, ok, problem, warning
from statusproxy.doctor.port_owner import port_owner
from statusproxy.doctor.subject import Subject
from statusproxy.proxy.problems import ALLOW

#: Addresses that stand for every interface, and where such a listener is reached.
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}

#: Seconds for a listener on this host to answer: ours does in a few thousandths.
_PATIENCE = 1.0

#: Answered by statusproxy itself, without a word to the gateway (RFC 9110 §7.6.2).
_QUESTION = b"OPTIONS * HTTP/1.1\r\nHost: statusproxy\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n"


async def look(subject: Subject) -> list[Finding]:
    """Look at the subject's addresses; at the admin listener's too, where no program was found there."""
    settings, report = subject.settings, subject.report
    findings = await ports(settings.listen, None if report is None else report.listening)
    if subject.nothing_runs and settings.admin.listen is not None:
        findings += await ports([settings.admin.listen], None, admin=True)
    return findings


async def ports(listen: Sequence[Address], serving: Sequence[str] | None, *, admin: bool = False) -> list[Finding]:
    """Look at each address; `serving` is where the running proxy says it listens, None if no proxy runs."""
    findings = [await _port(address, serving, admin) for address in listen if address.unix or address.port]
    wider = [] if admin or serving is None else _wider(listen, serving)
    findings += [warning("ports.wider", address=address) for address in wider]
    if not admin and findings and not wider and all(address.is_private for address in listen):
        findings.append(note("ports.this-machine-only"))
    return findings


def _wider(listen: Sequence[Address], serving: Sequence[str]) -> list[Address]:
    """Where other machines reach the running proxy, though the file says this machine only, or no such port."""
    served = [parse_address(name) for name in serving]
    meant = {address.port for address in listen if not address.is_private}
    if 0 in meant or any(not address.port and not address.unix for address in listen):
        return []  # a port of the system's choice is known to the running proxy only
    return [address for address in served if not address.is_private and address.port not in meant]


async def _port(address: Address, serving: Sequence[str] | None, admin: bool) -> Finding:
    if serving is not None and _is_served(address, serving):
        return ok("ports.held", address=address)
    failure = _try(address)
    match failure:
        case None:
            return ok("ports.free", address=address) if serving is None else warning("ports.unserved", address=address)
        case errno.EADDRINUSE:
            owner = port_owner(address.port, address.unix)
            if owner == ("systemd", 1) and not admin:
                return ok("ports.held-by-systemd", address=address)
            if not admin and await is_statusproxy(address):
                if serving is None:  # the holder may be the one that was to be asked
                    return note("ports.held-unasked", address=address, who=_who(owner))
                return warning("ports.another-of-us", address=address, who=_who(owner))
            return problem("ports.taken", address=address, who=_who(owner))
        case errno.EADDRNOTAVAIL:
            return problem("ports.not-here", address=address)
        case errno.EACCES | errno.EPERM:
            return warning("ports.privileged", address=address)
        case _:
            return problem("ports.unusable", address=address, why=os.strerror(failure) if failure > 0 else "?")


def _is_served(address: Address, serving: Sequence[str]) -> bool:
    if str(address) in serving:
        return True
    everywhere = {name.rpartition(":")[2] for name in serving if name.rpartition(":")[0] in ("0.0.0.0", "[::]")}
    return address.unix is None and str(address.port) in everywhere


def _try(address: Address) -> int | None:
    """The error number of an attempt to listen there, None where it works; -1 for a name that is not known."""
    if address.unix is not None:
        path = Path(address.unix)
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            return None if not path.parent.is_dir() else errno.EACCES
        if not path.is_socket():
            return errno.EEXIST if path.exists() else None
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PATIENCE)
            try:
                probe.connect(str(path))
            except OSError:
                return None  # left behind by a dead process: the proxy takes it over
            return errno.EADDRINUSE
    try:
        found = socket.getaddrinfo(
            address.host or "0.0.0.0", address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        return -1
    for family, kind, protocol, _, name in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(name)  # listening as well would, for a moment, accept someone's connection
            except OSError as error:
                return error.errno or -1
    return None


async def is_statusproxy(address: Address) -> bool:
    """Whether the listener answers as only statusproxy does."""
    try:
        async with asyncio.timeout(_PATIENCE):
            if address.unix is not None:
                reader, writer = await asyncio.open_unix_connection(address.unix)
            else:
                host = _EVERYWHERE.get(address.host, address.host)
                reader, writer = await asyncio.open_connection(host, address.port)
            try:
                writer.write(_QUESTION)
                head = await reader.read(2048)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return head.startswith(b"HTTP/1.1 204 ") and b"\r\nAllow: " + ALLOW + b"\r\n" in head


def _who(owner: tuple[str, int] | None) -> str:
    return "?" if owner is None else f"{owner[0]} (pid {owner[1]})"
