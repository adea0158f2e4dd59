"""What the quick decoder refuses, replaced in steps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import surrogates
from statusproxy.status.surrogates import NO_CHARACTER, as_utf8, replace_halves
from tests.status.counting import counted


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (b"", b""),
        (b'"plain"', b'"plain"'),
        (b'"\\ud83d"', b'"\\uffff"'),
        (b'"\\uDE00a\\uD83D"', b'"\\uffffa\\uffff"'),
        (b'"\\ud83d\\ud83d\\ude00"', b'"\\uffff\\ud83d\\ude00"'),
        (b'"\\uD83D\\uDE00\\ude00"', b'"\\uD83D\\uDE00\\uffff"'),
        (b'"\\ud83d\\n\\ude00"', b'"\\uffff\\n\\uffff"'),
        (b'"\\\\ud83d \\\\\\ud83d \\u00e9 \\ud7ff \\"\n"', b'"\\\\ud83d \\\\\\uffff \\u00e9 \\ud7ff \\"\n"'),
    ],
)
def test_halves_are_replaced_and_whole_pairs_and_other_text_are_not(document: bytes, wanted: bytes) -> None:
    assert counted(replace_halves(document)) == (wanted, 0)


@pytest.mark.parametrize("document", [b"\\", b'"\\u12', b'"\\ud83d\\ude0', b'"\\ud"aa"', b'"\\ud83"', b'"\\udz00"'])
def test_an_escape_that_is_none_of_jsons_is_an_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a string cannot be read$"):
        counted(replace_halves(document))


@given(st.text(st.sampled_from('\ud83d\ude00\ud7ff\ue000\\"u\na'), max_size=30), st.integers(12, 30))
def test_wherever_a_step_ends_each_half_is_replaced(text: str, step: int) -> None:
    wanted = "".join(NO_CHARACTER if 0xD800 <= ord(one) < 0xE000 else one for one in json.loads(json.dumps(text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surrogates, "_STEP", step)
        document, _ = counted(replace_halves(json.dumps(text).encode()))
    assert json.loads(document) == wanted


def test_much_work_is_cut_into_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogates, "_STEP", 100)
    assert counted(replace_halves(b"a" * 99))[1] == 0
    assert counted(replace_halves(b"a" * 1_000))[1] == 10
    assert counted(replace_halves(b"\\ud83d" * 10))[1] == 5  # each counts for 70 bytes


@given(
    st.lists(st.sampled_from(["é".encode(), "😀".encode(), b"a", b"\xff", b"\xf0\x9f", b"\xed\xa0\x80"])),
    st.integers(1, 9),
)
def test_wherever_a_step_ends_what_is_not_utf_8_is_replaced(parts: list[bytes], step: int) -> None:
    document = b"".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surrogates, "_CHECKED", step)
        found, steps = counted(as_utf8(document))
    assert found == document.decode(errors="replace").encode()
    assert steps == max(len(document) - 1, 0) // step
