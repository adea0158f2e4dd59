"""Pictures of the status page, to be looked at: `python -m tests.browser.album FOLDER [COUNT …]`.

For each number of sessions: laptop and phone, light and dark, English and Portuguese. It says what axe-core finds, how
many sessions each screen shows, how long the page took, and what one update cost.
"""

import sys
import tempfile
import time
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


def opened(browser: webdriver.Chrome, site: StandIn) -> float:
    """Open the page; the seconds until all sessions are shown."""
    started = time.monotonic()
    browser.get(site.url)
    rows = "return document.querySelectorAll('li.session').length"
    until(lambda: browser.execute_script("return document.body.dataset.link") == "live", "the page is live")
    until(lambda: browser.execute_script(rows) == len(site.reports), "all are shown")
    browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
    )
    return time.monotonic() - started


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("en-US", "pt-BR"):
        with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), language=language) as browser:
            browser.execute_cdp_cmd("Performance.enable", {})
            for count in [int(one) for one in sys.argv[2:]] or COUNTS:
                with stand_in(mixed(count)) as site:
                    for screen, (width, height) in SCREENS.items():
                        for scheme in ("light", "dark"):
                            prefer(browser, scheme)
                            resize(browser, width, height, phone=screen == "phone")
                            taken = opened(browser, site)
                            name = f"{count}-{screen}-{scheme}-{language[:2]}"
                            browser.save_screenshot(str(folder / f"{name}.png"))
                            seen = browser.execute_script(SEEN)
                            found = [] if count > ALIKE else axe(browser)
                            if count and scheme == "dark":
                                browser.execute_script("document.querySelector('li.session button.history').click()")
                                until(lambda: browser.find_elements("css selector", ".outages li"), "the history opens")
                                browser.save_screenshot(str(folder / f"{name}-open.png"))
                                browser.execute_script(_CUT, ALIKE)
                                found += axe(browser)
                            print(f"{name}: {taken:.2f} s, {seen} seen,"
                                  f" wide {browser.execute_script('return document.documentElement.scrollWidth')},"
                                  f" axe {found}, console {complaints(browser)}", flush=True)  # fmt: skip
                    if count:
                        opened(browser, site)
                        before = work(browser)
                        for number in range(10):
                            site.tell(session(site.reports[0]["session"], "connected" if number % 2 else "lost"))
                            time.sleep(0.2)
                        after = work(browser)
                        print(
                            "one update, ms:",
                            {one: round((after[one] - before[one]) / 10, 1) for one in _WORK},
                            flush=True,
                        )


if __name__ == "__main__":
    main()
