"""The page in a real browser: it asks nobody, complains about nothing, answers mouse and keyboard."""

import pytest

from forecast.report.pages import format_page, make_environment
from forecast.report.sections import page_values
from tests.browser import chromium, find_chromium
from tests.report.conftest import INJECTED
from tests.report.test_pages import NOW

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no chromium is installed")
PLACE = """(() => {{
    const plot = document.querySelector("#{chart} .nsewdrag");
    plot.scrollIntoView({{ block: "center" }});
    const box = plot.getBoundingClientRect();
    return [box.x, box.y, box.width, box.height];
}})()"""
DRAWN = "document.getElementById('prediction-lstm')._fullLayout.xaxis.range.map((day) => Date.parse(day.replace(' ', 'T')))"


@pytest.fixture(scope="module")
def browser():
    with chromium(find_chromium()) as page:
        yield page


@pytest.fixture
def tab(browser):
    browser.requests.clear()
    browser.messages.clear()
    return browser


@pytest.fixture
def opened(tab, report):
    """The page of DEMO, drawn."""
    tab.address = report.pages["DEMO"].as_uri()
    tab.open(tab.address)
    return tab


def test_the_page_asks_nobody_and_says_nothing_in_either_light(tab, report):
    for path in (report.pages["DEMO"], report.index):
        for scheme in ("light", "dark"):
            tab.open(path.as_uri(), scheme=scheme)
    asked = {address for address in tab.requests if not address.startswith("data:")}       # what the page holds itself
    assert asked == {report.pages["DEMO"].as_uri(), report.index.as_uri()} and tab.messages == []


def test_the_cursor_shows_values(opened):
    x, y, width, height = opened.evaluate(PLACE.format(chart="prediction-lstm"))
    opened.mouse("mouseMoved", x + width / 2, y + height / 2)
    opened.wait_for("document.querySelector('#prediction-lstm .hoverlayer').textContent.includes('actual')")
    shown = opened.evaluate("document.querySelector('#prediction-lstm .hoverlayer').textContent")
    assert all(word in shown for word in ("predicted : ", "yesterday's close : ", "80 % range from ", "95 % range to "))


def test_the_cursor_shows_what_a_gate_held(opened):
    x, y, width, height = opened.evaluate(PLACE.format(chart="gates-lstm").replace(".nsewdrag", ".x2y2, #gates-lstm .xy2 .nsewdrag"))
    opened.mouse("mouseMoved", x + width / 2, y + height / 2)
    opened.wait_for("/row \\d+, .* -?\\d/.test(document.querySelector('#gates-lstm .hoverlayer').textContent)")


def test_dragging_zooms(opened):
    first, last = opened.evaluate(DRAWN)
    x, y, width, height = opened.evaluate(PLACE.format(chart="prediction-lstm"))
    opened.mouse("mousePressed", x + 0.25 * width, y + height / 2, pressed=True)
    opened.mouse("mouseMoved", x + 0.4 * width, y + height / 2, pressed=True)
    opened.mouse("mouseMoved", x + 0.5 * width, y + height / 2, pressed=True)
    opened.mouse("mouseReleased", x + 0.5 * width, y + height / 2, pressed=True)
    opened.wait_for(f"{DRAWN}[1] - {DRAWN}[0] < {0.5 * (last - first)}")
    left, right = opened.evaluate(DRAWN)
    assert [(left - first) / (last - first), (right - first) / (last - first)] == pytest.approx([0.25, 0.5], abs=0.02)


def test_the_keyboard_zooms_too(opened):
    x = opened.evaluate("document.getElementById('prediction-lstm').data[0].x")
    opened.evaluate("document.querySelector('button[data-chart=prediction-lstm][data-last=\"20\"]').focus()")
    opened.press("Enter")
    opened.wait_for(f"document.getElementById('prediction-lstm')._fullLayout.xaxis.range[0].startsWith('{x[-20]}')")


def test_a_phone_scrolls_down_only(tab, report):
    for path in (report.pages["DEMO"], report.index):
        tab.open(path.as_uri(), width=390, height=844)
        assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_text_and_its_ground_differ_as_the_guidelines_ask(opened):
    """WCAG 2.2, 1.4.3 (AA): 4.5 to 1."""
    luminance = """(colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)"""
    contrasts = f"""(() => {{
        const luminance = {luminance}, paper = luminance(getComputedStyle(document.body).backgroundColor);
        return [...document.querySelectorAll("p, h1, h2, th, td:not(.best), figcaption, a, button, .soft, .stamp")].map((each) => {{
            const [low, high] = [paper, luminance(getComputedStyle(each).color)].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        }});
    }})()"""
    for scheme in ("light", "dark"):
        opened.open(opened.address, scheme=scheme)
        assert min(opened.evaluate(contrasts)) >= 4.5


def test_injected_markup_stays_text(tab, injected, tmp_path):
    path = tmp_path / "injected.html"
    path.write_text(format_page(make_environment(NOW), page_values(injected)), encoding="utf-8")
    tab.open(path.as_uri())
    assert tab.evaluate("window.injected === undefined") and tab.messages == []
    assert INJECTED in tab.evaluate("document.querySelector('h1').textContent")
    assert tab.evaluate("document.querySelectorAll('main img').length") == 0
