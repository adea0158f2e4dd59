"""The ids of entries."""

from statusproxy.spool.ids import Ids


def test_ids_sort_by_the_order_in_which_they_were_made() -> None:
    ids = Ids()
    made = [ids.new(now) for now in (1.0, 1.0, 1.0, 5.0, 2.0)]
    assert made == sorted(made)
    assert {len(id_) for id_ in made} == {28}


def test_two_proxies_never_make_the_same() -> None:
    assert Ids().new(1.0) != Ids().new(1.0)


def test_ids_go_on_after_those_of_an_earlier_process_whose_clock_ran_ahead() -> None:
    early, ids = Ids().new(2_000_000_000.0), Ids()
    ids.follow(early)
    ids.follow(Ids().new(5.0))
    assert ids.new(1_000_000_000.0) > early


def test_an_id_of_another_form_is_ignored() -> None:
    ids = Ids()
    ids.follow("no id of ours")
    assert ids.new(1.0).startswith("000000000f4240")
