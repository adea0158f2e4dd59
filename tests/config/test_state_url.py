"""The forms of `state.url`: what each says, what is refused with which fix, and what is never shown."""

import importlib
from dataclasses import replace
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, loads
from statusproxy.config.state_url import (
    FORMS,
    STATE_ALLOWED,
    Form,
    Memory,
    Place,
    SqliteFile,
    StateUrl,
    find_form,
    mask_state_url,
    parse_state_url,
    reveal_state_url,
)
from statusproxy.store import open_store

ENCODE = "write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, @ as %40, % as %25"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("memory:", Memory()),
        ("sqlite:///state.db", SqliteFile("state.db")),
        ("sqlite:////var/lib/state.db", SqliteFile("/var/lib/state.db")),
        ("redis://h.example", Place("h.example")),
        ("redis://H.example/", Place("h.example")),
        ("redis://h.example:6380/12", Place("h.example", 6380, 12)),
        ("rediss://[::1]:6380/1", Place("::1", 6380, 1, tls=True)),
        ("redis://:p%40ss@h.example", Place("h.example", password="p@ss")),
        ("redis://:%2F%3F%23%5B%5D%40%25@h.example", Place("h.example", password="/?#[]@%")),
        ("redis://user:pa:ss@h.example", Place("h.example", user="user", password="pa:ss")),
        ("redis://user:100%@h.example", Place("h.example", user="user", password="100%")),
        ("redis://pass@h.example", Place("h.example", password="pass")),  # as redis-cli reads it
        ("redis://user:@h.example", Place("h.example", user="user")),
        ("redis://h.example/0?prefix=site-a:", Place("h.example", prefix="site-a:")),
        ("redis://h.example/0?prefix=%7Bsite%7D+1:", Place("h.example", prefix="{site} 1:")),
    ],
)
def test_a_url_is_read(url: str, place: StateUrl) -> None:
    assert parse_state_url(url) == place


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("sqlite://state.db", "sqlite:///state.db"),
        ("sqlite:state.db", "sqlite:///state.db"),
        ("sqlite:///:memory:", "memory:"),
        ("sqlite://", "memory:"),
        ("memory://", "memory:"),
    ],
)
def test_a_near_miss_is_told_with_the_correction(url: str, meant: str) -> None:
    with pytest.raises(ValueError, match="did you mean") as refused:
        parse_state_url(url)
    assert str(refused.value) == f'allowed: {STATE_ALLOWED}; did you mean "{meant}"?'


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///",
        "sqlite:///state/",
        "sqlite:///a/..",
        "sqlite:///.",
        "sqlite:///a\nb",
        "sqlite:///state.db?mode=ro",
        "sqlite:///state.db#x",
    ],
)
def test_what_is_no_file_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the path of a file, and nothing after it"):
        parse_state_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "memory", "memory:x", "state.db", "postgres://h.example/db", "REDIS://h.example", "redis://",
        "redis://:hidden@", "redis://:hidden@h.example:port", "redis://:hidden@h.example:0",
        "redis://:hidden@h.example:65536", "redis://:hidden@h.example/zero", "redis://:hidden@h.example/-1",
        "redis://:hidden@h.example/0#x", "redis://:hidden@h.example?prefix=", "redis://:hidden@h.example?prefix=%00",
        "redis://:hidden@h.example?prefix=%FF", "redis://:hidden%FF@h.example", "redis://:hidden@h.example?prefix=a&prefix=b",
        "redis://:hidden@h.example?prefx=a", "redis://:hidden@h.example?a", "redis://:hidden@[h.example",
        "redis://:hidden@[h.example]", "redis://:hid den@h.example", "redis://:hiddené@h.example",
        "http://:hidden@h.example",
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: ") as refused:
        parse_state_url(url)
    assert "hidden" not in str(refused.value)
    assert "hid" not in reveal_state_url(url, "***")


