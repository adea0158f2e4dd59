"""The status page as a person meets it: in a real browser, in front of a real proxy.

Pictures of what is seen go to `artifacts/status-page/`.
"""

import json
import time
import urllib.request
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from statusproxy.admin.client import ask
from statusproxy.status.model import Record
from tests.admin.process import Process, running_process
from tests.browser.axe import axe
from tests.browser.browser import chromium, complaints, picture, prefer, resize
from tests.browser.site import Site, running_site, until
from tests.store.damaged import damage_page, filled, noise
from tests.waiting import PATIENCE

NOW = time.time()

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def row(browser: webdriver.Chrome, session: str) -> WebElement | None:
    """The row of a session, where it is shown."""
    found = browser.execute_script(
        "return [...document.querySelectorAll('li.session')]"
        ".find((one) => one.dataset.session === arguments[0] && !one.hidden) ?? null",
        session,
    )
    return found if isinstance(found, WebElement) else None


def text(browser: webdriver.Chrome, session: str) -> str:
    """What a session's row reads, seen or not; empty where it is not shown."""
    script = (
        "return [...document.querySelectorAll('li.session')]"
        ".find((one) => one.dataset.session === arguments[0] && !one.hidden)?.textContent ?? ''"
    )
    return str(browser.execute_script(script, session))


def said(browser: webdriver.Chrome, selector: str) -> str:
    """What the first element that `selector` finds reads, as it is seen."""
    return str(browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector))


def text_of(browser: webdriver.Chrome, selector: str) -> str:
    """What the first element that `selector` finds holds, seen or not."""
    return str(browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))


def names(browser: webdriver.Chrome, part: str) -> list[str]:
    """The sessions of a group (a state), or of all but the lost ones (`rest`), as shown, in order."""
    part = ".group:not(#group-lost)" if part == "rest" else f"#group-{part}"
    script = (
        "return [...document.querySelectorAll(`${arguments[0]} li.session`)]"
        ".filter((one) => one.getClientRects().length).map((one) => one.querySelector('h3').textContent)"
    )
    return list(browser.execute_script(script, part))


def open_page(browser: webdriver.Chrome, site: Site, *sessions: str) -> None:
    """Open the page, and wait until it is live and shows these sessions."""
    browser.get(site.page)
    until(lambda: browser.execute_script("return document.body.dataset.link") == "live", "the page is live")
    for session in sessions:
        until(partial(row, browser, session), f"{session} is shown")


def press(browser: webdriver.Chrome, session: str, button: str) -> None:
    """Press a button of a session's row, which is opened for those that are below it."""

    def pressed() -> bool:
        found = row(browser, session)
        assert found is not None
        details = found.find_element(By.CSS_SELECTOR, "button.history")
        if button != "history" and details.get_attribute("aria-expanded") == "false":
            details.click()
        found.find_element(By.CSS_SELECTOR, f"button.{button}").click()
        return True

    until(pressed, f"{button} of {session} is pressed")


def dialog(browser: webdriver.Chrome) -> WebElement | None:
    """The question that is open."""
    found = browser.find_elements(By.CSS_SELECTOR, "dialog[open]")
    return found[0] if found else None


def focused(browser: webdriver.Chrome) -> str:
    """What has the focus, by what a screen reader calls it."""
    script = "const one = document.activeElement; return one.getAttribute('aria-label') || one.textContent || one.id"
    return str(browser.execute_script(script)).strip()


# ---- what is shown, live ----


