"""The page in a real browser: Chromium, driven by Playwright. docs/accessibility.md says which test holds what."""

import json
import os
import re
import shutil
import threading

import pytest
from werkzeug.serving import make_server

from qac.config import ServerConfig
from qac.webdemo.app import create_app

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra test has it)")
expect = sync_api.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt-get install chromium")


class Site:
    """The application, served by a thread; it can be stopped and started again at the same address."""

    def __init__(self, app):
        self._app = app
        self._server = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self._server.daemon_threads = True
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def site(model_path, tmp_path_factory):
    recorded = tmp_path_factory.mktemp("recorded")
    site = Site(create_app(ServerConfig(model=model_path, record=recorded)))
    site.recorded = recorded
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, site):
    """Open the page; whatever the browser complains of or asks of other hosts fails the test."""
    contexts, complaints = [], []

    def open_(path="/?prev=digital+camera", *, may_fail=False, **options):
        context = browser.new_context(viewport=options.pop("viewport", {"width": 1200, "height": 900}), **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not may_fail:
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda r: None if r.url.startswith(site.url) else complaints.append(f"asked {r.url}"))
        page.add_init_script("addEventListener('qac:answer', (event) => (window.answered = event.detail.prefix))")
        page.goto(site.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page):
    return open_page()


def box(page):
    return page.get_by_role("combobox", name="Search")


def options(page):
    return page.get_by_role("listbox").get_by_role("option")


def texts(page):
    return options(page).locator(".qac-text").all_inner_texts()


def chips(page):
    return page.locator("#chips li > span").all_inner_texts()


def type_and_see(page, text, first):
    """Type into the empty box, wait for the answer to all of it, and see that ``first`` is the first suggestion."""
    page.evaluate("window.answered = null")
    box(page).press_sequentially(text)
    page.wait_for_function("text => window.answered === text", arg=text)
    expect(options(page).first.locator(".qac-text")).to_have_text(first)


def assert_own_text(page, text):
    """Nothing is chosen, and the box holds ``text``."""
    expect(box(page)).to_have_value(text)
    expect(box(page)).to_be_focused()
    assert box(page).get_attribute("aria-activedescendant") is None
    assert page.locator('[aria-selected="true"]').count() == 0


def assert_chosen(page, index):
    """The option ``index`` is the chosen one, while the focus stays in the box."""
    expect(options(page).nth(index)).to_have_attribute("aria-selected", "true")
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_attribute("aria-activedescendant", options(page).nth(index).get_attribute("id"))
    assert page.locator('[aria-selected="true"]').count() == 1


# Typing


def test_suggestions_come_while_typing(page):
    expect(box(page)).to_have_attribute("aria-autocomplete", "list")
    type_and_see(page, "n", "nikon d70")
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("listbox", name="Suggestions")).to_have_id(box(page).get_attribute("aria-controls"))
    assert all(text.startswith("n") for text in texts(page))
    assert options(page).first.locator("b").all_inner_texts() == ["ikon d70"]
    assert_own_text(page, "n")
    box(page).press_sequentially("ikon d70 r")
    expect(options(page).first.locator("b")).to_have_text("eview")


def test_each_suggestion_shows_its_source(page):
    type_and_see(page, "n", "nikon d70")
    expect(options(page).first.locator(".badge")).to_have_text("known")
    box(page).fill("nikon d70 n")
    expect(options(page).first.locator(".badge")).to_have_text("composed")


def test_nothing_typed_suggests_what_follows_the_session(page):
    box(page).focus()
    expect(options(page).first.locator(".qac-text")).to_have_text("nikon d70")


def test_one_question_for_fast_typing(page):
    box(page).focus()
    expect(options(page)).not_to_have_count(0)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/complete?" in r.url else None)
    box(page).evaluate(
        """(input) => {
            for (const letter of "nikon") {
                input.value += letter;
                input.dispatchEvent(new InputEvent("input"));
            }
        }"""
    )
    expect(options(page).first.locator("b")).to_have_text(" d70")
    assert [re.search("prefix=(.*?)&", url)[1] for url in asked] == ["nikon"]


# Keys


