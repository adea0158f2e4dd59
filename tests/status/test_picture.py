"""What is a picture that can show a code, and what only looks like one."""

import struct
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.picture import is_image, shown
from tests.pictures import PNG

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(30)
GIF = b"GIF89a\x15\0\x15\0" + bytes(30)
OLD_GIF = b"GIF87a\x15\0\x15\0" + bytes(30)
WEBP = b"RIFF\0\1\0\0WEBPVP8 " + bytes(30)
SVG = b"<?xml version='1.0'?>\n<!-- code -->\n<svg viewBox='0 0 29 29'><path d='M0 0h7v1z'/></svg>"
PICTURES = [PNG, JPEG, GIF, OLD_GIF, WEBP, SVG]


def png_head(width: int, height: int) -> bytes:
    """As much of a PNG as tells its size: 32 bytes."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\0\0\0\0\0\0\0"


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_known_by_its_header_in_every_writing(picture: bytes) -> None:
    assert is_image(picture)
    for text in (b64encode(picture).decode(), urlsafe_b64encode(picture).decode()):
        assert shown(text)
        assert shown(f" {text[:30]}\n{text[30:]}")
        assert shown(f"data:image/png;charset=utf-8;base64,{text}")
        assert shown(f"DATA:image/png;BASE64,{quote(text)}")


def test_an_svg_is_known_as_text_too() -> None:
    text = SVG.decode()
    assert shown(text)
    assert shown(f"data:image/svg+xml;utf8,{text}")
    assert shown(f"data:image/svg+xml;base64,{text}")
    assert shown(f"data:image/svg+xml,{quote(text)}")
    bare = text[text.index("<svg") :]
    assert shown(bare + "\ud800")
    assert shown(f"data:image/svg+xml;base64,{bare}")  # whatever it calls itself


@pytest.mark.parametrize(("width", "height"), [(21, 21), (20, 21), (21, 20), (20, 20)])
def test_a_picture_smaller_than_the_smallest_code_is_a_placeholder(width: int, height: int) -> None:
    large = min(width, height) == 21
    assert is_image(png_head(width, height)) is large
    assert is_image(b"GIF89a" + struct.pack("<HH", width, height) + bytes(30)) is large


@pytest.mark.parametrize(
    "body",
    [
        b"",
        PNG[:31],
        PNG.replace(b"IHDR", b"IDAT"),
        PNG.replace((264).to_bytes(4, "big"), (1).to_bytes(4, "big")),
        b"\x89PNG" + bytes(40),
        JPEG[:3] + bytes(40),
        b"GIF89a\1\0\1\0" + bytes(40),
        b"RIFF\0\1\0\0WAVEfmt " + bytes(40),
        b"RIFF\0\1\0\0WEBPVP8?" + bytes(40),
        b"BM" + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'><text>Session connected</text></svg>",
        b"<?xml version='1.0'?><error>no such session <path/></error>",
        b"<html><body><svg><path d='M0 0h1'/></svg></body></html>",
        b"<svgs><path d='M0 0h1v1z'/></svgs>       ",
        b"<svg xmlns='http://www.w3.org/2000/svg'><pathology/></svg>",
        b"<" * 100_000,
    ],
)
def test_what_only_begins_like_a_picture_is_none(body: bytes) -> None:
    assert not is_image(body)
    assert not shown(b64encode(body).decode())


@pytest.mark.parametrize("text", ["undefined", "null", "/9j/logo.png" * 10, "iVBORw0KGgo=", "x" * 300, "%FF" * 40])
def test_a_text_that_is_no_picture_is_none(text: str) -> None:
    assert not shown(text)
    assert not shown(f"data:image/png;base64,{text}")


def test_what_follows_a_data_urls_type_without_a_comma_is_no_picture() -> None:
    assert not shown("data:image/svg+xml" + SVG.decode())


@given(st.binary(), st.text())
def test_nothing_makes_it_raise(body: bytes, text: str) -> None:
    assert not is_image(body)
    assert not shown(text)
    assert not shown(f"data:image/png;base64,{text}")
