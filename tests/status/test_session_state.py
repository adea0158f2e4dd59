"""How a session stands, by what the gateway's list shows of it: never guessed, and known for every preset's words."""

import json

import pytest

from statusproxy.config.layers import STATES, about, preset_names
from statusproxy.config.load import loads
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.session_state import Claim, Meanings, SessionState, claim_of, list_shows, session_state
from statusproxy.status.set_values import by_word

LOST, DOWN, QR, CONNECTED, UNKNOWN = SessionState

RULE = ChannelRule(
    list=((),),
    id=(("id",),),
    set={"status": "disconnected", "connected": False},
    keep=frozenset({"disconnected", "qr_required", "starting", "asleep"}),
)
TRUTHS = ChannelRule(list=((),), id=(("id",),), set={"connected": False, "loggedIn": False}, keep=frozenset({"false"}))
MEANINGS = Meanings(
    {
        "Connected": "connected",
        "qr_required": "scan",
        "STARTING": "starting",
        "gone": "logged-out",
        "paired": "connected",
    }
)


def claim(rule: ChannelRule = RULE, /, **members: object) -> Claim | None:
    """What a list says of a channel with these members."""
    listing = ChannelList(json.dumps([{"id": "sales", **members}]).encode(), rule)
    listing.read()
    return claim_of(listing, "sales", 5.0)


def state(said: Claim | None, *, lost: bool = False, told_connected: bool = False) -> SessionState:
    return session_state(lost=lost, claim=said, told_connected=told_connected, meanings=MEANINGS)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"status": "connected"}, CONNECTED),
        ({"status": " OPEN "}, CONNECTED),
        ({"status": "disconnected"}, DOWN),
        ({"status": "qr_required"}, QR),
        ({"status": "Starting"}, QR),
        ({"status": "asleep"}, DOWN),
        ({"status": "gone"}, DOWN),
        ({"status": "paired"}, CONNECTED),
        ({"status": "no such word"}, UNKNOWN),
        ({"connected": True}, CONNECTED),
        ({"connected": False}, DOWN),
        ({"status": "connected", "connected": False}, CONNECTED),
        ({"status": "disconnected", "connected": True}, DOWN),
        ({"status": ["connected"]}, UNKNOWN),
        ({}, UNKNOWN),
    ],
    ids=json.dumps,
)
def test_the_gateways_word_says_how_a_session_stands(members: dict[str, object], expected: SessionState) -> None:
    assert state(claim(RULE, **members)) is expected


@pytest.mark.parametrize(
    ("connected", "logged_in", "expected"), [(True, True, CONNECTED), (True, False, DOWN), (False, False, DOWN)]
)
def test_truth_values_say_it_too(connected: bool, logged_in: bool, expected: SessionState) -> None:
    assert state(claim(TRUTHS, connected=connected, loggedIn=logged_in)) is expected


def test_of_two_that_disagree_the_word_is_the_one_that_counts() -> None:
    said = claim(TRUTHS, connected=True, loggedIn=False)
    assert said is not None
    assert said.word == "loggedIn: false"
    said = claim(status="qr_required", connected=True)
    assert said is not None
    assert said.word == "qr_required"
    assert state(said) is QR


def test_a_correction_in_force_is_lost_whatever_the_gateway_says() -> None:
    for said in (None, claim(status="connected"), claim(status="qr_required"), claim(status="disconnected")):
        assert state(said, lost=True, told_connected=True) is LOST


def test_where_the_gateway_says_nothing_an_event_does() -> None:
    assert state(None, told_connected=True) is CONNECTED
    assert state(None) is UNKNOWN


def test_a_word_that_nobody_knows_goes_before_what_events_told() -> None:
    assert state(claim(status="no such word"), told_connected=True) is UNKNOWN
    assert state(claim(status="disconnected"), told_connected=True) is DOWN


def test_a_meaning_that_is_not_known_says_nothing() -> None:
    assert Meanings({"open": "of another version"}).of("open") is None


def test_the_list_shows_the_gateways_word_or_what_corrects_it() -> None:
    assert list_shows(None, lost=True, word="close") is None
    assert list_shows(claim(status="connected"), lost=False, word=None) == "connected"
    assert list_shows(claim(status="connected"), lost=True, word="close") == "disconnected"
    assert list_shows(claim(status="qr_required"), lost=True, word="close") == "qr_required", "it tells more"
    assert list_shows(claim(TRUTHS, connected=True), lost=True, word=None) == "connected: false"
    by_event = ChannelRule(list=((),), id=(("id",),), set={"status": by_word({"failed": "FAILED"})})
    assert list_shows(claim(by_event, status="open"), lost=True, word="failed") == "FAILED"
    assert list_shows(claim(by_event, status="open"), lost=True, word="other") == "open", "nothing is set for it"


def test_each_meaning_that_presets_use_is_a_state() -> None:
    assert all(Meanings({"word": meaning}).of("word") is not None for meaning in STATES)


EXPECTED = {
    "connected": CONNECTED,
    **dict.fromkeys(("scan", "action", "starting", "connecting"), QR),
    **dict.fromkeys(("unscanned", "disconnected", "logged-out", "stopped", "failed", "banned", "outdated"), DOWN),
}


@pytest.mark.parametrize("preset", preset_names())
def test_every_word_of_a_presets_lists_has_the_state_that_it_means(preset: str) -> None:
    """Each word that a corrected route keeps, takes for connected or sets, read from a list."""
    settings = loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}")
    said = about(preset)
    assert said is not None
    means = {word.lower(): EXPECTED[meaning] for word, meaning in said.states.items()}
    meanings = Meanings(said.states)
    for channel in settings.channels:
        rule = channel.rule()
        for words, otherwise in ((rule.keep, DOWN), (rule.connected, CONNECTED)):
            for word in words:
                listing = ChannelList(_document(rule, word), rule, "sales")
                listing.read()
                found = session_state(
                    lost=False, claim=claim_of(listing, "sales", 5.0), told_connected=False, meanings=meanings
                )
                if word in ("true", "false") or means.get(word.lower()) is None:
                    assert found is otherwise, (channel.path, word)
                else:
                    assert found is means[word.lower()], (channel.path, word)


def _document(rule: ChannelRule, word: str) -> bytes:
    """One channel whose first status that can hold it says this word."""
    value: object = {"true": True, "false": False}.get(word, word)
    name = next((one for one in rule.set if isinstance(rule.set[one], bool) is isinstance(value, bool)), None)
    document: object = value
    for key in reversed((name or next(iter(rule.set))).split(".")):
        document = {key: document}
    for key in reversed(rule.list[0]):
        document = {str(key): document}
    return json.dumps(document).encode()


def test_a_channel_that_takes_long_to_read_claims_nothing_until_it_has_been_read() -> None:
    body = b'[{"id":"sales","status":"Connected",%b"z":1}]' % (b'"x":1,' * 5_000)
    listing = ChannelList(body, RULE)
    listing.read()
    assert claim_of(listing, "sales", 5.0) is None
    for _ in listing.read_objects(["sales"], RULE.object_reader):
        pass
    said = claim_of(listing, "sales", 5.0)
    assert said is not None
    assert said.word == "Connected"


def test_states_are_named_as_pages_metrics_and_commands_show_them() -> None:
    assert [str(one) for one in SessionState] == ["lost", "reported_down", "needs_qr", "connected", "unknown"]