def test_arrows_go_round_through_the_users_own_text(page):
    type_and_see(page, "n", "nikon d70")
    last = options(page).count() - 1
    assert last >= 2
    page.keyboard.press("ArrowDown")
    assert_chosen(page, 0)
    expect(box(page)).to_have_value("n")  # taking changes it, choosing does not
    page.keyboard.press("ArrowUp")
    assert_own_text(page, "n")
    page.keyboard.press("ArrowUp")
    assert_chosen(page, last)
    page.keyboard.press("ArrowDown")
    assert_own_text(page, "n")


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowRight", "Home", "End"])
def test_keys_of_the_text_belong_to_the_text(page, key):
    type_and_see(page, "ni", "nikon d70")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert_chosen(page, 0)
    page.keyboard.press(key)
    assert_own_text(page, "ni")
    caret = {"ArrowLeft": 0, "ArrowRight": 2, "Home": 0, "End": 2}[key]
    assert box(page).evaluate("e => e.selectionStart") == caret
    expect(page.get_by_role("listbox")).to_be_visible()


def test_enter_takes_the_chosen_suggestion_and_searches(page):
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_count(2)
    assert chips(page) == ["digital camera", "nikon d70"]
    assert_own_text(page, "")


def test_enter_searches_for_the_users_own_text(page):
    type_and_see(page, "n", "nikon d70")
    box(page).press_sequentially("ew tripod")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_count(2)
    assert chips(page) == ["digital camera", "new tripod"]


def test_escape_closes_then_clears(page):
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    assert_own_text(page, "n")
    page.keyboard.press("Escape")
    assert_own_text(page, "")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_arrow_opens_what_escape_closed(page):
    type_and_see(page, "n", "nikon d70")
    for key in ("ArrowDown", "ArrowUp", "Alt+ArrowDown"):
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_be_hidden()
        page.keyboard.press(key)
        expect(page.get_by_role("listbox")).to_be_visible()
        assert_own_text(page, "n")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_role("listbox")).to_be_hidden()
    assert_own_text(page, "n")


def test_tab_takes_the_chosen_suggestion_and_moves_on(page):
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search")).to_be_focused()
    expect(box(page)).to_have_value("nikon d70")
    expect(page.get_by_role("listbox")).to_be_hidden()
    assert chips(page) == ["digital camera"]  # not searched for


def test_tab_leaves_the_users_own_text_alone(page):
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search")).to_be_focused()
    expect(box(page)).to_have_value("n")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_everything_is_reached_by_keyboard(page):
    page.get_by_role("heading", level=1).click()
    for role, name in (
        ("button", "Dark"),
        ("button", "Remove “digital camera”"),
        ("combobox", "Search"),
        ("button", "Search"),
        ("switch", "Compare with no session"),
    ):
        page.keyboard.press("Tab")
        expect(page.get_by_role(role, name=name, exact=True)).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("switch")).to_be_checked()
    expect(page.get_by_role("switch")).to_be_focused()
    page.get_by_role("button", name="Remove “digital camera”").focus()
    page.keyboard.press("Enter")
    assert chips(page) == []


# Mouse and touch


def test_a_click_takes_a_suggestion_and_leaves_the_focus(page):
    type_and_see(page, "n", "nikon d70")
    wanted = texts(page)[1]
    options(page).nth(1).click()
    expect(page.locator("#chips li")).to_have_count(2)
    assert chips(page) == ["digital camera", wanted]
    expect(box(page)).to_be_focused()


def test_a_click_elsewhere_closes_and_one_into_the_box_opens(page):
    type_and_see(page, "n", "nikon d70")
    page.get_by_role("heading", level=1).click()
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box(page)).to_have_value("n")
    box(page).click()
    expect(page.get_by_role("listbox")).to_be_visible()


