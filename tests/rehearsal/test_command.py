"""The run behind the command: files in, results out, and what cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from statusproxy.rehearsal.command import Request, UsageError, play, report
from statusproxy.rehearsal.messages import Results
from tests.pictures import PNG
from tests.rehearsal.sites import NOW, OWN, a_site

LOST = {"event": "lost", "session": "a"}
CHANNELS = {"channels": [{"id": "a", "status": "connected"}]}
CODE = {"qr": "2@" + "A" * 40}


HAS = "of the configuration has this path; it has"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in {"lost": LOST, "list": CHANNELS, "qr": CODE, "one": {"channel": {"status": "up"}}}.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "two").write_text(json.dumps(LOST) + "\n" + json.dumps({**LOST, "session": "b"}))
    (tmp_path / "image").write_bytes(PNG)
    (tmp_path / "text").write_text("text")
    (tmp_path / "deep").write_text("[" * 20_000 + "]" * 20_000)
    (tmp_path / "empty").write_text("\n")
    return tmp_path


def run(more: str = "", text: str = OWN, **request: Any) -> Results:
    asked = Request(**{"now": NOW, **request})
    asked.check()
    return play(a_site(more, text).settings, asked)


@pytest.mark.usefixtures("folder")
def test_events_then_lists_then_the_code_then_what_would_end_it() -> None:
    results = run(events=["lost"], lists=["list"], qr="qr", wait=60.0)
    assert results.now == "2026-01-15T19:08:10.001Z"
    assert [one.verdict for one in results.events] == ["applied"]
    assert [one.channel for one in results.lists[0].corrected] == ["a"]
    assert results.qr is not None
    assert (results.qr.shows, results.qr.session) == ("code", "a")
    assert [(one.session, one.caught_up) for one in results.overrides] == [("a", "qr")]
    assert results.exit_code == 0


@pytest.mark.usefixtures("folder")
def test_each_list_has_its_route_and_the_code_its_session() -> None:
    results = run(events=["two"], lists=["list", "one"], routes=["/list", "/list/b"], qr="image", session="b")
    assert [(one.route, [each.channel for each in one.corrected]) for one in results.lists] == [
        ("/list", ["a"]),
        ("/list/{session}", ["b"]),
    ]
    assert [(one.session, one.caught_up) for one in results.overrides] == [("a", None), ("b", "qr")]


@pytest.mark.usefixtures("folder")
def test_an_old_override_has_ended_when_the_list_is_asked_for() -> None:
    results = run("sessions: {max_age: 1m}\n", events=["lost"], lists=["list"], wait=61.0)
    assert (results.lists[0].corrected, results.overrides) == ([], [])


@pytest.mark.usefixtures("folder")
def test_a_disconnect_that_is_missed_or_a_list_that_cannot_be_read_is_exit_code_1() -> None:
    assert run(events=["qr"]).exit_code == 1
    assert run(lists=["qr"]).exit_code == 1
    assert run(lists=["list"]).exit_code == 0
    assert run(qr="qr").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_an_answer_nested_too_deep_is_said_to_pass_unread() -> None:
    results = run(lists=["deep"], qr="deep")
    assert (results.lists[0].failure, results.exit_code) == ("too-deep", 1)
    assert results.qr is not None
    assert results.qr.why == "nested too deep; it proves nothing"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, "nothing to try: give --event, --list or --qr"),
        ({"events": ["-"], "lists": ["-"]}, "standard input (-) can be read only once"),
        ({"lists": ["list"], "routes": ["/a", "/b"]}, "give --route once for each --list, in the same order"),
        ({"events": ["none"]}, "none: cannot be read: No such file or directory"),
        ({"events": ["empty"]}, "empty: the file is empty"),
        ({"lists": ["empty"]}, "empty: the file is empty"),
        ({"lists": ["text"]}, "text: this is not one JSON document"),
        ({"lists": ["image"]}, "image: this is not one JSON document"),
        ({"qr": "text"}, "text: this is neither a JSON document nor an image"),
        ({"events": ["text"]}, "text: this is neither JSON, nor JSON lines, nor a form"),
        ({"events": ["list"]}, "list: this is not an event but the list of /list; give it with --list"),
        ({"lists": ["lost"]}, "lost: this is not a list but the event lost; give it with --event"),
        (
            {"events": ["two"], "qr": "qr"},
            "--qr: several sessions are disconnected; name the session of this answer with --session",
        ),
        (
            {"events": ["lost"], "path": "/example-secret"},
            f"--path: no webhook {HAS} /events, /events/{{session}}, /signed, /secret ({{session}} stands for an id)",
        ),
        (
            {"lists": ["list"], "routes": ["/example-secret"]},
            "--route: no corrected route has this path; it has /list, /list/{session} ({session} stands for an id)",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line_that_repeats_no_path(request_: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(**request_)
    assert str(raised.value) == says


@pytest.mark.usefixtures("folder")
def test_a_configuration_without_webhooks_or_routes_is_told() -> None:
    bare = "gateway: http://127.0.0.1:3000\npreset: null\n"
    with pytest.raises(UsageError, match="--event: the configuration has no webhook"):
        run(text=bare, events=["lost"])
    with pytest.raises(UsageError, match=r"--route: no corrected route has this path; it has none$"):
        run(text=bare, lists=["list"])


@pytest.mark.usefixtures("folder")
def test_a_list_beyond_the_proxy_s_limit_is_not_corrected(folder: Path) -> None:
    (folder / "long").write_text(json.dumps({**CHANNELS, "more": "x" * 1024}))
    results = run("limits: {corrected: 1k}\n", events=["lost"], lists=["long"])
    assert (results.lists[0].failure, results.lists[0].route, results.exit_code) == ("too-large", "/list", 1)


@pytest.mark.usefixtures("folder")
def test_a_package_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.rehearsal.command.missing_for_webhooks", lambda webhooks: "install it")
    with pytest.raises(UsageError, match="install it"):
        run(events=["lost"])


SECRET = "example-secret"
BODIES = [
    {"event": "connection.update", "instance": "a", "data": {"state": "close"}, "apikey": SECRET, "server_url": SECRET},
    {"type": "LoggedOut", "event": {"Text": SECRET, "Reason": SECRET}, "userID": "1", "token": SECRET},
    {"dataType": "disconnected", "data": {"reason": SECRET, "status": SECRET}, "sessionId": "a"},
    {"event": "LoggedOut", "instanceName": "a", "instanceToken": SECRET, "data": {"type": {"key": SECRET}}},
    {"event": "state", "session": "a", "hash": SECRET, "nested": {"apikey": SECRET, "auth": {"event_token": SECRET}}},
    {"event": "state", SECRET: "closed", "session": "a", "pushName": SECRET, "list": [SECRET, {"type": SECRET}]},
    [{"event": "lost", "session": "a", "apikey": SECRET}],
    SECRET,
]


@pytest.mark.parametrize("body", BODIES)
def test_no_secret_of_a_body_or_header_is_told(body: object, folder: Path) -> None:
    (folder / "body").write_text(json.dumps(body))
    listed = {"channels": [{"id": "a", "status": "up", "token": SECRET}]}
    (folder / "listed").write_text(json.dumps(listed))
    results = run(events=["body", "lost"], lists=["listed"], path="/events", headers=[("X-Secret", SECRET)])
    for as_json in (True, False):
        assert SECRET not in report(results, as_json=as_json, colours=False)


@pytest.mark.usefixtures("folder")
def test_the_results_are_json_or_a_report() -> None:
    results = run(events=["lost"])
    document = json.loads(report(results, as_json=True, colours=False))
    assert document["events"][0]["verdict"] == "applied"
    assert report(results, as_json=False, colours=False).startswith("lost\n  event   lost\n")


def test_a_secret_in_a_path_is_not_told(folder: Path) -> None:
    text = OWN.replace("path: /list/{session}", "path: '/api/{session}:{_}/status'").replace(
        "path: /signed", "path: '/hook/{_}/**'"
    )
    results = run(
        text=text,
        events=["lost"],
        path=f"/hook/{SECRET}/a",
        headers=[("X-Signature", "x")],
        lists=["one"],
        routes=[f"/api/a:{SECRET}/status"],
    )
    assert (results.events[0].webhook, results.lists[0].route) == ("/hook/{_}/**", "/api/{session}:{_}/status")
    assert [one.channel for one in results.lists[0].corrected] == []
    trusted = run(text=text, events=["lost"], lists=["one"], routes=[f"/api/a:{SECRET}/status"])
    assert [one.channel for one in trusted.lists[0].corrected] == ["a"]
    for one in (results, trusted):
        assert SECRET not in report(one, as_json=True, colours=False) + report(one, as_json=False, colours=False)


@pytest.mark.usefixtures("folder")
def test_an_event_at_a_path_that_its_webhook_leaves_out_is_not_heard() -> None:
    text = OWN.replace("webhooks:", "webhooks:\n  - {path: /w/**, except: ['/w/set/{session}']}", 1)
    results = run(text=text, events=["lost"], path="/w/set/sales")
    assert [(one.verdict, one.why) for one in results.events] == [
        ("unwatched", "`except` has this path: what is posted there goes on to the gateway unread")
    ]
    assert (results.overrides, results.exit_code) == ([], 1)
    assert run(text=text, events=["lost"], path="/w/sales").events[0].verdict == "applied"
