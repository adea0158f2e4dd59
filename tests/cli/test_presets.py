"""The commands for those who write a preset: try, learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.calling import asking, call, written
from tests.proxy.harness import Running


@pytest.fixture
def event(tmp_path: Path) -> Path:
    """A file with an event that says a phone was unlinked."""
    file = tmp_path / "event.json"
    file.write_text('{"event":"status-find","session":"sales","status":"disconnectedMobile"}')
    return file


def test_try_needs_no_gateway_with_a_preset_and_ends_with_its_code(event: Path, tmp_path: Path) -> None:
    (tmp_path / "unknown.json").write_text('{"type":"LoggedOut"}')
    known = call("try", "--preset", "gateway-wrapper", "--event", event, "--at", "2026-01-15T19:07:10Z")
    unknown = call("try", "--preset", "gateway-wrapper", "--event", tmp_path / "unknown.json")
    assert (known.exit_code, unknown.exit_code) == (0, 1)
    assert "verdict applied" in known.stdout
    assert "this body has `type: LoggedOut`" in unknown.stdout


def test_try_takes_a_file_s_configuration_and_a_preset_in_place_of_the_file_s(event: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: /events}]\n")
    alone = call("try", "--event", event, "--json", STATUSPROXY_CONFIG=str(file))
    with_preset = call("try", "--config", file, "--preset", "gateway-wrapper", "--event", event, "--json")
    assert [json.loads(one.stdout)["events"][0]["verdict"] for one in (alone, with_preset)] == ["unmatched", "applied"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to try: give --event, --list or --qr"),
        (["--preset", "gateway-wraper"], '--preset: found "gateway-wraper"; allowed: '),
        (["--preset", "./mine.yaml"], "mine.yaml"),
        (["--event", "none.json"], "none.json: cannot be read: No such file or directory"),
        (["--header", "example-secret"], "write NAME:VALUE"),
        (["--at", "noon"], "write ISO 8601 with a zone"),
        (["--wait", "long"], "a duration such as"),
    ],
)
def test_what_try_cannot_use_is_exit_code_2(arguments: list[str], says: str, event: Path) -> None:
    more = [] if not arguments or "--event" in arguments else ["--event", str(event)]
    preset = [] if "--preset" in arguments else ["--preset", "gateway-wrapper"]
    result = call("try", *preset, *more, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "example-secret" not in result.output


ODD_EVENT = '{"what": "linkState", "box": {"ref": "sales"}, "info": {"phase": "down"}}\n'


ODD_LIST = '{"boxes": [{"box": "sales", "phase": "up"}]}'


def test_learn_drafts_a_preset_from_captured_files(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(ODD_EVENT)
    (tmp_path / "list.json").write_text(ODD_LIST)
    captured = ("--from", tmp_path / "events.jsonl", "--path", "/hook")
    result = call("learn", *captured, "--list", tmp_path / "list.json", "--route", "/api/boxes")
    assert (result.exit_code, result.stderr) == (0, "")
    document = yaml.safe_load(result.stdout)
    assert document["events"] == [
        {"event": "linkState", "session": ["box.ref"], "state": ["info.phase"], "disconnected": ["down"]}
    ]
    assert document["channels"][0]["set"] == {"phase": "down"}


@pytest.mark.parametrize(
    ("event", "answer", "code", "notes"),
    [
        (ODD_EVENT, None, 0, ["the draft has no `channels`: "]),
        (None, ODD_LIST, 0, ["the draft has no rule under `events`: "]),
        (ODD_EVENT.replace("down", "up"), ODD_LIST, 1, ["the draft has no word for a loss: "]),
        ('{"n": 1}', ODD_LIST, 1, ["the draft has no rule under `events`: "]),
        (ODD_EVENT, '[{"n": 1}]', 1, ["the draft has no `channels`: "]),
    ],
)
def test_learn_says_what_its_draft_lacks(
    event: str | None, answer: str | None, code: int, notes: list[str], tmp_path: Path
) -> None:
    arguments: list[str | Path] = []
    if event is not None:
        (tmp_path / "event.json").write_text(event)
        arguments += ["--from", tmp_path / "event.json"]
    if answer is not None:
        (tmp_path / "list.json").write_text(answer)
        arguments += ["--list", tmp_path / "list.json", "--route", "/api/boxes"]
    result = call("learn", *arguments)
    assert result.exit_code == code
    assert result.stdout.startswith("# A draft preset")
    said = result.stderr.splitlines()
    assert [line.startswith(f"Note: {note}") for line, note in zip(said, notes, strict=True)] == [True]


def test_learn_gives_draft_and_gaps_as_json(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(ODD_EVENT)
    arguments = ("learn", "--from", tmp_path / "event.json")
    result = call(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"draft": call(*arguments).stdout, "gaps": ["channels"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "FILE"], "the file is empty"),
        (["--list", "FILE"], "write one --route for each --list"),
        (["--from", "FILE", "--show"], "--show and --stop ask a running proxy"),
        (["--show", "--stop"], "cannot be given together"),
        (["--minutes", "0"], "0 is not in the range"),
    ],
)
def test_learn_refuses_what_it_cannot_do(arguments: list[str], said: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = call("learn", *(str(file) if each == "FILE" else each for each in arguments))
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(("path", "route"), [("/h/{bad}", "/api/boxes"), ("/h", "/api/{bad}")])
def test_learn_writes_no_draft_with_a_path_that_check_refuses(path: str, route: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(ODD_EVENT)
    (tmp_path / "list.json").write_text(ODD_LIST)
    captured = ("--from", tmp_path / "events.jsonl", "--path", path)
    result = call("learn", *captured, "--list", tmp_path / "list.json", "--route", route)
    assert (result.exit_code, result.stdout) == (2, "")
    option = "--path" if "bad" in path else "--route"
    assert f"{option} cannot be used; allowed: {{session}}, and {{_}} for a secret, as the only" in result.stderr


async def test_learn_asks_the_running_proxy(proxy: Running, tmp_path: Path) -> None:
    begun = await asking(tmp_path, "learn", "--minutes", "5")
    assert (begun.exit_code, begun.stdout.splitlines()[-1]) == (0, "Then: statusproxy learn --show > mine.yaml")
    shown = await asking(tmp_path, "learn", "--show")
    assert shown.stdout.startswith("# A draft preset, made by `statusproxy learn` from 0 events and 0 answers.\n")
    assert shown.stderr.startswith("Learning until ")
    assert (shown.exit_code, shown.stderr.count("\nNote: the draft has no ")) == (0, 2)
    document = json.loads((await asking(tmp_path, "learn", "--show", "--json")).stdout)
    assert (document["learning"], document["draft"], document["gaps"]) == (True, shown.stdout, ["events", "channels"])
    assert "gaps" not in json.loads((await asking(tmp_path, "learn", "--json")).stdout)
    stopped = await asking(tmp_path, "learn", "--stop")
    assert stopped.stdout.startswith("Learning is off; 0 events")
    again = await asking(tmp_path, "learn", "--show")
    assert (again.exit_code, again.stderr) == (
        1,
        "nothing was learned: learning was not started, or it was stopped\n",
    )
