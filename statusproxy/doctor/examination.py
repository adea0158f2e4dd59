"""All looks, in their order. A new look is one file under `looks/`, one row here, and its words in each language."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks import (
    alerts,
    channels,
    configuration,
    disk,
    gateway,
    ports,
    running,
    service,
    spool,
    state_server,
    webhooks,
)
from statusproxy.doctor.subject import Subject

Look = Callable[[Subject], Awaitable[list[Finding]]]
"""Looks at one subject and gives what it found. It may add to the subject what later looks need."""

#: The looks, in order: `running` and `gateway` find out what those after them need to know.
LOOKS: Final[Sequence[Look]] = (
    configuration.look,
    running.look,
    ports.look,
    gateway.look,
    channels.look,
    webhooks.look,
    spool.look,
    alerts.look,
    disk.look,
    state_server.look,
    service.look,
)


async def examine(subject: Subject, looks: Sequence[Look] = LOOKS) -> list[Finding]:
    """Take each look at a site, one after the other. Changes nothing, anywhere."""
    findings: list[Finding] = []
    for look in looks:
        findings += await look(subject)
    return findings
