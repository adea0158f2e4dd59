"""The situations that the doctor can meet, each with its finding, its exit code, and its words in both languages.

A situation is a whole site: a gateway, a configuration file, mostly a running proxy, and real processes where one is
the point. The report is that of the command, in its own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.demo.events import message, presence, status_find
from statusproxy.doctor.looks import channels as channels_look
from statusproxy.doctor.looks import gateway as gateway_look
from statusproxy.doctor.looks import running
from statusproxy.doctor.words.en import SUMMARY
from tests.doctor.conftest import ADMIN_TOKEN, Build, Site
from tests.peers.nginx import nginx
from tests.peers.processes import requires
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Message, Origin, answer

pytestmark = [pytest.mark.slow, pytest.mark.divisible]

INBOUND = "/v1/webhooks/receive"
ALL_WELL = SUMMARY["ok"]
IT_WORKS = "It works, with 1 warning(s)."


@dataclass
class Stage:
    """What a situation is built with; what it opens is closed when it is over."""

    build: Build
    folder: Path
    patch: pytest.MonkeyPatch
    stack: AsyncExitStack
    request: dict[str, Any] = field(default_factory=dict)
    """What the command line says besides."""

    async def well(self, **keys: Any) -> Site:
        """A site on which all is well, with these keys in its file."""
        site = await self.build(**keys)
        await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
        return site

    async def process(self, *command: str, ready: bytes) -> asyncio.subprocess.Process:
        """A process that is ready once it has written this to its standard error; killed in the end."""
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

        async def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            assert process.stderr is not None
            await process.stderr.read()
            await process.wait()

        self.stack.push_async_callback(end)
        assert process.stderr is not None
        said = b""
        async with asyncio.timeout(PATIENCE):
            while ready not in said:
                said += (line := await process.stderr.readline())
                assert line, said.decode()
        return process

    async def another_program(self, port: int, queue: int = 128) -> asyncio.subprocess.Process:
        """Another program, which listens on a port and speaks HTTP; `queue` connections may wait for it."""
        code = (
            "import sys, http.server as h; h.HTTPServer.request_queue_size = int(sys.argv[2]); "
            "s = h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler); "
            "print('ready', file=sys.stderr); s.serve_forever()"
        )
        return await self.process(sys.executable, "-c", code, str(port), str(queue), ready=b"ready")

    async def program(self, site: Site, *arguments: str) -> asyncio.subprocess.Process:
        """The real program, for a site that was built without one."""
        command = (sys.executable, "-m", "statusproxy", "run", "--config", str(site.file), *arguments)
        return await self.process(*command, ready=b"admin on")

    async def lists(self, document: bytes) -> str:
        """A gateway that lists these channels; its URL."""
        origin = Origin()

        def reply(request: Message) -> bytes:
            if request.target == b"/api/channels":
                return answer(document, "Content-Type: application/json")
            return answer(b"{}", status="200 OK" if request.target == b"/health" else "404 Not Found")

        origin.answer = reply
        await origin.start()
        self.stack.push_async_callback(origin.stop)
        return origin.url


@dataclass(frozen=True)
class Situation:
    """A situation and what must come of it."""

    stage: Callable[[Stage], AbstractAsyncContextManager[Site]]
    code: int
    finds: Mapping[str, str]
    """Findings with their levels; of the others none is graver than the exit code allows."""
    english: str
    portuguese: str

    @property
    def name(self) -> str:
        """As a test's id."""
        return getattr(self.stage, "__name__", "?")


SITUATIONS: list[Situation] = []

Staging = Callable[[Stage], AsyncIterator[Site]]


def situation(code: int, english: str, portuguese: str, **finds: str) -> Callable[[Staging], Staging]:
    """Put a situation into the table. A finding's code is written `group_what_else`."""

    def put(stage: Staging) -> Staging:
        named = {name.replace("__", "-").replace("_", ".", 1): level for name, level in finds.items()}
        SITUATIONS.append(Situation(asynccontextmanager(stage), code, named, english, portuguese))
        return stage

    return put


# The whole


