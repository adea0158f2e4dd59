"""Decoding in steps: the same content however the body is cut into pieces and members, and no step that is long."""

import gzip
import struct
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy import decoders
from statusproxy.proxy.decoders import (
    MEMBERS_FREE,
    STEP_GIVES,
    STEP_READS,
    WIDE,
    CodingError,
    Decoder,
)
from tests.processor_time import takes_less
from tests.proxy.compressed import COMPRESSORS, SEVERAL, zstd

pytestmark = pytest.mark.divisible


LIMIT = 64 * 1024 * 1024


CUTS = st.lists(st.integers(0, 10**6), max_size=8)

#: Bodies that compress well, hardly and not at all, around the sizes of a step.
BODIES = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda unit, size: (unit * size)[:size], st.binary(min_size=1, max_size=5), st.integers(0, 400_000)),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces that end at `cuts`."""
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def steps(decoder: Decoder, parts: list[bytes]) -> list[bytes]:
    """What each step gives when the parts are fed one after another."""
    given = []
    for part in parts:
        decoder.feed(part)
        while decoder.behind:
            given.append(decoder.step())
    decoder.end()
    return given


@pytest.mark.parametrize("name", COMPRESSORS)
@settings(deadline=None)
@given(body=BODIES, cuts=CUTS)
def test_the_content_is_the_same_however_the_body_is_cut(name: str, body: bytes, cuts: list[int]) -> None:
    coding, compress = COMPRESSORS[name]
    assert b"".join(steps(Decoder(coding, LIMIT), pieces(compress(body), cuts))) == body


@pytest.mark.parametrize("name", SEVERAL)
@settings(deadline=None)
@given(body=BODIES, members=CUTS, cuts=CUTS)
def test_the_content_is_the_same_however_it_is_divided_into_members(
    name: str, body: bytes, members: list[int], cuts: list[int]
) -> None:
    coding, compress = COMPRESSORS[name]
    coded = b"".join(map(compress, pieces(body, members)))
    assert b"".join(steps(Decoder(coding, LIMIT), pieces(coded, cuts))) == body


@pytest.mark.parametrize("name", COMPRESSORS)
@given(body=st.binary(min_size=1, max_size=200), at=st.integers(1, 10**6))
def test_a_body_cut_short_anywhere_is_refused(name: str, body: bytes, at: int) -> None:
    coding, compress = COMPRESSORS[name]
    coded = compress(body)
    with pytest.raises(CodingError, match="broken-coding"):
        steps(Decoder(coding, LIMIT), [coded[: 1 + at % (len(coded) - 1)]])


@pytest.mark.parametrize("name", COMPRESSORS)
@given(behind=st.binary(min_size=1, max_size=20), apart=st.booleans())
def test_what_stands_behind_is_refused(name: str, behind: bytes, apart: bool) -> None:
    coding, compress = COMPRESSORS[name]
    coded = compress(b"content")
    with pytest.raises(CodingError, match="broken-coding"):
        steps(Decoder(coding, LIMIT), [coded, behind] if apart else [coded + behind])


def test_gzip_goes_by_its_old_name_too() -> None:
    coded = gzip.compress(b"one ") + gzip.compress(b"two")
    assert b"".join(steps(Decoder(b"x-gzip", LIMIT), [coded])) == b"one two"


@pytest.mark.parametrize("name", sorted(COMPRESSORS.keys() - SEVERAL))
@pytest.mark.parametrize("apart", [False, True])
def test_a_second_stream_behind_a_coding_of_one_is_refused(name: str, apart: bool) -> None:
    coding, compress = COMPRESSORS[name]
    with pytest.raises(CodingError, match="broken-coding"):
        steps(
            Decoder(coding, LIMIT),
            [compress(b"one"), compress(b"two")] if apart else [compress(b"one") + compress(b"two")],
        )


@pytest.mark.parametrize(("coding", "other"), [(b"gzip", "zlib"), (b"deflate", "gzip"), (b"zstd", "gzip")])
def test_a_body_in_another_coding_is_refused(coding: bytes, other: str) -> None:
    with pytest.raises(CodingError, match="broken-coding"):
        steps(Decoder(coding, LIMIT), [COMPRESSORS[other][1](b"content")])


def test_bare_deflate_may_begin_with_stray_bits_that_look_like_a_wrapper_but_for_its_window() -> None:
    stored = b"\x88" + struct.pack("<HH", 7, 0xFFFF - 7) + b"content"  # a block that is not compressed
    assert steps(Decoder(b"deflate", LIMIT), [stored + b"\x03\0"]) == [b"content"]


class Stuck:
    """A stream that neither reads nor gives."""

    finished = full = False

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        return b"", 0


def test_a_stream_that_goes_no_further_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(decoders._CODINGS, b"stuck", (False, lambda: lambda _: Stuck()))
    with pytest.raises(CodingError, match="broken-coding"):
        steps(Decoder(b"stuck", LIMIT), [b"content"])


class Sized:
    """A stream of so many bytes, which gives them as they are, and notes how many it is shown at a time."""

    full = False

    def __init__(self, size: int) -> None:
        self.left = size
        self.shown: list[int] = []

    @property
    def finished(self) -> bool:
        return not self.left

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        self.shown.append(len(data))
        read = min(len(data), self.left)
        self.left -= read
        return bytes(data[:read]), read


def test_each_member_is_shown_little_at_first_and_a_long_one_then_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind a member is copied with each look, and each look takes a call."""
    members = [Sized(100_000), Sized(10), Sized(10), Sized(100_000)]
    begun = iter(members)
    monkeypatch.setitem(decoders._CODINGS, b"sized", (True, lambda: lambda _: next(begun)))
    assert b"".join(steps(Decoder(b"sized", LIMIT), [bytes(200_020)])) == bytes(200_020)
    assert max(member.shown[0] for member in members) <= 512
    for member in members:
        assert len(member.shown) < 20
        assert max(member.shown) <= STEP_READS


