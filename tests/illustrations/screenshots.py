"""Pictures of the status page for the README: a real browser, the page's own files, the sessions of `scene.py`."""

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import Final

from selenium import webdriver

from statusproxy.admin import assets
from tests.browser.browser import chromium, prefer, resize
from tests.browser.site import until
from tests.browser.stand_in import stand_in
from tests.illustrations import FOLDER, scene

LANGUAGES: Final = {"en-US": "", "pt-BR": ".pt-BR"}
SCHEMES: Final = ("light", "dark")

WIDTH, SCALE = 1280, 1.25
"""The page's width in CSS pixels, and how many of a picture's are one of them: crisp, and still small."""

#: What the pictures were made of.
FINGERPRINT: Final = FOLDER / "page.sha256"

_GROUPS = "return document.getElementById('groups').getBoundingClientRect().bottom + scrollY"
_SETTLED = "document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]())))"


def file(language: str, scheme: str) -> Path:
    """Where a picture is kept."""
    return FOLDER / f"page-{scheme}{LANGUAGES[language]}.png"


def fingerprint() -> str:
    """A digest of what the pictures show: the page's files and the scene."""
    digest = hashlib.sha256()
    for path in sorted([*Path(assets.__file__).with_name("page").iterdir(), Path(scene.__file__)]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def screenshot(browser: webdriver.Chrome, scheme: str) -> bytes:
    """A picture of the page down to its last session, as PNG."""
    prefer(browser, scheme)
    resize(browser, WIDTH, 900)
    reports = scene.reports()
    with stand_in(reports) as site:
        browser.get(site.url)
        rows = "return document.querySelectorAll('li.session').length"
        until(lambda: browser.execute_script("return document.body.dataset.link") == "live", "the page is live")
        until(lambda: browser.execute_script(rows) == len(reports), "all sessions are shown")
        browser.execute_async_script(_SETTLED)
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": int(browser.execute_script(_GROUPS)) + 8, "scale": SCALE}
        taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
    return base64.b64decode(taken["data"])


def write() -> None:
    """Take the pictures anew, where the page or the scene has changed since."""
    if FINGERPRINT.exists() and FINGERPRINT.read_text(encoding="utf-8").strip() == fingerprint():
        return
    for language in LANGUAGES:
        with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), language=language) as browser:
            for scheme in SCHEMES:
                file(language, scheme).write_bytes(screenshot(browser, scheme))
    FINGERPRINT.write_text(fingerprint() + "\n", encoding="utf-8")