def test_a_loss_shows_without_a_reload_and_so_does_its_end(window: webdriver.Chrome, site: Site) -> None:
    site.presence("sales")
    site.message("support")
    site.list_channels()
    open_page(window, site, "sales", "support")
    until(lambda: "“connected”" in text(window, "sales") or "connected" in text(window, "sales"), "the claim is shown")
    assert names(window, "lost") == []
    assert names(window, "connected") == ["Front Desk", "sales", "support"]
    picture(window, "1-before")
    site.lose("sales")
    until(lambda: names(window, "lost") == ["sales"], "the loss is shown")
    told = text(window, "sales")
    assert "disconnected" in told
    assert "unlinked on the phone" in told
    assert "since" in told
    assert window.title == "1 not connected – statusproxy"
    assert "sales: lost, unlinked on the phone" in said(window, "#said")
    picture(window, "2-after")
    press(window, "sales", "history")
    until(lambda: "status-find disconnectedMobile" in said(window, "li.session.open .because"), "the event is named")
    site.regain("sales")
    until(lambda: names(window, "connected") == ["Front Desk", "sales", "support"], "the end is shown")
    assert "an event said connected" in text(window, "sales")
    assert window.title == "statusproxy"
    assert complaints(window) == []


def test_a_session_that_nothing_corrects_is_shown_with_the_gateways_own_word(
    window: webdriver.Chrome, site: Site
) -> None:
    site.presence("sales")
    open_page(window, site, "sales")
    assert names(window, "unknown") == ["sales"], "an event that says nothing of the connection is no claim"
    site.process.gateway.document = {"channels": [{"id": "sales", "status": "qr_required"}]}
    site.list_channels()
    until(lambda: names(window, "needs_qr") == ["sales"], "the gateway's word counts")
    assert said(window, ".pill") == "qr_required"
    assert "the gateway says so" in text(window, "sales")


def test_when_the_gateway_has_noticed_it_is_said(window: webdriver.Chrome, site: Site) -> None:
    site.lose("sales")
    open_page(window, site, "sales")
    site.process.gateway.document = {"channels": [{"id": "sales", "status": "qr_required"}]}
    site.list_channels()
    press(window, "sales", "history")
    until(lambda: "the gateway has noticed" in text(window, "sales"), "the evidence is shown")
    assert "qr_required" in text(window, "sales")


def test_an_id_that_looks_like_markup_is_text(window: webdriver.Chrome, site: Site) -> None:
    site.lose(HOSTILE, "<b>word</b>")
    site.event(event="status-find", session=HOSTILE, status="browserClose")
    site.process.gateway.document = {"channels": [{"id": HOSTILE, "status": "<script>alert(1)</script>"}]}
    site.list_channels()
    open_page(window, site, HOSTILE)
    press(window, HOSTILE, "history")
    until(lambda: "Lost" in text(window, HOSTILE), "the history is shown")
    press(window, HOSTILE, "release")
    until(lambda: dialog(window), "the question is asked")
    assert HOSTILE in said(window, "#confirm-title")
    assert (
        window.execute_script(
            "return document.querySelectorAll('img, b:not(h2 b, #sum b, #choices b, .outages b)').length"
        )
        == 0
    )
    assert window.execute_script("return document.querySelectorAll('script').length") == 1
    assert "owned" not in window.title
    picture(window, "hostile-id")


def test_what_does_not_print_in_an_id_is_shown_as_an_escape(window: webdriver.Chrome, site: Site) -> None:
    session, shown = "a\u202eselas\n\x1b", r"a\u202eselas\n\x1b"
    site.lose(session)
    site.process.gateway.document = {"channels": [{"id": session, "status": "\u2066odd"}]}
    site.list_channels()
    open_page(window, site, session)
    until(lambda: names(window, "lost") == [shown], "the id is shown")
    press(window, session, "history")
    until(lambda: r"\u2066odd" in text(window, session), "the gateway's word is shown")
    until(lambda: "Lost" in text(window, session), "the history is shown")
    press(window, session, "release")
    until(lambda: dialog(window), "the question is asked")
    assert f"“{shown}”" in said(window, "#confirm-title")
    # Of the text as it was written: innerText has tabs of its own between the cells of a table.
    written = (
        "const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); let one, found = [];"
        r"while ((one = all.nextNode())) found.push(...(one.data.match(/(?![\n ])[\p{C}\p{Z}]/gu) ?? [])); return found"
    )
    assert window.execute_script(written) == []
    window.find_element(By.CSS_SELECTOR, "dialog[open] button[value=yes]").click()
    until(lambda: names(window, "rest") == [shown], "it is released by its own id")


