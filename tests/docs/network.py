"""A network of its own for programs on ports that the pages name: here they may be anyone's."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import ROOT


@contextmanager
def own_network() -> Iterator[list[str] | None]:
    """What runs a command in a network with only loopback; None where none can be made, without root."""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        yield None
        return
    holding = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"]
        holder.kill()


@contextmanager
def gateway(inside: list[str], port: int, log: Path) -> Iterator[None]:
    """A stand-in gateway on that port of the network."""
    program = [*inside, "python3", str(ROOT / "tests" / "stand_ins" / "gateway.py"), str(port)]
    with log.open("w") as said, subprocess.Popen(program, stdout=said, stderr=said) as running:
        asked = [*inside, "curl", "-s", "--retry", "60", "--retry-delay", "1", "--retry-connrefused"]
        subprocess.run([*asked, f"http://127.0.0.1:{port}/health"], check=True, capture_output=True)
        try:
            yield
        finally:
            running.kill()
