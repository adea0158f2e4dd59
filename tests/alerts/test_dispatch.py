"""Letters to targets: composed for each, one by one where they are costly, with the last result kept."""

import asyncio

import pytest

from statusproxy.alerts.channels.letter import Letter, Outcome
from statusproxy.alerts.dispatch import Dispatch, Line, Result
from statusproxy.alerts.values import Message, Target
from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.observe.logs import NOTICE
from tests.alerts.fakes import NOW, Mailbox, message, target


def compose(one: Message, to: Target) -> Letter:
    return Letter(one.id, b"{}", to.name, "text")


class Bench:
    """A dispatch to one mailbox."""

    def __init__(self) -> None:
        self.box = Mailbox()
        self.counts = AlertCounts()
        self.dispatch = Dispatch(compose, self.counts, lambda: NOW)
        self.dispatch.configure({"hub": Line(target(), self.box)})

    async def send(self) -> Outcome:
        return await self.dispatch.send(message(), "hub")


async def test_a_letter_is_sent_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(NOTICE)
    bench = Bench()
    assert await bench.send() == Outcome()
    assert [letter.id for letter in bench.box.letters] == ["m1"]
    assert bench.dispatch.results == {"hub": Result(NOW, None)}
    assert bench.counts.deliveries == {("webhook hub.example", "sent"): 1}
    assert caplog.messages == ["alerts: session.lost sent to webhook hub.example"]


async def test_the_same_failure_is_told_once_and_another_again(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for error in ("it answered 500", "it answered 500", "no answer in time"):
        bench.box.outcome = Outcome(error)
        await bench.send()
    assert caplog.messages == [
        "alerts: session.lost could not be sent to webhook hub.example: it answered 500",
        "alerts: session.lost could not be sent to webhook hub.example: no answer in time",
    ]
    assert bench.counts.deliveries == {("webhook hub.example", "failed"): 3}


async def test_a_defect_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()

    async def broken(letter: Letter) -> Outcome:
        raise RuntimeError("a defect")

    bench.box.send = broken  # type: ignore[method-assign]
    assert await bench.send() == Outcome("an internal error of the proxy")


async def test_no_more_than_two_are_under_way_at_a_time() -> None:
    bench = Bench()
    bench.box.open.clear()
    tasks = [asyncio.create_task(bench.send()) for _ in range(4)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(bench.box.letters) == 2
    bench.box.open.set()
    await asyncio.gather(*tasks)
    assert len(bench.box.letters) == 4


async def test_what_is_not_configured_any_more_is_forgotten() -> None:
    bench = Bench()
    await bench.send()
    assert (bench.dispatch.knows("hub"), bench.dispatch.targets) == (True, [target()])
    bench.dispatch.configure({})
    assert (bench.dispatch.knows("hub"), bench.dispatch.results) == (False, {})


async def test_a_message_of_thousands_of_sessions_is_composed_beside_the_event_loop() -> None:
    bench = Bench()
    sessions = [f"session-{number}" for number in range(1_001)]
    assert await bench.dispatch.send(message("m1", *sessions), "hub") == Outcome()
    assert [letter.id for letter in bench.box.letters] == ["m1"]
