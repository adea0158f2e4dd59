"""A place in the file words its errors: it is named once, and a secret there is never repeated."""

import msgspec
import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.spot import Block, Spot
from statusproxy.config.yaml_tree import Entries, Mark, Scalar
from tests.config.places import spot


def test_an_error_names_the_place_once() -> None:
    assert str(Spot(Scalar("x"), "a.b", Mark("c.yaml", 2)).error("wrong")) == "c.yaml:2: a.b: wrong"
    assert str(Spot(Scalar("x"), "", Mark("c.yaml", 2)).error("wrong")) == "c.yaml:2: wrong"
    assert str(Spot(Scalar("x"), "listen", Mark("--listen")).error("wrong")) == "--listen: wrong"


@pytest.mark.parametrize(
    ("written", "hidden", "words"),
    [
        ("[a]", False, "a list"),
        ("{a: b}", False, "a mapping"),
        ("null", False, "nothing (null)"),
        ("hunter2", False, '"hunter2"'),
        ("http://u:hunter2@h", False, '"http://********@h"'),
        ("12", False, "12"),
        ("1" * 60, False, "1" * 40),
        ("hunter2", True, "a text"),
        ("12", True, "a value"),
    ],
)
def test_what_was_found_is_described_and_a_hidden_value_is_not_repeated(written: str, hidden: bool, words: str) -> None:
    place = msgspec.structs.replace(spot(written), hidden=hidden)
    assert place.describe() == words
    assert str(place.found("allowed: less")) == f"c.yaml:1: key: found {words}; allowed: less"


@pytest.mark.parametrize(
    ("written", "environ", "hidden", "null"),
    [
        ("", {}, False, True),
        ("~", {}, True, True),
        ("x", {}, False, False),
        ("[]", {}, False, False),
        ("${A}", {"A": "null"}, False, True),
        ("${A}", {"A": "null"}, True, False),  # a secret that is spelt so
        ("${A}", {"A": ""}, True, False),
        ("${A:-}", {}, True, True),
    ],
)
def test_nothing_is_told_from_a_secret_that_reads_like_it(
    written: str, environ: dict[str, str], hidden: bool, null: bool
) -> None:
    assert msgspec.structs.replace(spot(written, **environ), hidden=hidden).is_null is null


def test_a_value_of_the_command_line_is_told_from_one_of_the_file() -> None:
    assert Spot(Scalar("x"), "listen", Mark("--listen")).is_from_command_line
    assert not spot("x").is_from_command_line
    assert not Spot(Scalar("x"), "listen", Mark("--strange-file-name", 1)).is_from_command_line


def test_an_unknown_key_is_named_with_what_was_probably_meant() -> None:
    block = spot("\n  lsten: x")
    (entry,) = block.entries("a mapping").values()
    assert str(block.unknown_key("lsten", entry, ["listen"])) == (
        'c.yaml:2: key.lsten: unknown key; did you mean "listen"? (known: listen)'
    )
    assert str(block.unknown_key("lsten", entry, ["listen"], guarded=True)).startswith("c.yaml:2: key: unknown key")


def test_a_key_in_a_block_that_holds_secrets_is_repeated_where_it_is_nearly_a_known_one() -> None:
    block = Spot(Entries({}), "key", Mark("c.yaml", 1))
    for name, shown in (("lsten", "key.lsten"), ("S3cret", "key")):
        entry = Spot(Scalar("x"), f"key.{name}", Mark("c.yaml", 2))
        error = block.unknown_key(name, entry, ["listen"], holds_secrets=True)
        assert str(error).startswith(f"c.yaml:2: {shown}: unknown key")


def test_a_key_that_a_comma_cut_off_is_not_repeated() -> None:
    block = spot("{value: abc,def}")
    entry = block.entries("a mapping")["def"]
    assert str(block.unknown_key("def", entry, ["value"])) == (
        "c.yaml:1: key: unknown key; put quotes around a value that holds a comma (known: value)"
    )


@pytest.mark.parametrize(
    ("written", "where"), [("{valeu: x}", "key.valeu"), ("{abc: x}", "key"), ("{valeu: ~}", "key")]
)
def test_a_key_in_braces_is_repeated_where_it_is_nearly_a_known_one_with_a_value(written: str, where: str) -> None:
    block = spot(written)
    ((name, entry),) = block.entries("a mapping").items()
    assert str(block.unknown_key(name, entry, ["value"])).startswith(f"c.yaml:1: {where}: unknown key")


@pytest.mark.parametrize(("written", "text"), [("a", "a"), ("12", "12"), ("1.5", "1.5")])
def test_a_number_is_a_text_as_it_is_written(written: str, text: str) -> None:
    assert spot(written).text() == text


def test_a_variable_is_text_whatever_it_looks_like() -> None:
    assert spot("${A}", A="true").text() == "true"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("true", 'found true; allowed: a word; if it is a word, write it in quotes: "true"'),
        ("[]", "found a list; allowed: a word"),
        ("null", "found nothing (null); allowed: a word"),
    ],
)
def test_what_is_no_text_is_refused(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        spot(written).text("a word")
    assert str(caught.value) == f"c.yaml:1: key: {message}"


def test_items_and_entries_know_their_keys_and_stay_hidden() -> None:
    place = msgspec.structs.replace(spot("[a, b]"), hidden=True)
    assert [(item.key, item.hidden) for item in place.items("a list")] == [("key[0]", True), ("key[1]", True)]
    inner = msgspec.structs.replace(spot("{x: 1, a b: 2}"), hidden=True).entries("a mapping")
    assert [(name, each.key, each.hidden) for name, each in inner.items()] == [
        ("x", "key.x", True),
        ("a b", 'key["a b"]', True),
    ]


@pytest.mark.parametrize(
    ("written", "least", "message"),
    [
        ("x", 0, 'found "x"; allowed: a list'),
        ("null", 0, "found nothing (null); allowed: a list; write [] for none, or remove the line"),
        ("null", 1, "found nothing (null); allowed: a list"),
    ],
)
def test_what_is_no_list_is_refused(written: str, least: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        spot(written).items("a list", at_least=least)
    assert str(caught.value) == f"c.yaml:1: key: {message}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[]", "found a list; allowed: a mapping"),
        ("null", "found nothing (null); allowed: a mapping; write {} for none, or remove the line"),
    ],
)
def test_what_is_no_mapping_is_refused(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        spot(written).entries("a mapping")
    assert str(caught.value) == f"c.yaml:1: key: {message}"


def test_a_check_finds_the_place_of_a_key_or_the_nearest_one_that_is_written() -> None:
    place = spot("{a: {b: c}}")
    block = Block(place, place.entries("a mapping"))
    assert block.at("a", "b").key == "key.a.b"
    assert block.at("a", "x").key == "key.a"
    assert block.at("a", "b", "c").key == "key.a.b"
    assert block.at("x").key == "key"
