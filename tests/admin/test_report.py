"""What is told of a session: only what is known."""

from collections.abc import Sequence

from msgspec.structs import replace

from statusproxy.admin.messages import ChangeLine, DamageLine, MonthLine, OutageLine
from statusproxy.admin.report import (
    change_report,
    counts,
    damage_report,
    moment,
    month_report,
    outage_report,
    row_report,
    session_report,
)
from statusproxy.registry.gateway_view import Word
from statusproxy.registry.session_rows import Row
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.model import Change, Evidence, Override, Record, Release, Transient
from statusproxy.status.outages import Outage
from statusproxy.status.session_state import Claim, SessionState
from statusproxy.status.set_values import ByWord
from statusproxy.status.signals import SignalKind
from statusproxy.status.uptime import Figures, Share
from statusproxy.store.damage import Damage
from tests.status.test_channels import LIST

NOW = 1_768_504_026.49

LOST = Record(
    "sales",
    verdict=SignalKind.DISCONNECTED,
    known_at=NOW,
    heard_at=NOW + 1,
    event="status-find",
    override=Override(
        since=NOW, at=NOW + 5, began=NOW + 5, event="status-find", word="browserClose", caught_up=Evidence.QR
    ),
    gateway_said="connected",
    gateway_said_at=NOW + 2,
)


def test_a_moment_is_in_utc_with_milliseconds() -> None:
    assert moment(NOW) == "2026-01-15T19:07:06.490Z"


def test_a_time_that_never_was_is_none() -> None:
    assert moment(0.0) is moment(None) is None


def test_a_lost_session_is_told_since_its_first_loss_and_with_the_events_own_word() -> None:
    report = session_report(LOST)
    assert (report.shows, report.since, report.reason, report.caught_up) == (
        "disconnected",
        moment(NOW),
        "status-find browserClose",
        "qr",
    )


def test_a_lost_session_reads_what_the_list_is_set_to_where_its_rule_is_known() -> None:
    rule = replace(LIST, set={"state": ByWord({"browserclose": "CLOSED", "*": "GONE"})}, keep=frozenset({"qrcode"}))
    assert session_report(LOST).reads is None
    assert session_report(LOST, None, rule).reads == "CLOSED"
    assert session_report(LOST, Word("QRCODE", NOW + 3), rule).reads == "QRCODE"
    assert session_report(Record("sales"), None, rule).reads is None


def test_a_transient_state_is_told_with_the_gateways_own_word_until_it_counts() -> None:
    state = Transient(since=NOW, at=NOW, began=NOW, due=NOW + 90, event="connection.update", word="connecting")
    told = session_report(Record("sales", transient=state))
    assert (told.transient, told.transient_word) == ("connection.update connecting", "connecting")
    assert told.transient_due == moment(NOW + 90)
    told = session_report(Record("sales", transient=Transient(NOW, NOW, NOW, NOW + 90, event="Disconnected")))
    assert (told.transient, told.transient_word) == ("Disconnected", "Disconnected")
    counted = session_report(replace(LOST, transient=state))
    assert (counted.transient, counted.transient_word, counted.transient_due) == (None, None, None)


def test_an_event_without_a_word_is_a_reason_by_itself() -> None:
    record = Record("sales", override=Override(since=NOW, at=NOW, began=NOW, event="closesession"))
    assert session_report(record).reason == "closesession"


def test_a_session_that_nothing_corrects_is_never_told_as_connected() -> None:
    told = session_report(Record("sales", verdict=SignalKind.CONNECTED, known_at=NOW, heard_at=NOW))
    assert told.shows == "gateway"
    assert told.gateway_said is None
    assert told.last_message_at is None


def test_a_released_session_tells_how_and_since_when() -> None:
    told = session_report(Record("sales", released=Release.ALIVE, released_at=NOW))
    assert (told.since, told.reason, told.released) == (moment(NOW), "alive", "alive")


