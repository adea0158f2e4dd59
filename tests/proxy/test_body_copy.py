"""The copy of a body: whole while small; JSON with the same keys and short values when not."""

import asyncio
import base64
import gzip
import json
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy.body_copy import DECODED_LIMIT, BodyCopy
from statusproxy.proxy.decoders import STEP_READS
from statusproxy.proxy.elision import LONG_STRING
from statusproxy.proxy.steps import StepRunner, Steps, T
from statusproxy.status.steps import at_once
from tests.processor_time import seconds, takes_less
from tests.proxy.compressed import COMPRESSORS, SEVERAL, zstd
from tests.status.counting import counted

pytestmark = pytest.mark.divisible


class AtOnce(StepRunner):
    """Does all work at once, so that no event loop is needed."""

    async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
        return at_once(steps)


def whole(copy: BodyCopy) -> bytes | None:
    """The copy of a body that has ended, where all work is done at once."""
    waiting = copy.result()
    with pytest.raises(StopIteration) as stop:
        waiting.send(None)
    result: bytes | None = stop.value.value
    return result


def fed(body: bytes, limit: int, cuts: list[int] | None = None, coding: bytes | None = None) -> BodyCopy:
    """A copy fed with `body` in pieces that end at `cuts`."""
    copy = BodyCopy(AtOnce(), limit, coding)
    start = 0
    for cut in [*sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]:
        copy.feed(body[start:cut])
        start = cut
    return copy


CUTS = st.lists(st.integers(0, 10**6), max_size=8)

#: Text that is hard to cut: escapes of all kinds, characters of one to four bytes, quotes and backslashes.
HARD = st.text(alphabet='a"\\/\b\n\té€😀\u2028\x7f', max_size=60)

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | HARD | st.builds(lambda text: text * 400, HARD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HARD, inner, max_size=4),
    max_leaves=8,
)


def assert_alike(copy: Any, document: Any, ascii_only: bool) -> None:
    """The copy has the same keys and short values, nested alike; of a long string it has the beginning."""
    assert type(copy) is type(document)
    if isinstance(document, dict):
        assert list(copy) == list(document)
        for key, value in document.items():
            assert_alike(copy[key], value, ascii_only)
    elif isinstance(document, list):
        assert len(copy) == len(document)
        for one, other in zip(copy, document, strict=True):
            assert_alike(one, other, ascii_only)
    elif isinstance(document, str) and len(json.dumps(document, ensure_ascii=ascii_only).encode()) - 2 > LONG_STRING:
        # As UTF-16, since the copy may end between the two escapes of one character.
        assert document.encode("utf-16-le").startswith(copy.encode("utf-16-le", "surrogatepass"))
    else:
        assert copy == document


def test_only_a_copy_that_takes_no_more_work_is_ready() -> None:
    assert fed(b"body", 4).ready == fed(b"body", 4, [2]).ready == b"body"
    assert fed(b"", 4).ready == b""
    assert fed(b"body", 0).ready is None
    assert fed(gzip.compress(b"body"), 100, coding=b"gzip").ready is None
    assert fed(b'"' + b"x" * 2000 + b'"', 1000).ready is None


@given(body=st.binary(max_size=300), cuts=CUTS)
def test_a_small_body_is_copied_whole_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    assert whole(fed(body, 300, cuts)) == body


@settings(deadline=None)
@given(document=DOCUMENTS, cuts=CUTS, ascii_only=st.booleans())
@pytest.mark.slow
def test_the_shortened_copy_is_json_with_the_same_keys_and_short_values(
    document: Any, cuts: list[int], ascii_only: bool
) -> None:
    # A first string too long for the limit makes the copy shorten; its limit holds all that may remain.
    body = json.dumps({"media": "A" * 300_000, "document": document}, ensure_ascii=ascii_only).encode()
    text = whole(fed(body, 250_000, cuts))
    assert text is not None
    assert len(text) < 250_000
    read = json.loads(text)  # strict: also about UTF-8
    assert_alike(read["document"], document, ascii_only)
    assert read["media"] == "A" * LONG_STRING


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("cut", range(-3, 4))
def test_a_character_is_never_cut_in_two(character: str, before: int, cut: int) -> None:
    text = "x" * (LONG_STRING - before) + character * 3000
    body = json.dumps({"text": text, "session": "sales"}, ensure_ascii=False).encode()
    copy = fed(body, 5000, [len('{"text": "') + LONG_STRING + cut])
    read = json.loads(whole(copy) or b"")
    assert read["session"] == "sales"
    assert text.startswith(read["text"])


