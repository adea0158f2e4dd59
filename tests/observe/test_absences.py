"""What was missing is counted by peer, within bounds, and logged again only after an hour."""

from __future__ import annotations

import pytest

from statusproxy.observe.absences import CLIENT, HOUR, OTHER, PEERS, UPGRADE, AbsenceReport, Absences


def test_each_peer_and_each_lack_has_its_tally() -> None:
    absences = Absences()
    absences.note(CLIENT, "10.0.0.2", 1.0, webhook=True)
    absences.note(CLIENT, "10.0.0.2", 2.0, webhook=False)
    absences.note(UPGRADE, "10.0.0.2", 3.0, webhook=False)
    assert absences.report() == [
        AbsenceReport(missing="client", peer="10.0.0.2", count=2, webhooks=1, last=2.0),
        AbsenceReport(missing="upgrade", peer="10.0.0.2", count=1, webhooks=0, last=3.0),
    ]
    assert absences.counts == {CLIENT: 2, UPGRADE: 1}


def test_peers_beyond_the_bound_share_a_line(caplog: pytest.LogCaptureFixture) -> None:
    absences = Absences()
    for number in range(1000):
        absences.note(CLIENT, f"10.0.1.{number}", 1.0, webhook=False)
    assert len(absences.report()) == PEERS + 1
    assert absences.report()[-1].peer == OTHER
    assert len(caplog.records) == PEERS + 1


def test_what_goes_on_is_logged_each_hour_and_what_ended_an_hour_ago_is_over(caplog: pytest.LogCaptureFixture) -> None:
    absences = Absences()
    for now in (0.0, 1.0, HOUR - 1, HOUR + 1, HOUR + 2):
        absences.note(UPGRADE, "10.0.0.2", now, webhook=False)
    assert len(caplog.records) == 2
    assert absences.going_on(HOUR + 3) == [UPGRADE]
    assert absences.going_on(2 * HOUR + 3) == []
