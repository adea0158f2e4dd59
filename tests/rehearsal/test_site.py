"""Which webhook and which corrected route a path is."""

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.rehearsal.site import is_left_out
from tests.rehearsal.sites import a_site


def test_a_path_names_its_webhook_and_session() -> None:
    found = a_site().webhook("/Events/sales%20br?x=1")
    assert found.entry is not None
    assert (found.template, found.session, found.entry[0].path) == (
        "/events/{session}",
        "sales br",
        "/events/{session}",
    )


def test_without_a_path_the_first_webhook_counts_and_names_no_session() -> None:
    assert a_site().webhook(None).template == "/events"
    site = a_site(text="gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: '/w/{session}'}]\n")
    assert (site.webhook(None).template, site.webhook(None).session) == ("/w/{session}", None)


def test_without_a_route_the_list_counts() -> None:
    found = a_site().answer(None)
    assert (found.template, found.session) == ("/list", None)
    assert (a_site().answer("/list/sales").template, a_site().answer("/list/sales").session) == (
        "/list/{session}",
        "sales",
    )


def test_an_answer_about_one_channel_is_no_list() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: null\nchannels:\n"
    text += "  - {path: /one, list: [data], id: [id], set: {up: false}, one: true}\n"
    text += "  - {path: /all, list: [data], id: [id], set: {up: false}}\n"
    assert a_site(text=text).answer(None).template == "/all"


def test_a_path_that_nobody_watches_is_found_to_be_that() -> None:
    site = a_site(text="gateway: http://127.0.0.1:3000\npreset: null\n")
    assert (site.webhook(None).kind, site.webhook("/x").kind) == (RouteKind.PASS, RouteKind.PASS)
    assert (site.answer(None).entry, site.answer("/x").entry) == (None, None)


def test_a_path_that_a_webhook_leaves_out_is_told_from_one_that_nobody_knows() -> None:
    site = a_site(
        text="gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: '/w/**', except: ['/w/set/{session}']}]\n"
    )
    left_out = site.webhook("/w/set/sales")
    assert (left_out.kind, left_out.entry, is_left_out(left_out)) == (RouteKind.PASS, None, True)
    assert not is_left_out(site.webhook("/x"))
    assert not is_left_out(site.webhook("/w/sales"))
    assert site.webhook(None).template == "/w/**"


def test_a_path_of_which_nothing_may_be_shown_is_none_that_is_left_out() -> None:
    site = a_site(text="gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: '/{_}/w'}]\n")
    assert not is_left_out(site.webhook("/x"))