@pytest.mark.parametrize("sign", list("/?#[]@"))
@pytest.mark.parametrize("before", ["redis://:", "rediss://:", "redis://user:", "redis://"])
def test_a_password_that_ends_the_user_info_is_refused_with_the_way_to_write_it(before: str, sign: str) -> None:
    url = f"{before}hid{sign}den@h.example/0"
    with pytest.raises(ValueError, match=r"^allowed: ") as refused:
        parse_state_url(url)
    assert ENCODE in str(refused.value)
    for value, environ in ((url, {}), ("${URL}", {"URL": url}), (url.replace("hid", "${PART}"), {"PART": "hid"})):
        with pytest.raises(ConfigError) as error:
            loads(f"gateway: http://gw.example\nstate: {{url: '{value}'}}", environ)
        assert ENCODE in str(error.value)
        assert "hid" not in str(error.value)
        assert "den" not in str(error.value).replace("hidden", "")


@settings(deadline=None)
@given(st.text(st.sampled_from("aA1:/?#[]@%. é+&="), max_size=12), st.sampled_from(["redis", "rediss"]))
@pytest.mark.slow
def test_what_check_accepts_run_accepts_and_neither_shows_the_password(password: str, scheme: str) -> None:
    url = f"{scheme}://:MARK{password}KRAM@h.example/0"
    try:
        read = loads(f"gateway: http://gw.example\nstate: {{url: '{url}'}}", {})
    except ConfigError as error:
        shown = str(error)
        with pytest.raises(ValueError, match=r"^state\.url: "):
            open_store(url)
    else:
        store = open_store(read.state.url)
        shown = dump(read) + repr(read) + str(store.error)
    assert "MARK" not in shown
    assert "KRAM" not in shown


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("memory:", "memory:"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("redis://h.example/0", "redis://h.example/0"),
        ("redis://:secret@h.example/0", "redis://:***@h.example/0"),
        ("rediss://user:secret@[::1]:1", "rediss://user:***@[::1]:1"),
        ("redis://secret@h.example", "redis://:***@h.example"),
        ("redis://secret:@h.example", "redis://:***@h.example"),
        ("redis://:secret@h.example?prefix=site-a:", "redis://:***@h.example?prefix=site-a:"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, masked: str) -> None:
    assert mask_state_url(url, "***") == masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sqlite:state.db", "sqlite:state.db"),
        ("memory:x", "memory:x"),
        ("redis://h.example:x", "redis://***"),
        ("sqlite://u:hidden@h", "sqlite://***"),
        ("hidden", "***"),
    ],
)
def test_an_error_repeats_of_a_servers_address_the_scheme_only(text: str, shown: str) -> None:
    assert reveal_state_url(text, "***") == shown


def test_a_place_shows_where_and_not_the_password() -> None:
    place = parse_state_url("redis://user:hunter2@[::1]:6380/1?prefix=a:")
    assert str(place) == "redis at [::1]:6380/1, keys a:*"
    assert "hunter2" not in repr(place)


def test_a_servers_words_are_told_without_the_password_it_was_sent() -> None:
    place = Place("h.example", password="hunter2")
    assert (
        place.conceal("ERR unknown command 'AUTH', with args beginning with: 'hunter2'") == "ERR unknown command 'AUTH'"
    )
    assert place.conceal("hunter2 is wrong") == "*** is wrong"
    assert Place("h.example").conceal("no password") == "no password"


def test_what_is_allowed_names_the_form_of_every_store() -> None:
    assert all(form.written in STATE_ALLOWED for form in FORMS)
    assert STATE_ALLOWED.startswith("memory:, sqlite:///path")
    assert "redis://[[user]:password@]host[:6379][/0] (rediss:// for TLS; redis+sentinel://h1:26379" in STATE_ALLOWED


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("memory:", "statusproxy.store.memory", ""),
        ("sqlite:///state.db", "statusproxy.store.sqlite", ""),
        ("redis://h.example", "statusproxy.store.redis", "redis"),
        ("rediss://h.example", "statusproxy.store.redis", "redis"),
    ],
)
def test_each_form_names_the_module_that_keeps_the_state_and_the_extra_it_needs(
    url: str, module: str, extra: str
) -> None:
    form = find_form(url)
    assert form is not None
    assert (form.backend, form.extra) == (module, extra)
    assert hasattr(importlib.import_module(module), "make_store")


