"""A block is read into its struct by the types of the struct's fields, checked, and shown again."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
import pytest

from statusproxy.config.blocks import Check, Section, form_of, struct
from statusproxy.config.forms import count, secret, text
from statusproxy.config.spot import MASK, Block
from tests.config.places import refused, spot


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
            'c.yaml:1: key.moer: unknown key; did you mean "more"? (known: inner, more, bare)',
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


class Guarded(msgspec.Struct, frozen=True):
    """A block with a secret that may be left out."""

    token: Annotated[str, secret()] | None = None


class Deep(msgspec.Struct, frozen=True):
    """A block that holds others."""

    one: Guarded | None = None
    several: tuple[Inner, ...] = ()


def test_a_block_that_may_be_left_out_is_shown_as_null_and_its_secret_as_a_mask() -> None:
    form = struct(Deep, CHECKS)
    nothing, something = form.read(spot("{one: null}")), form.read(spot("{one: {token: hidden}}"))
    assert form.show(nothing) == {"one": None, "several": []}
    assert form.show(something) == {"one": {"token": MASK}, "several": []}
    assert form.holds_secrets


class Shown(Section, frozen=True):
    """A block of the file with a secret."""

    name: Annotated[str, text()]
    token: Annotated[str, secret()] | None = None


def test_a_block_of_the_file_hides_its_secret_and_takes_no_key_that_it_lacks() -> None:
    assert repr(Shown("a", "hidden")) == f"Shown({{'name': 'a', 'token': '{MASK}'}})"
    with pytest.raises(msgspec.ValidationError, match="unknown field `nam`"):
        msgspec.convert({"name": "a", "nam": "b"}, Shown)


def test_a_check_is_called_in_any_depth() -> None:
    assert refused(struct(Deep, CHECKS), "{several: [{name: a}, {name: deep}]}").endswith("several[1].name: not deep")
    assert struct(Deep).read(spot("{several: [{name: deep}]}")) == Deep(several=(Inner("deep"),))
