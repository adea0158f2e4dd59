"""The pictures of the status page are of the page as it is, and can be taken again."""

from itertools import product
from pathlib import Path

import pytest

from tests.browser.browser import chromium
from tests.illustrations import scene
from tests.illustrations.screenshots import (
    FINGERPRINT,
    LANGUAGES,
    SCALE,
    SCHEMES,
    WIDTH,
    file,
    fingerprint,
    screenshot,
)

#: Bytes: a README is read on phones, too.
SMALL = 200_000


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def test_the_pictures_are_of_the_page_and_the_scene_as_they_are() -> None:
    assert FINGERPRINT.read_text().strip() == fingerprint(), "take them again: make pictures"


@pytest.mark.parametrize(("language", "scheme"), list(product(LANGUAGES, SCHEMES)))
def test_the_pictures_are_small_and_of_one_width(language: str, scheme: str) -> None:
    png = file(language, scheme).read_bytes()
    assert size(png)[0] == WIDTH * SCALE
    assert len(png) < SMALL


@pytest.mark.slow
def test_a_picture_can_be_taken_again(tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        png = screenshot(browser, "light")
    assert size(png)[0] == WIDTH * SCALE
    assert size(png)[1] > 40 * SCALE * len(scene.reports()), "all sessions are in it"