def test_webhooks_of_which_none_is_trusted_are_said(window: webdriver.Chrome, tmp_path: Path) -> None:
    webhooks = [{"path": "/v1/webhooks/receive", "from": ["192.0.2.0/24"]}]
    with running_site(tmp_path, ["sales"], webhooks=webhooks) as site:
        for _ in range(6):
            site.lose("sales")
        open_page(window, site)
        notices = window.find_element(By.ID, "notices")
        until(lambda: "6 webhooks came since the start, none trusted." in notices.text, "that is said")
        assert "No webhook has come" not in notices.text


def test_a_failing_gateway_and_a_lost_proxy_are_shown(window: webdriver.Chrome, site: Site) -> None:
    site.lose("sales")
    open_page(window, site, "sales")
    site.process.gateway.stop()
    notices = window.find_element(By.ID, "notices")
    until(lambda: "The gateway cannot be reached" in notices.text, "the gateway's trouble is shown")
    picture(window, "gateway-down")
    site.process.stop()
    until(lambda: "The connection to statusproxy is lost" in notices.text, "the lost proxy is shown")
    picture(window, "proxy-lost")
    assert text(window, "sales")
    assert "not known now" in said(window, "#gateway")
    assert axe(window) == []
    site.process.start()
    until(lambda: "statusproxy is lost" not in notices.text, "the page follows again by itself")
    assert names(window, "lost") == ["sales"]


def test_a_damaged_state_is_said_until_it_is_acknowledged(window: webdriver.Chrome, site: Site) -> None:
    site.process.stop()
    state = site.process.config.with_name("state.db")
    state.unlink()
    filled(state, ["sales"])
    damage_page(state, 1, noise)
    site.process.start()
    open_page(window, site, "sales")
    notices = window.find_element(By.ID, "notices")
    until(lambda: "the state was corrupt" in notices.text, "the damage is told")
    assert "statusproxy state acknowledge" in notices.text
    assert "was damaged" in said(window, "#store")
    picture(window, "state-damaged")
    assert axe(window) == []
    ask(site.process.admin_url, "POST", "/state/acknowledge")
    until(lambda: "the state was corrupt" not in notices.text, "the notice goes")
    assert "works" in said(window, "#store")


def test_events_that_wait_for_the_gateway_are_counted_until_they_are_gone(
    window: webdriver.Chrome, tmp_path: Path
) -> None:
    webhooks = [{"path": "/v1/webhooks/receive", "spool": True}]
    with running_site(tmp_path, ["sales"], webhooks=webhooks) as site:
        open_page(window, site)
        assert not window.find_element(By.ID, "spool").is_displayed()
        site.process.gateway.stop()
        site.lose("sales")
        until(lambda: "1 event waits to be delivered, since" in said(window, "#spool"), "the event is counted")
        until(lambda: "The gateway has accepted no events since" in said(window, "#spool"), "the gateway is away")
        site.lose("support")
        until(lambda: "2 events wait to be delivered" in said(window, "#spool"), "both are counted")
        picture(window, "events-wait")
        assert axe(window) == []
        ask(site.process.admin_url, "DELETE", "/spool?state=waiting")
        until(lambda: "to be delivered" not in said(window, "#spool"), "they are gone")


def test_without_any_webhook_the_page_says_that_it_cannot_know(window: webdriver.Chrome, site: Site) -> None:
    open_page(window, site)
    notices = window.find_element(By.ID, "notices")
    until(lambda: "No webhook has come through since the start" in notices.text, "the notice is shown")
    assert "No session is known yet" in notices.text
    picture(window, "nothing-yet")


# ---- the history ----


def evolution(folder: Path) -> AbstractContextManager[Process]:
    """A proxy in front of an Evolution API that says that two sessions are open."""
    listed = [{"name": name, "connectionStatus": "open"} for name in ("sales", "support")]
    return running_process(folder, listed, preset="evolution-v2")


