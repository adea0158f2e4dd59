"""What a redis url says, and what is never shown of it."""

import pytest

from statusproxy.state_url import Place, parse_state_url


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://h.example", Place("h.example")),
        ("redis://h.example/", Place("h.example")),
        ("redis://h.example:6380/12", Place("h.example", 6380, 12)),
        ("rediss://[::1]:6380/1", Place("::1", 6380, 1, tls=True)),
        ("redis://:p%40ss@h.example", Place("h.example", password="p@ss")),
        ("redis://user:pass@h.example", Place("h.example", user="user", password="pass")),
        ("redis://pass@h.example", Place("h.example", password="pass")),  # as redis-cli reads it
        ("redis://h.example/0?prefix=site-a:", Place("h.example", prefix="site-a:")),
        ("redis://h.example/0?prefix=%7Bsite%7D:", Place("h.example", prefix="{site}:")),
    ],
)
def test_a_url_is_read(url: str, place: Place) -> None:
    assert parse_state_url(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "redis://", "redis://:hunter2@", "redis://:hunter2@h.example:port", "redis://:hunter2@h.example/zero",
        "redis://:hunter2@h.example/-1", "redis://:hunter2@h.example/0#x", "redis://:hunter2@h.example?prefix=",
        "redis://:hunter2@h.example?prefix=%00", "redis://:hunter2@h.example?prefix=a&prefix=b",
        "redis://:hunter2@h.example?prefx=a", "redis://:hunter2@h.example?a", "redis://:hunter2@[h.example",
        "http://:hunter2@h.example",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^state\.url: .*allowed: redis://") as refused:
        parse_state_url(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_place_shows_where_and_not_the_password() -> None:
    place = parse_state_url("redis://user:hunter2@[::1]:6380/1?prefix=a:")
    assert str(place) == "redis at [::1]:6380/1, keys a:*"
    assert "hunter2" not in repr(place)


def test_a_servers_words_are_told_without_the_password_it_was_sent() -> None:
    place = Place("h.example", password="hunter2")
    assert (
        place.conceal("ERR unknown command 'AUTH', with args beginning with: 'hunter2'") == "ERR unknown command 'AUTH'"
    )
    assert place.conceal("hunter2 is wrong") == "*** is wrong"
    assert Place("h.example").conceal("no password") == "no password"
