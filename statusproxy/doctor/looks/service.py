"""The systemd unit: installed, running, started at boot; a user's unit also kept running after logout."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from statusproxy.doctor.findings import Finding, note, ok, problem, warning
from statusproxy.doctor.subject import Subject

#: Seconds that systemctl may take.
_PATIENCE = 5.0

_UNIT = "statusproxy.service"
_SOCKET = "statusproxy.socket"
_PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result,StatusText"

Run = Callable[..., Awaitable[str | None]]
"""Runs a program and gives what it printed; None where it cannot be run or fails."""


async def run(*command: str) -> str | None:
    """Run a program, without a terminal and for a few seconds at most."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_PATIENCE):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return output.decode(errors="replace") if process.returncode == 0 else None


async def look(subject: Subject) -> list[Finding]:
    """Look at the unit that runs the subject."""
    return await service(subject.run or run, subject.booted)


async def service(run: Run = run, booted: bool | None = None) -> list[Finding]:
    """Look at the unit; `booted` tells whether systemd runs this machine (sd_booted(3)), None: look."""
    if not (_is_booted() if booted is None else booted):
        return [note("service.no-systemd")]
    unit = await _show(run, _UNIT)
    if unit.get("LoadState") == "loaded":
        return [*_judge(unit, ""), *await _socket(run)]
    asked = bool(unit)
    unit = await _show(run, _UNIT, "--user")
    if unit.get("LoadState") != "loaded":
        return [note("service.not-installed" if asked else "service.unasked")]
    findings = _judge(unit, "--user ")
    user = getpass.getuser()
    linger = await run("loginctl", "show-user", user, "--property=Linger", "--value")
    if (linger or "").strip() != "yes":
        findings.append(warning("service.no-linger", user=user))
    return findings


def _is_booted() -> bool:
    return Path("/run/systemd/system").is_dir()


async def _socket(run: Run) -> list[Finding]:
    unit = await _show(run, _SOCKET)
    if unit.get("LoadState") == "loaded" and unit.get("ActiveState") != "active":
        return [warning("service.socket-inactive", state=unit.get("ActiveState", "?"))]
    return []


async def _show(run: Run, unit: str, *where: str) -> Mapping[str, str]:
    said = await run("systemctl", *where, "show", unit, f"--property={_PROPERTIES}")
    pairs = (line.partition("=") for line in (said or "").splitlines())
    return {name: value for name, _, value in pairs}


def _judge(unit: Mapping[str, str], user: str) -> list[Finding]:
    state, result = unit.get("ActiveState", "?"), unit.get("Result", "")
    restarts = unit.get("NRestarts", "0")
    facts = {"state": state, "sub": unit.get("SubState", "?"), "user": user, "result": result, "restarts": restarts}
    findings: list[Finding] = []
    match state:
        case "active" | "reloading":
            findings.append(ok("service.active", **facts, said=unit.get("StatusText", "") or "–"))
        case "failed":
            findings.append(problem("service.failed", **facts))
        case "activating":
            findings.append(warning("service.starting", **facts))
        case _:
            findings.append(problem("service.stopped", **facts))
    if unit.get("UnitFileState") in ("disabled", ""):
        findings.append(warning("service.not-enabled", **facts))
    if restarts.isdigit() and int(restarts) > 0:
        findings.append(warning("service.restarts", **facts))
    return findings
