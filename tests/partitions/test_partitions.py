"""Packets between a proxy and what it shares vanish: each goes on with what it hears, and then both know the same."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from statusproxy.store.claims import LEASE
from tests.partitions.network import missing
from tests.partitions.place import GATEWAY, REDIS, Proxy, place, until

_MISSING = missing() or (None if shutil.which("redis-server") else "no redis-server here")
pytestmark = [pytest.mark.divisible, pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))]

#: Seconds between two events at different proxies: more than their clocks may differ unnoticed (docs/redis.md).
APART = 1.0


@contextmanager
def asking(proxy: Proxy) -> Iterator[list[int]]:
    """Ask a proxy for something that is passed on, again and again; the codes of the answers."""
    codes: list[int] = []
    end = threading.Event()

    def ask() -> None:
        while not end.wait(0.02):
            codes.append(proxy.ask("GET", "/anything")[0])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield codes
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("ahead", [(0.0, 0.0), (-150.0, 150.0)], ids=str)
def test_cut_off_from_redis_each_goes_on_and_nothing_older_wins_afterwards(ahead: tuple[float, float]) -> None:
    with place(*ahead) as here:
        a, b = here.proxies
        assert [a.tell("s0", "browserClose"), b.tell("s1", "browserClose"), b.tell("s2", "browserClose")] == [200] * 3
        here.agree(["s0", "s1", "s2"])
        here.network.pull(a.host, REDIS)
        with asking(a) as at_a, asking(b) as at_b:
            told = [a.tell("s0", "inChat"), a.tell("s3", "browserClose"), a.tell("s4", "browserClose")]
            told += [b.tell("s1", "inChat"), b.tell("s5", "browserClose")]
            time.sleep(APART)
            told += [b.tell("s4", "inChat"), a.tell("s1", "browserClose")]  # each knows better than the other
            told += [b.tell("s2", "inChat")]
            time.sleep(APART)
            told += [a.tell("s2", "browserClose")]
            assert told == [200] * len(told)
            assert a.listed() == ["s1", "s2", "s3", "s4"]  # what it hears counts, and what it knew
            assert b.listed() == ["s0", "s5"]
            until(lambda: a.health()["store"] != "ok", "health says nothing of it")
            assert a.health()["status"] == "error"
            until(lambda: b.health()["store"] == "ok", "health of the other speaks of it")
            asked = len(at_a), len(at_b)
            until(lambda: len(at_a) > asked[0] and len(at_b) > asked[1], "no request is answered")
            here.network.plug(a.host, REDIS)
            here.agree(["s1", "s2", "s3", "s5"])
        assert set(at_a) == set(at_b) == {200}
        assert a.listed() == b.listed() == ["s1", "s2", "s3", "s5"]


def test_cut_off_from_the_gateway_one_tells_the_other_what_it_hears_which_serves_on() -> None:
    with place(0.0, 0.0, timeouts={"connect": "1s", "response_head": "2s"}) as here:
        a, b = here.proxies
        a.tell("s0", "browserClose")
        here.agree(["s0"])
        here.network.pull(a.host, GATEWAY)
        with asking(b) as at_b:
            assert a.tell("s1", "browserClose") in {202, 504}
            assert a.tell("s0", "inChat") == 202
            here.agree(["s1"])
            assert b.listed() == ["s1"]
            assert a.ask("GET", "/anything")[0] in {502, 504}
            assert (a.health()["status"], a.health()["gateway"] == "ok") == ("error", False)
            until(lambda: b.health()["status"] == "ok", "health of the other speaks of it")
            here.network.plug(a.host, GATEWAY)
            until(lambda: a.ask("GET", "/anything")[0] == 200, "it does not serve again")
        assert set(at_b) == {200}
        assert a.listed() == b.listed() == ["s1"]


WORDS = ["browserClose", "inChat", "notLogged", "inChat", "browserClose"]


def test_what_one_keeps_while_it_cannot_reach_the_gateway_another_delivers_in_order() -> None:
    with place(0.0, 0.0, timeouts={"connect": "1s"}) as here:
        a, b = here.proxies
        here.agree([])
        here.network.pull(a.host, GATEWAY)
        assert [a.tell("s0", word) for word in WORDS] == [202] * 5
        until(lambda: len(here.arrived("s0")) == 5, "the other does not deliver what this one keeps")
        assert here.arrived("s0") == [(word, b.address) for word in WORDS]
        until(lambda: a.waiting() == b.waiting() == 0, "it is kept still")


def test_who_delivered_and_is_cut_off_from_redis_sends_nothing_once_another_may() -> None:
    with place(0.0, 0.0, timeouts={"connect": "1s"}) as here:
        a, b = here.proxies
        here.agree([])
        for proxy in here.proxies:
            here.network.pull(proxy.host, GATEWAY)
        assert [a.tell("s0", word) for word in WORDS] == [202] * 5
        until(lambda: b.waiting() == 5, "the other knows nothing of it")
        here.network.pull(a.host, REDIS)
        time.sleep(LEASE)
        for proxy in here.proxies:
            here.network.plug(proxy.host, GATEWAY)
        until(lambda: len(here.arrived("s0")) == 5, "the other does not deliver it")
        assert here.arrived("s0") == [(word, b.address) for word in WORDS]
        assert a.tell("s0", "inChat") == 502  # it cannot keep it behind those that it still knows to wait
        here.network.plug(a.host, REDIS)
        until(lambda: a.waiting() == 0, "it does not hear that they were delivered")
        until(lambda: a.tell("s0", "browserClose") == 200, "it does not take events again")
        assert here.arrived("s0")[:5] == [(word, b.address) for word in WORDS]
