# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""The block `alerts`: read as it is documented, shown without addresses, refused without repeating any."""

from pathlib import Path

import pytest
import yaml

from statusproxy.config.alerts import TOPICS, Alerts, AlertTarget, decoded_secret
from statusproxy.config.load import dump, loads
from tests.config.refusals import GATEWAY, refused

ROOT = Path(__file__).parents[2]
TOKEN = "zq7wxk3vj9"

WHOLE = f"""
gateway: http://gw.example
alerts:
  after: 90s
  remind: 1h
  group: 10s
  on: [lost, store]
  to:
    - webhook: https://hub.example:8443/alerts/{TOKEN}?key={TOKEN}
      secret: {TOKEN}
    - apprise: tgram://{TOKEN}/chat
      on: [back]
      sessions: ["sales*", support]
    - webhook: http://10.0.0.7/
  heartbeat: https://kuma.example/api/push/{TOKEN}
"""


def alerts(text: str) -> Alerts:
    found = loads(text).alerts
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["", "alerts: null"])
def test_nobody_is_told_by_default(text: str) -> None:
    settings = loads(GATEWAY + text)
    assert settings.alerts is None
    assert yaml.safe_load(dump(settings))["alerts"] is None


def test_the_defaults_are_those_of_the_documentation() -> None:
    found = alerts(GATEWAY + "alerts: {heartbeat: 'https://kuma.example/x'}")
    assert (found.after, found.remind, found.group) == (60.0, 21_600.0, 30.0)
    assert found.on == ("lost", "back", "gateway-down", "webhooks-silent", "store", "spool")
    assert AlertTarget(webhook="https://hub.example/").sessions == ("*",)


def test_a_block_is_read_as_it_is_written() -> None:
    found = alerts(WHOLE)
    assert (found.after, found.remind, found.group, found.on) == (90.0, 3600.0, 10.0, ("lost", "store"))
    hub, telegram, inside = found.to
    assert (hub.webhook, hub.secret, hub.apprise) == (
        f"https://hub.example:8443/alerts/{TOKEN}?key={TOKEN}",
        TOKEN,
        None,
    )
    assert (telegram.apprise, telegram.sessions) == (f"tgram://{TOKEN}/chat", ("sales*", "support"))
    assert [found.topics(each) for each in found.to] == [{"lost", "store"}, {"back"}, {"lost", "store"}]
    assert (hub.url, telegram.url, inside.url) == (hub.webhook, telegram.apprise, "http://10.0.0.7/")
    assert found.heartbeat == f"https://kuma.example/api/push/{TOKEN}"


def test_addresses_are_shown_as_scheme_and_host_and_secrets_not_at_all() -> None:
    settings = loads(WHOLE)
    assert TOKEN not in dump(settings) + repr(settings)
    shown = yaml.safe_load(dump(settings))["alerts"]
    assert [(each["webhook"], each["secret"], each["apprise"]) for each in shown["to"]] == [
        ("https://hub.example:8443/********", "********", None),
        (None, None, "tgram://********"),
        ("http://10.0.0.7/********", None, None),
    ]
    assert shown["heartbeat"] == "https://kuma.example/********"


def test_what_is_shown_is_not_taken_for_an_address() -> None:
    assert refused(dump(loads(WHOLE))).endswith(
        "alerts.to[0].webhook: found a text; ******** stands for a secret where settings are shown; allowed: the secret itself, or ${VAR}"
    )
    assert "apprise: found a text; ********" in refused(GATEWAY + "alerts: {to: [{apprise: 'tgram://********'}]}")


def test_a_target_is_known_by_kind_and_address_and_named_without_its_secrets() -> None:
    hub, telegram, inside = alerts(WHOLE).to
    assert [each.name for each in (hub, telegram, inside)] == [
        "webhook hub.example:8443",
        "apprise tgram",
        "webhook 10.0.0.7",
    ]
    assert len({hub.id, telegram.id, inside.id}) == 3
    assert alerts(WHOLE.replace("secret: ", "secret: other-")).to[0].id == hub.id
    assert alerts(WHOLE.replace("?key=", "?key=other-")).to[0].id != hub.id
    assert TOKEN not in hub.id


