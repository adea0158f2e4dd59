"""How answers are made of the sessions that they are about."""

from statusproxy.demo.dialect import Seen
from statusproxy.demo.dialects.answers import each, one, says

BOTH = [Seen("1", "sales", "", "open"), Seen("2", "support", "", "close")]


def test_an_answer_is_about_the_session_asked_for_about_each_or_always_the_same() -> None:
    assert one(lambda seen: {"state": seen.word})(BOTH) == {"state": "open"}
    assert each(lambda seen: {"state": seen.word})(BOTH) == [{"state": "open"}, {"state": "close"}]
    assert says({"success": True})(BOTH) == {"success": True}
