"""The names of the keys in Redis, and ids as fields."""

import pytest

from statusproxy.config.state_url import Place
from statusproxy.store.redis_names import FORMAT, Names, field_of, session_of


def test_all_keys_have_the_prefix_so_that_groups_of_proxies_do_not_meet() -> None:
    names = Names.of(Place("h.example", prefix="{site}:"))
    assert names.records == "{site}:records"
    assert {getattr(names, name) for name in Names.__slots__} == {
        f"{{site}}:{name.replace('_', ':')}" for name in Names.__slots__
    }
    assert (names.spool_contents, names.body("01"), names.upload("01")) == (
        "{site}:spool:contents", "{site}:spool:body:01", "{site}:spool:upload:01",
    )  # fmt: skip


def test_versions_that_share_the_keys_agree_on_the_number_of_their_arrangement() -> None:
    assert FORMAT == 2


@pytest.mark.parametrize("session", ["sales", "Vendas São Paulo", "\ud800"])
def test_an_id_is_the_same_again(session: str) -> None:
    assert session_of(field_of(session)) == session


def test_a_field_that_is_no_id_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        session_of(b"\xff")