def test_a_tap_takes_a_suggestion(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(box(page)).not_to_be_focused()  # no keyboard over the page before it was wanted
    box(page).tap()
    type_and_see(page, "n", "nikon d70")
    assert options(page).first.bounding_box()["height"] >= 44
    options(page).first.tap()
    expect(page.locator("#chips li")).to_have_count(2)
    assert chips(page) == ["digital camera", "nikon d70"]


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_is_cut_off_at_any_width(open_page, width):
    page = open_page("/?prev=digital+camera&compare=1", viewport={"width": width, "height": 800})
    box(page).fill("a query of some length, longer than any phone is wide")
    page.keyboard.press("Enter")
    expect(page.locator("#strip table")).to_be_visible()
    type_and_see(page, "nikon d70 r", "nikon d70 review")
    expect(page.locator("svg.path")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_text_in_any_script_keeps_its_direction(open_page):
    page = open_page(may_fail=True)  # there is no explanation of made-up suggestions
    answer = {"text": "שלום עולם", "score": 0.2, "source": "session", "highlight": [[1, 9]]}
    other = {"text": "shalom", "score": 0.1, "source": "session", "highlight": []}
    answered = {"completions": [answer, other], "prefix": "ש", "prev": [], "took_us": 1}
    page.route("**/complete?*", lambda route: route.fulfill(json=answered))
    type_and_see(page, "ש", answer["text"])
    directions = "list => [...list.querySelectorAll('bdi')].map((own) => getComputedStyle(own).direction)"
    assert page.get_by_role("listbox").evaluate(directions) == ["rtl", "ltr"]
    columns = "list => [...list.querySelectorAll('.badge')].map((badge) => badge.getBoundingClientRect().x)"
    assert len(set(page.get_by_role("listbox").evaluate(columns))) == 1


def test_long_queries_leave_room_for_what_removes_them(open_page):
    page = open_page(f"/?prev={'x' * 300}", viewport={"width": 390, "height": 800})
    chip, button = page.locator("#chips li").bounding_box(), page.locator("#chips button").bounding_box()
    assert button["width"] == button["height"] == 32
    assert button["x"] + button["width"] <= chip["x"] + chip["width"]


# The session


def test_the_session_decides_and_the_switch_shows_it(page):
    type_and_see(page, "n", "nikon d70")
    page.get_by_role("switch", name="Compare with no session").click()
    without = page.locator("#without li .qac-text")
    expect(without.first).to_have_text("news")
    expect(box(page)).to_be_focused()
    expect(options(page).first.locator(".qac-text")).to_have_text("nikon d70")
    assert texts(page) != without.all_inner_texts()
    rank = without.all_inner_texts().index("nikon d70")
    expect(options(page).first.locator(".moved")).to_have_text(f"▲ {rank}")
    page.get_by_role("switch").click()
    expect(without.first).to_be_hidden()


def test_chips_are_removed_and_added(page):
    type_and_see(page, "n", "nikon d70")
    page.get_by_role("button", name="Remove “digital camera”").click()
    expect(options(page).first.locator(".qac-text")).to_have_text("news")
    assert chips(page) == []
    expect(box(page)).to_be_focused()
    expect(page.locator("#said")).to_have_text("Removed “digital camera”.")
    box(page).fill("digital camera")
    page.keyboard.press("Enter")
    assert chips(page) == ["digital camera"]
    type_and_see(page, "n", "nikon d70")


def test_the_session_is_in_the_address_and_survives_a_reload(page):
    box(page).fill("running shoes")
    page.keyboard.press("Enter")
    page.reload()
    assert chips(page) == ["digital camera", "running shoes"]


def test_an_empty_session_proposes_beginnings(open_page):
    page = open_page("/")
    example = page.locator("#examples a").first
    query = example.inner_text()
    example.click()
    assert chips(page) == [query]
    expect(page.locator("#examples")).to_be_hidden()


def test_a_search_is_recorded_with_the_rank_that_was_taken(page, site):
    type_and_see(page, "nik", "nikon d70")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/accept") as answer:
        page.keyboard.press("Enter")
    assert answer.value.ok
    with page.expect_response("**/accept"):
        box(page).fill("my own")
        page.keyboard.press("Enter")
    lines = [json.loads(line) for path in site.recorded.iterdir() for line in path.read_text().splitlines()]
    taken, own = lines[-2:]
    assert (taken["query"], taken["prefix"], taken["rank"]) == ("nikon d70", "nik", 1)
    assert (own["query"], own["prefix"], own["rank"]) == ("my own", None, None)
    assert taken["session"] == own["session"]


# What the page says about an answer


def test_why_draws_the_path_and_tells_it(page):
    type_and_see(page, "n", "nikon d70")
    expect(page.locator("#why h2")).to_have_text("Why nikon d70?")
    expect(page.locator("svg.path .node.query")).to_have_count(1)
    expect(page.locator("svg.path .push").first).to_contain_text(re.compile(r"digital|camera"))
    told = page.locator("#why ol li").first
    assert re.search(
        r"one of \d+: .* by popularity, .* with the session; pushed by .*(digital|camera)", told.inner_text()
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#why h2")).to_have_text(f"Why {texts(page)[1]}?")
    options(page).nth(2).hover()
    expect(page.locator("#why h2")).to_have_text(f"Why {texts(page)[2]}?")


def test_why_is_drawn_again_when_there_is_room_for_it(page):
    page.locator("#why").evaluate("section => (section.hidden = true)")
    type_and_see(page, "n", "nikon d70")
    expect(page.locator("svg.path")).to_have_count(1)  # and the browser complains of no negative width
    page.locator("#why").evaluate("section => (section.hidden = false)")
    page.wait_for_function(
        "() => document.querySelector('svg.path').clientWidth === document.querySelector('#why-body').clientWidth"
    )


def test_why_of_a_query_that_the_log_does_not_know(page):
    type_and_see(page, "nikon d70 n", re.compile("nikon d70 n"))
    expect(page.locator("#why")).to_contain_text("Nobody has searched for this")
    assert page.locator("svg.path").count() == 0
    recalled = {"text": "nikon d71", "score": 0.5, "meant": None, "composed": 0.1, "recalled": 0.9, "count": 0}
    recalled |= {"prior": 0, "probability": 0, "repeats": False, "steps": []}
    page.route("**/explain?*", lambda route: route.fulfill(json={"explanation": recalled}))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#why")).to_contain_text("The log does not know it: this session asked it before.")
    expect(page.locator("#why .parts")).to_have_text("composer10 %this session90 %")


def test_latency_of_model_and_round_trip(page):
    type_and_see(page, "n", "nikon d70")
    expect(page.locator("#latency")).to_have_text(re.compile(r"model [\d,]+ µs · round trip [\d.]+ ms"))


def test_the_strip_shows_the_rank_prefix_by_prefix(open_page):
    page = open_page("/?prev=digital+camera&compare=1")
    box(page).fill("nikon d70")
    page.keyboard.press("Enter")
    strip = page.locator("#strip table")
    expect(strip.locator("thead th")).to_have_text(["typed", "start", *"nikon", "␣", *"d70"])
    for row, prev in ((0, ["digital camera"]), (1, [])):
        expected = []
        for length in range(10):
            asked = {"prefix": "nikon d70"[:length], "prev": prev, "k": 10}
            answer = page.request.post(page.url.split("?")[0] + "api/v1/complete", data=asked).json()
            found = [c["text"] for c in answer["completions"]]
            expected.append(str(found.index("nikon d70") + 1) if "nikon d70" in found else "–not there")
        assert strip.locator("tbody tr").nth(row).locator("td").all_text_contents() == expected
    expect(page.locator("#strip .summary")).to_contain_text("nikon d70 suggested before the first letter")


# Networks


def test_a_late_answer_is_dropped(page):
    page.evaluate(
        """() => {  // answers to "n" come when they are released, and nothing stops them
            const fetch = window.fetch;
            window.fetch = async (url, options) => {
                if (!url.includes("prefix=n&")) return fetch(url, options);
                const response = await fetch(url);
                await new Promise((done) => (window.release = done));
                window.lateCame = true;
                return response;
            };
        }"""
    )
    box(page).press_sequentially("n")
    page.wait_for_function("() => window.release")
    box(page).press_sequentially("ew")
    expect(options(page).first.locator("b")).to_have_text(" lens")
    before = texts(page)
    page.evaluate("window.release()")
    page.wait_for_function("() => window.lateCame")
    page.wait_for_timeout(100)
    assert texts(page) == before
    assert page.evaluate("window.answered") == "new"


def test_a_slow_network_is_named_and_the_answer_still_comes(page):
    held = []
    page.route("**/complete?prefix=n&*", lambda route: held.append(route))
    box(page).press_sequentially("n")
    expect(page.locator(".qac-status")).to_have_text("Still waiting for suggestions…")
    expect(page.locator(".qac-status")).to_be_in_viewport()
    (request,) = held
    request.continue_()
    expect(options(page).first.locator("b")).to_have_text("ikon d70")
    expect(page.locator(".qac-notice")).to_have_count(0)


def test_server_down_and_back(open_page, site):
    page = open_page(may_fail=True)
    type_and_see(page, "n", "nikon d70")
    site.stop()
    try:
        box(page).press_sequentially("ik")
        expect(page.locator(".qac-status")).to_contain_text("cannot be reached")
        expect(page.locator(".qac-status")).to_have_attribute("role", "status")
        assert_own_text(page, "nik")
        expect(page.get_by_role("listbox")).to_be_hidden()
    finally:
        site.start()
    expect(options(page).first.locator("b")).to_have_text("on d70")  # by itself
    expect(page.locator(".qac-notice")).to_have_count(0)
    assert_own_text(page, "nik")


def test_a_refusal_is_said_and_not_repeated(open_page):
    page = open_page(may_fail=True)
    asked = []
    page.route("**/complete?prefix=n&*", lambda route: (asked.append(1), route.fulfill(status=400, body="{}")))
    box(page).press_sequentially("n")
    expect(page.locator(".qac-status")).to_have_text("No suggestions for this text.")
    page.wait_for_timeout(1300)
    assert len(asked) == 1
    assert_own_text(page, "n")


def test_hostile_answers_stay_text(open_page):
    page = open_page(may_fail=True)  # there is nothing to explain of them
    hostile = "n<img src=x onerror=alert(1)>"
    answer = {
        "prefix": "n",
        "prev": ["digital camera"],
        "completions": [{"text": hostile, "score": 1, "source": "<b>x</b>", "highlight": [[1, len(hostile)]]}],
        "took_us": 1,
        "model": "x",
    }
    page.route("**/complete?*", lambda route: route.fulfill(json=answer))
    page.on("dialog", lambda dialog: pytest.fail("script ran"))
    type_and_see(page, "n", hostile)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_count(2)
    assert chips(page)[1] == hostile
    assert page.locator("main img").count() == 0


# Input methods


def test_an_input_method_is_left_alone(open_page):
    page = open_page("/?prev=日本")
    box(page).focus()
    expect(options(page)).not_to_have_count(0)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/complete?" in r.url else None)
    keyboard = page.context.new_cdp_session(page)
    for text in ("に", "にほ", "にほん"):
        keyboard.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    # The candidate window's own keys.
    for key in ("ArrowDown", "Enter", "Escape"):
        box(page).evaluate(
            "(e, key) => e.dispatchEvent(new KeyboardEvent('keydown', {key, isComposing: true, bubbles: true}))", key
        )
    page.wait_for_timeout(200)
    assert asked == []
    assert_own_text(page, "にほん")
    assert chips(page) == ["日本"]
    keyboard.send("Input.insertText", {"text": "日本"})
    expect(options(page).first.locator(".qac-text")).to_have_text("日本 料理")
    assert_own_text(page, "日本")


# Screen readers


def test_the_number_of_suggestions_is_announced_politely(page):
    type_and_see(page, "n", "nikon d70")
    status = page.locator("#suggestions [role=status]")
    expect(status).to_have_text(re.compile(r"^\d+ suggestions, up and down arrows to choose\.$"))
    box(page).fill("zzzzzzzzzz zzzzzzz zz zzz zzz z z")
    page.route(
        "**/complete?*", lambda route: route.fulfill(json={"completions": [], "took_us": 1, "prev": [], "prefix": ""})
    )
    box(page).press("z")
    expect(status).to_have_text("No suggestions.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed (the extra test has it)"
    )
    page = open_page(color_scheme=scheme, reduced_motion="reduce", may_fail=True)

    def check(state):
        found = axe.Axe().run(
            page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
        )
        assert found.violations_count == 0, f"{state}: {found.generate_report()}"

    check("before typing")
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("ArrowDown")
    expect(page.locator("svg.path")).to_be_visible()
    check("suggestions")
    page.get_by_role("switch").click()
    page.keyboard.press("Enter")
    expect(page.locator("#strip table")).to_be_visible()
    type_and_see(page, "nikn", re.compile("nik"))
    check("comparison and strip")
    page.goto(page.url.split("?")[0])
    page.route("**/complete?*", lambda route: route.fulfill(status=503, body="{}"))
    box(page).press_sequentially("n")
    expect(page.locator(".qac-notice")).to_be_visible()
    check("no session, no server")


def test_colours_follow_the_system_and_the_switch(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = open_page(color_scheme="light")
    dark = open_page(color_scheme="dark")
    colours = light.evaluate(ground), dark.evaluate(ground)
    assert colours[0] != colours[1]
    switch = light.get_by_role("button", name="Dark")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert light.evaluate(ground) == colours[1]
    light.reload()
    assert light.evaluate(ground) == colours[1]


def test_high_contrast_shows_the_focus_and_the_choice(open_page):
    page = open_page(forced_colors="active")
    type_and_see(page, "n", "nikon d70")
    page.keyboard.press("ArrowDown")
    for seen in (options(page).first, page.locator(".box")):
        assert seen.evaluate("e => getComputedStyle(e).outlineColor") not in ("transparent", "rgba(0, 0, 0, 0)")
    knob = page.get_by_role("switch")
    off = knob.evaluate("e => getComputedStyle(e).backgroundColor")
    knob.click()
    assert knob.evaluate("e => getComputedStyle(e).backgroundColor") != off


# Without scripts, and elsewhere


def test_without_javascript_it_is_a_form(open_page):
    page = open_page(java_script_enabled=False)
    expect(page.locator("#theme")).to_be_hidden()
    page.get_by_label("Search").fill("n")
    page.get_by_label("Search").press("Enter")
    expect(page.locator("#suggestions li .qac-text").first).to_have_text("nikon d70")
    expect(page.get_by_label("Search")).to_have_value("n")
    page.locator("#suggestions li .qac-text").first.click()
    assert chips(page) == ["digital camera", "nikon d70"]
    page.get_by_role("link", name="Remove “digital camera”").click()
    assert chips(page) == ["nikon d70"]
    page.get_by_label("Search").fill("new lens")
    page.get_by_role("button", name="Search").click()
    assert chips(page) == ["nikon d70", "new lens"]
    page.get_by_role("switch").click()
    page.get_by_role("button", name="Suggest").click()
    expect(page.locator("#without li").first).to_be_visible()


SHOP = """<!doctype html><html lang="en"><title>Shop</title>
<link rel="stylesheet" href="/static/qac-typeahead.css">
<form action="/shop"><input name="q" type="search" aria-label="Search"></form>
<script type="module">
  import {{ attach }} from "/static/qac-typeahead.js";
  window.typeahead = attach(document.querySelector("input[type=search]"), {{ url: "/api/v1/complete" }});
</script><p>{}</p>"""


def test_the_widget_on_another_page(open_page, site):
    page = open_page()
    page.route("**/shop*", lambda route: route.fulfill(body=SHOP.format("results"), content_type="text/html"))
    page.goto(f"{site.url}/shop")
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    type_and_see(page, "n", "news")
    expect(page.get_by_role("listbox")).to_have_css("position", "absolute")
    box(page).fill("digital camera")
    page.keyboard.press("Enter")
    page.wait_for_url("**/shop?q=digital+camera")
    type_and_see(page, "n", "nikon d70")  # the search before is remembered for this tab
    page.evaluate("typeahead.detach()")
    assert page.locator("[role]").count() == 0
    assert page.locator("input").get_attribute("aria-expanded") is None


# The reducer, apart from any view


def reduced(page, *events, state=None):
    """Return the states after each of the events."""
    return page.evaluate(
        """async ([events, start]) => {
            const { reduce, INITIAL } = await import("/static/qac-typeahead.js");
            let state = start ?? INITIAL;
            return events.map((event) => (state = Object.freeze(reduce(state, event))));
        }""",
        [list(events), state],
    )


def items(*texts):
    return [{"text": t} for t in texts]


@pytest.fixture(scope="module")
def bare(browser, site):
    """A page whose only use is to run modules of this site in."""
    page = browser.new_page()
    page.goto(site.url)
    yield page
    page.close()


def test_reducer_numbers_requests_and_drops_late_answers(bare):
    first, second, late, newest = reduced(
        bare,
        {"type": "input", "text": "n", "ask": True},
        {"type": "input", "text": "ne", "ask": True},
        {"type": "answer", "request": 1, "items": items("nike")},
        {"type": "answer", "request": 2, "items": items("new", "news")},
    )
    assert (first["request"], first["waiting"], first["open"]) == (1, True, False)
    assert second["request"] == 2
    assert late == second
    assert (newest["items"], newest["open"], newest["waiting"]) == (items("new", "news"), True, False)


@pytest.mark.parametrize("end", [{"type": "close"}, {"type": "clear"}, {"type": "input", "text": "", "ask": False}])
def test_reducer_takes_no_answer_after_the_end(bare, end):
    *_, ended, late = reduced(
        bare,
        {"type": "input", "text": "n", "ask": True},
        end,
        {"type": "answer", "request": 1, "items": items("nike")},
    )
    assert late == ended
    assert not late["open"]


def test_reducer_moves_round(bare):
    states = reduced(
        bare,
        {"type": "input", "text": "n", "ask": True},
        {"type": "answer", "request": 1, "items": items("a", "b")},
        *[{"type": "move", "by": 1}] * 4,
        *[{"type": "move", "by": -1}] * 4,
        {"type": "move", "to": -1},
    )
    assert [s["active"] for s in states[2:]] == [0, 1, -1, 0, -1, 1, 0, -1, -1]
    assert {s["text"] for s in states} == {"n"}


def test_reducer_keeps_the_chosen_suggestion_through_an_answer(bare):
    seen = [
        {"type": "input", "text": "n", "ask": True},
        {"type": "answer", "request": 1, "items": items("a", "b")},
        {"type": "move", "by": 1},
        {"type": "open"},
    ]
    kept = reduced(bare, *seen, {"type": "answer", "request": 2, "items": items("c", "a")})[-1]
    assert kept["active"] == 1
    gone = reduced(bare, *seen, {"type": "answer", "request": 2, "items": items("c", "d")})[-1]
    assert gone["active"] == -1


def test_reducer_accepts(bare):
    accepted = reduced(
        bare,
        {"type": "input", "text": "n", "ask": True},
        {"type": "answer", "request": 1, "items": items("a", "b")},
        {"type": "accept", "index": 1},
    )[-1]
    assert (accepted["text"], accepted["open"], accepted["items"], accepted["waiting"]) == ("b", False, [], False)


def test_reducer_asks_nothing_while_composing(bare):
    *_, composing, done, asked = reduced(
        bare,
        {"type": "composition", "active": True},
        {"type": "input", "text": "に", "ask": True},
        {"type": "composition", "active": False},
        {"type": "input", "text": "日", "ask": True},
    )
    assert (composing["text"], composing["request"], composing["waiting"]) == ("に", 0, False)
    assert done["request"] == 0
    assert (asked["request"], asked["waiting"]) == (1, True)


def test_reducer_counts_failures_until_an_answer(bare):
    states = reduced(
        bare,
        {"type": "input", "text": "n", "ask": True},
        {"type": "slow", "request": 1},
        {"type": "failed", "request": 1, "again": True},
        {"type": "retry"},
        {"type": "failed", "request": 2, "again": True},
        {"type": "retry"},
        {"type": "answer", "request": 3, "items": items("a")},
        {"type": "retry"},  # nothing failed: nothing to try again
        {"type": "input", "text": "nn", "ask": True},
        {"type": "failed", "request": 4, "again": False},
    )
    seen = [(s["notice"], s["failures"], s["request"], s["waiting"]) for s in states]
    assert seen == [
        ("", 0, 1, True),
        ("slow", 0, 1, True),
        ("failed", 1, 1, False),
        ("failed", 1, 2, True),
        ("failed", 2, 2, False),
        ("failed", 2, 3, True),
        ("", 0, 3, False),
        ("", 0, 3, False),
        ("", 0, 4, True),
        ("refused", 0, 4, False),
    ]
    assert {s["text"] for s in states} == {"n", "nn"}


def test_reducer_refuses_what_it_does_not_know(bare):
    with pytest.raises(sync_api.Error, match="unknown event nonsense"):
        reduced(bare, {"type": "nonsense"})