def test_codings_with_a_large_window_are_known() -> None:
    assert {b"br", b"zstd"} == WIDE


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("size", [0, 1, 1000, STEP_GIVES - 1, STEP_GIVES, STEP_GIVES + 1, 3 * STEP_GIVES])
def test_content_of_just_the_limit_is_given_and_a_byte_more_is_too_large(name: str, size: int) -> None:
    coding, compress = COMPRESSORS[name]
    assert b"".join(steps(Decoder(coding, size), [compress(bytes(size))])) == bytes(size)
    with pytest.raises(CodingError, match="too-large"):
        steps(Decoder(coding, size), [compress(bytes(size + 1))])


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.slow
def test_no_step_of_a_bomb_gives_much(name: str) -> None:
    coding, compress = COMPRESSORS[name]
    given = steps(Decoder(coding, LIMIT), [compress(bytes(16 * 1024 * 1024))])
    # brotli gives at least as much as its own buffer holds.
    assert max(map(len, given)) <= STEP_GIVES * (1 if name != "br" else 8)


#: A megabyte of blocks that hold nothing, and the stream's end.
EMPTY_BLOCKS = {
    "gzip": gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 200_000 + b"\3\0" + bytes(8),
    "zlib": b"\x78\x9c" + b"\0\0\0\xff\xff" * 200_000 + b"\3\0" + b"\0\0\0\1",
    "br": b"\x0c" + b"\6" * 1_000_000 + b"\3",
    "zstd": b"\x28\xb5\x2f\xfd\0\x58" + b"\0\0\0" * 300_000 + b"\1\0\0",
}