@pytest.mark.parametrize("escape", ["\\n", "\\\\", '\\"', "\\u00e9", "\\ud83d\\ude00"])
@pytest.mark.parametrize("cut", range(-8, 8))
def test_an_escape_is_never_cut_in_two(escape: str, cut: int) -> None:
    body = b'{"text": "' + b"x" * (LONG_STRING - 5) + escape.encode() * 3000 + b'", "session": "sales"}'
    copy = fed(body, 5000, [len('{"text": "') + LONG_STRING + cut])
    assert json.loads(whole(copy) or b"")["session"] == "sales"


def test_every_escape_may_fall_between_two_pieces() -> None:
    body = b'{"media": "' + b"A" * 10_000 + rb'", "session": "a\"b\\\u00e9\\", "status": "inChat"}'
    for cut in range(10_000, len(body)):
        assert json.loads(whole(fed(body, 8000, [cut])) or b"") == {
            "media": "A" * LONG_STRING,
            "session": 'a"b\\é\\',
            "status": "inChat",
        }


def test_what_is_left_out_does_not_count_towards_the_bound() -> None:
    copy = BodyCopy(AtOnce(), 1024 * 1024)
    copy.feed(b'{"media": "')
    for _ in range(600):
        copy.feed(b"A" * 65536)
    copy.feed(b'", "session": "sales"}')
    text = whole(copy)
    assert text is not None
    assert len(text) < 8192
    assert json.loads(text)["session"] == "sales"


@pytest.mark.parametrize("cuts", [[], [700], [1000], [1001], [500, 900]])
def test_the_bound_holds_to_the_byte(cuts: list[int]) -> None:
    body = json.dumps(["short"] * 111).encode()  # nothing of it may be left out
    assert whole(fed(body, len(body), cuts)) == body
    copy = fed(body, len(body) - 1, cuts)
    assert (whole(copy), copy.failure) == (None, "too-large")


def test_a_body_of_just_the_bound_is_copied_whole_though_it_has_a_long_string() -> None:
    body = json.dumps(["A" * 2 * LONG_STRING]).encode()
    assert whole(fed(body, len(body))) == body
    assert whole(fed(body, len(body) - 1)) == json.dumps(["A" * LONG_STRING]).encode()


def test_what_remains_of_a_body_beyond_the_bound_may_just_reach_it() -> None:
    body = json.dumps(["A" * 200_000, *["B" * LONG_STRING] * 20]).encode()
    short = json.dumps(["A" * LONG_STRING, *["B" * LONG_STRING] * 20]).encode()
    assert whole(fed(body, len(short))) == short
    copy = fed(body, len(short) - 1)
    assert (whole(copy), copy.failure) == (None, "too-large")


def test_beyond_the_bound_only_the_insides_of_long_strings_are_left_out() -> None:
    short = "b" * LONG_STRING
    body = json.dumps({"media": "A" * 50_000, "short": short, "session": "sales"}).encode()
    text = whole(fed(body, 20_000, [10_000, 30_000]))
    assert text == json.dumps({"media": "A" * LONG_STRING, "short": short, "session": "sales"}).encode()


@pytest.mark.parametrize("coding", [None, b"gzip"])
def test_a_form_is_copied_whole_or_not_at_all(coding: bytes | None) -> None:
    """Left-out insides would be taken from between any two quotes of it."""
    form = b'jsonData=%7B%22a%22%3A1%7D&note="' + b"x" * 2 * LONG_STRING + b'"'
    sent = form if coding is None else gzip.compress(form)
    assert whole(fed(sent, len(form), coding=coding)) == form
    copy = fed(sent, len(form) - 1, [100, LONG_STRING], coding)
    assert (whole(copy), copy.failure) == (None, "too-large")


@pytest.mark.parametrize("start", ["", "[", " ", "1", "{}\n"])
def test_what_is_no_form_is_shortened_whatever_its_strings_hold(start: str) -> None:
    body = f'{start}{{"a=b":"&c={"x" * 2 * LONG_STRING}"}}'.encode()
    shortened = whole(fed(body, len(body) - 1))
    assert shortened is not None
    assert len(shortened) < len(body) - LONG_STRING + 1


def test_what_comes_behind_a_body_that_was_too_large_is_ignored() -> None:
    copy = fed(json.dumps(["short"] * 1000).encode(), 1000)
    assert whole(copy) is None
    copy.feed(b"{}")
    assert (whole(copy), copy.failure, copy.catch_up()) == (None, "too-large", None)