@pytest.mark.parametrize("url", ["", "sqlite", "postgres://h", "redis", ":x", "Redis://h"])
def test_what_is_of_no_store_has_no_form(url: str) -> None:
    assert find_form(url) is None
    assert mask_state_url(url, "***") == url


def test_no_two_stores_share_a_scheme() -> None:
    schemes = [scheme for form in FORMS for scheme in form.schemes]
    assert len(schemes) == len(set(schemes))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.schemes[0])
def test_a_store_says_why_it_has_no_backup_where_backup_cannot_copy_it(form: Form) -> None:
    can_be_copied = get_type_hints(form.read)["return"] in (SqliteFile, Place)  # by `state_place`
    assert (form.no_backup == "") == can_be_copied, (
        f"statusproxy/config/state_url.py: in FORMS, the row of {form.schemes[0]} needs `no_backup` if, and only if, "
        "`state_place` in statusproxy/store/__init__.py returns nothing for it"
    )


# Sentinels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentinels", "more"),
    [
        ("redis+sentinel://S1.example,s2.example:26380/2?master=site", (("s1.example", 26379), ("s2.example", 26380)),
         {}),
        ("rediss+sentinel://[::1]?master=a%20b&prefix=x:", (("::1", 26379),),
         {"tls": True, "prefix": "x:", "master": "a b"}),
        ("redis+sentinel://u:p%40@s1.example?prefix=x:&master=site", (("s1.example", 26379),),
         {"user": "u", "password": "p@", "prefix": "x:"}),
    ],
)  # fmt: skip
def test_sentinels_are_named_instead_of_the_server(
    url: str, sentinels: tuple[tuple[str, int], ...], more: dict[str, Any]
) -> None:
    place = parse_state_url(url)
    assert isinstance(place, Place)
    assert replace(place, database=0) == Place(*sentinels[0], **({"sentinels": sentinels, "master": "site"} | more))


def test_a_place_told_by_sentinels_is_shown_by_the_masters_name() -> None:
    place = parse_state_url("redis+sentinel://:hidden@s1.example,[::1]:26380/2?master=site")
    assert str(place) == "redis at site/2 (Sentinels s1.example:26379 [::1]:26380), keys statusproxy:*"


def test_without_the_masters_name_it_is_said_how_to_give_it() -> None:
    with pytest.raises(ConfigError) as refused:
        loads("gateway: http://g.example\nstate:\n  url: redis+sentinel://:hidden@s1.example,s2.example/0\n")
    assert "config.yaml:3: state.url: found " in str(refused.value)
    assert "name the master as the Sentinels know it: redis+sentinel://h1:26379,h2:26379/0?master=NAME" in str(
        refused.value
    )
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h1.example,h2.example/0", "redis+sentinel://s1.example,?master=site", "redis://h.example?master=site",
        "redis+sentinel://s1.example?master=", "redis+sentinel://s1.example?master=a&master=b",
        "redis+sentinel://s1.example?master=a=b", "redis+sentinel://s1.example?master=site&x=1",
        "redis+sentinel://s1.example:0?master=site", "redis+sentinel://s1.example?master=a%0Ab",
    ],
)  # fmt: skip
def test_what_names_no_sentinels_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: |name the master"):
        parse_state_url(url)


def test_the_password_beside_sentinels_is_masked() -> None:
    url = "redis+sentinel://u:hidden@s1.example,s2.example/0?master=site"
    assert mask_state_url(url, "***") == "redis+sentinel://u:***@s1.example,s2.example/0?master=site"
