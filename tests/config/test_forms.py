"""Each form takes what it should, says what it wants, and never gives a secret away."""

import msgspec
import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.forms import (
    JSON_SCALAR,
    boolean,
    boolean_or,
    choice,
    count,
    duration,
    mapping,
    parsed,
    secret,
    set_value,
    size,
    switches,
    text,
    texts,
)
from statusproxy.config.spot import MASK
from tests.config.places import refused, spot


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


def test_a_secret_that_was_copied_masked_is_refused() -> None:
    said = f"{MASK} stands for a secret where settings are shown; allowed: the secret itself, or ${{VAR}}"
    assert refused(secret(), f"'{MASK}'") == refused(secret(), f"'https://hub.example/?key={MASK}'") == said


def test_a_secret_is_one_line_of_text() -> None:
    assert refused(secret(), "''") == "found an empty secret; allowed: a text that others cannot guess"
    said = "found a line break or another control character in it; allowed: one line of text"
    assert refused(secret(), r'"hunter2\n"') == said


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


def test_entries_that_compare_alike_stand_once() -> None:
    form = texts(text(), compared=str.casefold)
    assert form.read(spot("[a, b]")) == ("a", "b")
    assert (
        refused(form, "[a, b, A]") == 'c.yaml:1: key[2]: found "A"; an entry before it is the same; allowed: each once'
    )
    assert texts(text()).read(spot("[a, A]")) == ("a", "A")


def test_a_mapping_has_keys_of_the_users_choice() -> None:
    form = mapping(text(), "a mapping of a to b")
    assert form.read(spot("{x: y}")) == {"x": "y"}
    assert form.show({"x": "y"}) == {"x": "y"}
    assert refused(form, "x") == 'found "x"; allowed: a mapping of a to b'


def test_switches_are_on_unless_turned_off() -> None:
    form = switches(["one", "two"])
    assert form.read(spot("{two: false}")) == {"one": True, "two": False}
    with pytest.raises(ConfigError, match=r'key\.tow: unknown key; did you mean "two"\? \(known: one, two\)'):
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


def test_the_text_of_a_parser_error_ends_the_sentence() -> None:
    def fail(value: str) -> str:
        raise ValueError("allowed: nothing")

    assert refused(parsed(fail), "x") == 'found "x"; allowed: nothing'
    assert refused(parsed(fail), "12") == "found 12; allowed: nothing"
    assert refused(parsed(fail, reveal=lambda value: "***"), "x") == 'found "***"; allowed: nothing'


def test_a_secret_is_one_line_that_is_not_empty() -> None:
    assert refused(secret(), "''") == "found an empty secret; allowed: a text that others cannot guess"
    assert refused(secret(), '"hunter2\\n"') == (
        "found a line break or another control character in it; allowed: one line of text"
    )


def test_a_mapping_refuses_too_few_entries_an_empty_key_and_a_key_that_its_check_refuses() -> None:
    def no_dot(name: str) -> str:
        if "." in name:
            raise ValueError("allowed: no dot")
        return name

    form = mapping(text(), "a mapping", at_least=1, check_name=no_dot)
    assert refused(form, "{}") == "found a mapping; allowed: a mapping, with at least one entry"
    assert refused(form, "{' ': a}").endswith("found an empty key; allowed: a text that is not empty")
    assert refused(form, "{a.b: c}").endswith("allowed: no dot")
    assert form.read(spot("{ab: c}")) == {"ab": "c"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("yes", 'found "yes"; allowed: true, false; did you mean "true"?'),
        ("off", 'found "off"; allowed: true, false; did you mean "false"?'),
        ("maybe", 'found "maybe"; allowed: true, false'),
        ("[]", "found a list; allowed: true, false"),
    ],
)
def test_a_boolean_is_true_or_false(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        boolean(spot(written))
    assert str(caught.value) == f"c.yaml:1: key: {message}"
    assert (boolean(spot("true")), boolean(spot("False"))) == (True, False)


def test_a_boolean_may_have_words_that_say_more() -> None:
    form = boolean_or("json", "combined")
    assert [form.read(spot(written)) for written in ("true", "false", "json")] == [True, False, "json"]
    assert refused(form, "jsn") == 'found "jsn"; allowed: true, false, json, combined; did you mean "json"?'
    assert refused(form, "[json]") == "found a list; allowed: true, false, json, combined"


def test_a_word_is_one_of_those_known() -> None:
    form = choice(("hex", "base64"))
    assert form.read(spot("hex")) == "hex"
    assert refused(form, "base46") == 'found "base46"; allowed: hex, base64; did you mean "base64"?'
    assert refused(form, "[hex]") == "found a list; allowed: hex, base64"


def test_a_value_may_go_by_words() -> None:
    form = set_value()
    assert form.read(spot("closed")) == "closed"
    value = form.read(spot("{failed: FAILED, '*': null}"))
    assert value == {"failed": "FAILED", "*": None}
    assert (form.show(value), form.show(False)) == ({"failed": "FAILED", "*": None}, False)
    assert (
        refused(form, "{a: {b: c}}")
        == "c.yaml:1: key.a: found a mapping; allowed: a text, a number, true, false or null"
    )
    assert "with at least one entry" in refused(form, "{}")


def test_a_word_that_a_value_goes_by_is_checked() -> None:
    def check(word: str) -> str:
        raise ValueError(f"not {word}")

    assert refused(set_value(check), "{a: b}") == "c.yaml:1: key.a: not a"
