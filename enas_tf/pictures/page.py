"""Pages of HTML that are one file: tables, figures as inline SVG, and a style. They refer to nothing outside."""

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from enas_tf.pictures.drawing import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#1f2933;background:#fff}"
    "h1{font-size:1.7em;line-height:1.2}h2{margin-top:2.2em;border-bottom:2px solid #eef0f2}h3{margin-bottom:.2em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #d5dade;padding:.2em .7em;"
    "text-align:right;vertical-align:top}td:first-child,th:first-child{text-align:left}"
    ".words td,td.left,th.left{text-align:left}td.long{min-width:18em}"
    ".wide{overflow-x:auto}code,pre{font-size:13px;background:#f4f6f7}"
    "code{overflow-wrap:anywhere}pre{padding:.8em 1em;overflow-x:auto}.note{color:#6b7580;font-style:italic}"
    "nav a{margin-right:1em}a{color:#0072b2}figure{margin:1em 0}figcaption{color:#6b7580;font-size:13px}"
    ".side{display:flex;flex-wrap:wrap;gap:1em 2em;align-items:flex-start}"
    "svg{max-width:100%;height:auto}svg *{stroke-linejoin:round;stroke-linecap:butt}"
    ".matrix td,.matrix th{border:1px solid #fff;padding:.1em .35em;text-align:center;font-size:12px}"
    ".matrix th:first-child{text-align:right}.matrix thead th{max-width:8em;overflow-wrap:anywhere}"
)
#: Letters of a text that has a wide column.
_LONG = 24
#: What Matplotlib writes for readers of SVG files alone: the names of formats, its own name, a style of all elements.
_OVERHEAD = re.compile(r'<metadata>.*?</metadata>|<style type="text/css">.*?</style>|\sxmlns(?::\w+)?="[^"]*"', re.S)
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')


def to_page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page of `parts`, which are HTML, below a heading."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    width = '<meta name="viewport" content="width=device-width">'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!doctype html>\n<html lang="en"><head>{head}{width}</head><body>\n{body}\n</body></html>\n'


def escape(value: Any) -> str:
    """Return any value as text for HTML, also within attributes."""
    # A browser takes other characters than these for the end of the page, or for an error.
    return html.escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in shown(value)))


def shown(value: Any) -> str:
    """Return a value of a table in words: numbers that people read, nothing for what is not known."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph that says what is left out, and why."""
    return f'<p class="note">{escape(text)}</p>'


def code(text: str) -> str:
    """Return a block of source code."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table with the columns of all of them; numbers stand below each other."""
    columns = {
        name: _side([row.get(name) for row in rows]) for name in dict.fromkeys(name for row in rows for name in row)
    }
    head = "".join(f"<th{side}>{escape(name)}</th>" for name, side in columns.items())
    lines = [
        "<tr>" + "".join(f"<td{side}>{escape(row.get(name, ''))}</td>" for name, side in columns.items()) + "</tr>"
        for row in rows
    ]
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _side(values: Sequence[Any]) -> str:
    """Return the attribute of the cells of a column: numbers stand on the right, long texts have room."""
    if not any(map(_is_text, values)):
        return ""
    return ' class="left long"' if any(isinstance(v, str) and len(v) > _LONG for v in values) else ' class="left"'


def _is_text(value: Any) -> bool:
    """Return whether a value is neither a number nor the text of one."""
    if not isinstance(value, str) or not value:
        return False
    try:
        float(value)
        return False
    except ValueError:
        return True


def facts(rows: Mapping[str, Any]) -> str:
    """Return a table of names and values, one below the other; values that are not known are left out."""
    lines = [
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value is not None and value != ""
    ]
    return f'<table class="words">{"".join(lines)}</table>'


def matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return a square table of counts whose cells are the darker the larger their share of the row is."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = []
    for name, row in zip(names, counts, strict=True):
        cells = "".join(_cell(count / max(1, sum(row)), count) for count in row)
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    body = f"<thead><tr><th>is \\ taken for</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table class="matrix">{body}</table></div>'


def _cell(share: float, count: int) -> str:
    ink = ";color:#fff" if share > 0.55 else ""
    style = f' style="background:rgba(0,114,178,{share:.2f}){ink}"' if count else ""
    return f"<td{style}>{count or ''}</td>"


def picture(figure: "Figure", words: str, name: str, caption: str = "") -> str:
    """Return a figure as inline SVG.

    Args:
      figure: what is drawn.
      words: what it shows, for those who cannot see it.
      name: of the figure within its page; another figure has another one.
      caption: a line below it.
    """
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{to_inline_svg(figure, words, name)}{below}</figure>"


def to_inline_svg(figure: "Figure", words: str, name: str) -> str:
    """Return a figure as the element svg of a page, with ids that begin with `name`, where something needs them."""
    text = to_svg(figure)
    text = _OVERHEAD.sub("", text[text.index("<svg") :]).replace("xlink:href", "href")
    needed = {match[2] for match in _REFERENCE.finditer(text)}
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in needed else "", text)
    text = _REFERENCE.sub(rf"\g<1>{name}-\g<2>", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(words)}"', 1).strip()
