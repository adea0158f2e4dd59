"""The status page's groups, counts, links and figures, in a real browser; years of history come from a stand-in."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from statusproxy.admin.client import ask
from tests.browser.album import SEEN
from tests.browser.axe import axe
from tests.browser.browser import complaints, prefer, resize, speak
from tests.browser.site import Site, until
from tests.browser.stand_in import StandIn, mixed, moment, session, stand_in

#: The language in which the page speaks, as "en" or "pt".
LANGUAGE = "return document.documentElement.lang.slice(0, 2)"

STATES = ("lost", "reported_down", "needs_qr", "connected", "unknown")


def read(browser: webdriver.Chrome, selector: str) -> str:
    """What the first element that `selector` finds holds."""
    return str(browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))


def shown(browser: webdriver.Chrome, part: str = ".group") -> list[str]:
    """The sessions that are shown in a part of the page, in order."""
    script = (
        "return [...document.querySelectorAll(`${arguments[0]} li.session`)]"
        ".filter((one) => !one.hidden).map((one) => one.dataset.session)"
    )
    return list(browser.execute_script(script, part))


def is_shown(browser: webdriver.Chrome, part: str, sessions: list[str]) -> bool:
    """Whether a part of the page shows these sessions, in this order."""
    return shown(browser, part) == sessions


def counted(browser: webdriver.Chrome) -> dict[str, int]:
    """The counts on the choices of a state."""
    script = (
        "return [...document.querySelectorAll('#choices label')]"
        ".map((one) => [one.dataset.state, Number(one.querySelector('b').textContent)])"
    )
    return dict(browser.execute_script(script))


def visit(browser: webdriver.Chrome, site: StandIn, fragment: str = "") -> None:
    """Open the page of a stand-in, and wait until all of its sessions are there."""
    browser.get("about:blank")
    browser.get(site.url + fragment)
    until(lambda: len(shown(browser)) == len(site.reports), "all sessions are shown")


def call(browser: webdriver.Chrome, module: str, expression: str, *arguments: Any) -> Any:
    """What an expression over a module of the page (`it`) gives."""
    script = (
        "const [module, given, done] = arguments; import(`/${module}`)"
        f".then((it) => done({{ gave: ({expression})(...given) }}), (error) => done({{ failed: String(error) }}))"
    )
    told = browser.execute_async_script(script, module, list(arguments))
    assert "failed" not in told, told
    return told["gave"]


def test_the_counts_are_those_of_the_list_whatever_the_states(window: webdriver.Chrome, site: Site) -> None:
    words = {"sales": "connected", "support": "disconnected", "billing": "qr_required", "Front Desk": "connected"}
    site.process.gateway.document = {"channels": [{"id": one, "status": word} for one, word in words.items()]}
    site.presence("ghost")
    site.lose("sales")
    listed = {one["id"]: one["status"] for one in site.list_channels()["channels"]}
    window.get(site.page)
    expected = {"lost": ["sales"], "reported_down": ["support"], "needs_qr": ["billing"], "connected": ["Front Desk"],
                "unknown": ["ghost"]}  # fmt: skip
    until(lambda: {state: shown(window, f"#group-{state}") for state in STATES} == expected, "each is in its group")
    told = ask(site.process.admin_url, "GET", "/sessions")
    counts = counted(window)
    assert counts.pop("all") == len(told["sessions"]) == 5
    assert counts == told["counts"]
    assert {one: len(found) for one, found in expected.items()} == counts
    assert read(window, "#sum b") == "3"
    assert read(window, "#sum span") == "of 5 not connected"
    assert window.title == "3 not connected – statusproxy"
    script = (
        "return [...document.querySelectorAll('li.session')]"
        ".map((one) => [one.dataset.session, one.querySelector('.pill').textContent])"
    )
    pills = dict(window.execute_script(script))
    assert {one: pills[one] for one in listed} == listed, "each pill is the word that the list shows"
    assert pills["ghost"] == "unknown"
    assert axe(window) == []
    assert complaints(window) == []


def test_a_session_that_an_event_made_known_and_a_list_names_later_is_counted_once(
    window: webdriver.Chrome, site: Site
) -> None:
    site.presence("sales")
    window.get(site.page)
    until(lambda: counted(window).get("unknown") == 1, "its state is unknown")
    site.list_channels()
    until(lambda: counted(window) == dict.fromkeys(STATES, 0) | {"connected": 3, "all": 3}, "the list tells of all")


def test_the_address_opens_a_session_also_after_a_reload(window: webdriver.Chrome) -> None:
    with stand_in(mixed(200)) as site:
        name = site.reports[-1]["session"]
        visit(window, site, f"#{name}")
        opened = f"li.session[data-session='{name}']"
        until(lambda: window.execute_script("return document.activeElement.textContent") == name, "it has the focus")
        for _ in range(2):
            until(lambda: "browserClose" in read(window, f"{opened} .outages"), "its history is open")
            box = window.execute_script(
                "const { top, bottom } = document.activeElement.getBoundingClientRect(); return [top, bottom]"
            )
            assert 0 < box[0] < box[1] < 900
            window.refresh()
            until(lambda: window.execute_script("return document.activeElement.textContent") == name, "so it has again")
        window.find_element(By.CSS_SELECTOR, f"{opened} button.history").click()
        assert window.execute_script("return location.hash") == "", "closed, it is not linked any more"
        window.find_element(By.ID, "filter").send_keys("nothing at all")
        until(lambda: shown(window) == [], "none is shown")
        window.execute_script("location.hash = arguments[0]", f"#{name}")
        until(lambda: read(window, f"{opened} .outages"), "a link shows it, whatever was looked for")


def test_a_link_to_no_session_or_to_bytes_that_are_no_text_harms_nothing(window: webdriver.Chrome) -> None:
    with stand_in(mixed(3)) as site:
        for fragment in ("#nobody", "#%ff", "#filter"):
            visit(window, site, fragment)
            assert window.find_elements(By.CSS_SELECTOR, ".session.open") == []
        assert complaints(window) == []


def test_sessions_are_sorted_within_their_groups_searched_and_filtered(window: webdriver.Chrome) -> None:
    lost = [
        session("shop 10", "lost", since=moment(90), lost_seconds=9.0, losses=5, uptime=0.9),
        session("shop 2", "lost", since=moment(500), lost_seconds=90.0, losses=2, uptime=0.8),
        session("Ágora", "lost", since=moment(50), lost_seconds=900.0, losses=1, uptime=0.95),
    ]
    orders = {
        "urgency": ["Ágora", "shop 10", "shop 2"],
        "name": ["Ágora", "shop 2", "shop 10"],
        "uptime": ["shop 2", "shop 10", "Ágora"],
        "lost": ["Ágora", "shop 2", "shop 10"],
        "losses": ["shop 10", "shop 2", "Ágora"],
    }
    with stand_in([*lost, session("shop 1"), session("ghost", "unknown")]) as site:
        visit(window, site)
        for order, expected in orders.items():
            Select(window.find_element(By.ID, "sort")).select_by_value(order)
            until(partial(is_shown, window, "#group-lost", expected), f"the order is {order}")
        window.find_element(By.ID, "filter").send_keys("AGORA")
        until(lambda: shown(window) == ["Ágora"], "a search folds case and accents")
        window.find_element(By.ID, "filter").send_keys(Keys.CONTROL, "a", Keys.DELETE)
        window.find_element(By.CSS_SELECTOR, "input[value=connected]").send_keys(Keys.SPACE)
        until(lambda: shown(window) == ["shop 1"], "one state alone is shown")
        assert read(window, "#count") == "1 of 5 sessions"


@pytest.mark.parametrize(("width", "height", "least"), [(1366, 768, 15), (360, 740, 4)])
def test_a_screen_shows_many_sessions(window: webdriver.Chrome, width: int, height: int, least: int) -> None:
    resize(window, width, height, phone=width < 500)
    with stand_in(mixed(200)) as site:
        visit(window, site)
        assert window.execute_script(SEEN) >= least
        assert window.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", ["en-US", "pt-BR"])
def test_a_laptop_shows_as_many_when_all_of_them_were_lost_long_ago(window: webdriver.Chrome, language: str) -> None:
    told = {"since": moment(100 * 86400), "alerted_at": moment(100 * 86400 - 60), "reason": "status-find browserClose"}
    speak(window, language)
    with stand_in([session(str(one), "lost", **told) for one in range(60)]) as site:
        resize(window, 1366, 768)
        visit(window, site)
        assert window.execute_script(LANGUAGE) == language[:2]
        assert window.execute_script(SEEN) >= 15
        window.find_element(By.CSS_SELECTOR, "button.history").click()
        cut = "const why = document.querySelector('.open .why'); return why.scrollWidth > why.clientWidth"
        assert window.execute_script(cut) is False, "opened, nothing is cut off"


def test_each_row_has_its_uptime_and_the_top_the_losses_of_all(window: webdriver.Chrome) -> None:
    reports = [
        session("sales", lost_seconds=7200.0, losses=2, uptime=0.99999, days="0" * 88 + "19"),
        session("support", lost_seconds=600.0, losses=1, uptime=0.5, days="-05"),
        session("new", uptime=None, days=""),
    ]
    with stand_in(reports) as site:
        visit(window, site)
        row = "li.session[data-session='{}'] ".format
        assert read(window, row("sales") + ".share") == "99.99%", "never rounded up"
        assert read(window, row("sales") + ".total") == "2 h"
        label = "return document.querySelector(arguments[0]).getAttribute('aria-label')"
        assert window.execute_script(label, row("sales") + ".days") == "99.99% up; lost 2 times, 2 h in all"
        assert window.execute_script(label, row("new") + ".days") == "uptime not known yet"
        assert read(window, row("new") + ".share") == "–"
        assert read(window, "#spark figcaption") == "90 days: 3 losses, 2 h 10 min"
        assert window.execute_script(label, "#spark svg").endswith("at most 2, today 2")
        window.find_element(By.CSS_SELECTOR, row("sales") + "button.history").click()
        until(lambda: "November 2026" in read(window, row("sales") + ".months"), "its months are told")
        until(lambda: "by ana" in read(window, row("sales") + ".outages"), "who released it")  # a request of its own


def test_a_lost_session_says_what_to_do_and_that_an_alert_was_sent(window: webdriver.Chrome) -> None:
    with stand_in([session("sales/1", "lost", alerted_at=moment(60))]) as site:
        visit(window, site)
        assert "alert" in read(window, ".why")
        window.find_element(By.CSS_SELECTOR, "button.history").click()
        told = read(window, ".next")
        assert "POST /api/sessions/sales%2F1/connect" in told
        assert "The newest alert about this was made at" in told


def test_stale_webhooks_and_what_the_doctor_finds_are_said(window: webdriver.Chrome) -> None:
    with stand_in([session("sales")]) as site:
        site.heard_at = moment(7200)
        site.doctor |= {"waiting": ["listen"], "forwarding_strangers": ["192.0.2.7"]}
        visit(window, site)
        until(lambda: "no webhook for 2 h" in read(window, "#notices"), "the silence is said")
        assert "ill" in (window.find_element(By.ID, "webhooks").get_attribute("class") or "").split()
        assert "in force only after a restart: listen" in read(window, "#notices")
        assert "192.0.2.7 sends X-Forwarded-For" in read(window, "#notices")


def test_reports_of_an_earlier_proxy_are_shown_all_the_same(window: webdriver.Chrome) -> None:
    new = ("state", "listed", "list_shows", "first_heard", "lost_seconds", "losses", "uptime", "days", "released_by")
    reports = [
        {key: value for key, value in session(*each).items() if key not in new} for each in (("a", "lost"), ("b",))
    ]
    with stand_in(reports) as site:
        visit(window, site)
        assert shown(window, "#group-lost") == ["a"]
        assert shown(window, "#group-unknown") == ["b"]
        assert not window.find_element(By.ID, "spark").is_displayed()
        assert complaints(window) == []


def test_a_change_among_two_thousand_moves_one_row(window: webdriver.Chrome) -> None:
    with stand_in(mixed(2000)) as site:
        visit(window, site)
        name = next(one["session"] for one in site.reports if one["state"] == "connected")
        window.execute_script(
            "window.moves = 0; new MutationObserver((all) =>"
            " { for (const one of all) for (const node of one.addedNodes) window.moves += node.nodeName === 'LI'; })"
            ".observe(document.getElementById('groups'), { childList: true, subtree: true });"
            "for (const one of document.querySelectorAll('.group ul')) one.dataset.seen = '1'"
        )
        site.tell(session(name, "lost", since=moment(1)))
        until(lambda: shown(window, "#group-lost")[0] == name, "it comes first")
        assert window.execute_script("return window.moves") == 1


#: What of an open session reaches beyond its row.
_CLIPPED = (
    "const row = document.querySelector('li.session.open'), edge = row.getBoundingClientRect().right;"
    " return [...row.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > edge)"
    ".map((one) => one.outerHTML)"
)


@pytest.mark.parametrize("language", ["en-US", "pt-BR"])
def test_axe_finds_nothing_in_any_state_width_and_scheme(window: webdriver.Chrome, language: str) -> None:
    speak(window, language)
    sessions = mixed(16)
    assert {one["state"] for one in sessions} == set(STATES)
    with stand_in(sessions) as site:
        for scheme in ("light", "dark"):
            for width in (1366, 360):
                prefer(window, scheme)
                resize(window, width, 740, phone=width < 500)
                visit(window, site)
                assert window.execute_script(LANGUAGE) == language[:2]
                window.find_element(By.CSS_SELECTOR, "button.history").click()
                until(partial(read, window, ".outages"), "the history opens")
                until(partial(read, window, ".months"), "so do its months")
                assert axe(window) == [], (scheme, width)
                assert window.execute_script(_CLIPPED) == [], "what is beyond a row's edge is not seen"
        assert complaints(window) == []


def test_the_clock_has_the_hours_of_the_browsers_first_language(window: webdriver.Chrome) -> None:
    for language, expected in (
        ("de-DE,en-US", r"\b\d\d:\d\d\b(?! [AP]M)"),
        ("pt-BR", r"\b\d\d:\d\d\b(?! [AP]M)"),
        ("en-US", r" [AP]M"),
    ):
        speak(window, language)
        with stand_in([session("sales", "lost")]) as site:
            visit(window, site)
            assert window.execute_script(
                f"return /{expected}/.test(document.querySelector('.why time').textContent)"
            ), language


# ---- the parts that need no page ----


@pytest.fixture(scope="module")
def module(browser: webdriver.Chrome) -> Any:
    """Calls into the page's modules."""
    with stand_in([]) as site:
        browser.get(site.url)
        yield partial(call, browser)


