"""What was read is kept, as far as there is room."""

from statusproxy.proxy.http1.memory import keep


def test_a_full_memory_begins_anew() -> None:
    cache: dict[str, int] = {}
    for number, key in enumerate("abc"):
        keep(cache, key, number, 3)
    assert cache == {"a": 0, "b": 1, "c": 2}
    keep(cache, "d", 3, 3)
    assert cache == {"d": 3}
