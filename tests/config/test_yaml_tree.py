"""YAML to nodes with lines: what a plain word is, what is refused and where, how variables are filled in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import statusproxy
from statusproxy.config import yaml_tree
from statusproxy.config.errors import ConfigError
from statusproxy.config.yaml_tree import Entries, Items, Kind, Mark, Node, Scalar, child_key, parse, resolve


def plain(node: Node) -> object:
    """A node as texts, lists and dicts, without its lines."""
    match node:
        case Scalar(text=text):
            return text
        case Items(nodes=nodes):
            return [plain(each) for _, each in nodes]
        case Entries(nodes=entries):
            return {name: plain(each) for name, (_, each) in entries.items()}


def read(text: str, **environ: str) -> object:
    return plain(parse(text, "c.yaml", environ)[1])


def refused(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml", environ)
    return str(caught.value)


def scalar(text: str, **environ: str) -> Scalar:
    node = parse(f"key: {text}", "c.yaml", environ)[1]
    assert isinstance(node, Entries)
    value = node.nodes["key"][1]
    assert isinstance(value, Scalar)
    return value


def test_a_mark_names_the_file_and_its_line() -> None:
    assert str(Mark("c.yaml", 3)) == "c.yaml:3"
    assert str(Mark("--listen")) == "--listen"


def test_a_key_path_quotes_what_is_no_plain_key() -> None:
    assert child_key("", "a") == "a"
    assert child_key("a[0]", "b-c") == "a[0].b-c"
    assert child_key("a", "b.c d") == 'a["b.c d"]'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", Kind.NULL),
        ("~", Kind.NULL),
        ("null", Kind.NULL),
        ("true", Kind.BOOL),
        ("FALSE", Kind.BOOL),
        ("12", Kind.INT),
        ("-1", Kind.INT),
        ("1.5", Kind.FLOAT),
        ("1e3", Kind.FLOAT),
        ("on", Kind.TEXT),
        ("no", Kind.TEXT),
        ("12:30", Kind.TEXT),
        ("0x1f", Kind.TEXT),
        ("2026-01-15", Kind.TEXT),
        ("١", Kind.TEXT),
    ],
)
def test_a_plain_word_is_what_yaml_1_2_takes_it_for(text: str, kind: Kind) -> None:
    assert resolve(text) is kind
    assert scalar(text) == Scalar(text, kind)


def test_what_stands_in_quotes_is_text() -> None:
    assert scalar('"12"') == scalar("!!str 12") == Scalar("12", Kind.TEXT)
    assert scalar("'null'") == Scalar("null", Kind.TEXT)


def test_each_value_knows_the_line_of_its_key_or_item() -> None:
    mark, node = parse("# first\na: 1\nb:\n  - x\n  - y\n", "c.yaml", {})
    assert isinstance(node, Entries)
    assert (mark.line, node.nodes["a"][0].line, node.nodes["b"][0].line) == (2, 2, 3)
    items = node.nodes["b"][1]
    assert isinstance(items, Items)
    assert [place.line for place, _ in items.nodes] == [4, 5]


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n", "\ufeff"])
def test_a_document_without_content_is_empty(text: str) -> None:
    assert plain(parse(text, "c.yaml", {})[1]) in ({}, "")


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    anchors = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\n"
    assert read(anchors + "all: {<<: [*base, *more], c: 5}\none:\n  <<: *base\n  a: 9\n") == {
        "base": {"a": "1", "b": "2"},
        "more": {"b": "3", "c": "4"},
        "all": {"a": "1", "b": "2", "c": "5"},
        "one": {"a": "9", "b": "2"},
    }


def test_a_bomb_of_aliases_is_built_once_for_each_anchor() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    node = parse("\n".join(rows), "c.yaml", {})[1]
    assert isinstance(node, Entries)
    assert len(node.nodes) == 60


TAG = "found a tag (a value that begins with !); allowed: plain YAML without tags, or quotes around the value"
DOLLAR = "found ${ without a variable's name and }; allowed: ${VAR}, ${VAR:-default}, or $$ for a dollar"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "c.yaml:2: a: found twice, first in line 1; allowed: each key once"),
        ("x:\n  - b: 1\n    'b': 2", "c.yaml:3: x[0].b: found twice, first in line 2; allowed: each key once"),
        ("a:\n\t- x", "c.yaml:2: not YAML: found a tab where YAML expects spaces; indent with spaces"),
        (
            "a: b: c",
            (
                "c.yaml:1: not YAML: mapping values are not allowed here; "
                'put quotes around a value that holds ": ", and check the indentation'
            ),
        ),
        (
            "a: @b",
            (
                "c.yaml:1: not YAML: found a character that cannot begin a value, such as @ or %; "
                "put quotes around the value"
            ),
        ),
        (
            "a: [b\nc: d",
            (
                "c.yaml:2: not YAML: expected ',' or ']'; "
                "close the bracket, and put quotes around values that hold brackets"
            ),
        ),
        (
            "a: *b",
            (
                "c.yaml:1: not YAML: found a value that begins with *, which in YAML refers to another value; "
                "put quotes around the value"
            ),
        ),
        ("a: 1\n---\nb: 2", "c.yaml:2: not YAML: found a second document; allowed: one per file"),
        ("a: \x01", "c.yaml:1: not YAML: found the character U+0001, which is not allowed in it"),
        ("\na: \uf8d0", "c.yaml:2: not YAML: found the character U+F8D0, which is not allowed in it"),
        ("a: &a [*a]", "c.yaml:1: a[0]: this anchor contains itself; allowed: an anchor without a cycle"),
        ("<<: 1", "c.yaml:1: <<: found no mapping; allowed: an alias of a mapping"),
        ("? [a]\n: b", "c.yaml:1: found a list or a mapping as a key; allowed: a word"),
        ("a: !b c", f"c.yaml:1: a: {TAG}"),
        ("a: !!set {b}", f"c.yaml:1: a: {TAG}"),
        ('a: "\\ud800"', "c.yaml:1: a: found text that is not Unicode; allowed: UTF-8"),
        ('"\\ud800": a', "c.yaml:1: found text that is not Unicode; allowed: UTF-8"),
        ("[" * 1000, "c.yaml: not YAML that can be read: nested too deep"),
        ("a: ${B}", "c.yaml:1: a: the environment variable B is not set; set it, or write ${B:-default}"),
        (
            "a:\n- x\n- y ${B} z",
            "c.yaml:3: a[1]: the environment variable B is not set; set it, or write ${B:-default}",
        ),
        ("a: ${b}", "c.yaml:1: a: the environment variable in ${…} is not set; set it, or write $$ for a dollar"),
        ("a: ${B-c}", f"c.yaml:1: a: {DOLLAR}"),
        ("a: ${B", f"c.yaml:1: a: {DOLLAR}"),
        ("a: ${1}", f"c.yaml:1: a: {DOLLAR}"),
        (
            "a: $SECRET",
            "c.yaml:1: a: found $ and a name without braces; allowed: ${VAR} for a variable, or $$ for a dollar",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line_that_says_where_and_why(text: str, message: str) -> None:
    assert refused(text) == message


def test_bytes_of_the_environment_that_are_not_utf_8_are_refused() -> None:
    assert refused("a: ${B}", B="\udcff") == "c.yaml:1: a: found text that is not Unicode; allowed: UTF-8"


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${A}", "one"),
        ("x${A}y${A}", "xoney" + "one"),
        ("${A:-two}", "one"),
        ("${NONE:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY}", ""),
        ("${NONE:-}", ""),
        ("${NONE:-http://h.example:1}", "http://h.example:1"),
        ("$${A}", "${A}"),
        ("$$$$", "$$"),
        ("$A", "$A"),
        ("pa$word$", "pa$word$"),
        ("'${A}'", "one"),
        ('"${A}"', "one"),
    ],
)
def test_variables_are_filled_in_and_two_dollars_are_one(written: str, filled: str) -> None:
    assert scalar(written, A="one", EMPTY="").text == filled


def test_what_a_variable_holds_never_changes_the_structure() -> None:
    assert read("a: ${V}\nb: [x, '${V}']", V="1\nc: [d, *e]") == {"a": "1\nc: [d, *e]", "b": ["x", "1\nc: [d, *e]"]}


def test_a_variable_within_a_value_is_not_filled_in_again() -> None:
    assert scalar("${A}", A="${B} $$").text == "${B} $$"


def test_only_a_value_that_is_wholly_one_variable_is_typed() -> None:
    assert scalar("${A}", A="5") == Scalar("5", Kind.INT, substituted=True)
    assert scalar('"${A}"', A="null") == Scalar("null", Kind.NULL, substituted=True)
    assert scalar("${A}0", A="5") == Scalar("50", Kind.TEXT)


def test_keys_and_presets_keep_their_dollars() -> None:
    assert read("${A}: $$", A="x") == {"${A}": "$"}
    assert plain(parse("a: ${B} $$", "preset x", None)[1]) == {"a": "${B} $$"}


def test_placeholders_may_stand_in_brackets_without_quotes() -> None:
    text = "create: [POST /api, POST /api/{session}/start]\nflow: {path: /a/{session}, to: ${A}, or: ${B:-x}}"
    assert read(text, A="one") == {
        "create": ["POST /api", "POST /api/{session}/start"],
        "flow": {"path": "/a/{session}", "to": "one", "or": "x"},
    }


def test_a_dollar_and_a_name_is_text_where_it_may_be_a_password() -> None:
    for written, text in (("$ecret", "$ecret"), ("$$SECRET", "$SECRET"), ("a$SECRET", "a$SECRET"), ("$5", "$5")):
        assert parse(f"a: {written}", "c.yaml", {})[1] == parse(f"a: '{text}'", "c.yaml", None)[1]


def test_a_key_that_is_not_among_the_known_ones_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a:\n  - {b: x,hunter2,hunter2}", "c.yaml", {}, {"a", "b"})
    assert str(caught.value) == "c.yaml:2: a[0].…: found twice, first in line 2; allowed: each key once"


PRESETS = sorted((Path(statusproxy.__file__).parent / "presets").glob("*.yaml"))


def tree(text: str) -> object:
    """The tree of a text, or the error."""
    try:
        return parse(text, "p.yaml", None)
    except ConfigError as error:
        return str(error)


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Reads a text by PyYAML alone."""

    def slow(text: str) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(yaml_tree, "_QuickLoader", yaml_tree._Loader)
            return tree(text)

    return slow


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_libyaml_reads_each_preset_as_pyyaml_does_to_the_line(preset: Path, slowly: Callable[[str], object]) -> None:
    text = preset.read_text(encoding="utf-8")
    assert tree(text) == slowly(text)


