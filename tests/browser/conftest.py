"""Fixtures of the page's tests: one browser and one site for all of a file, with sessions of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.browser import chromium, complaints, need_chromium, prefer, resize, speak
from tests.browser.site import Site, running_site


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that speaks English."""
    need_chromium()
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def window(browser: webdriver.Chrome) -> webdriver.Chrome:
    """The browser with a window of usual size, light, in English, on no page."""
    browser.get("about:blank")
    speak(browser, "en-US")
    prefer(browser, "light")
    resize(browser, 1280, 900)
    complaints(browser)  # those of an earlier page, which lost its proxy, are none of this test's
    return browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A running proxy in front of a gateway that says that three sessions are connected."""
    need_chromium()
    with running_site(tmp_path, ["sales", "support", "Front Desk"]) as site:
        yield site
