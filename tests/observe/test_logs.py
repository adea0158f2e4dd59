"""Log lines for people, for machines and for the journal."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from statusproxy.observe import logs
from tests.proxy.harness import PATIENCE


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("statusproxy")
    before = root.handlers[:], root.level, ours.level
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


log = logging.getLogger("statusproxy.test")


def said(form: logs.Format, stream: io.StringIO | None = None, level: str = "info") -> io.StringIO:
    stream = stream or io.StringIO()
    logs.set_up(form, level, stream)
    return stream


def written(
    form: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], None],
    asked: logs.Format = "auto",
) -> str:
    """What `act` logs, in `form`; `journal` is a file that stands for the journal's socket, `asked` is `log.format`."""
    if form != "journal":
        stream = said("text" if form == "text" else "json")
        act()
        return stream.getvalue()
    with (folder / "journal").open("w+", encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        logs.set_up(asked, "info", file)
        act()
        logs.flush()
        file.seek(0)
        return file.read()


def test_text_is_one_plain_line_with_the_time() -> None:
    stream = said("text")
    log.info("listening on %s", "127.0.0.1:8090")
    assert re.fullmatch(r"\d\d:\d\d:\d\d listening on 127\.0\.0\.1:8090\n", stream.getvalue())


def test_text_names_what_is_worse_than_news_and_the_request_it_befell() -> None:
    stream = said("text")
    log.warning("request failed", extra={"request_id": "abc-1", "status": 502})
    assert stream.getvalue().endswith(" warning: request failed  [abc-1]\n")


def test_a_traceback_follows_in_text_and_stays_inside_in_json() -> None:
    forms: tuple[logs.Format, ...] = ("text", "json")
    for form in forms:
        stream = said(form)
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it failed")
        if form == "text":
            assert stream.getvalue().splitlines()[0].endswith("error: it failed")
            assert "ValueError: broken" in stream.getvalue()
        else:
            (line,) = stream.getvalue().splitlines()
            assert "ValueError: broken" in json.loads(line)["exception"]


def test_json_is_one_object_a_line_with_what_the_caller_gave() -> None:
    stream = said("json")
    log.warning("é\n%s", "two lines", extra={"session": "Ünit 7", "status": 502, "odd": Path("x")})
    (line,) = stream.getvalue().splitlines()
    document = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document.pop("time"))
    assert document == {
        "level": "warning", "logger": "statusproxy.test", "message": "é\ntwo lines", "session": "Ünit 7",
        "status": 502, "odd": "x",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["lone \ud800 half", 1 << 70, -(1 << 70), 1.5, True, None, "\u202e\x1b\n\u2028 😀"])
def test_json_is_one_line_whatever_the_caller_gave(value: object) -> None:
    stream = said("json")
    log.warning("it", extra={"odd": value})
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert json.loads(line)["odd"] == value


@pytest.mark.parametrize(("stream", "begins"), [(Terminal(), "0123456789"), (io.StringIO(), "{")])
def test_auto_is_text_on_a_terminal_and_json_elsewhere(stream: io.StringIO, begins: str) -> None:
    said("auto", stream)
    log.info("hello")
    assert stream.getvalue()[0] in begins