#: What means something in YAML, and a few words between.
PARTS = (
    *("a", "b: ", "c: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", ": ", "'", '"', "\\n", "|", "|-", ">"),
    *(
        "&x ",
        "*x",
        "<<: ",
        "!t ",
        "#x",
        " #y",
        " ",
        "\t",
        "? ",
        "1",
        "null",
        "~",
        "\x85",
        "\ufeff",
        "é",
        "%",
        "@",
        "...",
    ),
    *("\u2028", "\\u00e9", "0x1", "1e3", "''", "\r\n", " : ", "-", "?", ":", "${A}", "{session}"),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
@example("a: |#x")
@example("? a")
@example("- ? a")
@example("\ufeff\ufeffa: 1")
@example("a: 1\t")
@example("a: \ud800")
def test_libyaml_reads_as_pyyaml_does_whatever_stands_there(slowly: Callable[[str], object], text: str) -> None:
    assert tree(text) == slowly(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 200_000, marks=pytest.mark.slow),
        "- " * 200_000,
        "a: " + "{a: " * 200_000,
        "\n".join(" " * n + "a:" for n in range(3_000)),
    ],
)
def test_a_document_nested_too_deep_is_an_error_and_no_end_of_the_process(text: str) -> None:
    assert tree(text) == "p.yaml: not YAML that can be read: nested too deep"
