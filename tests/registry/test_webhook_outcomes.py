"""What became of a webhook is counted by what it says, and a signal that changes nothing is logged."""

import logging
from dataclasses import dataclass, field

import pytest

from statusproxy.observe.metrics import Metrics
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.registry.change_log import ChangeLog
from statusproxy.registry.webhook_outcomes import Arrival, WebhookOutcomes
from statusproxy.status.dialect import Dialect
from statusproxy.status.model import Outcome
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict
from tests.known_dialect import KNOWN, known


@dataclass
class Counts:
    """The outcomes with what counts them."""

    metrics: Metrics = field(default_factory=Metrics)
    stats: WebhookStats = field(default_factory=WebhookStats)

    def hear(
        self,
        reading: Reading,
        verdict: str = "unchanged",
        *,
        by_address: bool = False,
        first: bool = True,
        dialect: Dialect = KNOWN,
    ) -> None:
        WebhookOutcomes(self.metrics, self.stats, ChangeLog()).heard(
            Arrival("10.0.0.2", "/in", None, by_address, 1_000.0, 2_000.0),
            reading,
            Outcome(verdict),
            1_000.0,
            dialect,
            first=first,
        )


def lost(at: float | None = None, ahead: float | None = None) -> Reading:
    return Reading(
        Verdict.SIGNAL, "close", "sales", Signal(SignalKind.DISCONNECTED, "sales", at, "close", None, None, ahead)
    )


def test_a_signal_counts_by_what_it_says_and_what_became_of_it() -> None:
    counts = Counts()
    counts.hear(lost(at=1_990.0), "applied")
    assert counts.metrics.signals == {("disconnected", "applied"): 1}
    (event,) = counts.stats.report().events
    assert (event.event, event.verdict) == ("close", "applied")
    assert counts.stats.last_heard == 1_000.0
    assert counts.stats.report().clock.lag == 10.0


@pytest.mark.parametrize("reading", [lost(), Reading(Verdict.UNMATCHED, "onack", None, None)])
def test_an_event_trusted_for_its_address_alone_counts_as_such(reading: Reading) -> None:
    counts = Counts()
    counts.hear(reading, by_address=True)
    counts.hear(reading)
    (sender,) = counts.stats.report().senders
    assert (sender.trusted, sender.by_address) == (2, 1)


def test_the_time_of_a_signal_that_is_too_far_ahead_still_tells_of_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts()
    counts.hear(lost(ahead=9_000.0), "applied")
    counts.hear(lost(), "applied")
    assert (counts.stats.report().clock.ahead, counts.stats.report().clock.timed) == (1, 0)
    (line,) = caplog.messages
    assert line.startswith("10.0.0.2 sends events on /in with times 7000 s ahead of this machine's clock;")


@pytest.mark.parametrize("verdict", ["late", "duplicate"])
def test_a_signal_that_changes_nothing_is_logged(verdict: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    counts = Counts()
    counts.hear(lost(), verdict)
    counts.hear(lost(), "applied")
    assert caplog.messages == [f"sales: close event ignored: {verdict}"]


@pytest.mark.parametrize(
    ("reading", "verdict"),
    [
        (Reading(Verdict.UNMATCHED, "onack", "sales", None), "unmatched"),
        (Reading(Verdict.UNMATCHED, "onpresencechanged", "sales", None), "presence"),
        (Reading(Verdict.UNMATCHED, " onPresenceChanged", "sales", None), "presence"),
        (Reading(Verdict.UNMATCHED, None, "sales", None), "unmatched"),
        (Reading(Verdict.NAMELESS, "onpresencechanged", None, None), "nameless"),
        (Reading(Verdict.NOT_JSON, None, None, None), "not-json"),
    ],
)
def test_what_says_nothing_counts_by_why(reading: Reading, verdict: str) -> None:
    counts = Counts()
    counts.hear(reading)
    assert counts.metrics.signals == {("none", verdict): 1}
    assert [event.verdict for event in counts.stats.report().events] == [verdict]
    assert counts.stats.report().clock.timed == 0


def test_an_untrusted_webhook_is_no_sign_that_webhooks_come() -> None:
    counts = Counts()
    WebhookOutcomes(counts.metrics, counts.stats, ChangeLog()).untrusted("203.0.113.9", "network", 2_000.0)
    assert counts.metrics.signals == {("none", "untrusted"): 1}
    assert counts.stats.last_heard is None
    assert counts.stats.totals().untrusted == {"network": 1}


@pytest.mark.parametrize("reading", [lost(), Reading(Verdict.UNMATCHED, "onack", None, None)])
def test_each_event_of_a_webhook_counts_and_the_webhook_once(reading: Reading) -> None:
    counts = Counts()
    for number in range(3):
        counts.hear(reading, by_address=True, first=number == 0)
    report = counts.stats.report()
    assert [(sender.trusted, sender.by_address) for sender in report.senders] == [(1, 1)]
    assert [event.count for event in report.events] == [3]
    assert report.heard == 1
    assert sum(counts.metrics.signals.values()) == 3


def test_a_clock_of_its_own_is_not_compared_with_ours() -> None:
    counts = Counts()
    for at in (2_000.0 + 19_800.0, 2_000.0 - 10_800.0):
        counts.hear(lost(at), "applied", dialect=known(own_clock=True))
    clock = counts.stats.report().clock
    assert (clock.timed, clock.ahead, clock.lag) == (0, 0, None)
