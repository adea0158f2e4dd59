"""Entity tags and gzip forms: right, the same every time, and computed once for all who ask."""

import asyncio
import gzip
import tracemalloc
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.renditions import Renditions
from statusproxy.proxy.steps import StepRunner, Steps, T
from statusproxy.status.steps import at_once

MIB = 1024 * 1024


def renditions() -> Renditions:
    """Renditions with nothing remembered."""
    return Renditions(StepRunner())


@given(body=st.binary(max_size=500))
def test_a_body_is_tagged_by_its_digest(body: bytes) -> None:
    tag = asyncio.run(renditions().tag(body))
    assert tag == b'W/"sp-%b"' % blake2b(body, digest_size=12).hexdigest().encode()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB])
async def test_a_large_body_is_tagged_and_compressed_as_a_small_one(size: int) -> None:
    body, several = (b"0123456789abcdef" * (size // 16 + 1))[:size], renditions()
    assert await several.tag(body) == b'W/"sp-%b"' % blake2b(body, digest_size=12).hexdigest().encode()
    assert gzip.decompress(await several.gzip(body)) == body


@pytest.mark.parametrize("size", [1000, 5 * MIB])
async def test_the_gzip_form_is_the_same_every_time(size: int) -> None:
    body = bytes(range(250)) * (size // 250)
    assert await renditions().gzip(body) == await renditions().gzip(bytes(bytearray(body)))


async def test_a_body_is_computed_once_though_many_ask_at_once() -> None:
    several, body = renditions(), bytes(3 * MIB)
    forms = await asyncio.gather(*[several.gzip(body) for _ in range(5)], *[several.tag(body) for _ in range(5)])
    assert len({id(form) for form in forms}) == 2  # one gzip form, one tag
    assert await several.gzip(body) is forms[0]


@pytest.mark.slow
async def test_who_gives_up_does_not_take_it_from_the_others() -> None:
    several, body = renditions(), bytes(30 * MIB)
    first = asyncio.create_task(several.gzip(body))
    second = asyncio.create_task(several.gzip(body))
    await asyncio.sleep(0)
    first.cancel()
    assert gzip.decompress(await second) == body


async def test_what_is_remembered_is_bounded_in_number_and_bytes() -> None:
    several = renditions()

    async def remembered(*sizes: int) -> list[bool]:
        """Of which of these bodies the tag is still known after the last, from the last back to the first not known."""
        bodies = [bytes(size) for size in sizes]
        tags = [await several.tag(body) for body in bodies]
        known: list[bool] = []
        for body, tag in zip(reversed(bodies), reversed(tags), strict=True):
            known.append(await several.tag(body) is tag)
            if not known[-1]:
                break
        return known

    assert await remembered(*[100] * 20) == [True] * 8 + [False]
    assert await remembered(*[MIB + MIB // 2] * 5) == [True] * 2 + [False], "4 MiB together"
    assert await remembered(6 * MIB, 20 * MIB) == [True, False], "a larger one alone"


async def test_a_body_that_no_one_else_holds_is_forgotten_when_another_comes() -> None:
    several, held = renditions(), bytes(100_000)
    tag = await several.tag(held)
    tracemalloc.start()
    try:
        for _ in range(3):
            await several.tag(bytearray(MIB).hex().encode())  # 2 MiB
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3 * MIB, "the last one alone"
    assert await several.tag(held) is tag


async def test_bodies_that_just_fill_the_bound_are_all_remembered() -> None:
    several, bodies = renditions(), [bytes(2 * MIB), bytes(2 * MIB)]
    first = [await several.tag(body) for body in bodies]
    assert all(
        again is before for again, before in zip([await several.tag(body) for body in bodies], first, strict=True)
    )


@pytest.mark.parametrize(
    ("size", "expected"), [(0, None), (65_536, None), (65_537, 0), (MIB, 0), (MIB + 1, 1), (3 * MIB, 2)]
)
async def test_a_body_is_tagged_at_once_or_in_steps_of_a_megabyte(size: int, expected: int | None) -> None:
    counted = list[int]()

    class Runner(StepRunner):
        async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
            counted.append(0)
            try:
                while True:
                    next(steps)
                    counted[-1] += 1
            except StopIteration as stop:
                result: T = stop.value
                return result

    await Renditions(Runner()).tag(bytes(size))
    assert counted == ([] if expected is None else [expected])


@pytest.mark.parametrize("form", ["tag", "gzip"])
async def test_a_form_that_is_being_computed_is_waited_for_and_then_kept(form: str) -> None:
    gate, runs = asyncio.Event(), list[str]()

    class Runner(StepRunner):
        async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
            runs.append(form)
            await gate.wait()
            return at_once(steps)

    several, body = Renditions(Runner()), bytes(100_000)
    compute = several.tag if form == "tag" else several.gzip
    tasks = [asyncio.create_task(compute(body)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    forms = [*await asyncio.gather(*tasks), await compute(body)]
    assert len({id(one) for one in forms}) == 1
    assert runs == [form]
