"""What became of entries, on its way to the disk, and the lanes that wait for it."""

from statusproxy.spool.order import Lane
from statusproxy.spool.writing import Writing
from statusproxy.store.spooled import Removed
from tests.spool.fakes import FakeStore

SALES, SUPPORT = Lane("gateway", "sales"), Lane("gateway", "support")


class Bench:
    def __init__(self) -> None:
        self.store = FakeStore()
        self.let_go: list[Lane] = []
        self.writing = Writing(self.store, self.let_go.append)


async def test_what_is_on_disk_holds_no_lane() -> None:
    it = Bench()
    assert await it.writing.write([Removed("x")])
    assert await it.writing.end(SALES, Removed("a"))
    await it.writing.settle()
    assert (it.writing.holds, it.let_go, it.store.saves) == (False, [], [[Removed("x")], [Removed("a")]])


async def test_lanes_go_on_once_the_store_has_what_it_refused() -> None:
    it = Bench()
    it.store.fail()
    assert not await it.writing.write([Removed("x")])
    assert not it.writing.holds
    assert not await it.writing.end(SALES, Removed("a"))
    assert not await it.writing.end(SUPPORT, Removed("b"))
    await it.writing.settle()
    assert (it.writing.holds, it.let_go, len(it.store.saves)) == (True, [], 3)  # it is not asked while it is sick
    it.store.healthy = True
    await it.writing.settle()
    assert (it.writing.holds, it.let_go) == (True, [])  # it is not well yet
    it.store.heal()
    await it.writing.settle()
    assert (it.writing.holds, it.let_go, it.store.saves[-1]) == (False, [SALES, SUPPORT], [Removed("a"), Removed("b")])


async def test_many_lanes_go_on_some_at_a_time() -> None:
    it = Bench()
    it.store.fail()
    for number in range(450):
        await it.writing.end(Lane("gateway", str(number)), Removed(str(number)))
    it.store.heal()
    it.store.saves.clear()
    await it.writing.settle()
    assert [len(ops) for ops in it.store.saves] == [200, 200, 50]
    assert (it.writing.holds, len(it.let_go)) == (False, 450)
