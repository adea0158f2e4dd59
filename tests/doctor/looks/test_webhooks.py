"""What the doctor concludes from what a running proxy counted."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from statusproxy.admin.messages import SelfReport, read
from statusproxy.config.guidance import guidance
from statusproxy.config.load import loads
from statusproxy.doctor.looks.webhooks import look, webhooks
from statusproxy.doctor.report import Language, words
from statusproxy.doctor.subject import Subject
from statusproxy.doctor.words import en, pt_br

SITE = loads("gateway: http://127.0.0.1:3000")


def report(**webhooks: Any) -> SelfReport:
    seen: dict[str, Any] = {
        "last_heard": 99_990.0,
        "heard": 9,
        "gap": 30.0,
        "senders": [{"address": "10.0.0.2", "believed": 9, "doubts": {}, "last": 99_990.0}],
        "paths": [{"path": "/v1/webhooks/receive", "count": 9, "last": 99_990.0, "gap": 30.0, "statuses": {"200": 9}}],
        "events": [{"event": "onmessage", "verdict": "applied", "count": 9}],
        "clock": {"timed": 0, "lag": None, "ahead": 0},
    }
    strangers = webhooks.pop("strangers", [])
    absences = webhooks.pop("absences", [])
    document = {
        "version": "1", "pid": 1, "settings": "", "health": {"status": "ok", "store": "ok", "gateway": "ok"},
        "now": 100_000.0, "started": 0.0, "webhooks": seen | webhooks, "forwarding_strangers": strangers,
        "absences": absences,
    }  # fmt: skip
    return read(document, SelfReport)


async def levels(**changes: Any) -> dict[str, str]:
    return {finding.code.partition(".")[2]: finding.level.value for finding in await webhooks(SITE, report(**changes))}


def sender(address: str, trusted: int = 0, **untrusted: int) -> dict[str, Any]:
    return {"address": address, "believed": trusted, "doubts": untrusted, "last": 1.0}


async def test_all_well() -> None:
    assert await levels() == {"seen": "ok"}


WAHA = loads("gateway: http://127.0.0.1:3000\npreset: waha\nlisten: 10.0.0.2:8090")


async def test_a_gateway_that_posts_its_events_itself_is_told_with_the_place_where_its_url_is_set() -> None:
    told = guidance(WAHA)
    (finding,) = await webhooks(WAHA, report(senders=[], paths=[], events=[]), told=told)
    assert (finding.code, finding.level) == ("webhooks.none-posted", "problem")
    assert finding.facts["set_url"] == told.set_url
    english, portuguese = (words(finding, language)[1] or "" for language in get_args(Language))
    assert english.startswith("in WAHA, set the webhook URL to http://10.0.0.2:8090/webhook/waha ")
    assert portuguese.startswith("no gateway (WAHA), defina a URL de webhook como http://10.0.0.2:8090/webhook/waha ")
    for fix in (english, portuguese):
        assert "\n\x02WHATSAPP_HOOK_URL=http://10.0.0.2:8090/webhook/waha WHATSAPP_HOOK_EVENTS=" in fix
    early = msgspec.structs.replace(report(senders=[], paths=[], events=[]), started=100_000.0 - 300)
    (finding,) = await webhooks(WAHA, early, told=told)
    assert (finding.code, finding.level) == ("webhooks.none-posted", "warning")
    (finding,) = await webhooks(WAHA, None, told=told)
    assert (finding.code, finding.level) == ("webhooks.not-known-yet", "note")
    assert [one.code for one in await look(Subject(WAHA, serves_unasked=True))] == ["webhooks.not-asked"]


async def test_the_url_that_is_to_be_looked_at_again_is_the_gateways() -> None:
    (finding,) = await webhooks(
        WAHA, report(senders=[], paths=[], events=[]), heard_before=40_000.0, told=guidance(WAHA)
    )
    assert finding.code == "webhooks.none-any-more"
    assert "http://10.0.0.2:8090/webhook/waha." in str(words(finding, "en")[1])


async def test_events_passed_on_to_a_hub_are_all_there_is_where_the_gateway_posts_them_itself() -> None:
    hub = "http://hub.example/webhook/**"
    text = f"gateway: http://127.0.0.1:3000\npreset: waha\nwebhooks: [{{path: '/webhook/**', forward_to: '{hub}'}}]"
    settings = loads(text)
    path = {"path": "/webhook/**", "count": 9, "last": 99_990.0, "gap": 30.0, "statuses": {"200": 9}}
    found = await webhooks(settings, report(paths=[path]), told=guidance(settings))
    assert [one.code for one in found] == ["webhooks.seen"]


async def test_webhooks_that_stopped_coming() -> None:
    assert await levels(last_heard=50_000.0) == {"silent": "warning"}


async def test_a_quarter_of_an_hour_is_long_only_where_they_came_often() -> None:
    assert await levels(last_heard=100_000.0 - 1000) == {"seen": "ok"}
    assert await levels(last_heard=100_000.0 - 1000, heard=500) == {"silent": "warning"}
    assert await levels(last_heard=100_000.0 - 1000, heard=500, gap=120.0) == {"seen": "ok"}


async def test_one_way_that_stopped_while_another_goes_on_is_told() -> None:
    paths = [
        {"path": "/v1/webhooks/receive", "count": 500, "last": 98_000.0, "gap": 30.0, "statuses": {"200": 500}},
        {"path": "/hub/webhook", "count": 500, "last": 99_990.0, "gap": 30.0, "statuses": {"200": 500}},
    ]
    assert await levels(paths=paths) == {"seen": "ok", "path-silent": "warning"}
    paths[0]["count"] = 3
    assert await levels(paths=paths) == {"seen": "ok"}


async def test_sessions_heard_of_before_a_start_show_that_webhooks_came_then() -> None:
    said = report(senders=[], paths=[], events=[])
    (finding,) = await webhooks(SITE, said, heard_before=40_000.0)
    assert (finding.code, finding.level, finding.facts["last"]) == ("webhooks.none-any-more", "problem", "17 h")
    (finding,) = await webhooks(SITE, said)
    assert finding.code == "webhooks.none"


async def test_after_a_reload_that_trusts_others_nobody_is_blamed_for_what_came_before() -> None:
    (finding,) = await webhooks(SITE, report(senders=[]))
    assert (finding.code, finding.level, finding.facts) == ("webhooks.none-since-reload", "note", {"count": 9})


async def test_events_on_their_way_to_the_hub_alone_are_not_enough() -> None:
    site = loads(
        "gateway: http://127.0.0.1:3000\n"
        "webhooks: [{path: /v1/webhooks/receive}, {path: /hub/webhook, forward_to: http://hub.example/in}]"
    )
    paths = [{"path": "/hub/webhook", "count": 9, "last": 99_990.0, "gap": 30.0, "statuses": {"200": 9}}]
    found = {finding.code.partition(".")[2]: finding for finding in await webhooks(site, report(paths=paths))}
    assert {code: finding.level for code, finding in found.items()} == {
        "seen": "ok",
        "outbound-only": "warning",
        "idle-paths": "note",
    }
    assert found["idle-paths"].facts == {"paths": "/v1/webhooks/receive"}


async def test_the_first_minutes_after_a_start_tell_nothing() -> None:
    said = msgspec.structs.replace(report(senders=[], paths=[], events=[]), started=100_000.0 - 179)
    for heard_before in (None, 40_000.0):
        (finding,) = await webhooks(SITE, said, heard_before=heard_before)
        assert (finding.code, finding.level) == ("webhooks.none-yet", "note")
    later = msgspec.structs.replace(said, started=100_000.0 - 181)
    (finding,) = await webhooks(SITE, later)
    assert (finding.code, finding.level) == ("webhooks.none", "warning")


async def test_a_path_with_the_session_that_is_watched_already_is_named() -> None:
    site = loads(
        "gateway: http://127.0.0.1:3000\nwebhooks: [{path: '/in/{session}', forward_to: http://127.0.0.1:3000/in}]"
    )
    events = [
        {"event": "onmessage", "verdict": "applied", "count": 1},
        {"event": "status-find", "verdict": "nameless", "count": 3},
    ]
    found = {one.code: one for one in await webhooks(site, report(events=events))}
    one = found["webhooks.nameless-elsewhere"]
    for language, said in ((en, "/in/{session} is watched"), (pt_br, "/in/{session} é observado")):
        fix = language.WORDS[one.code][1].format(**one.facts)
        assert fix.startswith(said)
        assert "http://127.0.0.1:8090/in/{session}" in fix


async def test_forged_events_from_outside_are_as_it_should_be() -> None:
    assert await levels(senders=[sender("10.0.0.2", 9), sender("203.0.113.9", network=7)]) == {
        "seen": "ok", "forged": "note",
    }  # fmt: skip


async def test_doubted_senders_inside_may_be_the_engine() -> None:
    assert (await levels(senders=[sender("10.0.0.2", 9), sender("10.0.0.3", network=7)]))[
        "doubted-network"
    ] == "warning"
    for why in ("secret", "jwt", "signature", "token"):
        assert (await levels(senders=[sender("10.0.0.2", 9, **{why: 1})]))[f"doubted-{why}"] == "warning"


async def test_nobody_trusted_is_a_problem_for_each_reason() -> None:
    for why in ("network", "secret", "jwt", "signature", "token"):
        assert await levels(senders=[sender("10.0.0.2", 0, **{why: 3})]) == {f"only-doubted-{why}": "problem"}


async def test_deliveries_that_fail_are_told_unless_they_are_few() -> None:
    path = {
        "path": "/v1/webhooks/receive",
        "count": 100,
        "last": 99_990.0,
        "gap": 30.0,
        "statuses": {"200": 95, "502": 5},
    }
    assert await levels(paths=[path]) == {"seen": "ok"}
    path["statuses"] = {"200": 50, "502": 50}
    assert (await levels(paths=[path]))["path-failing"] == "warning"
    path["statuses"] = {"404": 100}
    assert (await levels(paths=[path]))["path-unknown"] == "warning"


async def test_events_that_say_nothing() -> None:
    events = [{"event": "session.lost", "verdict": "unmatched", "count": 5}]
    assert await levels(events=events) == {"seen": "ok", "nothing-said": "warning", "unmatched": "note"}
    events = [{"event": "onpresencechanged", "verdict": "presence", "count": 5},
              {"event": "onack", "verdict": "unmatched", "count": 5}]  # fmt: skip
    assert await levels(events=events) == {"seen": "ok", "presence-only": "warning"}


async def test_events_that_cannot_be_used_are_counted() -> None:
    said = {"event": "onmessage", "verdict": "applied", "count": 1}
    events = [
        said,
        {"event": "", "verdict": "not-json", "count": 1},
        {"event": "", "verdict": "too-deep", "count": 1},
        {"event": "x", "verdict": "no-session", "count": 1},
    ]
    assert await levels(events=events) == {
        "seen": "ok", "no-session": "note", "not-json": "warning", "too-deep": "warning",
    }  # fmt: skip


async def test_states_that_nobody_can_be_told_of_are_a_warning_with_the_way_out() -> None:
    events = [
        {"event": "onmessage", "verdict": "applied", "count": 1},
        {"event": "status-find", "verdict": "nameless", "count": 3},
        {"event": "closesession", "verdict": "nameless", "count": 1},
    ]
    found = {one.code: one for one in await webhooks(SITE, report(events=events))}
    one = found["webhooks.nameless"]
    assert one.level.value == "warning"
    assert (one.facts["count"], one.facts["events"]) == (4, "status-find (3), closesession (1)")
    for language in get_args(Language):
        text, fix = words(one, language)
        assert text.startswith("4 event")
        assert fix is not None
        assert "http://127.0.0.1:8090/v1/webhooks/receive/{session}" in fix
        assert "- path: /v1/webhooks/receive/{session}" in fix
        assert "forward_to: http://127.0.0.1:3000/v1/webhooks/receive" in fix


async def test_a_path_with_the_session_that_leads_to_the_gateway_is_no_way_to_the_hub() -> None:
    own = SITE.gateway + "/v1/webhooks/receive"
    webhooks_lines = f'webhooks: [{{path: "/in/{{session}}", forward_to: "{own}"}}]'
    settings = loads(f"gateway: {SITE.gateway}\npreset_without: [/v1/webhooks/receive]\n{webhooks_lines}")
    path = {"path": "/in/{session}", "count": 9, "last": 99_990.0, "gap": 0.0, "statuses": {"200": 9}}
    codes = [one.code for one in await webhooks(settings, report(paths=[path]))]
    assert codes == ["webhooks.seen"]


async def test_clocks_that_differ() -> None:
    assert (await levels(clock={"timed": 9, "lag": 0.4, "ahead": 0}))["events"] == "ok"
    assert (await levels(clock={"timed": 9, "lag": 90.0, "ahead": 0}))["events-off"] == "warning"
    assert (await levels(clock={"timed": 9, "lag": -20.0, "ahead": 0}))["events-off"] == "warning"
    assert (await levels(clock={"timed": 1, "lag": 90.0, "ahead": 0}))["events"] == "ok"  # it may have been late
    assert (await levels(clock={"timed": 0, "lag": None, "ahead": 3}))["events-ahead"] == "problem"


async def test_peers_that_speak_for_others_are_told_apart_by_where_they_are() -> None:
    said = await levels(strangers=["10.0.0.9", "203.0.113.9", "other"])
    assert said["untrusted-proxy"] == "warning"
    assert said["claims-from-outside"] == "note"


async def test_the_ways_fit_where_the_proxy_listens() -> None:
    for listen, base in (
        ("0.0.0.0:8090", "http://HOST:8090/v1"),
        ("'[::1]:8090'", "http://[::1]:8090/v1"),
        ("unix:/run/statusproxy/http.sock", "unix:/run/statusproxy/http.sock/v1"),
    ):
        settings = loads(f"gateway: http://127.0.0.1:3000\nlisten: {listen}")
        (finding,) = await webhooks(settings, None)
        assert f"{finding.facts['base']}/v1" == base


async def test_without_watched_paths_there_is_nothing_to_say() -> None:
    assert await webhooks(loads("gateway: http://127.0.0.1:3000\nwebhooks: []"), None) == []


async def test_without_a_running_proxy_nothing_is_known_of_webhooks() -> None:
    (found,) = await look(Subject(SITE))
    assert (found.code, found.facts["inbound_path"]) == ("webhooks.not-known", "/v1/webhooks/receive")


async def test_of_a_proxy_that_serves_but_could_not_be_asked_nothing_claims_that_it_is_down() -> None:
    (found,) = await look(Subject(SITE, serves_unasked=True))
    assert (found.code, found.level) == ("webhooks.not-asked", "note")
    for spoken in (en, pt_br):
        assert "statusproxy" in spoken.WORDS[found.code][0]


LOCAL = [{"address": "127.0.0.1", "believed": 9, "doubts": {}, "last": 99_990.0, "by_address": 1}]


async def test_events_that_are_trusted_for_this_machines_address_alone_are_told() -> None:
    for address in ("127.0.0.1", "::1", "172.17.0.1"):
        senders = [{**LOCAL[0], "address": address}]
        assert await levels(senders=senders) == {"seen": "ok", "by-address": "note"}
    absence = {"missing": "client", "peer": "127.0.0.1", "count": 1, "webhooks": 1, "last": 1.0}
    assert await levels(senders=LOCAL, absences=[absence]) == {"seen": "ok"}  # told among what proxies leave out


async def test_events_that_name_a_client_or_prove_themselves_do_not_depend_on_the_address() -> None:
    assert await levels(senders=[{**LOCAL[0], "by_address": 0}]) == {"seen": "ok"}


@pytest.mark.parametrize(
    "proof",
    [
        "secret: {header: X-Secret, value: abc}",
        "hmac: {header: X-Sign, secret: abc}",
        "jwt: {secret: abc}",
        "token: {field: apikey, value: abc}",
    ],
)
async def test_a_proof_makes_the_address_count_for_nothing(proof: str) -> None:
    path = "/v1/webhooks/receive"
    guarded = loads(f"gateway: http://127.0.0.1:3000\nwebhooks: [{{path: {path}, {proof}}}, {{path: /unused}}]")
    codes = [finding.code for finding in await webhooks(guarded, report(senders=LOCAL))]
    assert "webhooks.by-address" not in codes
    assert "webhooks.seen" in codes


async def test_a_token_in_the_address_of_the_hub_is_not_shown() -> None:
    site = loads(
        "gateway: http://127.0.0.1:3000\nwebhooks: [{path: /out, forward_to: 'https://hub.example/T0/s3cret?k=s3cret'}]"
    )
    (finding,) = await webhooks(site, None)
    assert finding.facts["outbound_to"] == "https://hub.example/********/********?k=********"
    assert "s3cret" not in str(finding.facts)
