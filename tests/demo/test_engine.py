"""The stand-in engine lies where the real one lies, and reconnects in both of its ways."""

from __future__ import annotations

import pytest

from statusproxy.demo.engine import Dialog, Engine, Line


def test_an_unlinked_phone_is_still_called_connected() -> None:
    engine = Engine()
    engine.link("sales")
    assert engine.unlink("sales") == [{"event": "status-find", "session": "sales", "status": "disconnectedMobile"}]
    assert engine.check("sales") == "CONNECTED"
    assert engine.line("sales") is Line.LOST


def test_a_plain_session_hands_out_a_qr_code_at_once() -> None:
    engine = Engine()
    engine.link("sales")
    engine.unlink("sales")
    answer, events = engine.qr("sales")
    assert answer.code is not None
    assert [event["event"] for event in events] == ["qrcode"]
    assert engine.check("sales") == "QRCODE"


def test_a_stubborn_session_insists_on_being_connected_until_it_is_created_anew() -> None:
    engine = Engine({"sales": Dialog.AFTER_DELETE})
    engine.link("sales")
    engine.unlink("sales")
    said = [engine.qr("sales")[0].status for _ in range(5)]
    engine.delete("sales")
    engine.create("sales")
    said += [engine.qr("sales")[0].status for _ in range(3)]
    assert said == ["CONNECTED"] * 5 + ["INITIALIZING", "INITIALIZING", "QRCODE"]


def test_a_scan_links_the_session_and_the_engine_says_so() -> None:
    engine = Engine()
    engine.wait_for_qr("sales")
    assert [event["status"] for event in engine.scan("sales")] == ["qrReadSuccess", "inChat"]
    assert engine.line("sales") is Line.LINKED


def test_without_a_code_there_is_nothing_to_scan() -> None:
    engine = Engine()
    engine.link("sales")
    engine.unlink("sales")
    assert engine.scan("sales") == []
    assert engine.line("sales") is Line.LOST


def test_a_linked_session_has_no_qr_code() -> None:
    engine = Engine()
    engine.link("sales")
    assert engine.qr("sales")[0].code is None
    assert engine.line("sales") is Line.LINKED


def test_creating_a_session_that_is_there_leaves_it_alone() -> None:
    engine = Engine()
    engine.link("sales")
    engine.create("sales")
    assert engine.line("sales") is Line.LINKED


def test_each_qr_code_is_another() -> None:
    engine = Engine()
    engine.wait_for_qr("sales")
    assert engine.qr("sales")[0].code != engine.qr("sales")[0].code


def test_the_truth_is_told_to_the_story_alone() -> None:
    engine = Engine()
    engine.link("sales")
    assert engine.really_connected("sales")
    engine.unlink("sales")
    assert (engine.check("sales"), engine.really_connected("sales")) == ("CONNECTED", False)
    assert not engine.really_connected("nobody")


def test_an_unknown_session_is_an_error() -> None:
    with pytest.raises(KeyError):
        Engine().check("sales")


def test_the_sessions_are_in_the_order_of_their_creation() -> None:
    engine = Engine()
    engine.link("sales")
    engine.create("support")
    engine.wait_for_qr("night")
    assert engine.sessions() == ("sales", "support", "night")
