"""The signs of a gateway: how they are read from a preset, and which answers fit."""

from typing import Any

import pytest

from statusproxy.detection.catalogue import shipped
from statusproxy.detection.signs import Fit, Header, Sign, SignError, read_signs
from tests.detection.gateways import KINDS


def sign(**written: Any) -> Sign:
    """One sign as a preset has it."""
    (read,) = read_signs({"signs": [{"get": "/list", **written}]}, "mine")
    return read


@pytest.mark.parametrize("name", KINDS)
def test_the_answer_of_each_kind_fits_no_other(name: str) -> None:
    fitting = {
        gateway.preset
        for gateway in shipped()
        for sign in gateway.signs
        if sign.get.replace("{secret}", "planted-s3cret") == KINDS[name].route
        and sign.fit(KINDS[name].sessions) is Fit.YES
    }
    assert fitting == {name}


def test_every_element_must_fit() -> None:
    listed = sign(list="data.rows", each={"name": "text", "status": ["up", "down"]})
    assert listed.fit({"data": {"rows": [{"name": "a", "status": "up"}]}}) is Fit.YES
    assert listed.fit({"data": {"rows": [{"name": "a", "status": "up"}, {"name": "b", "status": "UP"}]}}) is Fit.NO
    assert listed.fit({"data": {"rows": ["a"]}}) is Fit.NO
    assert listed.fit({"data": {"rows": [{"name": "a"}]}}) is Fit.NO


def test_an_empty_list_is_possible_and_no_list_is_none() -> None:
    listed = sign(list="", each="text")
    assert listed.fit([]) is Fit.POSSIBLE
    assert listed.fit({}) is Fit.NO
    assert listed.fit(["a"]) is Fit.YES
    assert listed.fit([1]) is Fit.NO


def test_without_each_any_list_fits() -> None:
    assert sign(list="a").fit({"a": [1, "b"]}) is Fit.YES


@pytest.mark.parametrize(
    ("kind", "value", "holds"),
    [
        ("text", "a", True),
        ("text", 1, False),
        ("number", 1.5, True),
        ("number", True, False),
        ("boolean", False, True),
        ("boolean", 0, False),
        ("any", None, True),
        (["a"], 1, False),
    ],
)
def test_members_are_held_against_their_kind(kind: Any, value: object, holds: bool) -> None:
    assert sign(has={"x.y": kind}).fit({"x": {"y": value}}) is (Fit.YES if holds else Fit.NO)
    assert sign(has={"x.y": kind}).fit({"x": {}}) is Fit.NO


def test_a_header_may_have_a_scheme_and_a_sign_its_own() -> None:
    about = {
        "secret": "Authorization: Bearer",
        "signs": [
            {"get": "/a", "list": ""},
            {"get": "/{secret}/b", "list": "", "secret": "apikey", "refused": {"a": "any"}},
        ],
    }
    bearer, own = read_signs(about, "mine")
    assert bearer.header == Header("Authorization", "Bearer")
    assert bearer.header.value("s") == "Bearer s"
    assert (own.header, own.needs_secret, bearer.needs_secret) == (Header("apikey"), True, False)
    assert (str(bearer.header), str(own.header)) == ("Authorization: Bearer", "apikey")


def test_a_preset_without_signs_has_none() -> None:
    assert read_signs({}, "mine") == ()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"signs": "x"}, "preset mine: about.signs is not a list"),
        ({"signs": ["x"]}, "about.signs[0] is not a mapping"),
        ({"signs": [{"get": "/a", "lst": ""}]}, "about.signs[0] has unknown keys: lst"),
        ({"signs": [{"get": "a", "list": ""}]}, "about.signs[0].get is not a path"),
        ({"signs": [{"get": "/a b", "list": ""}]}, "about.signs[0].get is not a path"),
        ({"signs": [{"get": "/unhealthy", "list": ""}]}, "get asks for unhealthy, which may change something"),
        ({"signs": [{"get": "/session/Start/x", "list": ""}]}, "get asks for start, which may change something"),
        ({"signs": [{"get": "/a", "list": 1}]}, "list is not a dotted path"),
        ({"signs": [{"get": "/a", "each": "text", "has": {"a": "any"}}]}, "each needs list"),
        ({"signs": [{"get": "/a"}]}, "needs list or has"),
        ({"signs": [{"get": "/a", "list": "", "each": "word"}]}, "word is not one of text, number, boolean, any"),
        ({"signs": [{"get": "/a", "list": "", "each": ["x"]}]}, "each is not a mapping of members to kinds"),
        ({"signs": [{"get": "/a", "list": "", "each": {"a": []}}]}, "not a list of words, nor one of text"),
        ({"signs": [{"get": "/a", "list": "", "each": {"a": 1}}]}, "not a list of words, nor one of text"),
        ({"secret": "a b"}, 'secret is not a header such as apikey or "Authorization: Bearer"'),
        ({"secret": 1}, "secret is not a header"),
    ],
)
def test_what_cannot_be_read_is_told(about: dict[str, Any], said: str) -> None:
    with pytest.raises(SignError) as raised:
        read_signs(about, "mine")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "sign",
    [
        {"get": "/{secret}/a", "list": ""},
        {"get": "/a", "list": "", "refused": {"message": ["No"]}},
    ],
)
def test_a_path_with_the_secret_needs_how_a_wrong_one_is_refused(sign: dict[str, object]) -> None:
    with pytest.raises(SignError, match=r"signs\[0\]: refused belongs to a path with {secret}, and that needs it$"):
        read_signs({"signs": [sign]}, "mine")


def test_a_refusal_is_told_by_its_document_and_asked_for_without_the_secret() -> None:
    (sign,) = read_signs({"signs": [{"get": "/a/{secret}/b", "list": "", "refused": {"message": ["No"]}}]}, "mine")
    assert sign.without_secret == "/a/-/b"
    assert [sign.is_refusal(each) for each in ({"message": "No"}, {"message": "no"}, {}, None)] == [True] + [False] * 3
