"""Hosts of a small network: network namespaces, joined by cables to switches. A pulled cable loses packets silently.

A namespace lives as long as a process in it, which ends by itself after some minutes: nothing has a name on this
machine, and nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Self

#: Seconds after which a namespace ends by itself, whatever became of who made it.
_LIFE: Final = 600

#: Seconds that a command of `ip` may take.
_LIMIT: Final = 20


def missing() -> str | None:
    """Why network namespaces cannot be made here; None if they can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux'"
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    tools = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if tools:
        return f"no {', '.join(tools)} here: apt-get install iproute2 util-linux"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "name", "bridge", "type", "bridge"],
        capture_output=True, text=True, check=False, timeout=_LIMIT,
    )  # fmt: skip
    return f"network namespaces cannot be made here: {tried.stderr.strip()}" if tried.returncode else None


@dataclass(frozen=True)
class Host:
    """A host, or a switch."""

    name: str
    pid: int
    """Of the process that holds the namespace."""

    @property
    def inside(self) -> list[str]:
        """What to put before a command that is to run on it."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def ip(self, *arguments: str) -> None:
        """Run `ip` on it. CalledProcessError with what it said where that fails."""
        subprocess.run([*self.inside, "ip", *arguments], check=True, timeout=_LIMIT)


class Network:
    """Hosts and switches; each switch has a net of its own, `10.77.N.0/24`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._switches: dict[str, Host] = {}
        self._addresses: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, name: str) -> Host:
        """A new host."""
        holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", f"echo ready; exec sleep {_LIFE}"], stdout=subprocess.PIPE
        )
        self._stack.callback(_end, holder)
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise RuntimeError("no network namespace could be made")
        host = Host(name, holder.pid)
        host.ip("link", "set", "lo", "up")
        return host

    def cable(self, host: Host, switch: str) -> str:
        """Join a host to a switch; its address there."""
        if switch not in self._switches:
            self._switches[switch] = self.host(switch)
            self._switches[switch].ip("link", "add", "name", "bridge", "type", "bridge")
            self._switches[switch].ip("link", "set", "bridge", "up")
        middle, net = self._switches[switch], list(self._switches).index(switch) + 1
        address = f"10.77.{net}.{len(self._addresses) + 1}"
        self._addresses[host.name, switch] = address
        other = f"to-{host.name}"
        host.ip("link", "add", "name", switch, "type", "veth", "peer", "name", other, "netns", str(middle.pid))
        host.ip("address", "add", f"{address}/24", "dev", switch)
        host.ip("link", "set", switch, "up")
        middle.ip("link", "set", other, "up")
        self.plug(host, switch)
        return address

    def pull(self, host: Host, switch: str) -> None:
        """Pull a host's cable out of a switch: what is sent vanishes, both ways, and nobody is told."""
        self._switches[switch].ip("link", "set", f"to-{host.name}", "nomaster")

    def plug(self, host: Host, switch: str) -> None:
        """Put it in again."""
        self._switches[switch].ip("link", "set", f"to-{host.name}", "master", "bridge")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
