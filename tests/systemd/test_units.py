"""The unit files, as systemd itself reads them, without a running systemd."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd.roots import CHECKOUT

UNITS = CHECKOUT / "systemd"
UNIT_FILES = ("statusproxy.service", "statusproxy.socket", "statusproxy@.service")

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, calling a program that is here: `verify` wants the one of ExecStart= to exist."""
    placed = []
    for unit in UNIT_FILES:
        text = (UNITS / unit).read_text(encoding="utf-8")
        (tmp_path / unit).write_text(text.replace("/opt/statusproxy/current/bin/statusproxy", sys.executable))
        placed.append(str(tmp_path / unit))
    return placed


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=300)


def test_systemd_has_nothing_to_say_about_the_units(units: list[str]) -> None:
    done = analyze("verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNIT_FILES)
def test_there_is_no_number_of_failed_starts_after_which_systemd_gives_up(unit: str) -> None:
    assert "\nStartLimitIntervalSec=0\n" in (UNITS / unit).read_text().partition("\n[S")[0]


def test_the_installer_takes_every_unit_along() -> None:
    listed = re.search(r"UNIT_FILES=\((.*?)\)", (UNITS / "install.sh").read_text())
    assert listed is not None
    assert sorted(listed[1].split()) == sorted(UNIT_FILES) == sorted(f.name for f in UNITS.glob("statusproxy*"))


def settings(unit: str) -> list[str]:
    """A unit's lines, less comments."""
    return [line for line in (UNITS / unit).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def test_one_of_several_proxies_is_the_service_on_a_port_of_its_own_with_nothing_that_two_would_share() -> None:
    one, several = settings("statusproxy.service"), settings("statusproxy@.service")
    run = "ExecStart=/opt/statusproxy/current/bin/statusproxy run --config ${CONFIGURATION_DIRECTORY}/config.yaml"
    (stop,) = (line for line in one if line.startswith("ExecStop="))
    assert set(several) - set(one) == {
        "Description=statusproxy %i, one of several",
        f"{run} --listen unix:${{RUNTIME_DIRECTORY}}/http.sock --admin-listen 127.0.0.1:%i",
        "StateDirectory=statusproxy-%i",
        "RuntimeDirectory=statusproxy-%i",
    }
    assert set(one) - set(several) == {
        "Description=statusproxy, a truthful channel list in front of a WhatsApp gateway",
        "Wants=statusproxy.socket",
        "After=statusproxy.socket",
        "PartOf=statusproxy.socket",
        run,
        stop,
        "StateDirectory=statusproxy",
        "RuntimeDirectory=statusproxy",
        "RuntimeDirectoryPreserve=restart",
        "Also=statusproxy.socket",
    }


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
        "ProcSubset=",  # the processor's time and the machine's start, for metrics and for the mark of a Redis state
        "DeviceAllow=",  # ProtectClock= itself allows reading the clock's device
    }