Call = Callable[..., Any]


def test_days_are_drawn_from_the_right_runs_as_one_stroke(module: Call) -> None:
    assert module("uptime.js", "it.dayPaths", "0" * 90) == {"none": "", "well": "M0 5H90", "lost": ""}
    assert module("uptime.js", "it.dayPaths", "") == {"none": "M0 5H90", "well": "", "lost": ""}
    assert module("uptime.js", "it.dayPaths", "-019") == {
        "none": "M0 5H86M86 5H87", "well": "M87 5H90", "lost": "M88 10v-4h.8v4zM89 10v-10h.8v10z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1, "100%"), (0.999999, "99.99%"), (0.5, "50.00%"), (0, "0.00%")],
)
def test_a_share_is_never_rounded_up(module: Call, value: float | None, text: str) -> None:
    assert module("uptime.js", "it.share", value) == text


def test_losses_of_all_sessions_are_added_by_day(module: Call) -> None:
    days = module("uptime.js", "it.lossesPerDay", [{"days": "10"}, {"days": "0-9"}, {"days": "1"}, {}])
    assert days == [0] * 88 + [1, 2]
    assert module("uptime.js", "it.sparkPath", [0, 1, 2]) == "M1 20v-9.0h.8V20zM2 20v-18.0h.8V20z"


def test_a_silence_counts_once_it_is_long_for_what_came_before(module: Call) -> None:
    report = {"webhooks": {"last_heard": 1000, "heard": 50, "gap": 100.0}}
    assert module("doctor.js", "it.silence", report, 3000) is None
    assert module("doctor.js", "it.silence", report, 3001) == 2001
    assert module("doctor.js", "it.silence", {"webhooks": {**report["webhooks"], "last_heard": None}}, 9e9) is None


def test_findings_name_the_path_and_the_sender(module: Call) -> None:
    report = {
        "webhooks": {
            "last_heard": 10_000, "heard": 50, "gap": 1.0,
            "paths": [{"path": "/hook", "count": 30, "last": 1000, "gap": 1.0}],
            "senders": [{"address": "192.0.2.9", "believed": 0, "doubts": {"secret": 2}}],
        },
    }  # fmt: skip
    path, sender = module("doctor.js", "it.findings", report, 10_000)
    assert path.startswith("nothing was posted to /hook for 2 h 30 min")
    assert sender.startswith("2 webhooks from 192.0.2.9 not trusted (secret)")
