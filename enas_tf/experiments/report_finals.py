"""The sections of report.html about what a search has found: finalists, candidates, quality against cost."""

import math
import re
from collections.abc import Mapping
from typing import Any

from enas_tf.errors import count_of
from enas_tf.experiments.run_record import RunRecord
from enas_tf.pictures.drawing import draw
from enas_tf.pictures.page import facts, note, paragraph, picture, table
from enas_tf.pictures.plots import draw_agreement, draw_fronts
from enas_tf.search.derive import DERIVE
from enas_tf.spaces.architectures import read_architecture

#: Rows of the table of candidates, and how many of them are drawn.
_MOST_ROWS, _MOST_DRAWN = 10, 3
#: Tokens of an architecture above which the best one alone is drawn: a picture of it takes half a second.
_LARGE = 400
_WHOLE = ("parameters", "flops", "child_parameters", "child_flops")
_HEADINGS = {
    "flops": "FLOPs",
    "child_parameters": "child's parameters",
    "child_flops": "child's FLOPs",
    "child_latency_ms": "child's latency (ms)",
    "pareto": "Pareto set",
}
_BUDGET = re.compile(r"(?P<metric>\w+?)_(?P<epochs>\d+)_epochs?")


def show_finalists(record: RunRecord) -> str:
    """Return the finalists, their places after each training, and how far shared weights could be trusted."""
    rows = record.candidates
    budgets = _budgets(rows)
    if not budgets:
        return ""
    metric = _metric(record)
    first = next(iter(budgets))
    finalists = [row for row in rows if row[first]]
    places = {name: _places(finalists, name, record.options.task.is_higher_better) for name in (metric, *budgets)}
    shown = [
        {
            "rank": row["rank"],
            "place by shared weights": places[metric][number],
            **{f"place after {_epochs(epochs)}": places[name].get(number) for name, epochs in budgets.items()},
            "control": row.get("control", ""),
            "FLOPs": int(row["flops"]),
        }
        for number, row in enumerate(finalists)
    ]
    text = (
        "The best candidates by shared weights were trained from scratch for some epochs, the best of these for "
        "longer, and the best one was kept. Controls ran along: random architectures, and the candidates with the "
        "fewest and the most FLOPs. If random controls are near the top, shared weights found nothing better than "
        "chance."
    )
    how = (
        "Each point is a finalist. The closer the points are to a rising line, the better shared weights have "
        "predicted the training from scratch: that is what tau measures, from -1 (the reverse order) over 0 (no "
        "relation) to 1."
    )
    return (
        paragraph(text)
        + facts(_agreement(record))
        + table(shown)
        + paragraph(how)
        + picture(_draw_finalists(finalists, metric, first, budgets[first]), "finalists by two measures", "finalists")
    )


def _budgets(rows: list[dict[str, str]]) -> dict[str, int]:
    """Return the columns of trainings of finalists, with their epochs, ascending."""
    found = {name: int(match["epochs"]) for name in (rows[0] if rows else ()) if (match := _BUDGET.fullmatch(name))}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _metric(record: RunRecord) -> str:
    """Return the column of the metric that candidates were ranked by: the one behind the arc."""
    names = list(record.candidates[0])
    return names[names.index("arc") + 1]


def _places(rows: list[dict[str, str]], name: str, is_higher_better: bool) -> dict[int, int]:
    """Return the number of a row -> its place by a column, 1 for the best; rows without a value have none."""
    known = [(number, float(row[name])) for number, row in enumerate(rows) if row[name]]
    known.sort(key=lambda item: (math.isnan(item[1]), -item[1] if is_higher_better else item[1]))
    return {number: place for place, (number, _) in enumerate(known, start=1)}


def _agreement(record: RunRecord) -> dict[str, Any]:
    """Return Kendall's tau of each two rankings, and where random controls stand."""
    derived, rows = record.derived, {}
    for name, value in derived.items():
        if name.startswith("tau_"):
            _, before, after = name.split("_")
            first = "shared weights" if before == "shared" else _epochs(int(before))
            rows[f"Kendall's tau of {first} and {_epochs(int(after))}"] = f"{value:.2f}"
    if "mean_place_of_random" in derived:
        place, num = derived["mean_place_of_random"], derived["num_finalists"]
        rows["mean place of the random controls"] = f"{place:g} of {num} (chance alone: {(num + 1) / 2:g})"
    return rows


def _draw_finalists(rows: list[dict[str, str]], metric: str, name: str, epochs: int):
    groups: dict[str, tuple[list[float], list[float]]] = {"candidate": ([], [])}
    for row in rows:
        points = groups.setdefault(row.get("control") or "candidate", ([], []))
        points[0].append(float(row[metric]))
        points[1].append(float(row[name]))
    y = f"{_in_words(metric)} after {_epochs(epochs)}"
    return draw_agreement(groups, f"{_in_words(metric)} by shared weights", y)


def _epochs(num: int) -> str:
    return count_of(num, "epoch")


def _in_words(name: str) -> str:
    return name.replace("valid_", "validation_").replace("_", " ")


