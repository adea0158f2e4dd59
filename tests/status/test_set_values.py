"""What a disconnected channel's members are set to, by the word of the event that said so."""

import pytest

from statusproxy.status.set_values import ByWord, SetValue, any_values, by_word, named_words, values_for

VALUES: dict[str, SetValue] = {
    "status": ByWord({"failed": "FAILED", "scan_qr_code": "SCAN_QR_CODE", "*": "STOPPED"}),
    "reason": ByWord({"failed": None}),
    "connected": False,
}


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("failed", {"status": "FAILED", "reason": None, "connected": False}),
        (" FAILED ", {"status": "FAILED", "reason": None, "connected": False}),
        ("Scan_QR_Code", {"status": "SCAN_QR_CODE", "connected": False}),
        ("other", {"status": "STOPPED", "connected": False}),
        ("*", {"status": "STOPPED", "connected": False}),
        (None, {"status": "STOPPED", "connected": False}),
    ],
)
def test_each_word_has_its_value_and_any_other_the_common_one(word: str | None, written: dict[str, object]) -> None:
    assert values_for(VALUES, word) == written


def test_the_words_with_values_of_their_own_are_told() -> None:
    assert named_words(VALUES) == {"failed", "scan_qr_code"}
    assert named_words({"status": "x"}) == frozenset()


def test_every_member_has_some_value() -> None:
    assert any_values(VALUES) == {"status": "STOPPED", "reason": None, "connected": False}
    assert any_values({"a": ByWord({"x": "y"}), "b": ByWord({})}) == {"a": "y", "b": None}


@pytest.mark.parametrize(
    ("value", "written"),
    [("off", "off"), (None, None), ({" Failed": "F", "*": 1}, ByWord({"failed": "F", "*": 1}))],
)
def test_a_value_by_word_is_folded_and_any_other_stays(value: object, written: object) -> None:
    assert by_word(value) == written  # type: ignore[arg-type]