@situation(0, ALL_WELL, "Está tudo certo.", webhooks_seen="ok", proxy_running="ok", channels_fits="ok")
async def all_is_well(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well()


@situation(
    1, "1 warning(s). Not checked: The running proxy, Webhooks.", "1 aviso(s). Não verificado: O proxy em execução",
    proxy_not__running="warning", webhooks_not__known="note", ports_free="ok",
)  # fmt: skip
async def before_the_installation(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.build(running=False)


@situation(1, "statusproxy does not run here", "não está em execução", proxy_not__running="warning")
async def the_proxy_was_killed(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    process = await stage.program(site)
    process.kill()
    await process.wait()
    yield site


@situation(0, ALL_WELL, "Está tudo certo.", proxy_running="ok", ports_held="ok")
async def what_the_command_line_says_is_no_change_of_the_file(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    await stage.program(site, "--log-format", "text")
    site.gateway.engine_webhook = f"http://127.0.0.1:{site.port}{INBOUND}"
    await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
    yield site


# Configuration


@situation(2, "did you mean", "did you mean", configuration_broken="problem")
async def a_broken_file(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    site.file.write_text("gatway: http://127.0.0.1:3000\n")
    yield site


@situation(2, "no webhook path is watched", "nenhum caminho de webhook", configuration_no__webhooks="problem")
async def no_webhook_is_watched(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.build(webhooks=[])


@situation(2, "no event rule says `disconnected`", "diz `disconnected`", configuration_no__disconnect__rule="problem")
async def no_rule_says_disconnected(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.build(events=[])


@situation(2, "no channel list is configured", "nenhuma lista de canais", configuration_no__channels="problem")
async def no_list_is_corrected(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.build(channels=[])


@situation(
    0, "Nothing wrong was found. Not checked: The running proxy, Webhooks.", "Nada de errado foi encontrado.",
    configuration_admin__off="note", proxy_cannot__be__asked="note",
)  # fmt: skip
async def the_admin_listener_is_off(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.build(running=False, admin={"listen": None})


@situation(1, IT_WORKS, "Funciona, com 1 aviso(s).", configuration_forgetful="warning")
async def the_state_is_in_memory(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well(state={"url": "memory:"})


@situation(1, "from anywhere, without a secret", "qualquer", configuration_trusts__any__sender="warning")
async def anybody_is_trusted(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well(webhooks=[{"path": INBOUND, "from": "0.0.0.0/0"}])


@situation(1, "trusted_proxies contains every address", "trusted_proxies", configuration_trusts__everybody="warning")
async def any_proxy_is_trusted(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well(trusted_proxies=["0.0.0.0/0"])


@situation(1, "presence is `trust`", "presence", configuration_presence__trusted="warning")
async def presence_is_taken_literally(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well(presence="trust")


# The running proxy


@situation(
    1, "1 warning(s). Not checked: The running proxy, Webhooks.", "não responde como um proxy em execução",
    proxy_does__not__tell="warning",
)  # fmt: skip
async def another_program_has_the_admin_port(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    await stage.another_program(site.admin_port)
    yield site


@situation(1, "refuses the admin token", "recusa o token", proxy_token__refused="warning")
async def the_admin_token_is_another(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.write(admin={"listen": f"127.0.0.1:{site.admin_port}", "token": "another-token-89"})
    yield site


@situation(1, "kill -HUP", "nenhuma requisição se perde", proxy_reload__pending="warning")
async def the_file_was_changed_and_not_reloaded(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.write(language="pt-BR")
    yield site


@situation(
    1, "in force after a restart only: timeouts.keep_alive", "só vale após um reinício: timeouts.keep_alive",
    proxy_restart__pending="warning",
)  # fmt: skip
async def a_change_waits_for_a_restart(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.write(timeouts={"keep_alive": "9s"})
    assert site.server is not None
    assert await site.server.reload()
    yield site


@situation(1, "which other machines can reach", "que outras máquinas alcançam", ports_wider="warning")
async def a_listener_stays_open_to_other_machines(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(listen=f"0.0.0.0:{free_port(host='0.0.0.0')}")
    site.write(listen=f"127.0.0.1:{free_port()}")
    assert site.server is not None
    assert await site.server.reload()
    yield site


@situation(
    2, "anybody who reaches it can report a session as lost", "pode informar que uma sessão caiu",
    proxy_unnamed__events="problem",
)  # fmt: skip
async def nginx_in_front_does_not_say_for_whom_it_asks(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    proxy = f"http://127.0.0.1:{site.port}"
    port = await stage.stack.enter_async_context(nginx(stage.folder / "nginx", proxy, ""))
    async with aiohttp.ClientSession() as stranger:  # a forged event, from anywhere
        forged = status_find("sales", "browserClose")
        async with stranger.post(f"http://127.0.0.1:{port}{INBOUND}", json=forged) as reply:
            await reply.read()
    assert site.server is not None
    assert site.server.registry.has_overrides
    yield site


HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip


@situation(1, "without Upgrade", "sem Upgrade", proxy_no__upgrade="warning")
async def nginx_in_front_removes_upgrade(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    named = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    port = await stage.stack.enter_async_context(nginx(stage.folder / "nginx", f"http://127.0.0.1:{site.port}", named))
    async with aiohttp.ClientSession() as hub, hub.get(f"http://127.0.0.1:{port}/ws", headers=HANDSHAKE) as reply:
        await reply.read()
    yield site


# Ports


@situation(2, "is taken by another program", "outro programa", ports_taken="problem")
async def another_program_has_the_port(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    await stage.another_program(site.port)
    yield site


@situation(1, "that is not the one asked", "não é o consultado", ports_another__of__us="warning")
async def another_statusproxy_has_the_port(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    folder = stage.folder / "other"
    folder.mkdir()
    other = Site(folder, site.gateway)
    stage.stack.push_async_callback(other.stop)
    await other.start()
    site.write(listen=[f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}"])
    yield site


@situation(
    0, "is in use by a statusproxy that could not be asked", "que não pôde ser consultado", ports_held__unasked="note",
)  # fmt: skip
async def the_admin_listener_is_off_in_the_file(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.write(admin={"listen": None})
    yield site


@situation(
    1, "that waits for a restart: ", "isso espera um reinício",
    proxy_admin__elsewhere="warning", ports_held__unasked="note",
)  # fmt: skip
async def the_admin_listener_has_another_address_in_the_file(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.write(admin={"listen": f"127.0.0.1:{free_port()}", "token": ADMIN_TOKEN})
    assert site.server is not None
    assert await site.server.reload()
    yield site


# The gateway


@situation(2, "no connection to", "sem conexão", gateway_unreachable="problem", channels_not__checked="note")
async def the_gateway_is_down(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    site.write(gateway=f"http://127.0.0.1:{free_port()}")
    yield site


@situation(2, "it hangs", "está travado", gateway_hangs="problem", channels_not__checked="note")
async def the_gateway_hangs(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    port = free_port()
    process = await stage.another_program(port)
    process.send_signal(signal.SIGSTOP)  # the kernel takes its connections still
    stage.patch.setattr(gateway_look, "HEALTH_PATIENCE", 0.2)
    site.write(gateway=f"http://127.0.0.1:{port}")
    yield site


@situation(2, "its queue is full", "a fila dele está cheia", gateway_queue__full="problem")
async def the_gateway_hangs_and_its_queue_is_full(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    port = free_port()
    process = await stage.another_program(port, queue=1)
    process.send_signal(signal.SIGSTOP)
    stage.patch.setattr(gateway_look, "CONNECT_PATIENCE", 0.2)
    for _ in range(8):  # beyond the queue the kernel neither takes nor refuses them
        waiting = socket.socket()
        stage.stack.callback(waiting.close)
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", port))
    site.write(gateway=f"http://127.0.0.1:{port}")
    yield site


@situation(2, "a statusproxy answers, not the gateway", "não o gateway", gateway_is__us="problem")
async def the_gateway_is_the_proxy_itself(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    stage.request["gateway"] = f"http://0.0.0.0:{site.port}"
    yield site


@situation(1, "accepts no connection", "não aceita conexão", gateway_hub__unreachable="warning")
async def the_hub_cannot_be_reached(stage: Stage) -> AsyncIterator[Site]:
    hub = f"http://127.0.0.1:{free_port()}/in"
    yield await stage.well(webhooks=[{"path": "/hub/webhook", "forward_to": hub}])


# The channel list


@situation(
    1, "needs a secret", "exige um segredo", channels_secret__wanted="warning",
)  # fmt: skip
async def the_secret_is_not_given(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.secret = None
    yield site


@situation(2, "refuses the secret", "recusa o segredo", channels_secret__wrong="problem")
async def the_secret_is_wrong(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    site.secret = "planted-wrong-secret"
    yield site


LISTS = {
    "elsewhere": b'{"result":{"items":[{"id":"sales","status":"connected"}]}}',
    "ids": b'{"channels":[{"uid":"sales","status":"connected"}]}',
    "status": b'{"channels":[{"id":"sales","phase":"connected"}]}',
    "large": b'{"channels":[{"id":"sales","status":"connected","about":"%b"}]}' % (b"x" * 3000),
}


async def _with_list(stage: Stage, name: str, **settings: object) -> Site:
    """A site whose gateway gives this list; no proxy runs."""
    site = await stage.build(running=False)
    site.write(gateway=await stage.lists(LISTS[name]), **settings)
    return site


@situation(2, "but one under result.items", "mas tem em result.items", channels_list__elsewhere="problem")
async def the_list_stands_elsewhere(stage: Stage) -> AsyncIterator[Site]:
    yield await _with_list(stage, "elsewhere")


@situation(2, "no channel has an id under", "nenhum canal tem id em", channels_no__ids="problem")
async def the_ids_stand_elsewhere(stage: Stage) -> AsyncIterator[Site]:
    yield await _with_list(stage, "ids")


@situation(2, "no channel has any of", "nenhum canal tem", channels_no__status="problem")
async def the_status_stands_elsewhere(stage: Stage) -> AsyncIterator[Site]:
    yield await _with_list(stage, "status")


@situation(2, "larger than limits.corrected", "maior que limits.corrected", channels_too__large="problem")
async def the_list_is_too_large(stage: Stage) -> AsyncIterator[Site]:
    yield await _with_list(stage, "large", limits={"corrected": 1024})


@situation(1, "statusproxy forget -- deleted-0", "statusproxy forget -- deleted-0", channels_id__unknown="warning")
async def many_sessions_are_no_channels(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    await site.gateway.post_all([status_find(f"deleted-{number}", "browserClose") for number in range(40)])
    yield site


@situation(2, "but like one: suport- (support?)", "parecidas com um: suport- (support?)", channels_id__alias="problem")
async def an_event_spells_a_session_another_way(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    await site.gateway.post_all([status_find("suport-", "browserClose")])
    yield site


@situation(0, "sales is corrected: status", "sales é corrigid", channels_corrected="note")
async def a_session_is_lost(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    await site.gateway.unlink("sales")
    yield site


# Webhooks and clocks


def _later(site: Site, seconds: float) -> None:
    """Put the proxy's start, and what it heard, so much earlier."""
    assert site.server is not None
    registry = site.server.registry
    registry.started_at -= seconds
    registry.webhooks.rhythm.last -= seconds


@situation(0, "Not checked: Webhooks.", "Não verificado: Webhooks.", webhooks_none__yet="note")
async def the_proxy_has_only_just_started(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    await site.gateway.unlink("sales")
    await site.stop()
    await site.start()
    yield site


@situation(2, "gave no answer within", "não respondeu em", channels_hangs="problem")
async def the_list_hangs(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    origin = Origin()
    origin.answer = lambda request: answer(b"{}") if request.target == b"/health" else b""
    await origin.start()
    stage.stack.push_async_callback(origin.stop)
    stage.patch.setattr(channels_look, "PATIENCE", 0.2)
    site.write(gateway=origin.url)
    yield site


@situation(2, "does not speak TLS", "não fala TLS", gateway_no__tls="problem")
async def the_gateway_speaks_no_tls(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(running=False)
    site.write(gateway=site.gateway.base_url.replace("http:", "https:"))
    yield site


@situation(2, "no webhook has arrived in", "nenhum webhook chegou", webhooks_none="problem")
async def no_webhook_ever_came(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(through_proxy=False)
    _later(site, 3600)
    yield site


@situation(2, "webhooks have stopped", "os webhooks pararam", webhooks_none__any__more="problem")
async def webhooks_stopped_before_a_restart(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    await site.gateway.unlink("sales")
    await site.stop()
    await site.start()
    _later(site, 3600)
    yield site


@situation(1, "but the last is", "mas o último", webhooks_silent="warning")
async def webhooks_stopped(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    _later(site, 7200)
    yield site


@situation(2, "but none is trusted", "mas nenhum é aceito", webhooks_only__doubted__network="problem")
async def no_sender_is_trusted(stage: Stage) -> AsyncIterator[Site]:
    yield await stage.well(webhooks=[{"path": INBOUND, "from": "10.99.0.0/16"}])


@situation(1, "all about contacts (presence)", "todos sobre contatos", webhooks_presence__only="warning")
async def only_presence_comes(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build()
    await site.gateway.contacts_move("sales", contacts=5)
    yield site


@situation(
    1,
    "only the webhooks to the hub arrive",
    "só chegam os webhooks destinados ao hub",
    webhooks_outbound__only="warning",
)
async def only_the_way_to_the_hub_is_used(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(through_proxy=False)
    site.write(webhooks=[{"path": "/hub/webhook", "forward_to": f"{site.gateway.base_url}/demo/hub-inbox"}])
    assert site.server is not None
    assert await site.server.reload()
    site.gateway.outbox.url = f"http://127.0.0.1:{site.port}/hub/webhook"
    await site.gateway.post_all([presence("sales", "5500000000000@c.us", "unavailable", time.time())])
    await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
    assert await site.gateway.settled()
    yield site


@situation(1, "does not know this path", "não conhece esse caminho", webhooks_path__unknown="warning")
async def the_receiver_does_not_know_the_path(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.build(webhooks=[{"path": "/elsewhere"}])
    site.gateway.engine_webhook = f"http://127.0.0.1:{site.port}/elsewhere"
    await site.gateway.unlink("sales")
    yield site


@situation(1, "forwards for others (X-Forwarded-For)", "X-Forwarded-For", webhooks_untrusted__proxy="warning")
async def a_proxy_in_front_is_not_trusted(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well(trusted_proxies=["10.99.0.0/16"])
    named = {"X-Forwarded-For": "203.0.113.9"}
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{site.port}/", headers=named):
        pass
    yield site


@situation(2, "dated more than 5 minutes ahead", "5 minutos", clock_events__ahead="problem")
async def the_senders_clock_runs_ahead(stage: Stage) -> AsyncIterator[Site]:
    site = await stage.well()
    event = {"event": "status-find", "session": "sales", "status": "inChat", "timestamp": time.time() + 3600}
    await site.gateway.post_all([event])
    yield site


# ---- the table is tried ----

GRAVEST = {0: {"ok", "note"}, 1: {"ok", "note", "warning"}, 2: {"ok", "note", "warning", "problem"}}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=requires("nginx") if "nginx" in case.name else ()) for case in SITUATIONS],
)
async def test_a_situation_is_told_for_what_it_is(
    case: Situation, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        stage = Stage(build, tmp_path, monkeypatch, stack)
        site = await stack.enter_async_context(case.stage(stage))
        english = await site.examine(**stage.request)
        portuguese = await site.examine(**stage.request, language="pt-BR")
    assert (english.code, portuguese.code) == (case.code, case.code), english.text
    assert case.finds.items() <= english.levels.items(), english.text
    assert english.levels == portuguese.levels
    assert set(english.levels.values()) <= GRAVEST[case.code]
    assert case.english in " ".join(english.text.split())
    assert case.portuguese in " ".join(portuguese.text.split())
    claims = (ALL_WELL, "It works", "Está tudo certo", "Funciona")
    if "Not checked" in english.text:
        assert not any(claim in english.text + portuguese.text for claim in claims)


def test_the_table_has_the_situations_that_were_staged() -> None:
    assert len(SITUATIONS) >= 33
    assert len({case.name for case in SITUATIONS}) == len(SITUATIONS)
    assert {case.code for case in SITUATIONS} == {0, 1, 2}


def test_a_gateway_that_hangs_is_told_within_15_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the times as they are shipped
    gateway_takes = max(gateway_look.CONNECT_PATIENCE, gateway_look.HEALTH_PATIENCE)
    assert running.PATIENCE + gateway_takes < 15
    assert channels_look.PATIENCE + gateway_look._SLOW_HEALTH < 15


async def test_the_command_ends_with_that_code_in_the_terminals_language(build: Build) -> None:
    site = await build()
    await site.gateway.post_all([message("sales", "5500000000000@c.us", "hello", time.time(), 1)])
    environment = {**os.environ, "LC_ALL": "", "STATUSPROXY_GATEWAY_SECRET": site.secret or "", "PYTHONUTF8": "1"}
    for language, code, said in (
        ("C", 0, "Everything is in place."), ("C.UTF-8", 0, "Everything is in place."),
        ("de_DE.UTF-8", 0, "Everything is in place."), ("pt_BR.UTF-8", 1, "Funciona, com 1 aviso(s)."),
    ):  # fmt: skip
        if code:
            site.write(admin={**site.keys["admin"], "token": ADMIN_TOKEN}, presence="trust")
            assert site.server is not None
            assert await site.server.reload()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "statusproxy", "doctor", "--config", str(site.file),
            stdout=asyncio.subprocess.PIPE, env={**environment, "LANG": language},
        )  # fmt: skip
        output, _ = await process.communicate()
        assert (process.returncode, output.decode().splitlines()[-1]) == (code, said)
