import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from qac.evaluation import evaluate, plot
from qac.examples import Example

SVG = "{http://www.w3.org/2000/svg}"


def group(mrr, n=1):
    return {"n": n, "mrr@10": mrr if n else None}


@pytest.fixture
def panels():
    one = {"n": 3, "mrr@10": 0.25, "by_prefix_length": {"1": group(0.0), "2": group(0.5), "3": group(0, n=0)}}
    two = {
        "n": 3,
        "mrr@10": 0.75,
        "ci95": {"mrr@10": (0.7, 0.8)},
        "by_prefix_length": {"0": group(1.0), "1": group(1.0)},
    }
    return [("a < b & c", {"<one>": one, "two": two}), ("other", {"two": two})]


def test_the_picture_is_well_formed_and_has_a_line_per_system_and_panel(panels):
    root = ElementTree.fromstring(plot.svg(panels))
    lines = [p for p in root.iter(f"{SVG}path") if p.find(f"{SVG}title") is not None]
    assert [p.find(f"{SVG}title").text for p in lines] == ["<one>", "two", "two"]
    assert [p.get("class") for p in lines] == ["s0", "s1", "s1"]
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert {"a < b & c", "other", "<one>", "two"} < set(texts)
    assert texts.index("0") < texts.index("1")  # of the axes


def test_points_stand_where_the_figures_say(panels):
    root = ElementTree.fromstring(plot.svg(panels[:1]))
    line = next(p for p in root.iter(f"{SVG}path") if p.find(f"{SVG}title") is not None)
    points = [tuple(map(float, xy)) for xy in re.findall(r"([\d.]+) ([\d.]+)", line.get("d"))]
    grid = {g.get("y1") for g in root.iter(f"{SVG}line")}
    top, bottom = min(map(float, grid)), max(map(float, grid))
    assert len(points) == 2  # the third group has no requests
    assert [(bottom - y) / (bottom - top) for _, y in points] == pytest.approx([0, 0.5])
    assert points[0][0] < points[1][0]


def test_the_page_has_the_figures_and_needs_nothing_else(panels):
    page = plot.html(panels)
    cells = []

    class Cells(HTMLParser):
        def handle_data(self, data):
            if data.strip():
                cells.append(data.strip())

    Cells().feed(page.split("</svg>")[1])
    assert cells[:1] == ["a < b & c: MRR@10, over all requests and by characters typed"]
    assert cells[1:7] == ["system", "all", "0", "1", "2", "3"]
    assert cells[7:13] == ["<one>", "0.250", "–", "0.000", "0.500", "–"]
    assert cells[13:18] == ["two", "0.750", "0.700–0.800", "1.000", "1.000"]
    assert set(re.findall(r"https?://[^\"' )]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"\b(src|href|@import|url\()", page)


def test_many_systems_are_told_apart_and_fit():
    report = {"n": 1, "mrr@10": 0.5, "by_prefix_length": {"1": group(0.5)}}
    document = plot.svg([("log", {f"a system with a long name {i}": report for i in range(20)})])
    root = ElementTree.fromstring(document)
    looks = {re.search(rf"\.s{i} {{([^}}]*)}}", document)[1] for i in range(20)}
    assert len(looks) == 20
    legend = [t for t in root.iter(f"{SVG}text") if t.text.startswith("a system")]
    assert len({(t.get("x"), t.get("y")) for t in legend}) == 20
    assert max(float(t.get("y")) for t in legend) < min(float(g.get("y1")) for g in root.iter(f"{SVG}line"))


def test_a_report_can_be_drawn():
    class Right:
        name = "right"
        count = staticmethod(lambda text: 1)
        complete = staticmethod(lambda prefix, prev=(), k=10: [])

    report = evaluate(Right(), [Example((), "a", "ab")], known=Right()).to_json(10)
    assert "0.000" in plot.html([("log", {"right": report})])
