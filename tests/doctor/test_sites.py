"""Whole sites before the doctor: a healthy one, and each way in which one can be wrong."""

from __future__ import annotations

import socket
import time

import pytest

from statusproxy.demo.events import message, presence
from tests.doctor.conftest import ADMIN_TOKEN, Build
from tests.ports import free_port
from tests.stand_ins.served import served

pytestmark = [pytest.mark.slow, pytest.mark.divisible]


async def test_a_healthy_site_is_found_healthy(build: Build) -> None:
    site = await build()
    await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
    verdict = await site.examine()
    assert verdict.code == 0, verdict.text
    assert set(verdict.levels.values()) <= {"ok", "note"}
    assert {
        "configuration.valid", "proxy.running", "ports.held", "gateway.reachable", "channels.fits",
        "channels.rehearsal", "channels.ids-match", "webhooks.seen", "clock.gateway", "clock.events", "disk.works",
    } <= set(verdict.findings)  # fmt: skip
    assert "1 webhook trusted" in verdict.words
    assert "Everything is in place." in verdict.words


async def test_a_site_whose_webhooks_do_not_pass_is_told_the_three_ways(build: Build) -> None:
    site = await build(through_proxy=False)
    await site.gateway.unlink("sales")
    verdict = await site.examine()
    assert verdict.levels["webhooks.none-yet"] == "note"  # it has only just started
    assert verdict.code == 0
    assert verdict.text.endswith("Nothing wrong was found. Not checked: Webhooks.")
    assert site.server is not None
    site.server.registry.started_at -= 300
    verdict = await site.examine()
    assert verdict.levels["webhooks.none"] == "warning"
    assert verdict.code == 1
    site.server.registry.started_at -= 3300
    verdict = await site.examine()
    assert verdict.levels["webhooks.none"] == "problem"
    assert verdict.code == 2
    fix = verdict.findings["webhooks.none"]["fix"]
    inbound = f"http://127.0.0.1:{site.port}/v1/webhooks/receive instead of {site.gateway.base_url}/v1/webhooks/receive"
    assert inbound in fix
    assert "\nwebhooks:\n- path: /hub/webhook\n  forward_to: https://hub.example/" in fix
    assert "\nwebhooks:\n- path: /hub/webhook\n" in verdict.text  # at the margin, to be copied as it is
    assert "path: /tap" in fix


async def test_the_ways_that_the_configuration_has_already_are_not_told_to_be_written(build: Build) -> None:
    hub = "http://127.0.0.1:9/inbox"
    webhooks = [{"path": "/in"}, {"path": "/out", "forward_to": hub}, {"path": "/copy", "forward": False}]
    site = await build(running=False, webhooks=webhooks)
    fix = (await site.examine()).findings["webhooks.not-known"]["fix"]
    assert "webhooks:" not in fix
    assert all(path in fix for path in ("/in", "/out", "/copy", hub))


async def test_a_wrong_secret_is_told_and_not_shown(build: Build) -> None:
    site = await build()
    site.secret = "planted-wrong-secret"
    verdict = await site.examine()
    assert verdict.levels["channels.secret-wrong"] == "problem"
    assert "X-Gateway-Secret" in verdict.findings["channels.secret-wrong"]["text"]
    assert verdict.code == 2


async def test_no_secret_is_asked_for_where_the_gateway_wants_one(build: Build) -> None:
    site = await build(running=False)
    site.secret = None
    verdict = await site.examine()
    assert verdict.levels["channels.secret-wanted"] == "warning"
    assert "--secret-file" in verdict.findings["channels.secret-wanted"]["fix"]


async def test_a_secret_header_of_another_name_is_sent(build: Build) -> None:
    site = await build(running=False)
    verdict = await site.examine(secret_header="X-Other")
    assert verdict.levels["channels.secret-wrong"] == "problem"


async def test_a_wrong_list_shape_is_told_with_the_line_to_write(build: Build) -> None:
    channels = [{"path": "/api/channels", "list": ["items"], "id": ["id"], "set": {"status": "disconnected"}}]
    site = await build(channels=channels)
    verdict = await site.examine()
    assert verdict.levels["channels.list-elsewhere"] == "problem"
    assert verdict.findings["channels.list-elsewhere"]["fix"].endswith(
        "list: [channels]\n  path: /api/channels\n  set:\n    status: disconnected"
    )
    for key, value, line in (("id", ["uid"], "id: [id]"), ("set", {"phase": "off"}, "status: disconnected")):
        site.write(channels=[{**channels[0], "list": ["channels"], key: value}])
        verdict = await site.examine()
        finding = verdict.findings["channels.no-ids" if key == "id" else "channels.no-status"]
        assert finding["level"] == "problem"
        assert line in finding["fix"]


async def test_presence_alone_is_not_enough(build: Build) -> None:
    site = await build()
    await site.gateway.contacts_move("sales", contacts=5)
    verdict = await site.examine()
    assert verdict.levels["webhooks.presence-only"] == "warning"
    assert verdict.findings["webhooks.presence-only"]["facts"]["count"] == 10
    assert "webhooks.none" not in verdict.findings


