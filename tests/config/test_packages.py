"""The package that settings need: asked for only where it is missing, with a command that installs it."""

import importlib.util
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.config.packages import (
    installing,
    missing_for_alerts,
    missing_for_webhooks,
    missing_requirements,
    needed_for_alerts,
    needed_for_webhooks,
)
from statusproxy.config.settings import Webhook

TOKENS = loads(
    "gateway: http://gw.example\npreset: null\nwebhooks: [{path: /a}, {path: /b, jwt: {secret: hush-hush}}]"
).webhooks

ALERTS = loads(
    "gateway: http://gw.example\npreset: null\n"
    "alerts: {to: [{webhook: 'https://hub.example/hush'}, {apprise: 'ntfy://ntfy.example/hush'}]}"
).alerts


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)


def test_nothing_is_asked_for_where_the_package_is_installed() -> None:
    assert missing_requirements("jwt", "jwt", "PyJWT") == []
    assert (needed_for_webhooks(TOKENS), missing_for_webhooks(TOKENS)) == ([], None)


@pytest.mark.usefixtures("without_packages")
def test_nothing_is_asked_for_where_no_sender_signs_a_token() -> None:
    webhooks = [Webhook(path="/a")]
    assert (needed_for_webhooks(webhooks), missing_for_webhooks(webhooks)) == ([], None)


@pytest.mark.usefixtures("without_packages")
def test_what_is_missing_is_named_with_its_key_and_a_command_and_no_secret() -> None:
    assert needed_for_webhooks(TOKENS) == ["pyjwt>=2.15.1"]
    text = missing_for_webhooks(TOKENS)
    assert text is not None
    assert text.startswith("webhooks[1].jwt: a JSON Web Token needs the package pyjwt, which is not installed; ")
    command = text.partition("install it with: ")[2].partition(" (")[0]
    assert shlex.split(command) == [sys.executable, "-m", "pip", "install", "pyjwt>=2.15.1"]
    assert "hush" not in text


@pytest.mark.usefixtures("without_packages")
def test_what_is_missing_for_a_target_of_apprise_is_named_with_its_key_and_no_address() -> None:
    assert needed_for_alerts(ALERTS) == ["apprise>=2.3"]
    text = missing_for_alerts(ALERTS)
    assert text is not None
    assert text.startswith(
        "alerts.to[1].apprise: a target of Apprise needs the package apprise, which is not installed; "
    )
    assert "hush" not in text


def test_nothing_is_missing_for_alerts_where_apprise_is_installed() -> None:
    assert (needed_for_alerts(ALERTS), missing_for_alerts(ALERTS)) == ([], None)


@pytest.mark.usefixtures("without_packages")
def test_nothing_is_asked_for_where_no_target_is_apprises() -> None:
    alerts = loads("gateway: http://gw.example\nalerts: {to: [{webhook: 'https://hub.example/'}]}").alerts
    for each in (None, alerts):
        assert (needed_for_alerts(each), missing_for_alerts(each)) == ([], None)


@pytest.mark.usefixtures("without_packages")
def test_run_from_a_folder_the_package_is_named_without_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> list[str]:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", unknown)
    assert missing_requirements("jwt", "jwt", "PyJWT") == ["PyJWT"]


def test_several_packages_are_named_together() -> None:
    assert "needs the packages one and two.x, which are" in installing("it", ["one>=1", "two.x"])


def test_in_an_environment_that_uv_made_for_a_tool_the_command_is_uv_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "uv-receipt.toml").touch()
    command = installing("a state in Redis", ["redis>=8"]).partition("with: ")[2].partition(" (for")[0]
    assert shlex.split(command) == ["uv", "pip", "install", "--python", sys.executable, "redis>=8"]
