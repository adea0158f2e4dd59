"""Content codings: undone whole or not at all, never beyond the limit."""

import gzip
import random
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.codings import accepts_gzip, decode, decoding, encoding_gzip, is_wide, layers
from statusproxy.proxy.decoders import CodingError
from statusproxy.status.steps import at_once
from tests.proxy.compressed import raw_deflate, zstd
from tests.proxy.counted import calls_in

LIMIT = 1024 * 1024


COMPRESSORS = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"GZip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": lambda body: zstd().compress(body),
}


@pytest.mark.parametrize("coding", COMPRESSORS)
@given(body=st.binary(max_size=2000))
def test_a_coding_is_undone(coding: bytes, body: bytes) -> None:
    assert decode(COMPRESSORS[coding](body), coding, LIMIT) == body


@given(body=st.binary(max_size=2000))
def test_deflate_without_its_wrapper_is_undone(body: bytes) -> None:
    assert decode(raw_deflate(body), b"deflate", LIMIT) == body


def test_codings_over_one_another_are_undone_last_first() -> None:
    assert decode(brotli.compress(gzip.compress(b"body")), b"gzip, identity, br", LIMIT) == b"body"
    assert decode(zlib.compress(brotli.compress(gzip.compress(b"body"))), b"gzip,br,deflate", LIMIT) == b"body"


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_members_behind_one_another_are_one_body(coding: bytes) -> None:
    assert decode(COMPRESSORS[coding](b"first ") + COMPRESSORS[coding](b"second"), coding, LIMIT) == b"first second"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_body_cut_short_is_refused(coding: bytes) -> None:
    whole = COMPRESSORS[coding](bytes(range(256)) * 20)
    with pytest.raises(CodingError, match="broken-coding"):
        decode(whole[:-3], coding, LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_body_with_something_behind_it_is_refused(coding: bytes) -> None:
    with pytest.raises(CodingError, match="broken-coding"):
        decode(COMPRESSORS[coding](b"{}") + b"behind", coding, LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_body_that_is_not_in_its_coding_is_refused(coding: bytes) -> None:
    with pytest.raises(CodingError, match="broken-coding"):
        decode(b'{"plain": "json"}', coding, LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_bomb_is_refused_at_the_limit(coding: bytes) -> None:
    bomb = COMPRESSORS[coding](bytes(8 * LIMIT))
    with pytest.raises(CodingError, match="too-large"):
        decode(bomb, coding, LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_body_of_just_the_limit_is_undone(coding: bytes) -> None:
    assert len(decode(COMPRESSORS[coding](bytes(LIMIT)), coding, LIMIT)) == LIMIT


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_members_count_together_towards_the_limit(coding: bytes) -> None:
    with pytest.raises(CodingError, match="too-large"):
        decode(COMPRESSORS[coding](bytes(LIMIT)) + COMPRESSORS[coding](b"x"), coding, LIMIT)


@pytest.mark.parametrize("coding", [b"compress", b"gzip, dcb", b"gzip, gzip, gzip, gzip"])
def test_other_codings_and_piles_of_them_are_refused(coding: bytes) -> None:
    with pytest.raises(CodingError, match="unknown-coding"):
        decode(gzip.compress(b"body"), coding, LIMIT)


@pytest.mark.parametrize("size", [4, 64 * 1024, 64 * 1024 + 1, 300_000])
def test_gzip_of_the_same_body_is_the_same(size: int) -> None:
    body = bytes(range(250)) * (size // 250 + 1)
    coded = at_once(encoding_gzip(body[:size]))
    assert coded == at_once(encoding_gzip(body[:size]))
    assert gzip.decompress(coded) == body[:size]


@pytest.mark.parametrize("size", [1000, 300_000])
def test_gzip_says_nothing_of_when_it_was_made_and_takes_the_effort_that_is_worth_it(size: int) -> None:
    draw = random.Random(1)
    body = b"".join(b'{"id":"s%d"},' % draw.randrange(300) for _ in range(size // 8))[:size]
    stream = zlib.compressobj(5, wbits=-15)
    coded = at_once(encoding_gzip(body))
    assert coded[4:8] == bytes(4)
    assert coded[10:-8] == stream.compress(body) + stream.flush()


def test_a_large_body_is_compressed_in_many_steps() -> None:
    assert len(list(encoding_gzip(bytes(64 * 1024)))) == 0
    assert len(list(encoding_gzip(bytes(64 * 1024 * 5)))) == 5


def test_a_large_body_is_undone_in_many_steps() -> None:
    body = bytes(1_000_000)
    assert len(list(decoding(gzip.compress(body), b"gzip", LIMIT))) >= 6


@pytest.mark.parametrize(
    ("coding", "names", "wide"),
    [
        (b"", [], False),
        (b"identity", [], False),
        (b" GZip , identity,, br", [b"gzip", b"br"], True),
        (b"deflate", [b"deflate"], False),
        (b"ZSTD", [b"zstd"], True),
    ],
)
def test_the_layers_of_a_coding_are_read_in_order(coding: bytes, names: list[bytes], wide: bool) -> None:
    assert layers(coding) == names
    assert is_wide(coding) is wide


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([b"gzip"], True),
        ([b"deflate, GZIP;q=0.5"], True),
        ([b"br", b"gzip"], True),
        ([b"x-gzip"], True),
        ([b"*"], True),
        ([b"*;q=0"], False),
        ([b"gzip;q=0, *"], False),
        ([b"gzip;q=0.000"], False),
        ([b"gzip;q=nonsense"], False),
        ([b"gzip;level=1;q=0"], False),
        ([b"identity"], False),
        ([b""], False),
        ([], False),
    ],
)
def test_gzip_is_sent_only_to_those_who_take_it(accept: list[bytes], expected: bool) -> None:
    assert accepts_gzip(accept) is expected


@pytest.mark.parametrize("many", [b",", b";", b";q", b",;q", b",a;q=1"])
def test_of_an_accept_encoding_that_is_too_long_nothing_is_read(many: bytes) -> None:
    """Tens of thousands of members or parameters would hold the event loop."""
    assert calls_in(lambda: accepts_gzip([b"gzip" + many * (30_000 // len(many))])) < 10
    assert accepts_gzip([b"gzip" + b" " * 1020])
    assert not accepts_gzip([b"gzip" + b" " * 1021])
    assert not accepts_gzip([b"gzip", b" " * 1020])


def test_no_layer_of_many_codings_takes_a_call_of_its_own() -> None:
    assert calls_in(lambda: layers(b"gzip," * 6_000)) < 50