async def test_the_way_to_the_hub_alone_is_not_enough(build: Build) -> None:
    site = await build(through_proxy=False, webhooks=[{"path": "/v1/webhooks/receive"}])
    hub = f"{site.gateway.base_url}/demo/hub-inbox"
    site.write(webhooks=[{"path": "/v1/webhooks/receive"}, {"path": "/hub/webhook", "forward_to": hub}])
    assert site.server is not None
    assert await site.server.reload()
    site.gateway.outbox.url = f"http://127.0.0.1:{site.port}/hub/webhook"
    await site.gateway.post_all([presence("sales", "5500000000000@c.us", "unavailable", time.time())])
    await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
    assert await site.gateway.settled()
    verdict = await site.examine()
    assert verdict.levels["webhooks.outbound-only"] == "warning"
    assert verdict.levels["webhooks.idle-paths"] == "note"
    assert verdict.levels["gateway.hub-reachable"] == "ok"


async def test_a_gateway_that_is_down_is_told_and_the_rest_is_checked_all_the_same(build: Build) -> None:
    site = await build()
    await site.gateway.stop()
    with socket.socket() as kept:  # so that no one else takes the port meanwhile
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", int(site.gateway.base_url.rpartition(":")[2])))
        verdict = await site.examine()
    assert verdict.levels["gateway.unreachable"] == "problem"
    assert verdict.levels["proxy.gateway-error"] == "problem"
    assert verdict.levels["channels.not-checked"] == "note"
    assert verdict.levels["ports.held"] == verdict.levels["disk.works"] == "ok"
    assert verdict.code == 2


async def test_a_port_that_another_program_has_is_told_with_its_name(build: Build) -> None:
    site = await build(running=False)
    with socket.create_server(("127.0.0.1", site.port)):
        verdict = await site.examine()
    assert verdict.levels["ports.taken"] == "problem"
    assert "(pid " in verdict.findings["ports.taken"]["text"]


async def test_a_port_of_a_statusproxy_that_cannot_be_asked_is_told_so(build: Build) -> None:
    site = await build()
    site.write(admin={"listen": None})
    verdict = await site.examine()
    assert verdict.levels["ports.held-unasked"] == "note"
    assert verdict.levels["proxy.cannot-be-asked"] == verdict.levels["webhooks.not-asked"] == "note"
    assert "start it" not in verdict.words
    assert "Everything is in place" not in verdict.words


async def test_an_admin_listener_that_waits_for_a_restart_does_not_mean_that_nothing_runs(build: Build) -> None:
    site = await build()
    site.write(admin={"listen": f"127.0.0.1:{free_port()}", "token": ADMIN_TOKEN})
    assert site.server is not None
    assert await site.server.reload()
    verdict = await site.examine()
    assert verdict.levels["proxy.admin-elsewhere"] == "warning"
    assert "that waits for a restart" in verdict.findings["proxy.admin-elsewhere"]["fix"]
    assert "proxy.not-running" not in verdict.findings
    assert "stop one of the two" not in verdict.words


async def test_before_the_installation_all_that_can_be_is_checked(build: Build) -> None:
    site = await build(running=False)
    verdict = await site.examine()
    assert verdict.code == 1, verdict.text
    assert [code for code, level in verdict.levels.items() if level == "warning"] == ["proxy.not-running"]
    assert verdict.text.endswith("1 warning(s). Not checked: The running proxy, Webhooks.")
    assert verdict.levels["webhooks.not-known"] == "note"
    assert verdict.levels["ports.free"] == verdict.levels["disk.writable"] == "ok"
    assert verdict.levels["channels.rehearsal-unasked"] == "note", "what is corrected now is in the proxy that is away"
    assert 'status "connected" → "disconnected"' in verdict.findings["channels.rehearsal-unasked"]["text"]


async def test_unknown_event_ids_suggest_an_alias(build: Build) -> None:
    site = await build()
    site.gateway.engine.link("Front-Desk-2")
    for session in ("front_desk_2", "warehouse", "FRONTDESK"):
        await site.gateway.post_all([{"event": "status-find", "session": session, "status": "disconnectedMobile"}])
    verdict = await site.examine()
    assert verdict.levels["channels.id-alias"] == "problem"
    assert "front_desk_2: Front-Desk-2" in verdict.findings["channels.id-alias"]["fix"]
    assert verdict.findings["channels.id-unknown"]["facts"]["sessions"] == "warehouse"
    assert "FRONTDESK is corrected: status" in verdict.words  # folding finds that one
    site.write(sessions={"aliases": {"front_desk_2": "Front-Desk-2"}})
    assert "channels.id-alias" not in (await site.examine()).findings


