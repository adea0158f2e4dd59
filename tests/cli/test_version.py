"""The command version."""

from __future__ import annotations

import json
import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from statusproxy import __version__
from statusproxy.cli.version import PACKAGES
from tests.cli.calling import call


def test_it_prints_the_version_as_the_option_does() -> None:
    assert call("version").stdout == call("--version").stdout == f"statusproxy {__version__}\n"


def test_json_tells_what_it_runs_on() -> None:
    document = json.loads(call("version", "--json").stdout)
    assert document["version"] == __version__
    assert document["python"] == f"{platform.python_implementation()} {platform.python_version()}"
    assert document["platform"] == platform.platform()
    assert document["packages"]["aiohttp"] == metadata.version("aiohttp")


def test_a_package_that_is_not_installed_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> str:
        if name == "uvloop":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", found)
    packages = json.loads(call("version", "--json").stdout)["packages"]
    assert packages == dict.fromkeys(PACKAGES, "1.0") | {"uvloop": None}


def test_it_names_each_package_that_the_project_may_use() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = [
        each
        for name, extra in project["optional-dependencies"].items()
        if name not in ("test", "release")
        for each in extra
    ]
    named = {re.split(r"[^\w.-]", each)[0] for each in [*project["dependencies"], *extras]}
    assert set(PACKAGES) == named
