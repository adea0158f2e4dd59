"""What waits for a restart keeps its old value; a door that others reach stays locked."""

from __future__ import annotations

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import loads
from statusproxy.config.restart import AT_START, after_reload, waits

GATEWAY = "gateway: http://127.0.0.1:3000\n"
OPEN = GATEWAY + "admin: {listen: '0.0.0.0:8091', token: planted}\n"


def test_what_waits_keeps_its_value_and_the_rest_is_new() -> None:
    running = loads(GATEWAY)
    wanted = loads(GATEWAY + "listen: :9000\nlanguage: en\ntimeouts: {keep_alive: 9s, connect: 9s}\n")
    settings, waiting = after_reload(running, wanted)
    assert waiting == ("listen", "timeouts.keep_alive")
    assert (settings.listen, settings.timeouts.keep_alive) == (running.listen, running.timeouts.keep_alive)
    assert (settings.language, settings.timeouts.connect) == ("en", 9.0)


def test_nothing_changed_is_nothing_that_waits() -> None:
    assert after_reload(loads(OPEN), loads(OPEN), admin_exposed=True) == (loads(OPEN), ())


@pytest.mark.parametrize("admin", ["", "admin: null", "admin: {listen: null}", "admin: {listen: 'unix:/run/a.sock'}"])
def test_an_open_listener_keeps_its_token(admin: str) -> None:
    running = loads(OPEN)
    settings, waiting = after_reload(running, loads(GATEWAY + admin), admin_exposed=True)
    assert settings.admin == running.admin
    assert waiting == ("admin.listen", "admin.token")


def test_a_fresh_token_holds_at_once() -> None:
    settings, waiting = after_reload(loads(OPEN), loads(OPEN.replace("planted", "fresh")), admin_exposed=True)
    assert (settings.admin.token, waiting) == ("fresh", ())


def test_after_several_reloads_the_values_of_the_start_still_hold() -> None:
    running = loads(GATEWAY)
    first, _ = after_reload(running, loads(f"{GATEWAY}listen: :9000\n"))
    second, waiting = after_reload(first, loads(f"{GATEWAY}listen: :9001\n"))
    assert (second, waiting) == (running, ("listen",))
    assert after_reload(second, loads(GATEWAY)) == (running, ())


@pytest.mark.parametrize(
    ("key", "does"),
    [("state", True), ("state.url", True), ("listen", True), ("listen_mode", True), ("admin.token", False),
     ("tls", True), ("tls.certificate", False), ("language", False), ("timeouts.keep_alive", True)],
)  # fmt: skip
def test_a_key_waits_where_it_or_its_block_is_listed(key: str, does: bool) -> None:
    assert waits(key) is does


ALERTS = "alerts: {to: [{webhook: 'http://%s/x'}]}\n"
HEARTBEAT = "alerts: {heartbeat: 'http://%s/x'}\n"
FORWARD = "webhooks: [{path: /x, forward_to: 'http://%s/token/S3cretT0ken'}]\n"


@pytest.mark.parametrize("listener", ["listen", "admin.listen"])
@pytest.mark.parametrize(
    ("more", "key"),
    [("gateway: http://%s\n", "gateway"), (FORWARD, "webhooks[0].forward_to"), (ALERTS, "alerts.to[0].webhook"),
     (HEARTBEAT, "alerts.heartbeat")],
)  # fmt: skip
def test_an_address_that_leads_to_a_listener_that_stays_open_is_refused(more: str, key: str, listener: str) -> None:
    moved = {"listen": "listen: :9000\n", "admin.listen": "admin: {listen: '127.0.0.1:9001'}\n"}[listener]
    held = {"listen": "127.0.0.1:8090", "admin.listen": "127.0.0.1:8091"}[listener]
    file = moved + more % held + ("" if key == "gateway" else GATEWAY)
    with pytest.raises(ConfigError) as refused:
        after_reload(loads(GATEWAY), loads(file))
    assert str(refused.value) == (
        f"{key}: it leads back to this proxy: the change of {listener} takes effect after a restart, and until then "
        f"{listener} is {held}; allowed: another address, or a restart in place of the reload"
    )


def test_an_address_of_a_listener_that_was_closed_is_no_reason_to_refuse() -> None:
    running = loads(GATEWAY + "admin: {listen: null}")
    wanted = loads("gateway: http://127.0.0.1:3001\nadmin: {listen: '127.0.0.1:8091'}")
    settings, waiting = after_reload(running, wanted)
    assert (settings.gateway, waiting) == ("http://127.0.0.1:3001", ("admin.listen",))


def test_the_spool_keeps_its_size_while_a_move_of_the_state_waits() -> None:
    running, wanted = loads(GATEWAY), loads(GATEWAY + "state: {url: 'redis://127.0.0.1:6379/0'}")
    assert running.spool.max_bytes != wanted.spool.max_bytes
    settings, waiting = after_reload(running, wanted)
    assert (settings, waiting) == (running, ("state", "spool.max_bytes"))


def test_the_list_names_no_key_twice() -> None:
    assert len(set(AT_START)) == len(AT_START)


def test_alerts_are_switched_on_changed_and_off_by_a_reload() -> None:
    one, other = (loads(f"{GATEWAY}alerts: {{to: [{{webhook: 'https://hub.example/{name}'}}]}}") for name in "ab")
    running = loads(GATEWAY)
    for wanted in (one, other, loads(GATEWAY)):
        running, waiting = after_reload(running, wanted)
        assert (running.alerts, waiting) == (wanted.alerts, ())
