"""What a backend need not do: the defaults suit a store that is always there and looks after itself."""

from collections.abc import AsyncGenerator, Sequence

import pytest

from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import Backend, Reattached, StoreOptions

from .samples import NOW, kept


class Least(Backend):
    """All that a backend must have."""

    name = "least"
    history_rows = 1

    async def open(self, backlog: Backlog) -> list[Record]:
        return []

    async def write(self, batch: Batch) -> None:
        return

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        return []

    async def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        yield []

    async def close(self, left: Batch) -> None:
        return

    def describe(self, error: Exception) -> str:
        return str(error)

    def is_expected(self, error: Exception) -> bool:
        return True


async def test_a_backend_that_says_nothing_of_it_has_no_damage_no_upkeep_and_no_records_it_cannot_open() -> None:
    least = Least()
    assert least.cancellable
    assert (list(least.damage), dict(least.repairs), await least.acknowledge()) == ([], {}, 0)
    assert (await least.read(), await least.prepare(Backlog(lambda: NOW))) == ([], None)
    assert least.due_at() == float("inf")
    assert not least.may_pass_at_once(OSError())
    await least.upkeep()
    await least.stage([kept("01")])
    assert (least.spool, least.claims, least.outbox) == (None, None, None)


def test_a_backend_without_what_it_must_have_is_refused() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Backend()  # type: ignore[abstract]


def test_a_store_keeps_its_history_for_a_season_unless_told_otherwise() -> None:
    options = StoreOptions()
    assert (options.history_days, options.journal, dict(options.environ)) == (90, None, {})
    assert options.log.name == "statusproxy.store"


def test_nothing_is_missing_unless_told() -> None:
    assert list(Reattached().missing) == []