async def test_what_is_corrected_now_is_told_member_by_member(build: Build) -> None:
    site = await build()
    await site.gateway.unlink("sales")
    verdict = await site.examine()
    text = verdict.findings["channels.corrected"]["text"]
    assert text.startswith('sales is corrected: status "connected" → "disconnected" (since 20')
    assert text.endswith("status-find disconnectedMobile)")


async def test_what_the_gateway_says_better_itself_is_told_to_be_kept(build: Build) -> None:
    site = await build()
    site.gateway.engine.wait_for_qr("support")
    await site.gateway.post_all([{"event": "status-find", "session": "support", "status": "qrReadFail"}])
    assert (await site.examine()).levels["channels.kept"] == "note"


async def test_events_of_senders_that_are_not_trusted_are_told(build: Build) -> None:
    site = await build(webhooks=[{"path": "/v1/webhooks/receive", "from": ["10.99.0.0/16"]}])
    await site.gateway.unlink("sales")
    verdict = await site.examine()
    assert verdict.levels["webhooks.only-doubted-network"] == "problem"
    assert "127.0.0.1 (1)" in verdict.findings["webhooks.only-doubted-network"]["text"]


async def test_a_receiver_that_does_not_know_the_path_is_told(build: Build) -> None:
    site = await build(webhooks=[{"path": "/elsewhere"}])
    site.gateway.engine_webhook = f"http://127.0.0.1:{site.port}/elsewhere"
    await site.gateway.unlink("sales")
    verdict = await site.examine()
    assert verdict.levels["webhooks.path-unknown"] == "warning"
    assert "404 (1)" in verdict.findings["webhooks.path-unknown"]["text"]


async def test_a_peer_that_speaks_for_others_without_being_trusted_is_told(build: Build) -> None:
    site = await build(trusted_proxies=["10.99.0.0/16"])
    import aiohttp

    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{site.port}/health", headers=headers):
        pass
    verdict = await site.examine()
    assert verdict.levels["webhooks.untrusted-proxy"] == "warning"
    assert "trusted_proxies: [10.99.0.0/16, 127.0.0.1]" in verdict.findings["webhooks.untrusted-proxy"]["fix"]


async def test_a_file_that_was_changed_since_is_told(build: Build) -> None:
    site = await build()
    site.write(presence="trust")
    verdict = await site.examine()
    assert verdict.findings["proxy.reload-pending"]["facts"]["keys"] == "presence"
    assert verdict.levels["configuration.presence-trusted"] == "warning"
    site.write(state={"url": "memory:"})
    verdict = await site.examine()
    assert verdict.findings["proxy.restart-pending"]["facts"]["keys"] == "state.url"
    assert verdict.findings["proxy.reload-pending"]["facts"]["keys"] == "presence"
    assert site.server is not None
    assert await site.server.reload()
    verdict = await site.examine()
    assert verdict.findings["proxy.restart-pending"]["facts"]["keys"] == "state.url"
    assert "proxy.reload-pending" not in verdict.findings


async def test_a_listener_left_open_to_other_machines_is_told(build: Build) -> None:
    site = await build(listen=f"0.0.0.0:{free_port(host='0.0.0.0')}")
    site.write(listen=f"127.0.0.1:{free_port()}")
    assert site.server is not None
    assert await site.server.reload()
    verdict = await site.examine()
    assert verdict.levels["ports.wider"] == "warning"
    assert verdict.findings["ports.wider"]["facts"]["address"] == site.server.addresses[0]
    assert "ports.this-machine-only" not in verdict.findings
    site.write(listen=site.server.addresses[0])
    assert "ports.wider" not in (await site.examine()).findings


async def test_a_gateway_that_is_the_proxy_itself_is_told(build: Build) -> None:
    site = await build()
    verdict = await site.examine(gateway=f"http://0.0.0.0:{site.port}")
    assert verdict.levels["gateway.is-us"] == "problem"


async def test_a_wrong_admin_token_is_told(build: Build) -> None:
    site = await build()
    site.write(admin={"listen": f"127.0.0.1:{site.admin_port}", "token": "planted-other-token"})
    verdict = await site.examine()
    assert verdict.levels["proxy.token-refused"] == "warning"
    assert "planted" not in verdict.words


async def test_another_program_on_the_admin_port_is_no_proxy(build: Build) -> None:
    site = await build(running=False)
    async with served(port=site.admin_port):
        verdict = await site.examine()
    assert verdict.levels["proxy.does-not-tell"] == "warning"


async def test_a_broken_configuration_is_the_one_finding(build: Build) -> None:
    site = await build(running=False)
    site.file.write_text("gatway: http://127.0.0.1:3000\n")
    verdict = await site.examine()
    assert list(verdict.findings) == ["configuration.broken"]
    assert "did you mean" in verdict.words
    assert verdict.code == 2


async def test_it_speaks_portuguese(build: Build) -> None:
    site = await build()
    verdict = await site.examine(language="pt-BR")
    assert "Lista de canais e correções" in verdict.words
    assert "Não verificado: Webhooks." in verdict.words
