"""The configuration: what it opens to everybody, and what it leaves out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.doctor.looks.configuration import configuration, look
from statusproxy.doctor.subject import Subject
from tests.doctor.looks.levels import levels


async def test_what_opens_a_door_or_leaves_a_gap_is_told() -> None:
    text = """
gateway: http://127.0.0.1:3000
preset: null
webhooks: [{path: /in, from: 0.0.0.0/0}]
trusted_proxies: ["::/0"]
state: {url: "memory:"}
admin: null
presence: trust
"""
    assert levels(await configuration(loads(text), "config.yaml")) == {
        "valid": "ok", "no-disconnect-rule": "problem", "no-channels": "problem", "admin-off": "note",
        "forgetful": "warning", "trusts-any-sender": "warning", "trusts-everybody": "warning",
        "presence-trusted": "warning",
    }  # fmt: skip
    assert levels(await configuration(loads("gateway: http://127.0.0.1:3000"), None)) == {"no-file": "note"}


@pytest.mark.parametrize(
    "proof",
    [
        "secret: {header: X-Secret, value: abc}",
        "hmac: {header: X-Sign, secret: abc}",
        "jwt: {secret: abc}",
        "token: {field: apikey, value: abc}",
    ],
)
async def test_a_path_whose_senders_prove_themselves_may_be_open_to_everybody(proof: str) -> None:
    text = f"gateway: http://127.0.0.1:3000\nwebhooks: [{{path: /in, from: 0.0.0.0/0, {proof}}}]"
    assert levels(await configuration(loads(text), "config.yaml")) == {"valid": "ok"}


async def test_a_package_that_is_missing_is_a_problem_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = loads("gateway: http://127.0.0.1:3000\nwebhooks: [{path: /in, jwt: {secret: hush}}]")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = {one.code: one for one in await configuration(settings, "config.yaml")}
    one = found["configuration.jwt-package"]
    assert (one.level.value, "-m pip install 'pyjwt" in str(one.facts["why"])) == ("problem", True)
    assert "hush" not in str(one.facts)


async def test_a_package_that_is_missing_for_alerts_is_a_problem_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = loads("gateway: http://127.0.0.1:3000\nalerts: {to: [{apprise: 'tgram://hush/x'}]}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = {one.code: one for one in await configuration(settings, "config.yaml")}
    one = found["configuration.alerts-package"]
    assert (one.level.value, "-m pip install 'apprise" in str(one.facts["why"])) == ("problem", True)
    assert "hush" not in str(one.facts)


async def test_a_configuration_that_watches_nothing_is_a_problem() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: null\n"
    found = levels(await configuration(loads(text), "config.yaml"))
    assert found["no-webhooks"] == "problem"


async def test_a_gateway_without_events_needs_no_webhook() -> None:
    found = await configuration(loads("gateway: http://127.0.0.1:3000\npreset: gowa"), "config.yaml")
    assert levels(found) == {"valid": "ok", "no-events": "note"}
    assert found[1].facts == {"title": "GOWA"}


async def test_what_is_to_be_written_is_what_the_preset_has() -> None:
    settings = loads("gateway: http://127.0.0.1:3000\npreset: waha\nwebhooks: []\nchannels: []")
    found = {one.code: one for one in await configuration(settings, "config.yaml")}
    assert "- path: /webhook/**" in found["configuration.no-webhooks"].facts["lines"]
    assert found["configuration.no-channels"].facts["lines"][:2] == ("channels:", "- path: /api/sessions")


async def test_the_subjects_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://127.0.0.1:3000")
    (found,) = await look(Subject(loads(file.read_text()), file))
    assert (found.code, found.facts["file"]) == ("configuration.valid", str(file))