async def test_work_is_due_once_a_block_of_a_large_body_is_here_and_no_sooner() -> None:
    copy = BodyCopy(StepRunner(), 5000)
    copy.feed(b'["' + b"x" * 65_533)
    assert copy.catch_up() is None
    copy.feed(b"x")
    work = copy.catch_up()
    assert work is not None
    await work
    assert copy.catch_up() is None
    copy.feed(b'"]')
    assert copy.catch_up() is None
    assert await copy.result() == b'["' + b"x" * LONG_STRING + b'"]'


def test_a_body_of_many_short_strings_beyond_the_bound_is_not_copied() -> None:
    copy = fed(json.dumps(["short"] * 10_000).encode(), 1000, [500, 2000])
    assert (whole(copy), copy.failure) == (None, "too-large")


@pytest.mark.parametrize(
    ("coding", "compress"), [(b"gzip", gzip.compress), (b"X-GZIP", gzip.compress), (b"deflate", zlib.compress)]
)
@given(cuts=CUTS)
def test_a_compressed_body_is_copied_unfolded(coding: bytes, compress: Any, cuts: list[int]) -> None:
    body = b'{"event":"status-find","session":"sales","status":"browserClose"}'
    assert whole(fed(compress(body), 1000, cuts, coding)) == body


def test_a_compressed_body_is_shortened_like_any_other() -> None:
    body = json.dumps({"media": "A" * 5_000_000, "session": "sales"}).encode()
    assert json.loads(whole(fed(gzip.compress(body), 10_000, coding=b"gzip")) or b"")["session"] == "sales"


@pytest.mark.parametrize("late", [False, True])
async def test_what_gives_nothing_is_decoded_in_many_steps(late: bool) -> None:
    """A megabyte of blocks without content takes tens of milliseconds."""
    counts: list[int] = []

    class Runner(AtOnce):
        async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
            value, count = counted(steps)
            counts.append(count)
            return value

    body = gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 50_000 + b"\3\0" + bytes(8)
    copy = BodyCopy(Runner(), 1024 * 1024, b"gzip", late=late)
    copy.feed(body)
    work = copy.catch_up()
    if work is not None:
        await work
    assert await copy.result() == b""
    assert counts[0] >= len(body) / STEP_READS


def test_a_copy_that_was_decoded_is_ready_and_keeps_no_decoder() -> None:
    """The window of one may take 16 MiB."""
    copy = fed(gzip.compress(b"body"), 100, coding=b"gzip")
    assert whole(copy) == copy.ready == b"body"


@pytest.mark.parametrize("coding", [None, b"gzip"])
def test_the_time_for_small_pieces_grows_as_their_number(coding: bytes | None) -> None:
    def feeding(count: int) -> None:
        copy = BodyCopy(AtOnce(), 10**7, coding, late=True)
        for _ in range(count):
            copy.feed(b"0123456789abcdef")

    assert takes_less(lambda: feeding(16_000), 3 * 16, lambda: feeding(1_000))


@pytest.mark.slow
def test_a_bomb_is_given_up_before_it_has_unfolded() -> None:
    bomb = gzip.compress(bytes(DECODED_LIMIT + 1024 * 1024), 9)
    copy = fed(b'"' + bomb, 1000, coding=None)  # not compressed as far as anybody said: nothing to unfold
    assert copy.failure is None or copy.failure == "too-large"
    copy = fed(bomb, 1000, coding=b"gzip")
    assert (whole(copy), copy.failure) == (None, "too-large")


@pytest.mark.parametrize(
    "body", [b"not gzip at all", gzip.compress(b"{}" * 100, mtime=0)[:-4]], ids=["another format", "cut short"]
)
def test_a_broken_coding_is_a_failure_and_not_an_error(body: bytes) -> None:
    copy = fed(body, 1000, coding=b"gzip")
    assert (whole(copy), copy.failure) == (None, "broken-coding")


@pytest.mark.parametrize("coding", [b"compress", b"gzip, br"])
def test_a_coding_the_tap_does_not_know_is_a_failure_at_once(coding: bytes) -> None:
    assert BodyCopy(AtOnce(), 1000, coding).failure == "coding"


@pytest.mark.parametrize("coding", [None, b"", b"identity"])
def test_no_coding_is_the_rule(coding: bytes | None) -> None:
    assert whole(fed(b"{}", 1000, coding=coding)) == b"{}"


def test_a_copy_of_nothing_takes_nothing() -> None:
    copy = fed(b"{}" * 1000, 0)
    assert (whole(copy), copy.failure, copy.catch_up()) == (None, "too-large", None)
    assert [BodyCopy(AtOnce(), limit).failure for limit in (0, 1)] == ["too-large", None]


