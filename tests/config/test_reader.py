"""Typed reading: each form takes what it should, says what it wants, and never gives a secret away."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.reader import (
    JSON_SCALAR,
    MASK,
    Block,
    Check,
    Form,
    Spot,
    count,
    duration,
    form_of,
    mapping,
    parsed,
    secret,
    size,
    struct,
    switches,
    text,
    texts,
)
from statusproxy.config.yaml_tree import Mark, Scalar, parse


def spot(written: str, **environ: str) -> Spot:
    """The place of `key: written`."""
    mark, root = parse(f"key: {written}", "c.yaml", environ)
    return Spot(root, "", mark).entries("a mapping")["key"]


def refused(form: Form[Any], written: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        form.read(spot(written, **environ))
    return str(caught.value).removeprefix("c.yaml:1: key: ")


def test_an_error_names_the_place_once() -> None:
    assert str(Spot(Scalar("x"), "a.b", Mark("c.yaml", 2)).error("wrong")) == "c.yaml:2: a.b: wrong"
    assert str(Spot(Scalar("x"), "", Mark("c.yaml", 2)).error("wrong")) == "c.yaml:2: wrong"
    assert str(Spot(Scalar("x"), "listen", Mark("--listen")).error("wrong")) == "--listen: wrong"


def test_a_text_may_look_like_a_number_but_not_like_true_or_nothing() -> None:
    form = text()
    assert form.read(spot("12")) == "12"
    assert form.read(spot("on")) == "on"
    assert form.read(spot("'true'")) == "true"
    assert form.read(spot("${A}", A="true")) == "true"
    assert refused(form, "true") == 'found true; allowed: text; if it is a word, write it in quotes: "true"'
    assert refused(form, "null") == "found nothing (null); allowed: text"
    assert refused(form, "{}") == "found a mapping; allowed: text"
    assert refused(form, "' '") == 'found " "; allowed: a text that is not empty'
    assert text(empty=True).read(spot("''")) == ""


def test_a_secret_is_read_as_text_and_shown_as_a_mask() -> None:
    form = secret()
    for written in ("hunter2", "12345", "' x '"):
        assert form.show(form.read(spot(written))) == MASK
    assert form.read(spot("${A}", A="null")) == "null"
    assert refused(form, "[hunter2]") == "found a list; allowed: text"
    assert refused(form, "null") == "found nothing (null); allowed: text"


def test_an_optional_secret_is_absent_only_where_the_file_says_that_it_may_be() -> None:
    form = form_of(Annotated[str, secret()] | None)
    assert form.read(spot("null")) is None
    assert form.read(spot("${A:-}")) is None
    assert form.read(spot("${A:-}", A="")) is None
    assert form.read(spot("${A:-}", A="null")) == "null"
    assert form.read(spot("${A}", A="null")) == "null"
    assert refused(form, "${A}", A="") == "found an empty secret; allowed: a text that others cannot guess"
    assert (form.show(None), form.show("x")) == (None, MASK)


@pytest.mark.parametrize("written", ["", "#hunter2", " #hunter2", "&hunter2"])
def test_what_yaml_takes_for_nothing_is_not_taken_for_no_secret(written: str) -> None:
    message = refused(form_of(Annotated[str, secret()] | None), written)
    assert message == "found nothing; write null for none, or put quotes around a value that begins with # or &"


def test_errors_about_a_hidden_place_never_repeat_the_value() -> None:
    hidden = msgspec.structs.replace(spot("hunter2"), hidden=True)
    assert hidden.describe() == "a text"
    assert msgspec.structs.replace(spot("12345"), hidden=True).describe() == "a value"


def test_durations_and_sizes_say_their_bounds() -> None:
    assert duration().read(spot("500ms")) == 0.5
    assert duration(at_least=0).read(spot("0")) == 0
    assert refused(duration(), "0s") == 'found "0s"; allowed: at least 1ms'
    assert size(1024, 2048).read(spot("1k")) == 1024
    assert refused(size(1024, 2048), "4k") == 'found "4k"; allowed: 1KiB to 2KiB'


@pytest.mark.parametrize("written", ["x", "1.5", "true", "[1]", "0", "11", "9999999999999999"])
def test_a_count_is_a_whole_number_within_bounds(written: str) -> None:
    assert count(1, 10).read(spot("7")) == 7
    assert refused(count(1, 10), written).endswith("; allowed: a whole number from 1 to 10")


def test_a_single_text_may_stand_for_a_list_of_one() -> None:
    form = texts(text(), at_least=1)
    assert form.read(spot("a")) == ("a",)
    assert form.read(spot("[a, b]")) == ("a", "b")
    assert form.show(("a", "b")) == ["a", "b"]
    assert refused(form, "[]") == "found an empty list; allowed: at least one entry"
    assert refused(form, "null") == "found nothing (null); allowed: text; or a list of them"
    assert refused(texts(text()), "null") == (
        "found nothing (null); allowed: text; or a list of them; write [] for none, or remove the line"
    )
    with pytest.raises(ConfigError, match=r"^c\.yaml:1: key\[1\]: found a list"):
        form.read(spot("[a, [b]]"))


def test_a_mapping_has_keys_of_the_users_choice() -> None:
    form = mapping(text(), "a mapping of a to b")
    assert form.read(spot("{x: y}")) == {"x": "y"}
    assert form.show({"x": "y"}) == {"x": "y"}
    assert refused(form, "x") == 'found "x"; allowed: a mapping of a to b'


def test_switches_are_on_unless_turned_off() -> None:
    form = switches(["one", "two"])
    assert form.read(spot("{two: false}")) == {"one": True, "two": False}
    with pytest.raises(ConfigError, match=r'key: unknown key; did you mean "two"\? \(known: one, two\)'):
        form.read(spot("{tow: false}"))


@pytest.mark.parametrize(
    ("written", "value"), [("null", None), ("true", True), ("12", 12), ("1.5", 1.5), ("x", "x"), ("'12'", "12")]
)
def test_a_json_value_is_what_it_is_written_as(written: str, value: object) -> None:
    read = JSON_SCALAR.read(spot(written))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("written", ["1" * 16, "1e999", "9" * 400 + ".0"])
def test_a_number_that_json_readers_disagree_on_is_refused(written: str) -> None:
    assert refused(JSON_SCALAR, written).endswith("allowed: a number that JSON readers agree on, of at most 15 digits")


def test_a_json_value_is_no_list() -> None:
    assert refused(JSON_SCALAR, "[]") == "found a list; allowed: a text, a number, true, false or null"


def test_true_and_false_are_written_so() -> None:
    form = form_of(bool)
    assert form.read(spot("true")) is True
    assert form.read(spot("False")) is False
    assert refused(form, "off") == 'found "off"; allowed: true, false; did you mean "false"?'
    assert refused(form, "1") == "found 1; allowed: true, false"
    assert refused(form, "[]") == "found a list; allowed: true, false"


def test_a_choice_is_one_of_its_words() -> None:
    form = form_of(Literal["hex", "base64"])
    assert form.read(spot("hex")) == "hex"
    assert refused(form, "base46") == 'found "base46"; allowed: hex, base64; did you mean "base64"?'
    assert refused(form, "[hex]") == "found a list; allowed: hex, base64"


def test_the_text_of_a_parser_error_ends_the_sentence() -> None:
    def fail(value: str) -> str:
        raise ValueError("allowed: nothing")

    assert refused(parsed(fail), "x") == 'found "x"; allowed: nothing'
    assert refused(parsed(fail), "12") == "found 12; allowed: nothing"
    assert refused(parsed(fail, reveal=lambda value: "***"), "x") == 'found "***"; allowed: nothing'


class Inner(msgspec.Struct, frozen=True):
    """A block for these tests."""

    REQUIRED = {"name": "write a name"}

    name: Annotated[str, text()]
    from_: Annotated[int, count()] = msgspec.field(name="from", default=1)


def check_inner(inner: Inner, block: Block) -> None:
    if inner.from_ == 2:
        raise block.at("from").error("not two")
    if inner.from_ == 1 and inner.name == "one":
        raise block.at("from").error("not the default")
    if inner.name == "deep":
        raise block.at("name", "deeper").error("not deep")


class Outer(msgspec.Struct, frozen=True):
    """A block of blocks."""

    inner: Inner
    more: tuple[Inner, ...] = ()
    bare: bool = False


CHECKS: Mapping[type[msgspec.Struct], Check] = {Inner: check_inner}


def test_a_struct_is_read_from_its_block_and_shown_as_one() -> None:
    form = struct(Outer, CHECKS)
    outer = form.read(spot("{inner: {name: a, from: 3}, more: [{name: b}]}"))
    assert outer == Outer(Inner("a", 3), (Inner("b"),))
    assert form.show(outer) == {"inner": {"name": "a", "from": 3}, "more": [{"name": "b", "from": 1}], "bare": False}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("x", 'found "x"; allowed: a mapping of inner, more, bare'),
        ("{}", "c.yaml:1: key.inner: missing; it has no default"),
        ("{inner: {}}", "c.yaml:1: key.inner.name: missing; write a name"),
        (
            "{inner: {name: a}, moer: []}",
            'unknown key; did you mean "more"? (known: inner, more, bare)',
        ),
        ("{inner: {name: a, from: 2}}", "c.yaml:1: key.inner.from: not two"),
        ("{inner: {name: one}}", "c.yaml:1: key.inner: not the default"),
        ("{inner: {name: deep}}", "c.yaml:1: key.inner.name: not deep"),
        ("{inner: {name: a}, more: x}", 'c.yaml:1: key.more: found "x"; allowed: a list'),
    ],
)
def test_a_block_says_what_is_wrong_where_it_is(written: str, message: str) -> None:
    assert refused(struct(Outer, CHECKS), written) == message


class Switchable(msgspec.Struct, frozen=True):
    """A block that `null` turns off."""

    NULL = {"on": False}

    on: bool = True


def test_null_stands_for_the_values_that_a_block_names() -> None:
    form = struct(Switchable)
    assert (form.read(spot("null")), form.read(spot("{}"))) == (Switchable(on=False), Switchable(on=True))
