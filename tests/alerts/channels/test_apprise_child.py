"""The process that sends one message: what it asks of Apprise, and what it tells of a failure."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.alerts.channels import apprise_child
from statusproxy.alerts.channels.apprise_child import hide, send

ORDER = {"url": "ntfy://user:p4ssw0rd@ntfy.example/topic", "title": "t", "body": "b", "type": "warning"}


class FakeApprise:
    """Stands in for the package."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, adds: bool = True, sends: bool = True, says: str = ""
    ) -> None:
        self.asset: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.adds, self.sends, self.says = adds, sends, says
        monkeypatch.setitem(
            sys.modules,
            "apprise",
            SimpleNamespace(
                AppriseAsset=self._asset,
                Apprise=lambda asset: self,
                PersistentStoreMode=SimpleNamespace(MEMORY="memory"),
            ),
        )

    def _asset(self, **options: Any) -> object:
        self.asset = options
        return object()

    def add(self, url: str) -> bool:
        self.asked.append(url)
        return self.adds

    def notify(self, **message: str) -> bool:
        self.asked.append(message)
        if self.says:
            logging.getLogger("apprise").warning(self.says)
        return self.sends


def test_a_message_is_sent_as_text_and_nothing_is_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeApprise(monkeypatch)
    assert send(ORDER) == {"result": "sent"}
    assert fake.asked == [
        ORDER["url"],
        {"body": "b", "title": "t", "notify_type": "warning", "body_format": "text"},
    ]
    assert (fake.asset["storage_mode"], fake.asset["plugin_paths"]) == ("memory", [])


def test_a_url_that_apprise_does_not_know_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeApprise(monkeypatch, adds=False)
    assert send(ORDER) == {"result": "failed", "words": "Apprise does not know this kind of URL"}


def test_the_last_warning_is_told_without_any_part_of_the_url(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    FakeApprise(monkeypatch, sends=False, says="ntfy.example refused user with p4ssw0rd at topic: 403")
    assert send(ORDER) == {"result": "failed", "words": "… refused … with … at …: 403"}
    assert caplog.text == ""


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert send(ORDER) == {"result": "missing"}


@pytest.mark.parametrize(
    ("url", "words", "hidden"),
    [
        ("tgram://12345:ABC_def/-1001", "Telegram said no to ABC_def", "Telegram said no to …"),
        ("mailto://a:b%40cd@mail.example", "login of b@cd at mail.example", "login of … at …"),
        ("ntfy://abc/to", "abc to", "abc to"),
    ],
)
def test_parts_of_a_url_are_hidden_also_as_they_are_decoded(url: str, words: str, hidden: str) -> None:
    assert hide(words, url) == hidden


@pytest.mark.slow
def test_as_a_program_it_answers_in_one_line_whatever_goes_wrong() -> None:
    child = [sys.executable, "-P", str(apprise_child.__file__), "30"]
    order = json.dumps(ORDER | {"url": "nonsense://s3cret"})
    done = subprocess.run(
        child, input=order.encode(), capture_output=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert json.loads(done.stdout) == {"result": "failed", "words": "Apprise does not know this kind of URL"}
    assert done.stderr == b""
    broken = subprocess.run(
        child, input=b'{"url": "json://127.0.0.1:1", "body": ""}', capture_output=True, timeout=60, check=True
    )
    assert json.loads(broken.stdout) == {"result": "failed", "words": "an internal error (KeyError)"}
