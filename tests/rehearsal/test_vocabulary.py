"""Which members of a body may be shown, and which names read as a loss."""

import pytest

from statusproxy.rehearsal.vocabulary import is_other_traffic, looks_like_loss, members, name_shown


def shown(document: object) -> list[str]:
    return [f"{one.name}: {one.value}" for one in members(document)]


@pytest.mark.parametrize(
    "name",
    ["LoggedOut", "logged_out", "session.closed", "connection.lost", "disconected", "desconnectedMobile", "caiu"],
)
def test_a_loss_is_told_by_its_words(name: str) -> None:
    assert looks_like_loss(name)
    assert not is_other_traffic(name)


@pytest.mark.parametrize("name", ["connection.update", "open", "disclosure", "qrReadSuccess", "ready"])
def test_other_names_read_as_no_loss(name: str) -> None:
    assert not looks_like_loss(name)


@pytest.mark.parametrize("name", ["messages.upsert", "message.ack", "qrcode", "QRCODE_UPDATED", "onselfmessage"])
def test_messages_codes_and_contacts_are_other_traffic(name: str) -> None:
    assert is_other_traffic(name)


@pytest.mark.parametrize("name", ["foo", "connection.update", "qrcode.closed"])
def test_an_event_of_an_unknown_kind_is_not_taken_for_other_traffic(name: str) -> None:
    assert not is_other_traffic(name)


def test_the_member_called_like_an_event_comes_first() -> None:
    document = {"data": {"state": "close"}, "why": "logged out", "dataType": "disconnected", "kind": "Zebra"}
    assert shown(document) == ["dataType: disconnected", "kind: Zebra", "data.state: close", "why: logged out"]


def test_true_and_false_are_shown_where_they_say_whether_a_session_is_connected() -> None:
    document = {"info": {"online": False}, "offline": True, "fromMe": True, "loggedIn": "x"}
    assert shown(document) == ["offline: true", "info.online: false"]


@pytest.mark.parametrize(
    "document",
    [
        {"token": "closed", "apikey": "connection", "pushName": "open", "text": "closed", "message": "Logout"},
        {"status": "At the beach", "type": "5511999990000", "event": "a sentence. And another"},
        {"type": 7, "kind": None, "action": ["closed"], "event": ""},
        {"5511999990000@c.us": {"type": "closed"}},
        {"one": {"two": {"three": {"type": "closed"}}}},
        ["type"],
        "closed",
    ],
)
def test_texts_numbers_names_and_secrets_are_never_shown(document: object) -> None:
    assert shown(document) == []


def test_so_many_members_are_shown_and_so_many_looked_at() -> None:
    assert len(members({name: {"type": "closed"} for name in "abcdefgh" for name in (name * 2,)})) == 5
    assert shown({**{f"n{'a' * n}": 0 for n in range(38)}, "type": "closed"}) == ["type: closed"]
    many: dict[str, object] = {a + b + c: 0 for a in "abcdefghi" for b in "abcdefghi" for c in "abcdefghi"}
    assert shown({**many, "type": "closed"}) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("phoneUnlinked", "phoneUnlinked"),
        ("session.v2", "session.v2"),
        ("not logged in", "not logged in"),
        ("5511999990000", "…"),
        ("B6D711FCDE4D4FD5936544120E713976", "…"),
        ("at work until five this afternoon", "…"),
        ("a" * 61, "…"),
        ("what?!", "…"),
    ],
)
def test_an_unknown_word_is_shown_where_it_can_be_nothing_else(text: str, says: str) -> None:
    assert name_shown(text) == says
