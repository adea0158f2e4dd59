"""The report: grouped text with an arrow to each fix, or one JSON object, without secrets and control characters."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from statusproxy.doctor.findings import Finding, Ids, Level, Lines, States, note, ok, problem, warning
from statusproxy.doctor.report import EXIT_CODES, Language, as_json, as_text, summary, unchecked, words

LOW = warning("disk.low", free="3 MiB", folder="/var/lib/statusproxy", path="/x")


def test_text_groups_what_belongs_together_with_arrows_to_the_fixes() -> None:
    text = as_text([LOW, ok("ports.free", address=":1"), ok("ports.free", address=":2")], "en")
    assert text.splitlines()[1:] == [
        "",
        "Ports",
        "  ok        :1 is free",
        "  ok        :2 is free",
        "",
        "Stored state",
        "  warning   only 3 MiB free at /var/lib/statusproxy",
        "            → free some space: while the disk is full, changes are kept in memory only",
        "",
        "It works, with 1 warning(s).",
    ]


def test_lines_are_wrapped_but_what_is_to_be_copied_is_not_broken() -> None:
    url = "http://" + "x" * 90
    text = as_text([ok("disk.in-use", path=f"{url} and some more words")], "en", width=60)
    assert any(url in line for line in text.splitlines())
    assert len(text.splitlines()) > 6


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in as_text([LOW], "en")
    assert "\x1b[33m" in as_text([LOW], "en", colours=True)


def test_json_tells_code_words_and_facts() -> None:
    assert '"facts": {\n        "free": "3 MiB"' in as_json([LOW], "en")
    assert '"status": "warning"' in as_json([LOW], "en")


def test_no_secret_shows_whatever_repeats_it() -> None:
    finding = problem("gateway.unreachable", url="http://gateway.example/?key=hush-hush", why="hush-hush")
    secrets = ["hush-hush"]
    assert "hush" not in as_text([finding], "en", secrets=secrets) + as_json([finding], "pt-BR", secrets)


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    text, _ = words(Finding(Level.NOTE, "channels.unheard", {"channels": "a\x1b[31mb\u202ec"}), "en")
    assert text.startswith(r"no event about a\x1b[31mb\u202ec so far")


def test_the_fix_of_a_finding_has_a_key_of_its_own() -> None:
    found, fine = json.loads(as_json([LOW, ok("disk.in-use", path="/x")], "en"))["findings"]
    assert found["fix"] == "free some space: while the disk is full, changes are kept in memory only"
    assert fine["fix"] is None
    assert (found["level"], found["code"]) == ("warning", "disk.low")


def test_lines_to_be_copied_stand_at_the_margin() -> None:
    lines = Lines(["presence: ignore"])
    finding = warning("configuration.presence-trusted", lines=lines)
    assert "\npresence: ignore\n" in as_text([finding], "en")
    (found,) = json.loads(as_json([finding], "en"))["findings"]
    assert found["fix"].endswith(":\npresence: ignore")
    assert found["facts"]["lines"] == ["presence: ignore"]


def test_numbered_steps_are_wrapped_under_their_words() -> None:
    text = as_text([problem("webhooks.none", **dict.fromkeys(
        ("up", "base", "inbound_path", "gateway", "inbound_lines", "outbound_path", "outbound_to", "outbound_lines",
         "tap_path", "tap_lines"), "x"))], "en", width=70)  # fmt: skip
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("1. "))
    assert lines[first + 1].startswith(" " * (lines[first].index("1. ") + 3))


def test_the_summary_says_what_was_not_checked() -> None:
    findings = [note("channels.not-checked"), warning("proxy.not-running", admin="x")]
    assert unchecked(findings) == ["proxy", "channels", "webhooks"]
    assert summary(findings, "en") == (
        "1 warning(s). Not checked: The running proxy, Channel list and corrections, Webhooks."
    )
    assert summary([], "pt-BR") == "Está tudo certo."


#: Findings whose fix is to start, restart or reload the proxy.
TO_RESTART = (
    warning("proxy.not-running", admin="x"), warning("proxy.admin-elsewhere", admin="x", address="y"),
    warning("proxy.token-refused", admin="x"), warning("proxy.other-version", running="0", installed="1"),
    warning("proxy.reload-pending", keys="x"), warning("proxy.restart-pending", keys="x"),
    note("ports.held-unasked", address="x", who="y"),
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_no_command_of_systemd_is_suggested_where_systemd_does_not_run(language: Language) -> None:
    findings = [*TO_RESTART, note("service.no-systemd")]
    assert "systemctl" not in as_text(findings, language) + as_json(findings, language)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_a_proxy_that_is_no_service_of_systemd_is_not_restarted_by_it(language: Language) -> None:
    findings = [*TO_RESTART, note("service.not-installed")]
    assert re.findall(r"systemctl (?:--user )?\w+", as_text(findings, language)) == ["systemctl start"]


def test_the_unit_of_a_user_is_restarted_as_that_users() -> None:
    found = as_text([*TO_RESTART, ok("service.active", user="--user ", state="active", said="x")], "en", width=1000)
    verbs = ("start", "restart", "restart", "restart", "reload", "restart", "restart")
    assert re.findall(r"systemctl (?:--user )?\w+", found) == [f"systemctl --user {verb}" for verb in verbs]


def test_the_service_of_the_machine_is_restarted_by_systemd() -> None:
    assert "systemctl restart statusproxy" in as_text(TO_RESTART, "en")
    assert words(TO_RESTART[5], "pt-BR")[1] == "systemctl restart statusproxy"


def test_a_fact_that_is_not_known_is_a_dash_and_a_number_stays_a_number() -> None:
    finding = Finding(Level.NOTE, "disk.in-use", {"path": None, "count": 3})
    assert words(finding, "en")[0] == "the running proxy writes to –"
    (found,) = json.loads(as_json([finding], "en", ["", "3"]))["findings"]
    assert found["facts"] == {"path": None, "count": 3}


def test_the_exit_code_is_2_for_a_problem_1_for_a_warning_and_else_0() -> None:
    assert {level.value: code for level, code in EXIT_CODES.items()} == {"ok": 0, "note": 0, "warning": 1, "problem": 2}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("sales", "sales"),
        ("Sales  Team", "'Sales  Team'"),
        ("$(touch x)", "'$(touch x)'"),
        ("it's", "'it'\"'\"'s'"),
        ("-rf", "-rf"),
        ("sales\nx", "$'sales\\nx'"),
        ("a'\\\x1b", "$'a\\'\\\\\\x1b'"),
    ],
)
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_an_id_in_a_command_is_one_word_of_the_shell(name: str, word: str, language: Language) -> None:
    finding = warning("channels.id-unknown", count=1, sessions=Ids([name]), first=Ids([name]))
    text = as_text([finding], language, width=60)
    assert text.count(word) == 2  # in the list, and in the command; not broken in either
    (said,) = json.loads(as_json([finding], language))["findings"]
    assert f"statusproxy forget -- {word} …" in said["fix"]
    shell = ["bash", "-c", f'set -- {word}; printf %s "$1"']
    assert subprocess.run(shell, capture_output=True, text=True, check=True, timeout=30).stdout == name


def test_a_line_break_of_others_is_an_escape() -> None:
    text, _ = words(note("channels.kept", session="sales\nx", since="s", why="w"), "en")
    assert text.startswith("sales\\nx is lost")


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_white_space_at_the_edge_of_an_id_shows(language: Language) -> None:
    text, _ = words(note("channels.kept", session="sales ", since="s", why="w"), language)
    assert '"sales "' in text


def test_the_gateways_own_words_stand_with_what_they_mean_in_the_reports_language() -> None:
    said = note("channels.words", path="/x", words=States([("close\x1b", "logged-out"), ("planted", "")]))
    assert words(said, "en", ["planted"])[0] == "/x says close\\x1b (logged out), ***"
    assert words(said, "pt-BR")[0] == "/x diz close\\x1b (saiu da conta), planted"
    facts = json.loads(as_json([said], "en", ["planted"]))["findings"][0]["facts"]
    assert facts == {"path": "/x", "words": {"close\\x1b": "logged-out", "***": None}}


@pytest.mark.parametrize(
    ("language", "count", "says"),
    [
        ("en", 1, "1 webhook was not JSON"),
        ("en", 2, "2 webhooks were not JSON"),
        ("pt-BR", 1, "1 webhook não era JSON"),
        ("pt-BR", 2, "2 webhooks não eram JSON"),
    ],
)
def test_one_is_told_apart_from_many(language: Language, count: int, says: str) -> None:
    assert words(note("webhooks.not-json", count=count), language)[0] == says
