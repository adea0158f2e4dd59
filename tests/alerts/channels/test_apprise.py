"""Through the real Apprise to receivers on this machine: JSON, ntfy and e-mail; and what a child may not do."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from statusproxy.alerts.channels import apprise as channel
from statusproxy.alerts.channels.apprise import AppriseChannel, child_environment, unknown
from statusproxy.alerts.channels.letter import SENT, Letter, Outcome
from tests.alerts.receiver import receiving
from tests.ports import free_port
from tests.waiting import until

LETTER = Letter("msg_1", b"{}", "sales is disconnected", "sales is disconnected\nsince 10:00 ✓")

pytestmark = pytest.mark.slow


class Mails:
    """Keeps what a mail server was given."""

    def __init__(self) -> None:
        self.came: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """A whole message."""
        self.came.append(envelope)
        return "250 OK"


@pytest.fixture
def mails() -> Iterator[tuple[Mails, int]]:
    kept, port = Mails(), free_port()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


async def test_a_json_receiver_gets_title_and_text() -> None:
    async with receiving() as receiver:
        url = receiver.url.replace("http://", "json://")
        assert await AppriseChannel(f"{url}/alerts").send(LETTER) is SENT
        (came,) = receiver.came
        body = json.loads(came.body)
        assert (came.path, body["title"], body["message"]) == ("/alerts", LETTER.title, LETTER.text)
        assert body["type"] == "warning"


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_process_that_ends_before_it_is_asked_is_an_error_that_is_told(
    loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec

    async def ended(*_: str, **options: Any) -> asyncio.subprocess.Process:
        child = await start("true", **options)
        await child.wait()
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", ended)
    with asyncio.Runner(loop_factory=loop) as runner:
        outcome = runner.run(AppriseChannel("json://127.0.0.1/").send(LETTER))
    assert outcome == Outcome("the Apprise process ended too early")


async def test_good_news_is_told_as_such() -> None:
    async with receiving() as receiver:
        good = Letter("msg_2", b"{}", "sales is back", "sales is back", good_news=True)
        assert await AppriseChannel(receiver.url.replace("http://", "json://")).send(good) is SENT
        assert json.loads(receiver.came[0].body)["type"] == "success"


async def test_a_topic_of_ntfy_gets_it() -> None:
    async with receiving() as receiver:
        from aiohttp import web

        receiver.answer = lambda: web.json_response({"id": "x", "event": "message"})
        assert await AppriseChannel(f"{receiver.url.replace('http://', 'ntfy://')}/operators").send(LETTER) is SENT
        (came,) = receiver.came
        body = json.loads(came.body)
        assert (body["topic"], body["title"]) == ("operators", LETTER.title)
        assert "since 10:00" in body["message"]


async def test_a_mail_server_gets_it(mails: tuple[Mails, int]) -> None:
    kept, port = mails
    url = f"mailto://127.0.0.1:{port}/?from=proxy@proxy.example&to=ops@hub.example&mode=insecure"
    assert await AppriseChannel(url).send(LETTER) is SENT
    (mail,) = kept.came
    assert mail.rcpt_tos == ["ops@hub.example"]
    assert isinstance(mail.content, bytes)
    assert b"Subject: sales is disconnected" in mail.content


async def test_a_receiver_that_says_no_is_an_error_without_any_part_of_the_url() -> None:
    from aiohttp import web

    async with receiving() as receiver:
        receiver.answer = lambda: web.Response(status=500)
        url = receiver.url.replace("http://", "json://user:p4ssw0rd@") + "/s3cr3tpath"
        outcome = await AppriseChannel(url).send(LETTER)
    assert outcome.error is not None
    assert outcome.error.startswith("Apprise: ")
    assert not any(part in outcome.error for part in ("p4ssw0rd", "s3cr3tpath", "127.0.0.1"))


async def test_whether_apprise_knows_a_url_is_found_out_without_sending_anything() -> None:
    async with receiving() as receiver:
        assert await unknown(f"json://{receiver.url.removeprefix('http://')}/t0k3n") is None
        assert receiver.came == []
    assert await unknown("nosuch://t0k3n/1") == "Apprise: Apprise does not know this kind of URL"


async def test_a_url_that_apprise_does_not_know_is_said_so() -> None:
    assert await AppriseChannel("nonsense://s3cret").send(LETTER) == Outcome(
        "Apprise: Apprise does not know this kind of URL"
    )


def child(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Another program in place of the child."""
    file = folder / "child.py"
    file.write_text(textwrap.dedent(code))
    monkeypatch.setattr(channel, "_CHILD", file)


def has_ended(file: Path) -> bool:
    """Whether the process whose id stands in a file has ended; one that never began has, too."""
    if not file.exists() or not file.read_text():
        return True
    try:
        state = Path(f"/proc/{file.read_text()}/stat").read_text()
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] in "ZX"


async def test_one_that_hangs_is_killed_at_the_deadline_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(
        monkeypatch,
        tmp_path,
        f"""
        import pathlib, subprocess, sys, time
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(other.pid))
        time.sleep(600)
        """,
    )
    outcome = await AppriseChannel("ntfy://x", deadline=1.0).send(LETTER)
    assert outcome == Outcome("Apprise did not finish within 1 s")
    await until(lambda: has_ended(tmp_path / "pid"))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise SystemExit(1)", "the Apprise process ended too early"),
        ("print('nonsense')", "the Apprise process ended too early"),
        ("print('[]')", "the Apprise process ended too early"),
        ("print('x' * 100_000)", "the Apprise process ended too early"),
        ("""print('{"result": "failed"}')""", "Apprise could not send it"),
        ("""print('{"result": "failed", "words": "see json://u:p@h/x now"}')""", "Apprise: see … now"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the Apprise process ended too early"),
    ],
)
async def test_a_child_that_breaks_off_or_talks_nonsense_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    child(monkeypatch, tmp_path, code)
    assert await AppriseChannel("ntfy://x").send(LETTER) == Outcome(error)


async def test_where_the_package_is_missing_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, tmp_path, """print('{"result": "missing"}')""")
    outcome = await AppriseChannel("ntfy://x").send(LETTER)
    assert outcome.error is not None
    assert outcome.error.startswith("the package apprise is not installed; install the extra `alerts`")


async def test_where_no_process_can_be_started_that_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert await AppriseChannel("ntfy://x").send(LETTER) == Outcome(
        "the Apprise process could not be started: No such file or directory"
    )


async def test_nothing_secret_is_in_its_arguments_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_SECRET", "s3cret")
    child(
        monkeypatch,
        tmp_path,
        """
        import json, pathlib, sys
        order = json.load(sys.stdin)
        shown = pathlib.Path("/proc/self/cmdline").read_bytes() + pathlib.Path("/proc/self/environ").read_bytes()
        leaked = b"s3cret" in shown or not order["url"].endswith("s3cret")
        print(json.dumps({"result": "failed" if leaked else "sent"}))
        """,
    )
    assert await AppriseChannel("ntfy://ntfy.example/s3cret").send(LETTER) is SENT


def test_the_environment_is_that_of_networking_alone() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "https_proxy": "http://p.example", "ADMIN_TOKEN": "s3cret"}
    assert child_environment(environ) == {"PATH": "/bin", "LC_ALL": "C", "https_proxy": "http://p.example"}