def post(url: str, body: object) -> None:
    """Post a webhook."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        answer.read()


def test_the_gateway_is_spoken_of_in_its_own_words(window: webdriver.Chrome, tmp_path: Path) -> None:
    with evolution(tmp_path) as process:
        window.get(f"{process.admin_url}/")
        hook = f"{process.url}/webhook"
        notices = window.find_element(By.ID, "notices")
        until(lambda: f"In Evolution API v2, set the webhook URL to {hook}." in notices.text, "the place is told")
        assert f"WEBHOOK_GLOBAL_ENABLED=true WEBHOOK_GLOBAL_URL={hook}" in notices.text
        for session, state in (("sales", "close"), ("support", "connecting")):
            post(hook, {"event": "connection.update", "instance": session, "data": {"state": state}})
        with urllib.request.urlopen(f"{process.url}/instance/fetchInstances", timeout=PATIENCE) as answer:
            answer.read()
        until(lambda: said(window, "#group-lost .pill") == "close", "what the list reads is told")
        press(window, "sales", "history")
        assert "logged out connection.update close" in text(window, "sales")
        assert "GET /instance/connect/sales" in said(window, ".next"), "the session's own route"
        assert "GET /instance/connect/{session}" in text_of(window, ".back")
        waiting = until(lambda: text(window, "support"), "the transient state is told")
        assert "“connecting”" in waiting
        assert "if it lasts, shown as lost in 1 min" in waiting
        picture(window, "10-own-words")
        assert complaints(window) == []
    window.get("about:blank")


def test_the_history_of_a_session_is_a_bar_and_a_list(window: webdriver.Chrome, site: Site) -> None:
    site.list_channels()
    site.lose("sales", "browserClose")
    site.lose("sales", "serverClose")
    site.regain("sales")
    site.lose("sales")
    open_page(window, site, "sales")
    press(window, "sales", "history")
    until(lambda: len(window.find_elements(By.CSS_SELECTOR, ".outages li")) == 2, "both losses are listed")
    newest, oldest = until(
        lambda: [entry.text for entry in window.find_elements(By.CSS_SELECTOR, ".outages li")], "they can be read"
    )
    assert "still" in newest
    assert "the gateway said “connected”" in newest
    assert "the engine’s browser closed" in oldest
    assert "reported again" in oldest
    assert "an event said connected" in oldest
    strip = window.find_element(By.CSS_SELECTOR, ".strip")
    assert (strip.get_attribute("aria-label") or "").startswith("Shown as disconnected 2 times in the last 7 days")
    assert all(gap.size["width"] >= 4 for gap in window.find_elements(By.CSS_SELECTOR, ".gap"))
    site.regain("sales")
    until(lambda: "still" not in said(window, ".outages"), "the open history goes along")
    picture(window, "history")


# ---- releasing ----


def test_a_release_is_asked_for_confirmed_and_done(window: webdriver.Chrome, site: Site) -> None:
    site.lose("sales")
    open_page(window, site, "sales")
    press(window, "sales", "release")
    question = until(lambda: dialog(window), "the question is asked")
    assert "Release “sales”?" in question.text
    assert focused(window) == "Cancel"
    picture(window, "release")
    question.find_element(By.CSS_SELECTOR, "button[value=no]").click()
    until(lambda: dialog(window) is None, "the question is gone")
    assert site.known()["sales"]["shows"] == "disconnected"
    press(window, "sales", "release")
    until(lambda: dialog(window), "the question is asked again").find_element(
        By.CSS_SELECTOR, "button[value=yes]"
    ).click()
    until(lambda: names(window, "rest") == ["sales"], "it is released")
    until(lambda: dialog(window) is None, "the question is gone")
    assert site.known()["sales"]["released"] == "operator"
    assert site.list_channels()["channels"][0]["status"] == "connected"
    assert "released by hand" in text(window, "sales")


def test_a_release_that_fails_says_why_and_can_be_tried_again(window: webdriver.Chrome, site: Site) -> None:
    site.lose("sales")
    open_page(window, site, "sales")
    press(window, "sales", "release")
    question = until(lambda: dialog(window), "the question is asked")
    site.process.stop()
    question.find_element(By.CSS_SELECTOR, "button[value=yes]").click()
    until(lambda: "statusproxy does not answer" in question.text, "the trouble is said")
    site.process.start()
    question.find_element(By.CSS_SELECTOR, "button[value=yes]").click()
    until(lambda: names(window, "rest") == ["sales"], "it is released")


# ---- by keyboard and by ear ----


def test_the_page_works_by_keyboard_alone(window: webdriver.Chrome, site: Site) -> None:
    site.lose("sales")
    site.presence("support")
    open_page(window, site, "sales", "support")
    keys = window.switch_to.active_element

    def tab_to(name: str) -> None:
        for _ in range(20):
            window.switch_to.active_element.send_keys(Keys.TAB)
            if focused(window) == name:
                return
        pytest.fail(f"Tab never reaches {name}")

    keys.send_keys(Keys.TAB)
    assert focused(window) == "Skip to the sessions"
    tab_to("filter")
    window.switch_to.active_element.send_keys("SALES")
    until(lambda: row(window, "support") is None, "the filter holds")
    tab_to("sales")
    tab_to("Details of sales")
    window.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: "Lost" in text(window, "sales"), "the history opens")
    tab_to("Release sales…")
    outline = window.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid", "the focus is seen"
    window.switch_to.active_element.send_keys(Keys.SPACE)
    until(lambda: dialog(window), "the question is asked")
    window.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: dialog(window) is None, "Escape says no")
    assert focused(window) == "Release sales…"
    window.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: dialog(window), "the question is asked again")
    window.switch_to.active_element.send_keys(Keys.TAB)
    assert focused(window) == "Release"
    window.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: names(window, "rest") == ["sales"], "it is released")
    until(lambda: focused(window) == "Details of sales", "the focus stays with the session though its button is gone")


def test_the_focus_stays_while_rows_move(window: webdriver.Chrome, site: Site) -> None:
    for session in ("sales", "support"):
        site.presence(session)
    open_page(window, site, "sales", "support")
    window.execute_script("document.querySelector('li[data-session=sales] button.history').focus()")
    site.lose("sales")
    until(lambda: names(window, "lost") == ["sales"], "the row has moved")
    assert focused(window) == "Details of sales"
    site.lose("support")
    until(lambda: names(window, "lost") == ["support", "sales"], "another row came above")
    assert focused(window) == "Details of sales"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(window: webdriver.Chrome, site: Site, scheme: str, width: int) -> None:
    site.list_channels()
    site.lose("sales", "browserClose")
    site.message("support")
    site.lose("Front Desk")
    site.release("Front Desk")
    prefer(window, scheme)
    resize(window, width, 900, phone=width < 500)
    open_page(window, site, "sales", "support", "Front Desk")
    press(window, "sales", "history")
    until(lambda: "Lost" in text(window, "sales"), "the history opens")
    picture(window, f"{scheme}-{width}")
    assert axe(window) == []
    press(window, "sales", "release")
    until(lambda: dialog(window), "the question is asked")
    assert axe(window) == []


def test_on_a_phone_nothing_is_wider_than_the_screen_and_buttons_fit_a_thumb(
    window: webdriver.Chrome, site: Site
) -> None:
    site.lose("a-rather-long-session-name-without-any-space-in-it-at-all-0123456789")
    site.lose("sales")
    resize(window, 320, 640, phone=True)
    open_page(window, site, "sales")
    assert window.execute_script("return document.documentElement.scrollWidth") <= 320
    heights = window.execute_script(
        "return [...document.querySelectorAll('button, #tools label:has(input)')]"
        ".filter((one) => one.getClientRects().length).map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    picture(window, "phone-320")


# ---- many ----


def test_a_thousand_sessions_are_shown_filtered_and_kept_up_to_date(window: webdriver.Chrome, site: Site) -> None:
    count = 1000
    site.remember([Record(f"Loja São {number:04}", heard_at=NOW, alive_at=NOW) for number in range(count)])
    for number in (7, 500):
        site.lose(f"Loja São {number:04}")
    open_page(window, site)
    counted = window.find_element(By.ID, "count")
    until(lambda: counted.text == f"{count} sessions", "all are shown")
    assert names(window, "lost") == ["Loja São 0500", "Loja São 0007"]
    box = window.find_element(By.ID, "filter")
    box.send_keys("SAO 099")
    until(lambda: counted.text == f"11 of {count} sessions", "the filter folds case and accents")
    picture(window, "thousand-filtered")
    box.send_keys(" nothing")
    until(lambda: counted.text == "No session matches.", "nothing matches")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.DELETE)
    window.find_element(By.CSS_SELECTOR, "input[value=lost]").send_keys(Keys.SPACE)
    until(lambda: counted.text == f"2 of {count} sessions", "only the lost ones")
    window.find_element(By.CSS_SELECTOR, "input[value=all]").send_keys(Keys.SPACE)
    site.lose("Loja São 0999")
    until(lambda: names(window, "lost")[:1] == ["Loja São 0999"], "a loss among a thousand shows")
    script = (
        "const done = arguments[0]; let changes = 0;"
        "const told = new MutationObserver((some) => changes += some.length);"
        "told.observe(document.body, { attributes: true, attributeFilter: ['hidden'], subtree: true });"
        "document.getElementById('tools').dispatchEvent(new Event('input')); setTimeout(() => done(changes))"
    )
    assert window.execute_async_script(script) == 0, "what is shown as it was is not touched"
    picture(window, "thousand")


# ---- languages, the token ----


def test_a_browser_that_asks_for_portuguese_gets_it(site: Site, tmp_path: Path) -> None:
    site.list_channels()
    site.lose("sales")
    site.message("support")
    with chromium(tmp_path / "pt", language="pt-BR") as browser:
        prefer(browser, "light")
        resize(browser, 1280, 900)
        open_page(browser, site, "sales", "support")
        assert browser.execute_script("return document.documentElement.lang") == "pt-BR"
        assert browser.title == "1 sem conexão – statusproxy"
        assert "desvinculada no celular" in text(browser, "sales")
        assert "Conectada" in text(browser, "support")
        press(browser, "sales", "history")
        until(lambda: "Caiu" in text(browser, "sales"), "the history opens")
        picture(browser, "portuguese")
        assert axe(browser) == []
        assert complaints(browser) == []
        resize(browser, 390, 844, phone=True)
        picture(browser, "portuguese-phone")


def test_the_token_is_asked_for_once_and_kept_for_the_tab(window: webdriver.Chrome, tmp_path: Path) -> None:
    with running_site(tmp_path, ["sales"], admin={"token": "chave-é-secreta"}) as site:
        site.lose("sales")
        window.get(site.page)
        question = until(lambda: dialog(window), "the token is asked for")
        assert "This page is locked" in question.text
        picture(window, "token")
        question.find_element(By.ID, "secret").send_keys("wrong", Keys.ENTER)
        until(lambda: "Wrong token" in question.text, "a wrong one is said")
        assert axe(window) == []
        question.find_element(By.ID, "secret").send_keys("chave-é-secreta", Keys.ENTER)
        until(lambda: row(window, "sales"), "the sessions are shown")
        window.refresh()
        until(lambda: row(window, "sales"), "a reload asks no more")
        assert dialog(window) is None
        press(window, "sales", "release")
        until(lambda: dialog(window), "the question is asked").find_element(
            By.CSS_SELECTOR, "button[value=yes]"
        ).click()
        until(lambda: names(window, "rest") == ["sales"], "it is released with the token")
        stored: dict[str, Any] = window.execute_script("return { ...localStorage }")
        assert stored == {}