def test_the_gateways_newest_word_is_told() -> None:
    assert session_report(LOST, Word("qr_required", NOW + 3)).gateway_said == "qr_required"
    assert session_report(LOST, Word("qr_required", NOW + 1)).gateway_said == "connected"


def test_a_change_is_told_with_both_its_times() -> None:
    assert change_report(Change("sales", "started", "closesession", NOW, NOW + 1, "connected")) == ChangeLine(
        session="sales",
        change="started",
        reason="closesession",
        at=moment(NOW),
        recorded_at=moment(NOW + 1),
        gateway_said="connected",
    )


def test_a_damage_is_told_in_parts_and_as_a_sentence() -> None:
    damage = Damage(NOW, "unreadable", "/state.db.unreadable", 3, 5, pending=True)
    assert damage_report(damage) == DamageLine(
        at=moment(NOW),
        cause="unreadable",
        sessions=3,
        changes=5,
        pending=True,
        set_aside="/state.db.unreadable",
        text=str(damage),
    )


RULE = ChannelRule(list=((),), id=(("id",),), set={"status": "disconnected"})


def test_a_channel_without_an_event_is_told_with_what_the_list_shows() -> None:
    claim = Claim("qr_required", NOW, False, True, RULE)
    row = Row("shop", "shop", None, (), True, claim, SessionState.NEEDS_QR, "qr_required")
    told = row_report(row, RULE, None, 60.0)
    assert (told.session, told.channel, told.shows, told.state) == ("shop", "shop", "gateway", "needs_qr")
    assert (told.listed, told.list_shows, told.gateway_said) == (True, "qr_required", "qr_required")
    assert told.gateway_said_at == moment(NOW + 60)
    assert (told.last_event, told.known, told.since) == (None, None, None)


def test_a_session_of_events_is_told_by_its_row_in_the_systems_time() -> None:
    row = Row("SALES", None, LOST, ("SALES", "sales"), False, None, SessionState.LOST, None)
    told = row_report(row, RULE, lambda record: replace(record, heard_at=NOW + 5), 5.0)
    assert (told.session, told.state, told.listed, told.last_event_at) == ("SALES", "lost", False, moment(NOW + 5))


def test_every_state_is_counted_and_named() -> None:
    assert counts({SessionState.LOST: 2, SessionState.UNKNOWN: 1}) == {
        "lost": 2, "reported_down": 0, "needs_qr": 0, "connected": 0, "unknown": 1,
    }  # fmt: skip


def test_figures_of_uptime_are_told_of_all_spellings() -> None:
    row = Row("SALES", None, LOST, ("SALES", "sales"), False, None, SessionState.LOST, None)
    asked: list[tuple[str, ...]] = []

    def figures(record: Record, spellings: Sequence[str]) -> Figures:
        asked.append((record.session, *spellings))
        return Figures(NOW, 12.3456, 2, 0.5, "0" * 90)

    told = row_report(row, figures=figures)
    assert asked == [(LOST.session, "SALES", "sales")]
    assert (told.first_heard, told.lost_seconds, told.losses, told.uptime) == (moment(NOW), 12.346, 2, 0.5)
    assert told.days == "0" * 90


def test_an_outage_is_told_with_how_long_it_lasts() -> None:
    one = Outage("sales", NOW, None, "close", "gone", "connected", began_before=True)
    assert outage_report(one, NOW + 60) == OutageLine(
        session="sales", since=moment(NOW), seconds=60.0, reason="close", word="gone", gateway_said="connected",
        began_before=True,
    )  # fmt: skip
    over = outage_report(replace(one, until=NOW + 5, released="operator", released_by="ana"), NOW + 60)
    assert (over.until, over.seconds, over.released, over.released_by) == (moment(NOW + 5), 5.0, "operator", "ana")


def test_a_month_is_told_with_its_uptime() -> None:
    assert month_report("2026-01", None, Share(100.0, 25.0, 2)) == MonthLine(
        month="2026-01", uptime=0.75, lost_seconds=25.0, losses=2
    )
