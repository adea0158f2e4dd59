"""The first config.yaml: valid, explained, without a secret, and never over another."""

import re
import stat
from pathlib import Path

import msgspec
import pytest
import yaml

from statusproxy.config.layers import preset_names
from statusproxy.config.load import loads
from statusproxy.config.settings import Webhook
from statusproxy.config.templates import parse_template
from statusproxy.detection.catalogue import Gateway, shipped
from statusproxy.detection.config_file import config_text, write_new
from statusproxy.detection.signs import Header

GATEWAY = Gateway("gateway-wrapper", "Some gateway", webhook=("Set the URL there.",))
INBOUND = Webhook(path="/v1/webhooks/receive")
TAP = Webhook(path="/webhook/**", forward=False)


def test_it_is_a_valid_configuration_with_this_preset() -> None:
    settings = loads(config_text("http://127.0.0.1:3000", GATEWAY, None, [INBOUND]))
    assert (settings.gateway, settings.preset) == ("http://127.0.0.1:3000", "gateway-wrapper")
    assert [str(address) for address in settings.listen] == ["127.0.0.1:8090"]


def test_the_next_steps_are_comments() -> None:
    lines = config_text("http://127.0.0.1:3000", GATEWAY, None, [INBOUND]).splitlines()
    assert [line for line in lines if line[:4] in ("# 1.", "# 2.", "# 3.", "# 4.")] == [
        "# 1. Point the hub to this proxy (port 8090) instead of the gateway, with the same secret as before.",
        "# 2. Webhooks are watched on /v1/webhooks/receive, and forwarded to the gateway.",
        "# 3. Set the URL there.",
        "# 4. Run `statusproxy check`, `statusproxy run`, and `statusproxy doctor`, which checks that events arrive.",
    ]


def test_where_the_gateway_posts_to_the_proxy_it_says_where_and_how_to_pass_events_on() -> None:
    text = config_text("http://127.0.0.1:3000", GATEWAY, None, [TAP])
    assert "http://THIS-HOST:8090/webhook/gateway-wrapper. To pass them on" in text
    assert "#   - path: /webhook/**\n#     forward_to: http://hub.example/webhook/**\n" in text


@pytest.mark.parametrize("gateway", shipped(), ids=lambda gateway: gateway.preset)
def test_a_proof_that_the_events_can_bring_is_a_valid_line_of_a_second_comment(gateway: Gateway) -> None:
    proofs = {
        "evolution-v2": "jwt", "waha": "hmac", "wuzapi": "hmac", "openwa": "hmac", "wwebjs-api": "secret",
        "evolution-go": "token",
    }  # fmt: skip
    webhooks = loads(f"gateway: http://127.0.0.1\npreset: {gateway.preset}\n").webhooks
    text = config_text("http://127.0.0.1:3000", gateway, None, webhooks)
    block = [line for line in text.splitlines() if line.startswith(("# webhooks:", "#   - ", "#     "))]
    shown = [line.split()[2].rstrip(":") for line in block if line.startswith("#     # ")]
    assert shown == [proof for preset, proof in proofs.items() if preset == gateway.preset], (
        f"`proofs`, above, needs the key that `proof` in statusproxy/presets/{gateway.preset}.yaml begins with"
    )
    taken_out = "\n".join(re.sub("^( +)# ", r"\1", line.removeprefix("# ")) for line in block)
    names = set(re.findall(r"\$\{(\w+)\}", taken_out))
    settings = loads(
        f"gateway: http://127.0.0.1\npreset: {gateway.preset}\n{taken_out}",
        environ=dict.fromkeys(names, "example-key-of-32-characters-or-so"),
    )
    if gateway.preset in proofs:
        assert getattr(settings.webhooks[0], proofs[gateway.preset]) is not None


def test_a_path_of_its_own_is_told_as_it_is() -> None:
    tap = Webhook(path="/hook", forward=False)
    assert "http://THIS-HOST:8090/hook. To" in config_text("http://127.0.0.1:3000", GATEWAY, None, [tap])


