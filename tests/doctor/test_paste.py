"""Every fix that is printed as lines can be pasted whole: the file loads, and the finding is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import load, loads
from statusproxy.doctor.paste import Written
from statusproxy.doctor.words import en
from tests.doctor.conftest import Build, Site, Verdict
from tests.proxy.harness import Message, Origin, answer

pytestmark = [pytest.mark.slow, pytest.mark.divisible]


def paste(text: str, lines: list[str]) -> str:
    """The file with the lines in place of the block of their name, or at its end."""
    key = next(line for line in lines if not line.startswith("#")).partition(":")[0]
    kept, inside = [], False
    for line in text.splitlines():
        if not line.startswith((" ", "-", "#")) and line:
            inside = line.partition(":")[0] == key
        if not inside:
            kept.append(line)
    return "\n".join([*kept, *lines, ""])


def blocks(text: str) -> list[list[str]]:
    """The blocks printed at the margin of a report, as someone would copy them."""
    found: list[list[str]] = []
    for line in text.splitlines():
        at_margin = re.match(r"[a-z_]+:", line) is not None
        if at_margin:
            found.append([line])
        elif found and found[-1] and line.startswith(("- ", "  ")) and not line.startswith("   " * 3):
            found[-1].append(line)
        elif found and found[-1] and line:
            found.append([])
    return [block for block in found if block]


# Each finding whose fix is a block

SALES = {"id": "sales", "status": "connected"}
RULES = [{"event": "ping", "session": "id", "means": "alive"}]
NOTHING = {"preset": None, "webhooks": [{"path": "/in"}], "events": RULES}

#: By finding: what is wrong in the file, and the channels that the gateway lists.
STILL: dict[str, tuple[dict[str, Any], Any]] = {
    "configuration.no-webhooks": ({"webhooks": []}, None),
    "configuration.no-disconnect-rule": (NOTHING, None),
    "configuration.no-channels": ({"channels": []}, None),
    "configuration.forgetful": ({"state": {"url": "memory:"}}, None),
    "configuration.trusts-any-sender": ({"webhooks": [{"path": "/in", "from": "0.0.0.0/0"}, {"path": "/b"}]}, None),
    "configuration.trusts-everybody": ({"trusted_proxies": ["10.0.0.0/8", "::/0"]}, None),
    "configuration.presence-trusted": ({"presence": "trust"}, None),
    "channels.list-elsewhere": ({"channels": [{"path": "/api/channels", "list": "items", "share": False}]}, [SALES]),
    "channels.no-ids": ({}, [{"uid": "a", "status": "open"}, {"uid": "b", "status": "open"}]),
    "channels.no-status": ({"channels": [{"path": "/x", "list": "y"}]}, [{"id": "a", "isConnected": True}]),
    "channels.some-nameless": ({}, [SALES, {"uid": "b", "status": "open"}]),
    "channels.some-without-status": ({}, [SALES, {"id": "b", "connectionStatus": "open"}]),
    "spool.no-place": ({"state": {"url": "memory:"}, "webhooks": [{"path": "/in", "spool": True}]}, None),
    "channels.too-large": ({"limits": {"corrected": 1024, "headers": 99}}, [SALES | {"about": "x" * 3000}]),
}


async def pasted(site: Site, code: str) -> tuple[Verdict, Verdict]:
    """The reports before and after the fix of this finding was pasted from the first."""
    before = await site.examine()
    lines = before.findings[code]["facts"]["lines"]
    assert "\n".join(lines) in before.text  # at the margin, unbroken
    assert before.findings[code]["fix"].endswith("\n".join(lines))
    site.file.write_text(paste(site.file.read_text(), lines))
    load(site.file, environ={})
    if site.server is not None:
        assert await site.server.reload()
    return before, await site.examine()


@pytest.mark.parametrize("code", STILL)
async def test_a_fix_pasted_whole_makes_its_finding_go_away(code: str, build: Build) -> None:
    keys, listed = STILL[code]
    origin = Origin()

    def reply(request: Message) -> bytes:
        if request.target == b"/api/channels" and listed is not None:
            return answer(json.dumps({"channels": listed}).encode(), "Content-Type: application/json")
        return answer(b"{}", status="404 Not Found")

    origin.answer = reply
    await origin.start()
    try:
        site = await build(running=False)
        site.write(gateway=origin.url, **keys)
        _, after = await pasted(site, code)
    finally:
        await origin.stop()
    assert code not in after.findings
    settings = load(site.file, environ={})
    if code.startswith("channels."):
        assert after.levels["channels.fits"] == "ok"
        paths = {entry.path for entry in settings.channels}
        assert {"/api/channels", "/api/channels/{session}", "/api/available-sessions"} <= paths
    if code == "channels.too-large":
        assert settings.limits.headers == 99


Post = Callable[[Site], Awaitable[None]]


async def _foreign_sender(site: Site) -> None:
    await site.gateway.unlink("sales")


async def _speaks_for_another(site: Site) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{site.port}/", headers=headers):
        pass


async def _other_spelling(site: Site) -> None:
    await site.gateway.post_all([{"event": "status-find", "session": "suport-", "status": "browserClose"}])


async def _two_channels_alike(site: Site) -> None:
    site.gateway.engine.link("Front Desk")
    site.gateway.engine.link("FRONTDESK")
    await site.gateway.post_all([{"event": "status-find", "session": "frontdesk", "status": "browserClose"}])


async def _one_sender_of_two(site: Site) -> None:
    site.gateway.engine_webhook = f"http://127.0.0.1:{site.port}/b"
    await site.gateway.unlink("sales")
    site.gateway.engine_webhook = f"http://127.0.0.1:{site.port}/v1/webhooks/receive"
    await site.gateway.unlink("sales")


#: By finding: what is wrong in the file, what passes then, and the level.
RUNNING: dict[str, tuple[dict[str, Any], Post]] = {
    "webhooks.only-doubted-network": (
        {"webhooks": [{"path": "/v1/webhooks/receive", "from": "10.99.0.0/16"}]}, _foreign_sender,
    ),
    "webhooks.doubted-network": (
        {"webhooks": [{"path": "/b", "from": "10.99.0.0/16"}, {"path": "/v1/webhooks/receive"}]}, _one_sender_of_two,
    ),
    "webhooks.untrusted-proxy": ({"trusted_proxies": ["10.99.0.0/16"]}, _speaks_for_another),
    "channels.id-alias": ({"sessions": {"alive_grace": "9s", "aliases": {"old": "sales"}}}, _other_spelling),
    "channels.ambiguous": ({}, _two_channels_alike),
}  # fmt: skip


@pytest.mark.parametrize("code", RUNNING)
async def test_a_fix_pasted_and_reloaded_makes_its_finding_go_away(code: str, build: Build) -> None:
    keys, post = RUNNING[code]
    site = await build(**keys)
    await post(site)
    _, after = await pasted(site, code)
    assert code not in after.findings
    assert "proxy.reload-pending" not in after.findings
    await site.gateway.unlink("support")
    assert "webhooks.seen" in (await site.examine()).findings
    if code == "channels.id-alias":
        assert load(site.file, environ={}).sessions.alive_grace == 9.0


#: Findings whose fix is made elsewhere, and for which the file is got ready by the lines.
ELSEWHERE = {"webhooks.not-known", "webhooks.none", "webhooks.outbound-only", "webhooks.nameless"}


async def test_each_of_the_three_ways_is_a_block_that_loads(build: Build) -> None:
    site = await build(running=False, webhooks=[{"path": "/hub/webhook", "forward_to": "http://127.0.0.1:9/in"}])
    text = site.file.read_text()
    found = blocks((await site.examine()).text)
    assert len(found) == 1  # the tap: the preset has the first way, the file the second
    for block in found:
        site.file.write_text(paste(text, block))
        webhooks = load(site.file, environ={}).webhooks
        assert [each.path for each in webhooks] == ["/hub/webhook", "/tap", "/v1/webhooks/receive"]
        assert (webhooks[0].forward_to, webhooks[1].forward) == ("http://127.0.0.1:9/in", False)


async def test_a_path_with_the_session_is_added_beside_the_one_that_is_there(build: Build) -> None:
    site = await build()
    await site.gateway.post_all([{"event": "status-find", "status": "inChat"}])
    finding = (await site.examine()).findings["webhooks.nameless"]
    (block,) = [each for each in blocks((await site.examine()).text) if "{session}" in "".join(each)]
    assert "\n".join(block) in finding["fix"]
    site.file.write_text(paste(site.file.read_text(), block))
    webhooks = load(site.file, environ={}).webhooks
    assert [each.path for each in webhooks] == ["/v1/webhooks/receive/{session}", "/v1/webhooks/receive"]
    assert webhooks[0].forward_to == f"{site.gateway.base_url}/v1/webhooks/receive"


def test_every_fix_with_lines_is_pasted_here() -> None:
    with_lines = {code for code, (_, fix) in en.WORDS.items() if fix and "lines}" in fix}
    assert with_lines == {*STILL, *RUNNING, *ELSEWHERE}


# What is in the file already


TEXT = """
gateway: http://127.0.0.1:3000
listen_mode: 0660
webhooks:
  - path: /v1/webhooks/receive   # from the engine
    secret: {header: X-Secret, value: "${WEBHOOK_SECRET}"}
  - path: /out
    forward_to: https://hub.example/in?key=planted-key
    hmac: {header: X-Sign, secret: planted-secret, prefix: "0123"}
    jwt: {secret: planted-jwt}
    token: {field: apikey, value: planted-token}