@pytest.mark.parametrize(("coding", "wide"), [(b"", False), (b"identity", False), (b"gzip", False), (b"zstd", True)])
def test_only_codings_with_a_large_window_take_turns(coding: bytes, wide: bool) -> None:
    asked = list[bool]()

    class Runner(AtOnce):
        async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
            asked.append(wide)
            return at_once(steps)

    copy = BodyCopy(Runner(), 5000, coding)
    body = json.dumps(["A" * 2 * LONG_STRING]).encode()
    copy.feed({b"gzip": gzip.compress, b"zstd": zstd().compress}.get(coding, bytes)(body))
    assert whole(copy) == json.dumps(["A" * LONG_STRING]).encode()
    assert asked == [wide]


async def copied(body: bytes, cuts: list[int], limit: int, coding: bytes, *, late: bool = False) -> BodyCopy:
    """A copy that was fed with `body` as a request is: piece by piece, caught up with after each."""
    copy = BodyCopy(StepRunner(), limit, coding, late=late)
    ends = [*sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in zip([0, *ends], ends, strict=False):
        copy.feed(body[start:end])
        if (work := copy.catch_up()) is not None:
            await work
            assert copy.catch_up() is None
    await copy.result()
    return copy


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", [None, *COMPRESSORS])
@settings(deadline=None, max_examples=10)
@given(media=st.integers(0, 300_000), document=DOCUMENTS, cuts=CUTS, members=CUTS)
def test_the_copy_is_the_same_however_the_body_is_cut_and_divided_into_members(
    late: bool, name: str | None, media: int, document: Any, cuts: list[int], members: list[int]
) -> None:
    body = json.dumps({"media": "A" * media, "document": document}).encode()
    coding, compress = COMPRESSORS[name] if name is not None else (b"", bytes)
    parts = [body]
    if name in SEVERAL:
        ends = [*sorted(cut % (len(body) + 1) for cut in members), len(body)]
        parts = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    copy = asyncio.run(copied(b"".join(map(compress, parts)), cuts, 200_000, coding, late=late))
    assert copy.failure is None
    assert whole(copy) == whole(fed(body, 200_000))


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_all_members_of_a_body_are_read(coding: bytes) -> None:
    compress = COMPRESSORS[coding.decode()][1]
    body = compress(b'{"session":') + compress(b"") + compress(b'"sales"}')
    assert whole(fed(body, 1000, coding=coding)) == b'{"session":"sales"}'


@pytest.mark.parametrize("name", COMPRESSORS)
def test_what_stands_behind_a_coded_body_is_a_failure(name: str) -> None:
    coding, compress = COMPRESSORS[name]
    copy = fed(compress(b"{}") + b"behind", 1000, coding=coding)
    assert (whole(copy), copy.failure) == (None, "broken-coding")


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
def test_the_beginning_of_a_head_is_no_whole_body(coding: bytes) -> None:
    copy = fed(COMPRESSORS[coding.decode()][1](b"{}")[:1], 1000, coding=coding)
    assert (whole(copy), copy.failure) == (None, "broken-coding")


@pytest.mark.parametrize("coding", [b"gzip", b"br"])
def test_an_empty_body_is_empty_whatever_its_coding(coding: bytes) -> None:
    assert whole(fed(b"", 1000, coding=coding)) == b""


def test_what_waits_to_be_decoded_is_bounded() -> None:
    copy = BodyCopy(AtOnce(), 1000, b"gzip", late=True)
    copy.feed(gzip.compress(b"{}"))
    assert copy.catch_up() is None
    copy.feed(bytes(1000))
    assert (whole(copy), copy.failure) == (None, "too-large")


@pytest.mark.parametrize(
    ("late", "coding", "waits"),
    [
        (False, b"gzip", False),
        (True, b"gzip", True),
        (False, b"br", True),
        (False, b"zstd", True),
    ],
)
async def test_a_coded_body_is_decoded_late_where_that_is_wanted_or_takes_a_large_window(
    late: bool, coding: bytes, waits: bool
) -> None:
    widths = list[bool]()

    class Runner(AtOnce):
        async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
            widths.append(wide)
            return at_once(steps)

    copy = BodyCopy(Runner(), 1000, coding, **({"late": True} if late else {}))
    copy.feed(COMPRESSORS[coding.decode()][1](b"{}"))
    work = copy.catch_up()
    assert (work is None) == waits
    if work is not None:
        await work
    assert await copy.result() == b"{}"
    assert set(widths) == {coding != b"gzip"}


@pytest.mark.parametrize("over", [0, 1])
def test_what_waits_to_be_decoded_may_just_reach_the_bound(over: int) -> None:
    coded = gzip.compress(b"{}")
    copy = BodyCopy(AtOnce(), len(coded) - over, b"gzip", late=True)
    copy.feed(coded)
    assert copy.failure == (None if not over else "too-large")


def test_media_that_is_decoded_for_the_copy_is_never_held_whole() -> None:
    coded = gzip.compress(b'{"media":"' + b"A" * 4_000_000 + b'"}')
    copy = fed(coded, 10_000, coding=b"gzip")
    tracemalloc.start()
    try:
        text = whole(copy)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert text == b'{"media":"' + b"A" * LONG_STRING + b'"}'


def test_a_late_body_may_decode_to_so_much_and_no_more() -> None:
    body = b'{"media":"' + b"A" * 10_000 + b'","channel":"sales"}'
    copy = BodyCopy(AtOnce(), 6000, b"gzip", decoded_limit=len(body), late=True)
    copy.feed(gzip.compress(body))
    assert json.loads(whole(copy) or b"")["channel"] == "sales"
    copy = BodyCopy(AtOnce(), 6000, b"gzip", decoded_limit=len(body) - 1, late=True)
    copy.feed(gzip.compress(body))
    assert (whole(copy), copy.failure) == (None, "too-large")


@pytest.mark.parametrize("coding", [None, b"gzip", b"br"])
@pytest.mark.slow
def test_a_body_in_very_small_pieces_takes_no_more_memory_than_its_bound(coding: bytes | None) -> None:
    body = bytes(range(256)) * 400
    copy = BodyCopy(AtOnce(), len(body) + 1000, coding)
    tracemalloc.start()
    try:
        for at in range(0, len(body), 2):
            copy.feed(body[at : at + 2])
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    finally:
        tracemalloc.stop()


async def test_an_error_of_our_own_is_a_failure_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copy = BodyCopy(AtOnce(), 1000, b"gzip")
    copy.feed(gzip.compress(b"{}"))

    def fail(_: BodyCopy) -> None:
        raise OSError("of our own")

    monkeypatch.setattr("statusproxy.proxy.decoders.Decoder.step", fail)
    assert (await copy.result(), copy.failure) == (None, "internal")
    assert "the copy of a body could not be made" in caplog.messages


def gzip_of(inside: bytes, size: int) -> bytes:
    """A compressed event with `size` bytes of media made of `inside`."""
    return gzip.compress(b'{"media":"' + inside * (size // len(inside)) + b'","session":"sales"}', 6)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [b"\\\\", b'\\"', b'\\\\\\"', b"\\u0041", b'","'], ids=repr)
def test_no_compressed_body_takes_much_longer_than_media_of_its_size(inside: bytes) -> None:
    """Such bodies are made to cost time: 60 KB on the wire held everybody up for seconds."""
    media = base64.b64encode(random.Random(1).randbytes(6_000_000))
    made, plain = gzip_of(inside, 8_000_000), gzip_of(media, 8_000_000)
    assert takes_less(
        lambda: whole(fed(made, 1024 * 1024, coding=b"gzip")),
        2.5,
        lambda: whole(fed(plain, 1024 * 1024, coding=b"gzip")),
    )


BOMBS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", lambda body: gzip.compress(body, 6)),
    "br": (b"br", lambda body: bytes(brotli.compress(body, quality=1))),
    "zstd": (b"zstd", lambda body: bytes(zstd().compress(body))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_holds_the_loop_for_a_small_part_of_the_time_it_takes(name: str) -> None:
    coding, compress = BOMBS[name]
    bomb = compress(b'{"media":"' + b'\\"' * (DECODED_LIMIT // 2 - 100) + b'"}')
    assert len(bomb) < 1024 * 1024

    async def longest_turn() -> float:
        """The longest turn of the loop, on this thread's own processor clock."""
        longest, last = 0.0, time.thread_time()
        task = asyncio.create_task(copied(bomb, [], 1024 * 1024, coding))
        while not task.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        assert task.result().failure is None
        return longest

    # Twice where need be: what a busy machine takes of the caches makes a turn longer, a bomb does so each time. Both
    # are measured in each round, for the machine's speed may double from one to the next.
    for _ in range(2):
        alone = seconds(lambda: whole(fed(bomb, 1024 * 1024, coding=coding)))
        if await longest_turn() < alone / 10:
            return
    pytest.fail("a turn took more than a tenth of all")