@pytest.mark.parametrize("gateway", shipped(), ids=lambda gateway: gateway.preset)
def test_the_file_names_one_url_for_the_webhooks(gateway: Gateway) -> None:
    webhooks = loads(f"gateway: http://127.0.0.1\npreset: {gateway.preset}\n").webhooks
    text = " ".join(config_text("http://127.0.0.1", gateway, None, webhooks).replace("#", "").split())
    assert "PROXY:8090" not in text
    paths = set(re.findall(r"http://THIS-HOST:8090([\w/-]*)", text))
    wanted = {
        "gateway-wrapper": {"/v1/webhooks/receive"},
        "wppconnect-server": {"/v1/webhooks/receive", "/v1/webhooks/receive/SESSION"},  # one for all, or for each
        "gowa": set(),
        "evolution-v2": {"/webhook"},
        "evolution-v1": {"/webhook"},
        "wwebjs-api": {"/webhook/wwebjs"},
        "baileys-api": {"/webhook/baileys"},
    }
    assert paths == wanted.get(gateway.preset, {f"/webhook/{gateway.preset}"}), (
        f"statusproxy/presets/{gateway.preset}.yaml: about.webhook names the URL as http://PROXY:8090/webhook/NAME; "
        "where its path is another, add it here"
    )


def test_the_secret_s_header_is_told_and_that_it_has_no_place_here() -> None:
    text = config_text("http://127.0.0.1:3000", GATEWAY, Header("Authorization", "Bearer"), [])
    assert "in the header Authorization: Bearer." in text
    told = " ".join(text.replace("#", "").split())
    assert "do not write it here" in told
    assert "`statusproxy doctor --secret-header Authorization` reads it" in told
    assert "--secret-file, with `Bearer ` before it." in told
    assert "before it" not in config_text("http://127.0.0.1:3000", GATEWAY, Header("apikey"), [])


def test_what_the_proxy_adds_and_what_not_is_told() -> None:
    known = msgspec.structs.replace(GATEWAY, adds=("Alerts.",), cannot=("Much. " * 40,))
    lines = config_text("http://127.0.0.1:3000", known, None, []).splitlines()
    assert lines[lines.index("# What the proxy adds here:") + 1] == "# Alerts."
    assert max(map(len, lines)) <= 120
    assert all(line.startswith("#") or ":" in line or not line for line in lines)


@pytest.mark.parametrize("preset", ["evolution-v1", "evolution-v2"])
def test_a_clock_that_is_set_back_is_told_of_where_events_are_dated_by_local_time(preset: str) -> None:
    (known,) = [gateway for gateway in shipped() if gateway.preset == preset]
    text = " ".join(config_text("http://127.0.0.1", known, None, []).replace("#", "").split())
    assert "set back (in autumn, or by another TZ) events count as late for ten to twenty minutes" in text


def test_a_url_that_yaml_would_cut_is_quoted() -> None:
    assert "gateway: 'unix:/run/a #b'" in config_text("unix:/run/a #b", GATEWAY, None, [])