@pytest.mark.parametrize("name", EMPTY_BLOCKS)
def test_no_step_reads_much_where_nothing_is_given(name: str) -> None:
    body = EMPTY_BLOCKS[name]
    given = steps(Decoder(COMPRESSORS[name][0], LIMIT), [body])
    assert b"".join(given) == b""
    assert len(given) >= len(body) / STEP_READS


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_body_of_members_that_hold_nothing_is_given_up(name: str, content: bytes) -> None:
    coding, compress = COMPRESSORS[name]
    with pytest.raises(CodingError, match="too-many-members"):
        steps(Decoder(coding, LIMIT), [compress(content) * 2 * MEMBERS_FREE])


@pytest.mark.parametrize("name", SEVERAL)
def test_so_many_members_are_free_and_not_one_more(name: str) -> None:
    coding, compress = COMPRESSORS[name]
    assert b"".join(steps(Decoder(coding, LIMIT), [compress(b"") * MEMBERS_FREE])) == b""
    with pytest.raises(CodingError, match="too-many-members"):
        steps(Decoder(coding, LIMIT), [compress(b"") * (MEMBERS_FREE + 1)])


@pytest.mark.parametrize("name", SEVERAL)
def test_as_many_members_as_blocks_may_need_are_read(name: str) -> None:
    coding, compress = COMPRESSORS[name]
    member = compress(b"a line of a log\n" * 16)
    assert len(b"".join(steps(Decoder(coding, LIMIT), [member * 4 * MEMBERS_FREE]))) == 256 * 4 * MEMBERS_FREE


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_the_time_for_members_grows_as_their_number(name: str) -> None:
    """Copying the rest of the body for each member made it grow as the square."""
    coding, compress = COMPRESSORS[name]
    member = compress(bytes(range(256)))
    few, many = member * 2_000, member * 16_000
    assert takes_less(
        lambda: steps(Decoder(coding, LIMIT), [many]), 3 * 8, lambda: steps(Decoder(coding, LIMIT), [few])
    )


def test_skippable_frames_are_skipped() -> None:
    coding, compress = COMPRESSORS["zstd"]
    skipped = struct.pack("<II", 0x184D2A50, 5) + b"abcde"
    assert b"".join(
        steps(Decoder(coding, LIMIT), [skipped + compress(b"one ") + skipped + compress(b"two") + skipped])
    ) == (b"one two")


def test_a_zstd_frame_may_ask_for_the_window_that_its_coding_allows_and_for_no_more() -> None:
    """RFC 9659 §3: 8 MiB. A frame of a few bytes could make the library take 128 MiB."""
    window = zstd().CompressionParameter.window_log
    coding, _ = COMPRESSORS["zstd"]

    def compress(log: int) -> bytes:
        stream = zstd().ZstdCompressor(options={window: log})
        return bytes(stream.compress(b"content")) + bytes(stream.flush())

    assert steps(Decoder(coding, LIMIT), [compress(23)]) == [b"content"]
    with pytest.raises(CodingError, match="broken-coding"):
        steps(Decoder(coding, LIMIT), [compress(24)])


@pytest.mark.parametrize("coding", [b"compress", b"identity", b"", b"GZIP"])
def test_an_unknown_coding_is_refused_at_once(coding: bytes) -> None:
    with pytest.raises(CodingError, match="unknown-coding"):
        Decoder(coding, LIMIT)


@pytest.mark.parametrize(("coding", "module"), [(b"br", "brotli"), (b"zstd", "backports.zstd")])
def test_a_coding_whose_library_is_not_installed_is_unknown(
    monkeypatch: pytest.MonkeyPatch, coding: bytes, module: str
) -> None:
    for name in (module, "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("backports", "compression"):
        monkeypatch.delattr(sys.modules.get(name), "zstd", raising=False)  # what `from backports import` would find
    with pytest.raises(CodingError, match="unknown-coding"):
        Decoder(coding, LIMIT)


def test_what_the_codings_need_is_there_before_the_first_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "brotli")
    decoders.preload()
    assert "brotli" in sys.modules


def test_a_coding_whose_library_is_not_installed_is_left_out_before_the_first_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    decoders.preload()