def show_candidates(record: RunRecord) -> str:
    """Return the best candidates as a table and as pictures."""
    rows = record.candidates
    if not rows:
        return ""
    shown = [{_heading(name): _cell(name, row[name]) for name in _columns(row)} for row in rows[:_MOST_ROWS]]
    others = f" of {len(rows):,}; candidates.csv has all" if len(rows) > _MOST_ROWS else ""
    text = (
        f"These are the best {len(shown)}{others}. {_about_costs(rows[0])} The arc is the architecture as a text: the "
        "option architecture of the commands reads it."
    )
    if _budgets(rows):
        text += " Finalists come first, with their metric after some epochs of training."
    return paragraph(text) + table(shown) + _pictures(record)


def _about_costs(row: Mapping[str, str]) -> str:
    if "child_flops" in row:
        return "Parameters and FLOPs are those of the retrained child."
    return "Parameters and FLOPs are counted at the size of the search; a child that is retrained is larger as a rule."


def _columns(row: Mapping[str, str]) -> list[str]:
    """Return the columns of the table, the arc behind the numbers; costs are those of the child, where it has them."""
    left_out = {"arc", "parameters", "flops"} if "child_flops" in row else {"arc"}
    return [*(name for name in row if name not in left_out), "arc"]


def _heading(name: str) -> str:
    match = _BUDGET.fullmatch(name)
    if match:
        return f"after {_epochs(int(match['epochs']))}"
    return _HEADINGS.get(name, _in_words(name))


def _cell(name: str, value: str) -> Any:
    """Return a value of candidates.csv as the page shows it."""
    if name in _WHOLE and value:
        return round(float(value))
    is_number = name.startswith(("valid_", "child_")) or _BUDGET.fullmatch(name)
    return float(value) if value and is_number else value


def _pictures(record: RunRecord) -> str:
    """Return the drawings of the best candidates, side by side where they fit."""
    space, rows = record.options.run.space, record.candidates[:_MOST_DRAWN]
    if record.options.space.num_tokens > _LARGE:
        rows = rows[:1]
    metric, drawn = _metric(record), []
    for row in rows:
        words = f"rank {row['rank']}: {_in_words(metric)} {float(row[metric]):.4g}, {int(row['flops']):,} FLOPs"
        try:
            figure = draw(read_architecture(row["arc"], space))
        except Exception as error:  # A drawing of the user's own, too.
            drawn.append(note(f"Candidate {row['rank']} cannot be drawn ({type(error).__name__})."))
            continue
        drawn.append(picture(figure, f"architecture of rank {row['rank']}", f"rank{row['rank']}", words))
    return f'<div class="side">{"".join(drawn)}</div>'


def show_fronts(record: RunRecord) -> str:
    """Return plots of the candidates: metric against FLOPs and against parameters."""
    rows = record.candidates
    if len(rows) < 2:
        return ""
    metric, is_higher_better = _metric(record), record.options.task.is_higher_better
    alike, name, by = _rivals(record, rows, metric)
    if len(alike) < 2:
        return ""
    costs = _costs(alike, record.options.task.unit)
    if not costs:
        return ""
    values = [float(row[name]) for row in alike]
    text = (
        f"Each point is a candidate, with its {_in_words(metric)} by {by} "
        f"({'more' if is_higher_better else 'less'} is better) and what its child costs. The marked ones are the "
        "choices that are worth a look: no other candidate is better and cheaper."
    )
    figure = draw_fronts(costs, values, "max" if is_higher_better else "min", _in_words(metric))
    return paragraph(text) + picture(figure, "metric of the candidates against their cost", "fronts")


def _rivals(record: RunRecord, rows: list[dict[str, str]], metric: str) -> tuple[list[dict[str, str]], str, str]:
    """Return the candidates that compare with each other, the column that they are compared by, and its words.

    Those among which derive has found the Pareto set, if it was asked for one. Otherwise trials of the longest
    trainings, or what was ranked by the whole validation part.
    """
    marked = [row for row in rows if row.get("pareto")]
    stages = [name for name in rows[0] if name.startswith(f"{metric}_") and "epoch" in name]
    longest = max((int(row["epochs"]) for row in rows if "epochs" in row), default=None)
    name, by = metric, f"the evaluator {record.options.run.evaluator}"
    if longest is not None:
        rows, by = [row for row in rows if int(row["epochs"]) == longest], f"trials of {_epochs(longest)}"
    elif record.options.run.evaluator == "shared":
        derive = record.options[DERIVE]
        rows, by = rows[: derive.derive_kept] if derive.derive_batches else rows, "shared weights"
    if marked:
        rows = marked
        full = [stage for stage in stages if all(row[stage] for row in marked)]
        if full:
            name, by = full[-1], "short trainings"
    return [row for row in rows if _is_finite(row[name])], name, by


def _costs(rows: list[dict[str, str]], unit: str) -> dict[str, list[float]]:
    """Return the costs in which candidates differ, by their names with units.

    Where the search has counted those of the retrained children they are meant, else those at the size of the search.
    """
    of_child = any(name.startswith("child_") for name in rows[0])
    start, owner = ("child_", " of the retrained child") if of_child else ("", "")
    names = {"flops": f"FLOPs per {unit}", "parameters": "parameters", "latency_ms": "latency in ms"}
    return {
        words + owner: [float(row[start + name]) for row in rows]
        for name, words in names.items()
        if len({row.get(start + name) for row in rows}) > 1
    }


def _is_finite(text: str) -> bool:
    return math.isfinite(float(text))
