"""The command line against a running proxy, each as a process of its own; and the errors that the client tells."""

import http.server
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.admin.client import AdminError, ask, download, pretty, quote, typed
from statusproxy.admin.messages import Acknowledged
from tests.admin.process import Process, running_process
from tests.ports import free_port

pytestmark = pytest.mark.slow


LIST = {"success": True, "channels": [{"id": "Sales Team", "name": "Sales Team", "status": "connected"}]}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A running proxy whose admin listener wants a token."""
    folder = tmp_path_factory.mktemp("proxy")
    with running_process(folder, LIST, admin={"token": "let-mę-in"}) as process:
        yield process


def look(process: Process) -> None:
    """The hub asks for its list."""
    with urllib.request.urlopen(f"{process.url}/api/channels", timeout=20) as answer:
        answer.read()


def lose(process: Process, session: str, word: str = "browserClose") -> None:
    """The engine says that a session is lost."""
    body = json.dumps({"event": "status-find", "session": session, "status": word}).encode()
    request = urllib.request.Request(f"{process.url}/v1/webhooks/receive", body, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()


def test_sessions_shows_a_table_of_what_is_known(process: Process) -> None:
    look(process)
    lose(process, "Sales Team")
    said = process.command("sessions")
    head, line, _, totals = said.stdout.splitlines()
    assert (said.returncode, said.stderr) == (0, "")
    assert head.startswith("SESSION")
    assert re.split("  +", line)[:3] == ["Sales Team", "lost", "will be disconnected"]
    assert totals.startswith("1 session: 1 lost. The gateway's list was last seen at")
    assert "status-find browserClose" in line
    assert line.endswith("connected")
    look(process)
    assert re.split("  +", process.command("sessions").stdout.splitlines()[1])[2] == "disconnected"


def test_sessions_gives_the_listeners_own_json(process: Process) -> None:
    lose(process, "Sales Team")
    (session,) = json.loads(process.command("sessions", "--json").stdout)["sessions"]
    assert (session["session"], session["shows"]) == ("Sales Team", "disconnected")


def test_release_ends_the_correction_and_says_so(process: Process) -> None:
    lose(process, "Sales Team")
    said = process.command("release", "Sales Team")
    assert said.returncode == 0
    assert said.stdout == "Sales Team: released; the list shows again what the gateway says\n"
    assert process.command("release", "Sales Team").stdout.startswith("Sales Team: nothing to release")


def test_releasing_what_nobody_knows_fails_and_says_which(process: Process) -> None:
    said = process.command("release", "no/body é")
    assert (said.returncode, said.stderr) == (1, "no session 'no/body é' is known\n")


def test_history_tells_of_one_session_or_of_all(process: Process) -> None:
    process.command("release", "Sales Team")  # where a test before lost it, it would be lost once more
    lose(process, "Sales Team", "serverClose")
    process.command("release", "Sales Team")
    one, every = process.command("history", "Sales Team"), process.command("history")
    assert one.returncode == every.returncode == 0
    head, released, lost, *_ = one.stdout.splitlines()
    assert head.split()[:3] == ["WHEN", "SESSION", "CHANGE"]
    assert "released by hand" in released
    assert "operator" in released
    assert "  lost  " in lost
    assert "status-find serverClose" in lost
    assert every.stdout == one.stdout
    unknown = process.command("history", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("no session 'nobody' is known")


def test_history_survives_a_restart(process: Process) -> None:
    lose(process, "Sales Team")
    look(process)
    before = process.command("history").stdout
    process.stop()
    process.start()
    assert process.command("history").stdout == before
    assert re.split("  +", process.command("sessions").stdout.splitlines()[1])[2] == "disconnected"


def test_a_wrong_token_is_said(process: Process) -> None:
    # An address given by hand takes no token from the configuration: it may be another host's.
    said = process.command("sessions", "--admin", process.admin_url)
    assert (said.returncode, said.stderr) == (1, "the admin token is missing or wrong\n")


def test_a_proxy_that_does_not_run_is_said_with_what_to_look_at(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"gateway: http://127.0.0.1:1\nadmin: {{listen: '127.0.0.1:{free_port()}'}}\n")
    process = Process("", "", config, None)  # type: ignore[arg-type]
    said = process.command("sessions")
    assert said.returncode == 1
    assert "does not answer" in said.stderr
    assert "is statusproxy running" in said.stderr


def test_an_admin_listener_that_is_turned_off_is_said(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("gateway: http://127.0.0.1:1\nadmin: {listen: null}\n")
    said = Process("", "", config, None).command("sessions")  # type: ignore[arg-type]
    assert (said.returncode, said.stdout) == (1, "")
    assert "turned off (admin.listen)" in said.stderr


class _Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>something else</h1>")

    def log_message(self, *_: object) -> None:
        pass


def test_another_program_on_that_port_is_not_taken_for_ours() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(AdminError, match="is not statusproxy's admin listener"):
            ask(f"127.0.0.1:{server.server_port}", "GET", "/sessions")
        thread.join()


def test_a_listener_on_all_addresses_is_asked_on_this_host(process: Process) -> None:
    port = process.admin_url.rpartition(":")[2]
    assert "sessions" in ask(f"0.0.0.0:{port}", "GET", "/sessions", "let-mę-in")


def test_a_unix_socket_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with pytest.raises(AdminError, match="does not answer"):
        ask(f"unix:{path}", "GET", "/healthz")


@pytest.mark.parametrize(("session", "segment"), [("a/b c", "a%2Fb%20c"), ("é", "%C3%A9"), ("50%", "50%25")])
def test_an_id_is_one_segment_of_a_path(session: str, segment: str) -> None:
    assert quote(session) == segment


@pytest.mark.parametrize("where", ["http://u:hidden@127.0.0.1:1", "127.0.0.1:hidden", "[hidden"])
def test_an_address_that_cannot_be_read_is_said_and_not_repeated(where: str) -> None:
    with pytest.raises(AdminError, match="the admin listener's address cannot be read; allowed: host:port") as caught:
        ask(where, "GET", "/sessions")
    assert "hidden" not in str(caught.value)


class _Refusing(_Other):
    answer = b"{}"

    def do_GET(self) -> None:
        self.send_response(418)
        self.end_headers()
        self.wfile.write(self.answer)


@pytest.mark.parametrize(("said", "told"), [(b"{}", "the admin listener answered 418"), (b'{"error":"no"}', "no")])
def test_an_error_is_told_in_the_listeners_words(said: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Refusing, "answer", said)
    with http.server.HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(AdminError) as caught:
            ask(f"127.0.0.1:{server.server_port}", "GET", "/sessions")
        thread.join()
    assert (str(caught.value), caught.value.status) == (told, 418)


def test_a_status_that_the_caller_knows_is_an_answer() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert ask(f"127.0.0.1:{server.server_port}", "GET", "/readyz", also=(418,)) == {}
        thread.join()


def test_json_for_people_shows_what_a_terminal_would_obey() -> None:
    assert pretty({"a": "é\x1b[2J", "b": [1]}).splitlines() == [
        "{", '  "a": "é\\u001b[2J",', '  "b": [', "    1", "  ]", "}",
    ]  # fmt: skip


def test_an_answer_is_read_as_what_it_is_and_one_of_another_version_is_an_error_in_words() -> None:
    assert typed({"acknowledged": 2}, Acknowledged) == Acknowledged(2)
    with pytest.raises(AdminError, match=r"cannot be read \(.*acknowledged.*\).*another version of statusproxy"):
        typed({"noted": 2}, Acknowledged)


def test_half_a_surrogate_pair_where_another_kind_is_due_is_an_error_in_words() -> None:
    with pytest.raises(AdminError, match=r"cannot be read .*another version of statusproxy"):
        typed({"acknowledged": "\ud83d"}, Acknowledged)


def served(said: bytes) -> str:
    """Where a listener answers one request with these bytes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{listening.getsockname()[1]}"


_BYTES = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (_BYTES + b"ab", "the answer ended too early"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\n" + b'{"error":"no"}', "no"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "does not answer like a running statusproxy"),
    ],
)
def test_a_download_that_is_not_whole_is_an_error(said: bytes, told: str) -> None:
    where = served(said)
    with pytest.raises(AdminError, match=told):
        list(download(where, "/spool/1?body=1"))


def test_a_download_comes_as_it_is() -> None:
    assert b"".join(download(served(_BYTES + b"\xffabc"), "/x")) == b"\xffabc"
