"""The page about a run: it says what the files say, is one well-formed file, and survives any damage of them."""

import html.parser
import json
import re
import shutil
import subprocess

import matplotlib.image
import numpy as np
import pytest

from enas_tf.experiments import report_child, report_finals, report_search
from enas_tf.experiments.report import to_report
from tests.experiments.written_run import CHILD, CLASSES, write_run

#: Elements of HTML that have no end.
EMPTY = {"meta", "br", "img", "link", "input", "hr"}
HEADINGS = {
    "classification": "result setting search policy finalists candidates pareto child test loading",
    "trials": "result setting search policy trials candidates pareto child test loading",
    "language_modelling": "result setting search policy candidates child test loading",
}


class Page(html.parser.HTMLParser):
    """What a page holds; every element has to be closed by its own end."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.words, self.headings = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in EMPTY:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)
        if tag == "h2":
            self.headings.append(dict(attributes)["id"])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)


@pytest.fixture(scope="module", params=HEADINGS)
def written(request, tmp_path_factory):
    """Kind of a run, its directory, and the text of its page."""
    path = write_run(tmp_path_factory.mktemp("run") / "run", request.param)
    return request.param, path, to_report(path)


def test_it_is_well_formed_and_refers_to_nothing_outside(written):
    *_, text = written
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    assert set(re.findall(r"url\((#[^)]*)\)", text)) <= {f"#{name}" for name in page.ids}
    for word in ("http", "<script", "@import", "data:"):
        assert word not in text


def test_it_has_a_section_for_all_that_the_run_has(written):
    kind, _, text = written
    assert " ".join(Page(text).headings) == HEADINGS[kind]
    assert "left out" not in text
    assert text.count("<svg") == {"classification": 9, "trials": 8, "language_modelling": 4}[kind]


def test_it_holds_the_numbers_of_the_files(written):
    kind, path, text = written
    words = " ".join(Page(text).words)
    for name, value in json.loads((path / "child/metrics.json").read_text()).items():
        if name.startswith("test_"):
            assert f"{value:.4g}" in words
    assert f"{CHILD['parameters']:,}" in words
    assert f"{CHILD['flops']:,}" in words
    assert CHILD["arc"] in words
    if kind == "trials":
        for row in ("failed: diverged 1", "done 2", "waiting 1", "trials 4"):
            assert row in words
    if kind == "classification":
        assert "Kendall's tau of shared weights and 1 epoch 0.31" in words
        assert "mean place of the random controls 3 of 4 (chance alone: 2.5)" in words
    if kind == "language_modelling":
        assert "the <unk> of the sample" in words


def test_names_of_classes_are_text(written):
    kind, _, text = written
    assert "<b>" not in text
    if kind != "language_modelling":
        words = " ".join(Page(text).words)
        # 7 of its 9 images are right, and two are taken for cats.
        assert f"{CLASSES[0]} 9 0.7778 cat (2)" in words
        assert all(name in words for name in CLASSES)


def test_a_finalist_has_its_place_after_each_training(tmp_path):
    path = write_run(tmp_path / "run")
    words = " ".join(" ".join(Page(to_report(path)).words).split())
    # Of 0.11 to 0.14 by shared weights the last is best there; its training was no number, and is worst.
    assert "rank place by shared weights place after 1 epoch place after 4 epochs control FLOPs 1 4 1 1 random" in words
    assert "4 1 4 random 40,000" in words


def test_the_same_files_make_the_same_page(written):
    _, path, text = written
    assert to_report(path) == text


@pytest.mark.parametrize(
    "content", [b"", b"{\n[1]\n", b"\xff\x00", b'{"phase": 7, "id": 0, "data": {"name": 7}}\n{}\n']
)
@pytest.mark.parametrize(
    "name",
    ["run.flags", "environment.json", "metrics.jsonl", "policy.jsonl", "candidates.csv", "trials.jsonl",
     "child/metrics.json", "child/confusion.csv"],
)  # fmt: skip
def test_a_damaged_file_costs_its_sections_alone(tmp_path, monkeypatch, name, content):
    for module in (report_search, report_finals, report_child):
        for drawn in {"draw", "draw_panels", "draw_progress", "draw_agreement", "draw_fronts", "draw_shares"} & set(
            vars(module)
        ):
            monkeypatch.setattr(module, drawn, lambda *arguments: None)
        monkeypatch.setattr(module, "picture", lambda *arguments: "<svg></svg>")
    path = write_run(tmp_path / "run", "trials")
    (path / name).write_bytes(content)
    page = Page(to_report(path))
    if name != "run.flags":
        assert {"setting", "loading"} <= set(page.headings)


def test_a_run_that_has_left_nothing_has_a_page(tmp_path):
    page = Page(to_report(tmp_path))
    assert page.headings


def test_the_costs_of_retrained_children_are_drawn_where_they_are_known(tmp_path, monkeypatch):
    """The search has counted them for its limits and objectives; in what candidates do not differ is no choice."""
    path, seen = write_run(tmp_path / "run"), []
    lines = (path / "candidates.csv").read_text().splitlines()
    more = [
        "child_parameters,child_flops,child_latency_ms,pareto",
        *(f"1.5e+06,{n}e+06,0.{n},yes" for n in range(1, 7)),
    ]
    (path / "candidates.csv").write_text("".join(f"{line},{rest}\n" for line, rest in zip(lines, more, strict=True)))
    draw = report_finals.draw_fronts
    monkeypatch.setattr(report_finals, "draw_fronts", lambda costs, *rest: (seen.append(costs), draw(costs, *rest))[1])
    text = to_report(path)
    assert seen == [
        {
            "FLOPs per image of the retrained child": [n * 1e6 for n in range(1, 7)],
            "latency in ms of the retrained child": [n / 10 for n in range(1, 7)],
        }
    ]
    for word in ("child&#x27;s latency (ms)", "<td>1,500,000</td>", "Pareto set"):
        assert word in text


def test_a_drawing_that_fails_costs_its_place_alone(tmp_path, monkeypatch):
    def fail(architecture):
        raise ZeroDivisionError

    monkeypatch.setattr("enas_tf.experiments.report_finals.draw", fail)
    text = to_report(write_run(tmp_path / "run"))
    assert text.count("cannot be drawn (ZeroDivisionError)") == 3
    assert text.count("<svg") == 6


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed: expected chromium or google-chrome in PATH")
def test_a_browser_shows_it(written, tmp_path):
    """It knows all of the elements, and what it shows has ink from the top to the bottom."""
    *_, text = written
    page, shot = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(text)
    # Whatever the page asked for outside of itself would fail.
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--proxy-server=127.0.0.1:9",
        "--hide-scrollbars",
    ]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,1500"]
    ran = subprocess.run([*command, f"--screenshot={shot}", page.as_uri()], capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    pixels = matplotlib.image.imread(shot)[..., :3].mean(axis=-1)
    assert pixels.shape == (1500, 1000)
    for part in np.array_split(pixels, 5):
        assert 0.001 < np.mean(part < 0.5) < 0.5
    ran = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, timeout=120)
    assert ran.stdout.decode().count("<svg") == text.count("<svg")


def test_many_classes_have_a_table_of_the_worst(tmp_path):
    path, names = write_run(tmp_path / "run"), [f"class_{number}" for number in range(60)]
    environment = json.loads((path / "environment.json").read_text())
    environment["data"]["class_names"] = names
    (path / "environment.json").write_text(json.dumps(environment))
    rows = [f"{name},{name},{number}\n{name},class_0,1" for number, name in enumerate(names[1:], start=1)]
    (path / "child/confusion.csv").write_text("class,predicted,images\n" + "\n".join(rows))
    text = to_report(path)
    assert 'class="matrix"' not in text
    words = " ".join(Page(text).words)
    assert "class_1 2 0.5 class_0 (1)" in words
    assert "class_59" not in words
