"""Headless Chromium, driven by Selenium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.waiting import PATIENCE

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "status-page"

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    # One process for all pages, and none for drawing: each test's page has an address of its own, for which the
    # browser would start another renderer. That took as much processor time as the tests.
    "--disable-site-isolation-trials",
    "--disable-features=SpareRendererForSitePerProcess",
    "--process-per-site",
    "--renderer-process-limit=1",
    "--in-process-gpu",
)


def need_chromium() -> tuple[str, str]:
    """The programs' paths; skips the test where they are missing."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium or chromium-driver is missing: bash tests/install-peers.sh")
    return browser, driver


@contextmanager
def chromium(folder: Path, *, language: str = "en-US") -> Iterator[webdriver.Chrome]:
    """A browser with a fresh profile that asks for pages in `language`."""
    browser, driver = need_chromium()
    options = Options()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--lang={language}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        # WebDriver's 30 s are over before a script ends where others keep every processor busy.
        running.set_script_timeout(2 * PATIENCE)
        # A zone of its own, so that pictures taken anywhere show the same clock.
        running.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "America/Sao_Paulo"})
        yield running
    finally:
        running.quit()


def prefer(browser: webdriver.Chrome, scheme: str) -> None:
    """Have the browser prefer `dark` or `light`."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def speak(browser: webdriver.Chrome, language: str) -> None:
    """Have a browser that runs ask for pages in `language`."""
    agent = browser.execute_script("return navigator.userAgent")
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": language})


def resize(browser: webdriver.Chrome, width: int, height: int, *, phone: bool = False) -> None:
    """Give the page this much room, in CSS pixels."""
    metrics: dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def picture(browser: webdriver.Chrome, name: str) -> None:
    """Keep what is seen now."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(ARTIFACTS / f"{name}.png"))


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser's console says is wrong: broken rules of the policy, errors of scripts."""
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]
