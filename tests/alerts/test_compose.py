"""A message as a letter: JSON and words of one reader, the same at each attempt."""

import json

from statusproxy.alerts.compose import composer
from statusproxy.alerts.text import Reader
from statusproxy.alerts.values import Line, Message
from tests.alerts.fakes import NOW, lost, message, target


def test_a_letter_has_the_json_the_words_and_the_id() -> None:
    letter = composer(lambda: Reader(language="en"))(message("m1", "sales"), target())
    document = json.loads(letter.body)
    assert (letter.id, document["id"], document["type"]) == ("m1", "m1", "session.lost")
    assert "sales" in letter.title
    assert letter.text == document["text"]
    assert not letter.good_news


def test_a_return_is_good_news_and_the_language_is_the_readers() -> None:
    back = Message("m2", "session.back", NOW + 60, (Line(lost("sales"), NOW + 60, "connected-event"),), ())
    english, portuguese = (composer(lambda: Reader(language=each))(back, target()) for each in ("en", "pt-BR"))  # noqa: B023
    assert english.good_news
    assert english.text != portuguese.text


def test_it_is_the_same_at_each_attempt() -> None:
    compose = composer(Reader)
    assert compose(message(), target()) == compose(message(), target())