def test_a_new_file_is_for_its_owner_alone_and_an_old_one_stays(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    write_new(file, "a: 1\n")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("a: 1\n", 0o600)
    with pytest.raises(FileExistsError):
        write_new(file, "b: 1\n")
    assert file.read_text() == "a: 1\n"


@pytest.mark.parametrize("preset", [name for name in preset_names() if name not in ("gateway-wrapper", "gowa")])
def test_the_webhook_to_take_the_sign_from_is_that_of_the_documentation(preset: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "gateways.md").read_text("utf-8")
    head = f"preset: {preset}\n"
    block = page.partition(head)[2].partition("```")[0]
    if preset == "evolution-v1":  # as evolution-v2, says the page
        block = page.partition("preset: evolution-v2\n")[2].partition("```")[0]
    documented = yaml.safe_load(block) or {}
    webhooks = loads(f"gateway: http://127.0.0.1\npreset: {preset}\n").webhooks
    text = config_text("http://127.0.0.1", GATEWAY, None, webhooks)
    told = yaml.safe_load("\n".join(_block(text)))["webhooks"]
    assert head in page or preset == "evolution-v1", f"docs/gateways.md: show a config.yaml with preset: {preset}"
    if "webhooks" in documented:
        assert all("forward_to" in each for each in documented["webhooks"]), (
            f"docs/gateways.md: each entry of `webhooks` below preset: {preset} needs `forward_to`, as "
            f"`statusproxy init` shows it: {told}"
        )
        assert told == [{name: each[name] for name in ("path", "forward_to")} for each in documented["webhooks"]]
    assert [(one["path"], one["forward_to"].endswith("/**")) for one in told] == [
        (each.path, each.path.endswith("/**")) for each in webhooks
    ]


def _block(text: str) -> list[str]:
    """The lines of the `webhooks` that are shown as a comment, without their `#`."""
    assert "# webhooks:" in text, (
        "statusproxy/presets/: where a gateway posts its events to the proxy, each entry of the preset's `webhooks` "
        "needs `forward: false`"
    )
    lines = text[text.index("# webhooks:") :].split("\n")
    return [line.removeprefix("# ") for line in lines if line.startswith(("# webhooks:", "#   - ", "#     "))]


@pytest.mark.parametrize("gateway", shipped(), ids=lambda gateway: gateway.preset)
def test_what_the_gateway_is_told_to_post_to_is_passed_on_once_the_sign_is_taken_out(gateway: Gateway) -> None:
    head = f"gateway: http://127.0.0.1\npreset: {gateway.preset}\n"
    text = config_text("http://127.0.0.1", gateway, None, loads(head).webhooks)
    if "# webhooks:" not in text:
        assert gateway.preset == "gowa", (
            f"statusproxy/presets/{gateway.preset}.yaml: where the gateway posts its events to the proxy, each of "
            "`webhooks` needs `forward: false`"
        )
        return
    routes = [(parse_template(each.path), each) for each in loads(head + "\n".join(_block(text))).webhooks]
    for posted in set(re.findall(r"http://THIS-HOST:8090(/[\w/-]*)", text)):
        taken = next(each for template, each in routes if template.takes(posted.strip("/").split("/")))
        assert taken.forward or taken.forward_to, posted


ONCE = msgspec.structs.replace(GATEWAY, sends_once=True)


def test_where_an_event_is_sent_once_it_shows_how_to_keep_those_that_are_not_taken() -> None:
    text = config_text("http://127.0.0.1:3000", ONCE, None, [INBOUND])
    assert (
        "# Each event is sent once. To keep those that the gateway does not accept, and deliver them later, remove the "
        "`#`\n#   below.\n# webhooks:\n#   - path: /v1/webhooks/receive\n#     spool: true\n"
    ) in text
    assert "spool" not in config_text("http://127.0.0.1:3000", GATEWAY, None, [INBOUND])
    tap = config_text("http://127.0.0.1:3000", ONCE, None, [TAP])
    assert "\n#     spool: true    # each event is sent once: what the hub does not accept is delivered later\n" in tap
    assert "spool" not in config_text("http://127.0.0.1:3000", GATEWAY, None, [TAP])
    assert "webhooks:" not in config_text("http://127.0.0.1:3000", ONCE, None, [])


@pytest.mark.parametrize("webhook", [INBOUND, TAP])
def test_what_it_shows_of_webhooks_is_valid_once_it_is_no_comment(webhook: Webhook) -> None:
    lines = config_text("http://127.0.0.1:3000", ONCE, None, [webhook]).splitlines()
    start = lines.index("# webhooks:")
    shown = [line.removeprefix("# ") for line in lines[start : start + 2 + (not webhook.forward) + 1]]
    settings = loads("\n".join(["gateway: http://127.0.0.1:3000", *shown]))
    assert [each.path for each in settings.webhooks if each.spool] == [webhook.path]
