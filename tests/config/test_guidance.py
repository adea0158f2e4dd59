"""What the preset tells of its gateway, with this proxy's address filled in."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from statusproxy.config.guidance import Guidance, guidance, reached_at
from statusproxy.config.layers import STATES, about, preset_names
from statusproxy.config.load import loads
from statusproxy.config.settings import Tls

GATEWAY = "gateway: http://127.0.0.1:3000\n"


@pytest.mark.parametrize(
    ("listen", "base"),
    [
        ("0.0.0.0:8090", "http://HOST:8090"),
        ("'[::]:9000'", "http://HOST:9000"),
        ("'[::1]:8090'", "http://[::1]:8090"),
        ("172.17.0.1:8090", "http://172.17.0.1:8090"),
        ("[unix:/run/http.sock, 127.0.0.1:81]", "http://127.0.0.1:81"),
        ("unix:/run/statusproxy/http.sock", "unix:/run/statusproxy/http.sock"),
    ],
)
def test_the_address_is_the_one_at_which_others_reach_the_proxy(listen: str, base: str) -> None:
    assert reached_at(loads(f"{GATEWAY}listen: {listen}")) == base


def test_a_proxy_with_a_certificate_is_reached_over_https() -> None:
    settings = replace(loads(GATEWAY), tls=Tls(certificate="cert.pem", key="key.pem"))
    assert reached_at(settings) == "https://127.0.0.1:8090"


def test_the_url_stands_in_each_way_to_set_it() -> None:
    said = guidance(loads(f"{GATEWAY}preset: waha\nlisten: 10.0.0.2:8090"))
    assert said == Guidance(
        title="WAHA",
        url="http://10.0.0.2:8090/webhook/waha",
        set_url=(
            "WHATSAPP_HOOK_URL=http://10.0.0.2:8090/webhook/waha WHATSAPP_HOOK_EVENTS=session.status,message",
            (
                'PUT /api/sessions/{session} {"config": {"webhooks": [{"url": "http://10.0.0.2:8090/webhook/waha", '
                '"events": ["session.status", "message"]}]}}'
            ),
        ),
        states={
            "WORKING": "connected", "STARTING": "starting", "SCAN_QR_CODE": "scan", "PASSKEY_REQUIRED": "action",
            "STOPPED": "stopped", "FAILED": "failed",
        },
        bring_back=("POST /api/sessions/{session}/restart", "GET /api/{session}/auth/qr"),
    )  # fmt: skip


def test_a_path_that_is_not_watched_any_more_is_not_told() -> None:
    only_one = f"{GATEWAY}preset: wppconnect-server\npreset_without: ['/v1/webhooks/receive/{{session}}']"
    said = guidance(loads(only_one))
    assert said.set_url == ("config.json: webhook.url = http://127.0.0.1:8090/v1/webhooks/receive",)
    assert said.url == "http://127.0.0.1:8090/v1/webhooks/receive"
    said = guidance(loads(f"{GATEWAY}preset: waha\nwebhooks: []"))
    assert (said.title, said.url, said.set_url) == ("WAHA", "", ())


def test_without_a_preset_nothing_is_told(tmp_path: Path) -> None:
    assert guidance(loads(f"{GATEWAY}preset: null")) == Guidance()
    mine = tmp_path / "mine.yaml"
    mine.write_text("language: en\n")
    settings = loads(f"{GATEWAY}preset: {mine}")
    assert guidance(settings) == Guidance()
    mine.unlink()
    assert guidance(settings) == Guidance()


@pytest.mark.parametrize("preset", preset_names())
def test_each_preset_names_the_words_that_its_rules_read_and_write(preset: str) -> None:
    settings = loads(f"{GATEWAY}preset: {preset}")
    said = about(preset)
    file = f"statusproxy/presets/{preset}.yaml"
    assert said is not None, f"{file}: add a block `about`"
    assert set(said.states.values()) <= set(STATES)
    connected = {word.casefold() for word, means in said.states.items() if means == "connected"}
    for channels in settings.channels:
        assert any(word.casefold() in connected for word in channels.connected), (
            f"{file}: say in about.states what the words of channels[].connected mean: "
            f"{{{channels.connected[0]}: connected}}"
        )
        kept = sorted(connected & channels.rule().keep)
        assert not kept, f"{file}: {kept} means connected in about.states, and stands in channels[].keep"
    lost = {word.casefold() for event in settings.events for word in event.disconnected}
    assert not lost & connected, f"{file}: {lost & connected} means connected in about.states, and a loss in events"


@pytest.mark.parametrize("preset", sorted({*preset_names()} - {"gateway-wrapper", "gowa"}))
def test_each_gateway_that_posts_to_a_tap_says_where_to_set_the_url_and_how_a_session_comes_back(preset: str) -> None:
    said = guidance(loads(f"{GATEWAY}preset: {preset}"))
    file = f"statusproxy/presets/{preset}.yaml"
    assert said.set_url, (
        f"{file}: add about.set_url with {{proxy}} before a path of `webhooks`: what in the gateway sets the URL"
    )
    assert said.bring_back, f"{file}: add about.bring_back: the routes by which a lost session comes back"
    assert all(said.url.rpartition("/")[0] in way for way in said.set_url)
    assert said.url.startswith("http://127.0.0.1:8090/")
