"""When the first entries of a receiver's lanes may go."""

from statusproxy.spool.agenda import Agenda


def agenda(*planned: tuple[float, str], own: tuple[tuple[float, str], ...] = (), gone: tuple[str, ...] = ()) -> Agenda:
    made = Agenda(lambda each: each[1] not in gone)
    for due, id_ in planned:
        made.plan(due, id_, own=False)
    for due, id_ in own:
        made.plan(due, id_, own=True)
    return made


def test_the_one_due_longest_goes_first_and_none_before_its_time() -> None:
    it = agenda((3.0, "c"), (1.0, "a"), own=((2.0, "b"), (2.5, "x")), gone=("x",))
    assert (it.next_due(), it.take(0.9)) == (1.0, None)
    assert [it.take(3.0) for _ in range(4)] == ["a", "b", "c", None]
    assert it.next_due() is None


def test_a_probe_goes_before_its_time_unless_its_pause_is_its_own() -> None:
    it = agenda((9.0, "a"), own=((5.0, "b"),))
    assert [it.take_probe(1.0), it.take_probe(1.0), it.take_probe(5.0)] == ["a", None, "b"]


def test_what_waits_for_the_receiver_goes_at_once_when_that_is_back_and_what_comes_later_at_its_time() -> None:
    it = agenda((9.0, "a"), (8.0, "b"), (7.0, "x"), own=((6.0, "c"),), gone=("x",))
    it.hasten()
    it.plan(5.0, "d", own=False)
    assert it.take(1.0) == "b"
    it.hasten()  # it was away once more
    assert [it.take(1.0) for _ in range(3)] == ["a", "d", None]
    assert (it.take(6.0), it.next_due()) == ("c", None)


def test_a_hundred_thousand_are_hastened_without_a_look_at_each() -> None:
    looks = 0

    def look(_: tuple[float, str]) -> bool:
        nonlocal looks
        looks += 1
        return True

    it = Agenda(look)
    for number in range(100_000):
        it.plan(100.0 + number, str(number), own=False)
    it.hasten()
    assert (it.take(0.0), it.take_probe(0.0)) == ("0", "1")
    assert looks < 20