def test_a_secret_is_a_text_or_base64_after_whsec() -> None:
    assert decoded_secret("plain") == b"plain"
    assert decoded_secret("whsec_AAECAw==") == b"\x00\x01\x02\x03"
    assert AlertTarget(webhook="https://hub.example/", secret="whsec_AAECAw==").key == b"\x00\x01\x02\x03"
    assert AlertTarget(webhook="https://hub.example/").key is None
    for bad in ("whsec_", "whsec_A", "whsec_ä", "whsec_AA AA"):
        with pytest.raises(ValueError, match=r".*"):
            decoded_secret(bad)


def test_an_address_and_a_secret_come_from_the_environment() -> None:
    text = GATEWAY + "alerts: {to: [{webhook: '${URL}', secret: '${SECRET}'}, {apprise: '${APPRISE}'}]}"
    found = loads(text, {"URL": "https://hub.example/a", "SECRET": "hush", "APPRISE": "ntfy://ntfy.example/x"}).alerts
    assert found is not None
    assert [(each.url, each.secret) for each in found.to] == [
        ("https://hub.example/a", "hush"),
        ("ntfy://ntfy.example/x", None),
    ]


URL = "allowed: http://host[:port]/path or https://host[:port]/path"
APPRISE = "allowed: a URL of Apprise, such as ntfy://ntfy.example/topic or mailtos://user:password@mail.example"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "after: -1s",
            "alerts.after: found a text; allowed: a duration such as 500ms, 60s, 2m, 1h or 1d (a bare number is seconds)",
        ),
        ("group: 4s", "alerts.group: found a text; allowed: at least 5s"),
        ("on: [lots]", f'alerts.on[0]: found a text; allowed: {", ".join(TOPICS)}; did you mean "lost"?'),
        ("on: [lost, lost]", "alerts.on[1]: found a text; an entry before it is the same; allowed: each once"),
        ("on: []", "alerts.on: found an empty list; allowed: at least one entry"),
        ("to: [{webhook: hub.example/zq7}]", f"alerts.to[0].webhook: found a text; {URL}"),
        ("to: [{webhook: 'ftp://hub.example/zq7'}]", f"alerts.to[0].webhook: found a text; {URL}"),
        (
            "to: [{webhook: 'https://u:zq7@hub.example/'}]",
            'alerts.to[0].webhook: found a text; a user and password here are never sent; remove what is before "@"',
        ),
        ("to: [{apprise: 'zq7'}]", f"alerts.to[0].apprise: found a text; {APPRISE}"),
        ("to: [{apprise: 'ntfy://zq7 x'}]", f"alerts.to[0].apprise: found a text; {APPRISE}"),
        ("to: [{webhook: [zq7]}]", f"alerts.to[0].webhook: found a list; {URL}"),
        (
            "to: [{webhook: 'https://hub.example', sessions: []}]",
            "alerts.to[0].sessions: found an empty list; allowed: at least one entry",
        ),
        (
            "to: [{webhook: 'https://hub.example', secret: ''}]",
            "alerts.to[0].secret: found an empty secret; allowed: a text that others cannot guess",
        ),
        (
            "to: [{webhok: 'https://hub.example/zq7'}]",
            'alerts.to[0]: unknown key; did you mean "webhook"? (known: webhook, secret, apprise, on, sessions)',
        ),
        ("to: https://hub.example/zq7", "alerts.to: found a text; allowed: a list"),
        ("heartbeat: kuma.example/zq7", f"alerts.heartbeat: found a text; {URL}"),
        ("heartbeat: 'https://kuma.example/zq7#x'", f"alerts.heartbeat: found a text; {URL}"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_fix_and_repeats_no_address(text: str, message: str) -> None:
    error = refused(f"{GATEWAY}alerts:\n  {text}")
    assert error == f"config.yaml:3: {message}"
    assert "zq7" not in error


def test_the_shipped_file_shows_the_defaults_and_each_key() -> None:
    lines = (ROOT / "config.yaml").read_text().splitlines()
    begin = lines.index("# alerts:")
    block = [line.removeprefix("# ") for line in lines[begin:]]
    end = next(place for place, line in enumerate(block[1:], 1) if not line.startswith("  "))
    text = "\n".join(block[:end])
    found = loads(GATEWAY + text, {"ALERT_SECRET": "hush", "APPRISE_URL": "ntfy://ntfy.example/x"}).alerts
    assert found is not None
    default = Alerts(to=found.to, heartbeat=found.heartbeat)
    assert found == default
    assert [(each.webhook is None, each.secret, each.on, each.sessions) for each in found.to] == [
        (False, "hush", None, ("*",)),
        (True, None, ("lost", "back"), ("sales*",)),
    ]
    assert found.heartbeat is not None
