"""The unit files, as systemd itself reads them, without a running systemd."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd.machine import CHECKOUT

UNITS = CHECKOUT / "systemd"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, calling a program that is here: `verify` wants the one of ExecStart= to exist."""
    placed = []
    for unit in ("statusproxy.service", "statusproxy.socket"):
        text = (UNITS / unit).read_text(encoding="utf-8")
        (tmp_path / unit).write_text(text.replace("/opt/statusproxy/current/bin/statusproxy", sys.executable))
        placed.append(str(tmp_path / unit))
    return placed


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_has_nothing_to_say_about_the_units(units: list[str]) -> None:
    done = analyze("verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_services_exposure_is_at_most_one(units: list[str]) -> None:
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=10", units[0])
    assert done.returncode == 0, done.stdout[-300:]
    assert "Overall exposure level for statusproxy.service: 1.0" in done.stdout


def test_what_exposes_the_service_is_what_a_proxy_needs(units: list[str]) -> None:
    done = analyze("security", "--offline=true", "--no-pager", "--json=short", units[0])
    exposing = {entry["name"] for entry in json.loads(done.stdout) if float(entry["exposure"] or 0) > 0}
    assert exposing <= {
        "PrivateNetwork=",
        "RestrictAddressFamilies=~AF_(INET|INET6)",
        "RestrictAddressFamilies=~AF_UNIX",
        "RootDirectory=/RootImage=",
        "IPAddressDeny=",
        "DeviceAllow=",  # ProtectClock= itself allows reading the clock's device
    }
