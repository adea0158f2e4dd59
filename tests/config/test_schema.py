"""The kinds of settings: what each takes, in which spelling it is kept, and what is never shown of it."""

from typing import Any, get_args

import pytest

from statusproxy.config import schema
from statusproxy.config.addresses import GATEWAY_ALLOWED, parse_gateway
from statusproxy.config.forms import Form
from statusproxy.config.spot import MASK
from tests.config import refusals
from tests.config.places import refused, spot


def form(kind: Any) -> Form[Any]:
    """The form that a kind of setting carries."""
    found: Form[Any] = next(extra for extra in get_args(kind)[1:] if isinstance(extra, Form))
    return found


def test_a_word_is_whole_and_not_empty() -> None:
    words = form(schema.Words)
    assert words.read(spot("[open, 12]")) == ("open", "12")
    assert refused(words, "''") == 'found ""; allowed: a text that is not empty'
    assert refused(words, "a*").startswith('found "a*"; allowed: whole words')


def test_true_and_false_are_words_with_and_without_quotes() -> None:
    words = form(schema.Words)
    assert words.read(spot("[true, False, TRUE, 'False']")) == ("true", "false", "true", "False")
    assert words.read(spot("false")) == ("false",)


@pytest.mark.parametrize("kind", [schema.SomeWords, schema.SomeFields, schema.ListFields])
def test_some_lists_need_an_entry(kind: Any) -> None:
    assert refused(form(kind), "[]") == "found an empty list; allowed: at least one entry"


def test_members_that_compare_without_case_stand_once() -> None:
    members = form(schema.SomeMembers)
    assert members.read(spot("[qr, code]")) == ("qr", "code")
    assert (
        refused(members, "[QR, code, qr]")
        == 'c.yaml:1: key[2]: found "qr"; an entry before it is the same; allowed: each once'
    )


def test_only_a_list_of_channels_may_be_the_document_itself() -> None:
    assert form(schema.ListFields).read(spot("['', data.items]")) == ("", "data.items")
    for kind in (schema.Fields, schema.SomeFields):
        assert refused(form(kind), "''") == 'found ""; allowed: the name of a field, or names joined by dots'


def test_networks_are_kept_as_networks() -> None:
    networks = form(schema.Networks)
    assert networks.show(networks.read(spot("[10.0.0.0/8, 10.1.2.3]"))) == ["10.0.0.0/8", "10.1.2.3/32"]


def test_private_networks_are_those_that_the_internet_does_not_route() -> None:
    assert [str(network) for network in schema.PRIVATE_NETWORKS] == [
        "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7",
        "fe80::/10",
    ]  # fmt: skip


def test_a_url_has_one_spelling_and_no_password_is_shown() -> None:
    gateway = schema.url(parse_gateway, GATEWAY_ALLOWED)
    assert gateway.read(spot("http://gw.example/")) == "http://gw.example"
    assert gateway.show("https://h.example/x?key=hidden") == "https://h.example/x?key=********"
    assert "hunter2" not in refused(gateway, "http://user:hunter2@gw.example")


def test_a_state_url_is_kept_as_written_and_shown_without_its_password() -> None:
    url = form(schema.StateUrl)
    assert url.read(spot("redis://u:hidden@cache.example")) == "redis://u:hidden@cache.example"
    assert url.show("redis://u:hidden@cache.example") == "redis://u:********@cache.example"
    assert "hidden" not in refused(url, "postgres://u:hidden@h/db")
    assert url.private


def test_a_file_that_may_be_the_key_itself_is_never_repeated() -> None:
    assert form(schema.PemFile).private
    assert form(schema.SecretText).secret


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("admin: {token: '%s'}", "admin.token: "),
        ("webhooks: [{path: /a, secret: {header: X-S, value: '%s'}}]", "webhooks[0].secret.value: "),
        ("webhooks: [{path: /a, hmac: {header: X-S, secret: '%s'}}]", "webhooks[0].hmac.secret: "),
        ("webhooks: [{path: /a, forward_to: 'http://h.example/?key=%s'}]", "webhooks[0].forward_to: found "),
        ("state: {url: 'redis://:%s@h'}", "state.url: found "),
    ],
)
def test_the_mask_of_a_secret_is_none(key: str, shown: str) -> None:
    said = refusals.refused(refusals.GATEWAY + key % MASK)
    assert f"2: {shown}" in said
    assert said.endswith(
        f"{MASK} stands for a secret where settings are shown; allowed: the secret itself, or ${{VAR}}"
    )
