"""What the doctor makes of lists of every shape, and of the ids that events name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.admin.messages import Session, Sessions
from statusproxy.config.guidance import Guidance
from statusproxy.config.load import loads
from statusproxy.doctor.asking import Asker, Credentials
from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks import channels, shapes
from statusproxy.doctor.looks.channels import corrections, event_ids, nearest
from statusproxy.doctor.paste import Written
from statusproxy.doctor.report import words
from statusproxy.doctor.subject import Subject
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Place
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.identity import ChannelIds
from tests.proxy.harness import Message, Origin, answer

SITE = loads("gateway: http://127.0.0.1:3000")
RULE = SITE.channels[0].rule()


async def ask(said: bytes, text: str = "", secret: str | None = None) -> dict[str, Finding]:
    """What is found where the gateway answers so; the list of sessions has 404."""
    origin = Origin()

    def reply(request: Message) -> bytes:
        return said if request.target == b"/api/channels" else answer(b"{}", status="404 Not Found")

    origin.answer = reply
    await origin.start()
    pool = Pool(Place(host="127.0.0.1", port=origin.port), UpstreamLimits())
    asker = Asker(pool, 4096)
    try:
        found = await channels.lists(
            loads("gateway: http://127.0.0.1:3000\n" + text), asker, Credentials(secret=secret), []
        )
    finally:
        asker.close()
        await origin.stop()
    return {finding.code.partition(".")[2]: finding for finding in reversed(found)}


def listing(*items: Any, **more: Any) -> bytes:
    return answer(json.dumps({"channels": list(items), **more}).encode(), "Content-Type: application/json")


def read(body: bytes) -> ChannelList:
    found = ChannelList(body, RULE)
    found.read()
    return found


def ids(names: Iterable[str]) -> ChannelIds:
    return ChannelIds(dict.fromkeys(names).keys())


SALES = {"id": "sales", "status": "connected"}


@pytest.mark.parametrize(
    ("said", "code", "level"),
    [
        (listing(SALES), "fits", "ok"),
        (listing(), "empty", "note"),
        (answer(b"{}", status="401 Unauthorized"), "secret-wanted", "warning"),
        (answer(b"{}", status="404 Not Found"), "missing", "problem"),
        (answer(b"{}", status="500 Oops"), "refused", "problem"),
        (answer(b"<html>", "Content-Type: text/html; charset=utf-8"), "not-json", "problem"),
        (answer(b"[" * 1_500 + b"]" * 1_500), "too-deep", "problem"),
        (answer(b'{"ok":true}'), "no-list", "problem"),
        (answer(b"{}"), "no-list", "problem"),
        (answer(b'{"result":{"items":[{"id":"a"}]}}'), "list-elsewhere", "problem"),
        (listing({"uid": "a", "status": "connected"}), "no-ids", "problem"),
        (listing({"id": "a", "phase": "connected"}), "no-status", "problem"),
        (listing({"on": True}), "no-id-member", "problem"),
        (listing({"id": "a", "n": 1}), "no-status-member", "problem"),
        (listing(SALES, {"status": "connected", "uid": "b"}), "some-nameless", "warning"),
        (listing(SALES, {"status": True}), "some-no-id-member", "warning"),
        (listing(SALES, {"id": "b", "phase": "connected"}), "some-without-status", "warning"),
        (listing(SALES, {"id": "b"}), "some-no-status-member", "warning"),
        (listing({"id": "a", "status": "WORKING"}), "strange-words", "warning"),
        (listing(SALES, padding="x" * 5000), "too-large", "problem"),
        (answer(b"xx", "Content-Encoding: gzip"), "coded", "problem"),
        (b"", "no-answer", "problem"),
    ],
)
async def test_each_answer_is_told_for_what_it_is(said: bytes, code: str, level: str) -> None:
    if not said:
        said = b"not HTTP\r\n\r\n"
    found = await ask(said)
    assert found[code].level == level


@pytest.mark.slow
async def test_the_fix_names_the_field_that_would_fit() -> None:
    def fix(finding: Finding) -> list[str]:
        first, path, *rest = finding.facts["lines"]
        assert (first, path) == ("channels:", "- path: /api/channels")
        return list(rest)

    found = await ask(answer(b'{"result":{"items":[{"id":"a"}]}}'))
    assert fix(found["list-elsewhere"]) == ["  list: [result.items]"]
    assert fix((await ask(answer(b'[{"id":"a"}]'), "channels: [{path: /api/channels, list: x}]"))["list-elsewhere"])
    found = await ask(listing({"n": 1, "uid": "a", "phase": "open"}, {"n": 1, "uid": "b", "phase": "x"}))
    both = ["  id: [uid]", "  set:", "    phase: disconnected"]  # of two blocks the second would undo the first
    assert fix(found["no-ids"]) == fix(found["no-status"]) == both
    found = await ask(listing({"id": "a", "isConnected": True}))
    assert fix(found["no-status"]) == ["  set:", "    isConnected: false"]


@pytest.mark.parametrize("own", [False, True])
async def test_a_list_of_another_shipped_preset_is_told_with_that_unless_the_file_says_how_it_is_read(
    own: bool,
) -> None:
    origin = Origin()
    v2 = b'[{"id": "1b2c", "name": "sales", "connectionStatus": "open", "token": "t"}]'
    origin.answer = lambda _: answer(v2, "Content-Type: application/json")
    await origin.start()
    asker = Asker(Pool(Place(host="127.0.0.1", port=origin.port), UpstreamLimits()), 4096)
    settings = loads("gateway: http://127.0.0.1:3000\npreset: evolution-v1")
    written = Written({"channels": [{"path": "/instance/fetchInstances"}]} if own else {"preset": "evolution-v1"})
    try:
        found = await channels.lists(settings, asker, Credentials(), [], written)
    finally:
        asker.close()
        await origin.stop()
    told = {finding.code: words(finding, "en") for finding in found if finding.level == "problem"}
    if own:
        assert set(told) == {"channels.no-ids", "channels.no-status"}
        return
    text, fix = told.pop("channels.other-preset")
    assert not told
    assert text == (
        "/instance/fetchInstances is not the list of `preset: evolution-v1`, but looks like that of Evolution API v2: "
        "it is forwarded uncorrected"
    )
    assert (fix or "").startswith("write `preset: evolution-v2` into config.yaml, in place of `preset: evolution-v1`")


async def test_a_list_of_sessions_that_is_not_served_is_no_problem() -> None:
    found = await ask(listing(SALES))
    assert found["not-served"].level == "note"


async def test_a_further_list_of_another_shape_is_a_warning_for_clients_go_by_the_first() -> None:
    more = "list: [x], id: [id], set: {status: off}"
    routes = f"preset: null\nchannels: [{{path: /api/none, {more}}}, {{path: /api/channels, {more}}}]"
    found = await ask(answer(b'{"ok":true}'), routes)
    assert {code: finding.level for code, finding in found.items()} == {"missing": "problem", "no-list": "warning"}
    assert found["no-list"].facts == {"path": "/api/channels", "configured": "x", "members": "ok"}


async def test_the_secret_goes_out_in_its_header_and_never_into_a_text() -> None:
    credentials = Credentials(secret="hush")
    assert "hush" not in repr(credentials)
    found = await ask(answer(b"{}", status="403 Forbidden"), secret="hush")
    assert found["secret-wrong"].level == "problem"


def session(name: str, shows: str = "gateway", **more: Any) -> Session:
    known = Session(
        session=name,
        shows=shows,
        since="2026-01-01T00:00:00.000Z",
        reason="why",
        last_event_at="2026-01-01T00:00:00.000Z",
    )
    return replace(known, **more)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code.partition(".")[2] for finding in findings]


BODY = b'{"channels":[{"id":"Sales Team","status":"connected","connected":true},{"id":"b","status":"qr_required"}]}'
IDS = ["Sales Team", "b"]


def test_a_dry_run_changes_what_the_proxy_would_change() -> None:
    (finding,) = corrections(read(BODY), [session("salesteam", "disconnected")], {})
    assert finding.facts["change"] == 'status "connected" → "disconnected", connected true → false'
    (finding,) = corrections(read(BODY), [session("b", "disconnected")], {})
    assert finding.code == "channels.kept"
    (finding,) = corrections(read(BODY), [session("x", "disconnected")], {"x": "Sales Team"})
    assert finding.code == "channels.corrected"


def test_a_correction_about_to_end_is_told_so() -> None:
    assert codes(corrections(read(BODY), [session("Sales Team", "disconnected", caught_up="qr")], {})) == [
        "about-to-end"
    ]


def test_with_nothing_to_correct_the_first_channel_is_lost_for_trial() -> None:
    (finding,) = corrections(read(BODY), [], {})
    assert finding.facts["change"].startswith('status "connected" → "disconnected"')
    assert corrections(read(b'{"channels":[]}'), [], {}) == []


def test_what_is_corrected_is_not_said_to_be_nothing_where_no_proxy_was_asked() -> None:
    (finding,) = corrections(read(BODY), None, {})
    assert (finding.code, finding.level) == ("channels.rehearsal-unasked", "note")
    assert "what is corrected now is not known, as no running proxy could be asked" in words(finding, "en")[0]
    assert "não se sabe o que é corrigido agora" in words(finding, "pt-BR")[0]
    assert corrections(read(b'{"channels":[]}'), None, {}) == []


def test_hundreds_of_corrections_are_summed_up() -> None:
    names = [f"s{number}" for number in range(100)]
    body = json.dumps({"channels": [{"id": name, "status": "connected"} for name in names]}).encode()
    found = corrections(read(body), [session(name, "disconnected") for name in names], {})
    assert codes(found) == ["corrected"] * 20 + ["more-corrected"]
    assert found[-1].facts["count"] == 80


def test_sessions_that_are_in_no_list_are_not_counted_as_corrected() -> None:
    body = json.dumps({"channels": [{"id": "sales", "status": "connected"}]}).encode()
    lost = [session(f"gone{number}", "disconnected") for number in range(65)]
    assert codes(corrections(read(body), [*lost, session("sales", "disconnected")], {})) == ["corrected"]


def test_ids_match_exactly_folded_or_by_alias() -> None:
    known = [session("Sales Team"), session("SALESTEAM"), session("x")]
    assert codes(event_ids(known, ids(IDS), {"X": "b"})) == ["ids-match"]


def test_an_id_that_is_no_channel_is_a_problem_only_while_a_channel_like_it_reads_wrong() -> None:
    for name, shows, code, level in (
        ("nobody", "gateway", "id-unknown", "warning"),
        ("nobody", "disconnected", "id-unknown", "warning"),  # mostly one that was deleted
        ("sales-team-1", "gateway", "id-alias", "warning"),
        ("sales-team-1", "disconnected", "id-alias", "problem"),
    ):
        first, *_ = event_ids([session(name, shows)], ids(IDS), {})
        assert (first.code, first.level) == (f"channels.{code}", level)
    assert event_ids([session("nobody", released="deleted")], ids(IDS), {}) == []
    assert event_ids([session("nobody", last_event_at=None)], ids(IDS), {}) == []


def test_an_id_that_several_channels_fold_to_is_told() -> None:
    finding, *_ = event_ids([session("AB")], ids(["ab", "A B"]), {"old": "x"})
    assert finding.code == "channels.ambiguous"
    assert finding.facts["lines"] == ("sessions:", "  aliases:", "    old: x", "    AB: A B")


def test_all_aliases_that_are_told_stand_in_one_block() -> None:
    found = event_ids([session("AB"), session("shop-1-x")], ids(["ab", "A B", "Shop 1"]), {})
    wanted = ("sessions:", "  aliases:", "    AB: A B", "    shop-1-x: Shop 1")
    assert {one.code: one.facts["lines"] for one in found if "lines" in one.facts} == {
        "channels.ambiguous": wanted,
        "channels.id-alias": wanted,
    }


def test_white_space_at_the_edge_of_an_id_shows_among_several() -> None:
    found = {one.code: one.facts for one in event_ids([session("AB"), session("x")], ids(["ab", "AB ", "x"]), {})}
    assert found["channels.ambiguous"]["channels"] == '"AB ", ab'
    unheard = found["channels.unheard"]
    assert unheard["channels"] == 'ab, "AB "'
    alias, *_ = event_ids([session("shop-1-x ")], ids(["Shop 1"]), {})
    assert (alias.code, alias.facts["sessions"]) == ("channels.id-alias", '"shop-1-x " (Shop 1?)')


def test_many_unknown_sessions_are_one_line_and_a_warning() -> None:
    sessions = [session(f"zz{number}", "disconnected") for number in range(5000)]
    (finding,) = [each for each in event_ids(sessions, ids(IDS), {}) if each.level != "note"]
    assert (finding.code, finding.level, finding.facts["count"]) == ("channels.id-unknown", "warning", 5000)
    text, fix = words(finding, "en")
    assert ": zz0, zz1, " in text
    assert len(text) < 200
    assert "statusproxy forget -- zz0 …" in (fix or "")


def test_sessions_that_are_like_channels_are_one_line_with_all_their_aliases() -> None:
    channels = [f"Shop {number}" for number in range(10, 20)]
    sessions = [session(f"shop-{number}-x") for number in range(10, 20)]
    (finding,) = [each for each in event_ids(sessions, ids(channels), {"old": "alias"}) if each.level != "note"]
    assert finding.code == "channels.id-alias"
    assert finding.facts["lines"][:2] == ("sessions:", "  aliases:")
    assert "    old: alias" in finding.facts["lines"]
    assert "    shop-10-x: Shop 10" in finding.facts["lines"]


@pytest.mark.parametrize(
    ("event", "near"),
    [
        ("front_desk", "Front Desk"),
        ("wpp-suport", "wpp-support"),
        ("55 00 1234", "55001234"),
        ("nothing like it", None),
        ("", None),
        ("a-1", None),  # two channels are as near
    ],
)
def test_the_nearest_channel_is_suggested_only_where_one_is_near(event: str, near: str | None) -> None:
    assert nearest(event, ["Front Desk", "wpp-support", "55001234", "A 1", "A.1"]) == near


def test_lists_are_found_wherever_they_stand() -> None:
    document = {"a": {"b": [{"id": "x"}, {"id": "y"}]}, "n": [1, 2], "e": [], "dotted.key": [{"id": 1}]}
    assert shapes.lists_in(document) == ["a.b"]
    assert shapes.lists_in([{"id": "x"}]) == ['""']
    assert shapes.ids_in([{"on": True, "k": "a"}, {"on": False, "k": "b"}]) == ["k"]
    assert shapes.ids_in(["bare"]) == []


@pytest.mark.parametrize(("answers", "codes"), [(None, []), (False, ["channels.not-checked"])])
async def test_no_list_is_asked_for_where_the_gateway_does_not_answer(answers: bool | None, codes: list[str]) -> None:
    subject = Subject(loads("gateway: http://127.0.0.1:9"), gateway_answers=answers)
    assert [one.code for one in await channels.look(subject)] == codes


async def test_the_subjects_gateway_is_asked_for_its_lists() -> None:
    origin = Origin()
    origin.answer = answer(b"{}", status="404 Not Found")
    await origin.start()
    subject = Subject(loads(f"gateway: http://127.0.0.1:{origin.port}"), gateway_answers=True)
    assert [one.code for one in await channels.look(subject)] == ["channels.missing", "channels.not-served"]
    await origin.stop()


Replies = Mapping[bytes, object]
"""What the gateway answers to each path: a document, or a status line."""


async def looked(origin: Origin, replies: Replies, text: str, *sessions: Session) -> list[tuple[str, str]]:
    """Codes and levels found where the gateway answers so, and 404 to everything else."""

    def reply(request: Message) -> bytes:
        said = replies.get(request.target, "404 Not Found")
        return answer(b"{}", status=said) if isinstance(said, str) else answer(json.dumps(said).encode())

    origin.answer = reply
    subject = Subject(loads(f"gateway: {origin.url}\n{text}"), gateway_answers=True)
    subject.sessions = Sessions(sessions=list(sessions))
    return [(one.code.partition(".")[2], one.level) for one in await channels.look(subject)]


ONE = "preset: null\nwebhooks: []\nevents: []\nchannels:\n"
ONE += "  - {path: /list, list: [items], id: [id], set: {status: gone}}\n"
ONE += "  - {path: /one, list: [data], id: [id], set: {status: gone}, one: true}\n"
LIST = {"items": [{"id": "sales", "status": "connected"}]}


@pytest.mark.parametrize(
    ("reply", "code", "level"),
    [
        ({"data": {"id": "sales", "status": "connected"}}, "single-fits", "ok"),
        ({"data": {"id": "sales", "phase": "up"}}, "single-no-status", "warning"),
        ({"data": {"status": "connected"}}, "single-no-id", "warning"),
        ({"other": {}}, "single-no-object", "warning"),
        ("401 Unauthorized", "single-refused", "note"),
        ("500 Oops", "single-refused", "note"),
        ("404 Not Found", "single-refused", "note"),
    ],
)
async def test_a_route_about_one_session_that_names_it_itself_is_looked_at(
    origin: Origin, reply: object, code: str, level: str
) -> None:
    assert await looked(origin, {b"/list": LIST, b"/one": reply}, ONE) == [
        ("fits", "ok"), ("rehearsal", "ok"), (code, level),
    ]  # fmt: skip


async def test_a_list_that_is_one_session_at_times_is_read_as_what_it_is(origin: Origin) -> None:
    one = {"instance": {"instanceName": "sales", "status": "open"}}
    asked = b"/instance/connectionState/sales"
    state = {"instance": {"instanceName": "sales", "state": "open"}}
    preset = "preset: evolution-v1"
    lost = session("support", "disconnected", word="401")
    found = await looked(origin, {b"/instance/fetchInstances": [one], asked: state}, preset, lost)
    assert found == [
        ("fits", "ok"), ("words", "note"), ("id-unknown", "warning"), ("unheard", "note"), ("single-fits", "ok"),
        ("way-back", "note"),
    ]  # fmt: skip
    found = await looked(origin, {b"/instance/fetchInstances": one, asked: state}, preset, lost)
    assert found == [("single-fits", "ok"), ("words", "note"), ("single-fits", "ok"), ("way-back", "note")]


async def test_where_there_is_no_list_the_sessions_that_the_proxy_knows_are_asked_about(origin: Origin) -> None:
    status = {"status": "CONNECTED", "qrcode": None}
    live = {"status": True, "message": "Connected"}
    replies = {b"/api/Sales%20Team/status-session": status, b"/api/Sales%20Team/check-connection-session": live}
    found = await looked(origin, replies, "preset: wppconnect-server", session("Sales Team"))
    assert found == [("single-fits", "ok"), ("single-fits", "ok")]
    assert await looked(origin, replies, "preset: wppconnect-server") == [("single-no-session", "note")] * 2


async def test_a_single_answer_that_is_too_large_is_a_warning_by_its_route(origin: Origin) -> None:
    text = "limits: {corrected: 1KiB}\npreset_without: [/api/available-sessions]"
    single = {"channel": {"id": "sales", "status": "connected", "padding": "x" * 2000}}
    origin.answer = lambda request: answer(
        json.dumps({"channels": [SALES]} if request.target == b"/api/channels" else single).encode()
    )
    subject = Subject(loads(f"gateway: {origin.url}\n{text}"), gateway_answers=True)
    found = {one.code: one for one in await channels.look(subject)}
    one = found["channels.too-large"]
    assert (one.level, one.facts["path"]) == ("warning", "/api/channels/{session}")


async def test_the_lists_words_are_explained_where_they_do_not_speak_for_themselves(origin: Origin) -> None:
    origin.answer = answer(b'[{"name":"sales","status":"SCAN_QR_CODE"},{"name":"b","status":"NEW"}]')
    subject = Subject(loads(f"gateway: {origin.url}\npreset: waha"), gateway_answers=True)
    (one,) = [each for each in await channels.look(subject) if each.code == "channels.words"]
    assert one.facts["words"] == (("SCAN_QR_CODE", "scan"), ("NEW", ""))
    assert words(one, "en")[0] == "/api/sessions says SCAN_QR_CODE (waiting for the QR scan), NEW"
    assert words(one, "pt-BR")[0] == "/api/sessions diz SCAN_QR_CODE (esperando a leitura do QR code), NEW"


def test_words_that_say_what_they_mean_are_not_explained() -> None:
    told = Guidance(states={"connected": "connected", "Disconnected": "disconnected", "open": "connected"})
    body = b'{"channels":[{"id":"a","status":"connected"},{"id":"b","status":"disconnected","connected":false}]}'
    assert channels.own_words("/x", read(body), told) == []
    body = b'{"channels":[{"id":"a","status":"open"}]}'
    assert [one.code for one in channels.own_words("/x", read(body), told)] == ["channels.words"]


def test_a_transient_state_is_told_with_the_time_from_which_it_counts() -> None:
    state = {"transient": "connection.update connecting", "transient_due": "2026-01-15T19:08:36.490Z"}
    (one,) = channels.transients([session("sales", **state), session("support")])
    assert words(one, "en")[0] == (
        "sales: connection.update connecting; nothing is corrected yet. It is shown as lost from "
        "2026-01-15T19:08:36.490Z on if this lasts"
    )
    many = channels.transients([session(f"s{number}", **state) for number in range(23)])
    assert (len(many), many[-1].code, many[-1].facts) == (21, "channels.more-transient", {"count": 3})


async def test_the_way_back_is_told_while_a_session_is_lost(origin: Origin) -> None:
    listed = {b"/api/sessions": [{"name": "sales", "status": "WORKING"}]}
    lost = session("sales", "disconnected", word="FAILED")
    assert ("way-back", "note") in await looked(origin, listed, "preset: waha", lost)
    assert ("way-back", "note") not in await looked(origin, listed, "preset: waha", session("sales"))


async def test_a_gateway_that_ends_the_connection_gave_no_answer() -> None:
    subject = Subject(loads("gateway: http://127.0.0.1:9"), gateway_answers=True)
    assert {one.code for one in await channels.look(subject)} == {"channels.no-answer"}


async def test_a_list_that_hangs_is_given_up_within_a_persons_patience(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "PATIENCE", 0.01)
    origin.answer = b""
    subject = Subject(loads(f"gateway: {origin.url}\npreset_without: /api/available-sessions"))
    subject.gateway_answers = True
    assert [(one.code, one.level) for one in await channels.look(subject)] == [("channels.hangs", "problem")]


async def test_a_document_without_any_field_says_so(origin: Origin) -> None:
    origin.answer = answer(b"{}")
    subject = Subject(loads(f"gateway: {origin.url}\npreset_without: /api/available-sessions"))
    subject.gateway_answers = True
    (finding,) = await channels.look(subject)
    assert (finding.code, finding.facts["members"]) == ("channels.no-list", "–")
