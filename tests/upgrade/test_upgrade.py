"""The rolling upgrade as a command, quick and from this version to itself; `make upgrade` takes another one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.peers.processes import requires
from tests.upgrade.run import run, table
from tests.upgrade.version import TODAY, Version


@requires("nginx", "haproxy")
async def test_two_proxies_are_upgraded_in_turn_and_no_request_is_refused(tmp_path: Path) -> None:
    result = await run(tmp_path, dataclasses.replace(TODAY, name="the version before"), 40, back=False)
    assert result.wrong == [], table(result)
    assert (len(result.changed), result.answers.total() >= 120, result.events > 0) == (2, True, True)


def test_a_checkout_is_run_by_its_own_interpreter(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    version = Version.of(str(tmp_path), tmp_path)
    assert (version.python, version.environment) == (
        str(tmp_path / ".venv/bin/python"), {"PYTHONPATH": str(tmp_path)}
    )  # fmt: skip


def test_a_checkout_without_an_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no \.venv: run `make \.venv/\.ready` there"):
        Version.of(str(tmp_path), tmp_path)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git checkout")
def test_a_revision_is_unpacked_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    version = Version.of("HEAD", tmp_path)
    assert (Path(version.environment["PYTHONPATH"]) / "statusproxy/__main__.py").is_file()
    with pytest.raises(ValueError, match="no-such-revision is neither a folder nor a revision"):
        Version.of("no-such-revision", tmp_path)