sessions: {aliases: {"0123": "on", a$b: "${WHO}"}, max_sessions: 0500}
"""


@pytest.fixture
def written(tmp_path: Path) -> Written:
    (tmp_path / "config.yaml").write_text(TEXT)
    return Written.read(tmp_path / "config.yaml")


def test_what_is_there_stays_as_it_is_written_but_for_secrets(written: Written) -> None:
    lines = written.with_entry("webhooks", "/tap", forward=False)
    text = "\n".join(lines)
    assert "planted" not in text
    assert lines[0].startswith("# ********: ")
    assert "value: ${WEBHOOK_SECRET}" in text
    assert "prefix: '0123'" in text
    environ = {"WEBHOOK_SECRET": "s", "WHO": "w"}
    with pytest.raises(ConfigError, match="stands for a secret"):  # or no event would be trusted any more
        loads(paste(TEXT, list(lines)), environ)
    filled = [line.replace("********", "secret") for line in lines]
    paths = [webhook.path for webhook in loads(paste(TEXT, filled), environ).webhooks]
    assert paths == ["/v1/webhooks/receive", "/out", "/tap"]


def test_an_entry_is_found_by_its_path_as_a_gateway_tells_paths_apart(written: Written) -> None:
    lines = list(written.with_entry("webhooks", "/V1/webhooks/receive/", **{"from": ["10.0.0.0/8"]}))
    filled = [line.replace("********", "secret") for line in lines]
    settings = loads(paste(TEXT, filled), {"WEBHOOK_SECRET": "s", "WHO": "w"})
    assert [str(network) for network in settings.webhooks[0].from_] == ["10.0.0.0/8"]
    assert settings.webhooks[0].secret is not None
    assert len(settings.webhooks) == 2


def test_what_is_new_means_itself_whatever_it_holds(written: Written) -> None:
    new = {"x${HOME}": "it's: #1", "2": "yes", "é": "a\u2028b"}
    lines = list(written.with_keys("sessions", aliases=new))
    settings = loads(paste(TEXT, lines), {"WEBHOOK_SECRET": "s", "WHO": "w"})
    assert settings.sessions.aliases == new
    assert settings.sessions.max_sessions == 500


def test_without_a_file_that_can_be_read_there_is_nothing_to_keep(tmp_path: Path) -> None:
    broken = tmp_path / "config.yaml"
    broken.write_text("a: [")
    for source in (None, tmp_path / "none.yaml", broken):
        assert Written.read(source).with_keys("state", url="memory:") == ("state:", "  url: 'memory:'")


@pytest.mark.parametrize(
    ("block", "known", "shown"),
    [
        ("state", {"url": "redis://:planted@db.example/0"}, "  url: redis://:********@db.example/0"),
        ("state", {"url": "${STATE}"}, "  url: ${STATE}"),
        ("state", {"backup": "/b"}, "  backup: /b"),
        ("admin", {"listen": "127.0.0.1:1", "token": "planted"}, "  token: '********'"),
        ("admin", {"listen": "127.0.0.1:1"}, "  listen: 127.0.0.1:1"),
    ],
)
def test_the_secret_of_a_block_is_masked_and_said_to_be_kept(block: str, known: dict[str, str], shown: str) -> None:
    lines = list(Written({block: known}).with_keys(block, new=1))
    masked = "********" in shown
    assert lines[0].startswith("# ********: ") == masked
    assert lines[masked] == f"{block}:"
    assert shown in lines
    assert "  new: 1" in lines
    assert "planted" not in "\n".join(lines)


def test_what_stands_where_a_block_should_be_is_replaced_by_one() -> None:
    broken = Written({"webhooks": "none", "state": "none"})
    assert list(broken.with_entry("webhooks", "/in", forward=False)) == ["webhooks:", "- path: /in", "  forward: false"]
    assert list(broken.with_keys("state", url="memory:")) == ["state:", "  url: 'memory:'"]
    assert list(broken.with_preset("webhooks")) == list(Written().with_preset("webhooks"))


def test_entries_that_are_none_are_left_out_where_an_entry_changes_and_stay_where_one_is_added() -> None:
    odd = Written({"webhooks": ["odd", {"path": "/in"}]})
    assert list(odd.with_entry("webhooks", "/in", forward=False)) == ["webhooks:", "- path: /in", "  forward: false"]
    assert list(odd.with_preset("webhooks"))[:3] == ["webhooks:", "- odd", "- path: /in"]
