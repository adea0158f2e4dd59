"""What names a host, and what only looks like it."""

import pytest

from statusproxy.proxy.http1.authority import Absolute, absolute, is_authority
from tests.processor_time import takes_less

VALID = [
    b"a.example",
    b"a.example:80",
    b"a.example:",
    b"a_b:8090",
    b"A-B.example.",
    b"127.0.0.1:1",
    b"[::1]",
    b"[::1]:65535",
    b"[2001:db8::192.0.2.1]:",
    b"xn--caf-dma.example",
    b"%41.example",
    b"~",
    b"a" * 255,
    b"a" * 255 + b":65535",
]

INVALID = [
    b"",
    b":80",
    b"a:9000:80",
    b"h:80x",
    b"h:x",
    b"h:-1",
    b"h:+1",
    b"h:65536",
    b"h:000080",
    b"[::1",
    b"::1",
    b"[::1]x",
    b"[::1]80",
    b"[]",
    b"[:::1]",
    b"[1.2.3.4]",
    b"[fe80::1%25eth0]",
    b"[v1.x]",
    b"a,b",
    b"h;x",
    b"h=x",
    b"%zz",
    b"%4",
    b"a%",
    b"user@a.example",
    b"a b",
    b"a/b",
    b"a?b",
    b"a#b",
    b"a\\b",
    b"a\x00b",
    b"a\nb",
    b"a.example\n",
    b"caf\xc3\xa9.example",
    b'"a"',
    b"a" * 256,
]


@pytest.mark.parametrize("text", VALID)
def test_a_host_with_or_without_a_port_is_an_authority(text: bytes) -> None:
    assert is_authority(text)


@pytest.mark.parametrize("text", INVALID)
def test_anything_else_is_none(text: bytes) -> None:
    assert not is_authority(text)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"http://a.example/x?y", (b"a.example", b"/x?y")),
        (b"http://a.example", (b"a.example", b"")),
        (b"http://a.example?x", (b"a.example", b"?x")),
        (b"HTTPS://a.example:8443/", (b"a.example:8443", b"/")),
        (b"http://me:secret@a.example/", (b"a.example", b"/")),
        (b"http://us%41er:se%2Fcret@a.example/", (b"a.example", b"/")),
        (b"http://@a.example/", (b"a.example", b"/")),
        (b"http://[::1]:80//a//b", (b"[::1]:80", b"//a//b")),
        (b"http://a.example/x@y", (b"a.example", b"/x@y")),
    ],
)
def test_an_absolute_target_is_taken_apart(target: bytes, parts: tuple[bytes, bytes]) -> None:
    assert absolute(target) == Absolute(*parts)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"*",
        b"a.example:80",
        b"http:/a",
        b"http:///a",
        b"http://user@/x",
        b"http://a@b@c/",
        b"http://%zz/",
        b"http://us%er@a.example/",
        b"http://a:b:c/",
        b"://a.example/",
        b"1http://a.example/",
        b"http://a.example#x",
    ],
)
def test_a_target_with_no_host_or_a_broken_one_is_not_absolute(target: bytes) -> None:
    assert absolute(target) is None


@pytest.mark.parametrize("unit", [b"a", b":", b"%41", b"@", b"[", b"a:", b"a@", b"\xff"])
def test_the_time_grows_with_the_length_and_no_faster(unit: bytes) -> None:
    def reading(count: int) -> None:
        text = b"http://" + unit * count + b"\x00"
        for _ in range(20):
            absolute(text)
            is_authority(text[7:])

    assert takes_less(lambda: reading(16_000), 40, lambda: reading(1_000))
