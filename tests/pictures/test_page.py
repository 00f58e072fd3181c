"""Parts of pages: what a user may have written is text, and figures of one page do not get in each other's way."""

import math
import re

import pytest

from enas_tf.pictures.drawing import draw
from enas_tf.pictures.page import escape, facts, matrix, table, to_inline_svg
from enas_tf.spaces.architectures import read_architecture

NASTY = "<b>&\"'</td>"


@pytest.mark.parametrize("write", [escape, lambda text: table([{text: text}]), lambda text: facts({text: text}),
                                   lambda text: matrix([text], [[3]])])  # fmt: skip
def test_texts_are_escaped(write):
    text = write(NASTY)
    assert "&lt;b&gt;&amp;&quot;&#x27;&lt;/td&gt;" in text
    assert "<b>" not in text


def test_characters_that_no_page_may_hold_are_replaced():
    found = escape("a\0b\udc80\u202ec\nd")
    assert found == "a\ufffdb\ufffd\ufffdc\nd"
    found.encode()


def test_numbers_stand_on_the_right_and_texts_on_the_left():
    text = table([{"n": 1234567, "x": 0.123456, "t": "7 b", "nan": math.nan}, {"n": None, "x": 2.0, "t": ""}])
    assert "<td>1,234,567</td><td>0.1235</td>" in text
    assert text.count('<td class="left">') == 2
    assert "nan<" not in text.replace("<th>nan</th>", "")


def test_what_is_not_known_has_no_row():
    assert facts({"a": None, "b": "", "c": 0}) == '<table class="words"><tr><th>c</th><td>0</td></tr></table>'


def test_figures_have_ids_of_their_own_and_name_no_place_outside():
    figures = [to_inline_svg(draw(read_architecture("0 3 0 0 1 0", "macro")), NASTY, name) for name in ("one", "two")]
    ids = [re.findall(r' id="([^"]*)"', figure) for figure in figures]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])
    for own, figure in zip(ids, figures, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', figure)) == set(own)
        assert "http" not in figure
        assert "&lt;b&gt;" in figure
        assert figure.startswith("<svg")
        assert figure.endswith("</svg>")
