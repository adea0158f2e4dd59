"""Pictures of the status page, to be looked at: `python -m tests.browser.album FOLDER [COUNT …]`.

For each number of sessions: laptop and phone, light and dark, English and Portuguese. It says what axe-core finds, how
many sessions each screen shows, how long the page took, and what one update cost.
"""

import itertools
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from selenium import webdriver

from tests.browser.axe import axe
from tests.browser.browser import chromium, complaints, prefer, resize
from tests.browser.site import until
from tests.browser.stand_in import StandIn, mixed, session, stand_in

COUNTS = (0, 3, 12, 200, 2000)
SCREENS = {"laptop": (1366, 768), "phone": (360, 740)}

#: Rows of a group that axe looks at: it takes minutes for thousands, which are made alike.
ALIKE = 200
_CUT = (
    "for (const list of document.querySelectorAll('.group ul'))"
    " for (const one of [...list.children].slice(arguments[0])) one.remove()"
)

#: Sessions of which the whole row is on the screen.
SEEN = (
    "return [...document.querySelectorAll('li.session')].filter((one) => { const box = one.getBoundingClientRect();"
    " return box.height && box.top >= 0 && box.bottom <= innerHeight; }).length"
)
#: Milliseconds of script, style and layout since the page was opened.
_WORK = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration")


def work(browser: webdriver.Chrome) -> dict[str, float]:
    """What the page has cost so far, in milliseconds."""
    metrics = {one["name"]: one["value"] for one in browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
    return {name: 1000 * metrics[name] for name in _WORK}


def drawn(browser: webdriver.Chrome) -> None:
    """Wait until what was changed is on the screen."""
    browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
    )


def opened(browser: webdriver.Chrome, site: StandIn) -> float:
    """Open the page; the seconds until all sessions are shown."""
    started = time.monotonic()
    browser.get(site.url)
    rows = "return document.querySelectorAll('li.session').length"
    until(lambda: browser.execute_script("return document.body.dataset.link") == "live", "the page is live")
    until(lambda: browser.execute_script(rows) == len(site.reports), "all are shown")
    drawn(browser)
    return time.monotonic() - started


def _is(browser: webdriver.Chrome, name: str, state: str) -> bool:
    row = "[...document.querySelectorAll('li.session')].find((one) => one.dataset.session === arguments[0])"
    return bool(browser.execute_script(f"return {row}.dataset.state", name) == state)


def update(browser: webdriver.Chrome, site: StandIn) -> dict[str, float]:
    """What one change of a session costs, in milliseconds: the mean of ten."""
    name = site.reports[0]["session"]
    before = work(browser)
    for number in range(10):
        state = "connected" if number % 2 else "lost"
        site.tell(session(name, state))
        until(partial(_is, browser, name, state), "the change is shown")
        drawn(browser)
    after = work(browser)
    return {one: round((after[one] - before[one]) / 10, 1) for one in _WORK}


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def picture(browser: webdriver.Chrome, site: StandIn, file: Path, *, open_first: bool) -> None:
    """Take a picture of the page, and one with the first session open; say what is seen in it."""
    taken = opened(browser, site)
    browser.save_screenshot(str(file))
    seen = browser.execute_script(SEEN)
    found = [] if len(site.reports) > ALIKE else axe(browser)
    if open_first and site.reports:
        browser.execute_script("document.querySelector('li.session button.history').click()")
        until(lambda: browser.find_elements("css selector", ".outages li"), "the history opens")
        browser.save_screenshot(str(file.with_stem(f"{file.stem}-open")))
        browser.execute_script(_CUT, ALIKE)
        found += axe(browser)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    say(f"{file.stem}: {taken:.2f} s, {seen} seen, wide {wide}, axe {found}, console {complaints(browser)}")


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("en-US", "pt-BR"):
        with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), language=language) as browser:
            browser.execute_cdp_cmd("Performance.enable", {})
            for count in [int(one) for one in sys.argv[2:]] or COUNTS:
                with stand_in(mixed(count)) as site:
                    for screen, scheme in itertools.product(SCREENS, ("light", "dark")):
                        prefer(browser, scheme)
                        resize(browser, *SCREENS[screen], phone=screen == "phone")
                        file = folder / f"{count}-{screen}-{scheme}-{language[:2]}.png"
                        picture(browser, site, file, open_first=scheme == "dark")
                    if count:
                        opened(browser, site)
                        say(f"one update, ms: {update(browser, site)}")


if __name__ == "__main__":
    main()
