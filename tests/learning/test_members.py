"""What a member's name suggests."""

import pytest

from statusproxy.learning import members


def test_names_compare_without_case_and_separators() -> None:
    assert members.fold("session_Id") == members.fold("sessionId") == members.fold("session-id") == "sessionid"


def test_a_usual_name_ranks_before_a_rare_one_and_any_other_last() -> None:
    names = [members.rank(name, members.SESSIONS) for name in ("session", "instanceName", "name", "zone")]
    assert names == sorted(names)
    assert names[-1] == len(members.SESSIONS)


def test_where_people_and_secrets_stand_nothing_is_kept() -> None:
    assert all(map(members.is_private, ("pushName", "body", "apikey", "from", "session", "name", "code")))
    assert not any(map(members.is_private, ("status", "event", "reason", "phase")))


def test_events_and_states_are_told_by_their_names() -> None:
    assert members.names_event("dataType")
    assert not members.names_event("status")
    assert members.names_state("connection_status")
    assert not members.names_state("body")


def test_ids_are_told_by_their_names() -> None:
    assert all(map(members.is_id, ("session", "remoteJid", "instanceToken", "userID", "phone")))
    assert not members.is_id("status")


@pytest.mark.parametrize(
    ("name", "names"),
    [("h", True), ("acct", True), ("label", True), ("phone", False), ("status", False), ("auth_tok", False)],
)
def test_a_member_that_may_name_a_session_holds_no_address_no_secret_and_no_state(name: str, names: bool) -> None:
    assert members.is_naming(name) is names


@pytest.mark.parametrize(
    ("name", "connected"),
    [("isOnline", True), ("logged_in", True), ("Offline", False), ("loggedOut", False), ("x", None)],
)
def test_a_flag_says_what_true_means(name: str, connected: bool | None) -> None:
    assert members.flag_connected(name) is connected