def test_setting_up_again_writes_out_what_waits_and_ends_the_thread_that_wrote(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with (tmp_path / "log").open("w") as file:
        logs.set_up("text", "info", file)
        (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "log writer")
        log.info("before")
        stream = said("text")
        log.info("after")
    assert (tmp_path / "log").read_text().endswith(" before\n")
    assert stream.getvalue().endswith(" after\n")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_level_is_ours_and_others_log_warnings_only() -> None:
    stream = said("text", level="debug")
    log.debug("detail")
    logging.getLogger("aiohttp.access").info("GET /secret")
    logging.getLogger("aiohttp.server").warning("trouble")
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == ["debug: detail", "warning: trouble"]
    stream = said("text", level="warning")
    log.info("news")
    assert stream.getvalue() == ""


FORGED = "a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b"


@pytest.mark.parametrize("form", ["text", "json", "journal"])
def test_whatever_an_id_holds_a_record_is_one_line_without_commands_to_the_terminal(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = written(form, tmp_path, monkeypatch, lambda: log.info("%s: lost", FORGED, extra={"session": FORGED}))
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if form == "json":
        document = json.loads(line)
        assert (document["message"], document["session"]) == (f"{FORGED}: lost", FORGED)
    else:
        assert r"a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b: lost" in line


def test_the_text_of_an_error_cannot_look_like_a_line_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        try:
            raise ValueError(FORGED)
        except ValueError:
            log.exception("it failed")

    for form in ("text", "journal"):
        first, *more = written(form, tmp_path, monkeypatch, fail).replace("<3>", "").splitlines()
        assert first.endswith("it failed")
        assert all(line.startswith("    ") and line.isprintable() for line in more)
        assert any("12:00:00 error: FORGED" in line for line in more)


def test_in_the_journal_a_line_is_the_message_and_what_the_caller_gave_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"session": "Front Desk", "reason": "alive", "none": None, "at": 1.5, "said": 'a "b" = c', "empty": ""}
    line = written("journal", tmp_path, monkeypatch, lambda: log.log(logs.NOTICE, "hello", extra=extra))
    assert line == '<5>hello session="Front Desk" reason=alive said="a \\"b\\" = c" empty=""\n'


@pytest.mark.parametrize(("form", "begins"), [("text", r"<6>\d\d:\d\d:\d\d hello"), ("json", r'<6>\{"time":')])
def test_a_form_that_was_asked_for_stays_in_the_journal_too(
    form: logs.Format, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.match(begins, written("journal", tmp_path, monkeypatch, lambda: log.info("hello"), form))


def test_a_notice_is_a_level_between_news_and_warnings() -> None:
    stream = said("text", level="notice")
    log.info("news")
    log.log(logs.NOTICE, "back")
    assert stream.getvalue().endswith(" notice: back\n")
    assert "news" not in stream.getvalue()
    stream = said("json")
    log.log(logs.NOTICE, "back")
    assert json.loads(stream.getvalue())["level"] == "notice"


def test_what_python_would_write_to_standard_error_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    stream = said("text")

    class Broken:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    def fail() -> None:
        raise ValueError("in a thread")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.take_over()
        try:
            Broken()
            warnings.warn("old", stacklevel=1)
            for work in (fail, sys.exit):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
        finally:
            logging.captureWarnings(False)
    for words in ("in a destructor", "in a thread", "UserWarning: old"):
        assert words in stream.getvalue()
    assert stream.getvalue().count("a thread ended with an error") == 1  # the other only ended itself


def test_setting_up_again_says_nothing_twice() -> None:
    said("text")
    stream = said("text")
    log.info("once")
    assert stream.getvalue().count("once") == 1


def test_by_default_it_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info")
    log.info("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err.endswith("hello\n")) == ("", True)


def test_each_line_for_the_journal_begins_with_its_severity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        logs.set_up("text", "debug", stream)
        for level in (logging.DEBUG, logging.INFO, logs.NOTICE, logging.WARNING, logging.ERROR, logging.CRITICAL, 5):
            log.setLevel(1)
            log.log(level, "first")
        log.setLevel(logging.NOTSET)
        logs.flush()
        stream.seek(0)
        assert [line[:3] for line in stream] == ["<7>", "<6>", "<5>", "<4>", "<3>", "<2>", "<7>"]


@pytest.mark.parametrize("name", ["", "1:2", "nonsense"])
def test_what_is_not_the_journal_gets_no_severities(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", name)
    stream = said("text")  # has no descriptor either
    log.info("hello")
    assert not stream.getvalue().startswith("<")


@pytest.mark.parametrize(
    ("session", "shown"),
    [("sales", "sales"), ("Front Desk 2", "Front Desk 2"), ("5511987654321", "…4321"),
     ("wpp-5511987654321-a", "wpp-…4321-a"), ("room 123456789", "room 123456789")],
)  # fmt: skip
def test_a_session_named_after_its_number_is_told_by_its_last_digits(session: str, shown: str) -> None:
    assert logs.public_name(session) == shown


def test_standard_error_is_no_journal_here() -> None:
    assert not logs._is_journal(sys.stderr)


def test_a_record_may_ask_for_a_form_of_its_own() -> None:
    stream = said("text")
    exchange = {"client": "10.0.0.7", "request_id": "r-1", "method": "GET", "path": "/health", "status": 0, "sent": 0}
    log.info("GET /health", extra={**exchange, "ms": 1.5, "form": "combined"})
    log.info("GET /health", extra={"form": "json"})
    log.info("GET /health", extra={"form": "unknown"})
    combined, as_json, usual = stream.getvalue().splitlines()
    assert re.fullmatch(
        r'10\.0\.0\.7 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /health HTTP/1\.1" 499 - "-" "-" r-1 '
        r"1\.50ms",
        combined,
    )
    assert json.loads(as_json)["message"] == "GET /health"
    assert usual.endswith("GET /health")
