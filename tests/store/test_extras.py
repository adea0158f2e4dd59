"""The package that a `state.url` needs: asked for only where it is missing, with a command that installs it."""

import importlib.util
import shlex
import subprocess
import sys
from importlib import metadata

import pytest

from statusproxy.store.extras import missing_package, needed_packages


@pytest.fixture
def without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)


@pytest.mark.parametrize("url", ["memory:", "sqlite:///state.db", "sqlite:////srv/redis.db"])
@pytest.mark.usefixtures("without_redis")
def test_a_state_in_a_file_or_in_memory_needs_nothing(url: str) -> None:
    assert needed_packages(url) == []
    assert missing_package(url) is None


@pytest.mark.parametrize("url", ["redis://redis.example/0", "rediss://redis.example/0"])
def test_nothing_is_asked_for_where_the_package_is_installed(url: str) -> None:
    assert needed_packages(url) == []


@pytest.mark.parametrize("url", ["redis://redis.example/0", "REDISS://redis.example/0"])
@pytest.mark.usefixtures("without_redis")
def test_what_is_missing_is_asked_for_in_the_versions_that_the_project_names(url: str) -> None:
    assert needed_packages(url) == ["hiredis>=3.5", "redis<9,>=8.1"]


@pytest.mark.parametrize("url", ["", "nothing:known"])
def test_what_is_no_state_needs_nothing(url: str) -> None:
    assert (needed_packages(url), missing_package(url)) == ([], None)


@pytest.mark.usefixtures("without_redis")
def test_all_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = [
        "msgspec>=0.19",
        'redis<9,>=8.1; extra == "redis"',
        "hiredis>=3 ; extra == 'redis'",
        'x; extra == "z"',
    ]
    asked: list[str] = []

    def requires(name: str) -> list[str]:
        asked.append(name)
        return requirements

    monkeypatch.setattr(metadata, "requires", requires)
    assert missing_package("redis://redis.example/0") == (
        "state.url: a state in Redis needs the packages redis and hiredis, which are not installed; install them with: "
        + shlex.join([sys.executable, "-m", "pip", "install", "redis<9,>=8.1", "hiredis>=3"])
        + " (for the installed service, systemd/install.sh does that: run it again)"
    )
    assert asked == ["statusproxy"]
    monkeypatch.setattr(metadata, "requires", lambda _: None)
    assert needed_packages("redis://redis.example/0") == ["redis"]


@pytest.mark.slow
@pytest.mark.divisible
@pytest.mark.usefixtures("without_redis")
def test_the_command_that_is_named_can_be_pasted_and_no_password_is_repeated() -> None:
    text = missing_package("redis://:hush-hush@redis.example/0")
    assert text is not None
    assert "hush" not in text
    command = text.partition("install them with: ")[2].partition(" (")[0]
    assert shlex.split(command) == [sys.executable, "-m", "pip", "install", "hiredis>=3.5", "redis<9,>=8.1"]
    dry = subprocess.run(
        ["sh", "-c", f"{command} --dry-run --no-index --quiet"], capture_output=True, text=True, check=False, timeout=60
    )
    assert dry.returncode == 0, dry.stderr


@pytest.mark.usefixtures("without_redis")
def test_a_store_run_from_a_folder_names_the_package_without_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> list[str]:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", unknown)
    assert needed_packages("redis://redis.example/0") == ["redis"]
    assert "needs the package redis, which is not installed" in (missing_package("redis:") or "")
