"""The sections of report.html about the search: what was searched, its curves, its policy, its trials."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from enas_tf.errors import count_of, render
from enas_tf.experiments.run import size_in_words
from enas_tf.experiments.run_record import RunRecord
from enas_tf.pictures.page import facts, paragraph, picture, table
from enas_tf.pictures.plots import Panel, draw_panels, draw_progress, draw_shares
from enas_tf.reading import read_text
from enas_tf.search.config import SEARCH
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.evaluators.scratch import SCRATCH
from enas_tf.search.objective import OBJECTIVE, in_words
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.decisions import PickOp

_PARTS = {"train": "training", "valid": "validation"}
#: Epochs of a policy that are drawn, at most.
_MOST_POINTS = 50
#: Options that the table of facts shows.
_SHOWN = {"space", "searcher", "evaluator", "seed"}


def show_setting(record: RunRecord) -> str:
    """Return what the run was told: components, data, versions, and the options that are no defaults."""
    options, environment = record.options, record.environment
    data = environment.get("data", {})
    rows: dict[str, Any] = {
        "task": f"{options.task.name.replace('_', ' ')}: {_help(options.task.name)}",
        "data": f"{data['name']}: {_data_in_words(data)}" if data else None,
        **(_search_in_words(record) if record.has_search else {}),
        "seed": str(options.run.seed),
        "devices": environment.get("devices"),
        "versions": ", ".join(f"{name} {version}" for name, version in _versions(environment)),
        "system": environment.get("platform"),
        "commit": environment.get("commit"),
    }
    given = _given_options(record)
    about = "Options that are not at their defaults. The file run.flags repeats the run with them."
    return facts(rows) + (paragraph(about) + table(given) if given else "")


def _help(task: str) -> str:
    from enas_tf.tasks.task import TASKS

    return TASKS.entry(task).help


def _search_in_words(record: RunRecord) -> dict[str, str]:
    options = record.options
    run, trials = options.run, EVALUATORS[options.run.evaluator].has_trials
    searcher, evaluator = SEARCHERS.entry(run.searcher), EVALUATORS.entry(run.evaluator)
    length = count_of(options[SCRATCH].trials, "trial") if trials else count_of(options[SEARCH].epochs, "epoch")
    return {
        "space": f"{options.space.name}: {size_in_words(options.space.size)}",
        "searcher": f"{run.searcher}: {searcher.help}" if searcher.help else run.searcher,
        "evaluator": f"{run.evaluator}: {evaluator.help}" if evaluator.help else run.evaluator,
        "length": length,
        **in_words(options[OBJECTIVE]),
    }


def _data_in_words(data: dict[str, Any]) -> str:
    """Return how much data there are and what they are like."""
    parts = data.get("images") or data.get("num_tokens") or {}
    unit = "images" if "images" in data else "tokens"
    words = [", ".join(f"{num:,} {unit} for {_PARTS.get(part, part)}" for part, num in parts.items())]
    if "image_shape" in data:
        height, width, channels = data["image_shape"]
        words.append(f"{height}x{width} pixels (height x width), {count_of(channels, 'channel')}")
        words.append(count_of(len(data["class_names"]), "class"))
    if "vocab_size" in data:
        words.append(f"a vocabulary of {data['vocab_size']:,} {data['tokens']}s")
    return "; ".join(words)


def _versions(environment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("enas_tf", "python"):
        if name in environment:
            yield name, environment[name]
    yield from environment.get("packages", {}).items()


def _given_options(record: RunRecord) -> list[dict[str, str]]:
    """Return a row for each option of run.flags that is not shown elsewhere."""
    offers, rows = {option.name: option for option, _ in record.options.options()}, []
    text = read_text(record.workdir.run_flags, "the options of a run", "Restore it from a copy.")
    for line in text.splitlines():
        name, _, value = line.removeprefix("--").partition("=")
        if name in offers and name not in _SHOWN:
            rows.append({"option": name, "value": value, "what it is": render(offers[name].help)})
    return rows


def show_curves(record: RunRecord) -> str:
    """Return the curves of the shared weights and of the searcher's rewards."""
    metric = record.options.task.metric
    names = {
        ("search", "loss"): "training loss (nats)",
        ("search", metric): f"training {metric}",
        ("controller", "reward"): "mean reward of proposals",
        ("controller", "ahead_of_uniform"): f"ahead of uniform ({metric})",
    }
    panels = [panel for (phase, name), words in names.items() if (panel := _panel(record, phase, name, words))]
    if not panels:
        return ""
    text = (
        "The first curves are about the weights that all networks share: every step trains another network with them, "
        "so they stay far from those of a network that is trained alone. The reward is what the searcher learns from; "
        "more is better. Where the policy is ahead of uniform, its proposals do better by the shared weights than "
        "random ones do; where that curve stays near 0, the policy has learnt nothing yet."
    )
    return paragraph(text) + picture(draw_panels(panels), "curves of the search over its epochs", "search")


def _panel(record: RunRecord, phase: str, name: str, words: str) -> Panel | None:
    x, y = record.curve(phase, name)
    return Panel(_unit(record, phase), words, {name: (x, y)}) if any(map(math.isfinite, y)) else None


def _unit(record: RunRecord, phase: str) -> str:
    """Return what the records of a phase are counted in."""
    has_trials = EVALUATORS[record.options.run.evaluator].has_trials
    return "update" if has_trials and phase == "controller" else "epoch"


def show_policy(record: RunRecord) -> str:
    """Return how sure the policy is of its decisions, and what it thinks of each."""
    panels = [
        panel
        for name, words in {"entropy": "entropy (nats)", "skip_rate": "share of skips that are set"}.items()
        if (panel := _panel(record, "controller", name, words))
    ]
    text = (
        "The entropy says how open the policy is, over all decisions. It falls as the policy makes up its mind: near "
        "its first value the policy has learnt little, near 0 it proposes one architecture only."
    )
    curves = paragraph(text) + picture(draw_panels(panels), "entropy of the policy", "policy") if panels else ""
    return curves + _show_decisions(record)


def _show_decisions(record: RunRecord) -> str:
    """Return how probable each operation was at each decision; empty where the run has not kept that."""
    picks = [decision for decision in record.options.space.decisions if isinstance(decision, PickOp)]
    # A space that grows has more decisions in the end; a policy of the beginning knows only some of them.
    rows = [row for row in record.policy if all(pick.name in row for pick in picks)]
    if not rows or not picks:
        return ""
    rows = [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, _MOST_POINTS).astype(int))]
    bands = {
        pick.name: {op: [row[pick.name][number] for row in rows] for number, op in enumerate(pick.choices)}
        for pick in picks
    }
    text = (
        "Each band is a decision on an operation, and a colour in it an operation. The wider a colour, the more "
        "probable the policy finds the operation there. Where all colours are as wide, the decision is open; a band of "
        "one colour is settled."
    )
    figure = draw_shares([row["epoch"] + 1 for row in rows], bands, _unit(record, "controller"))
    return paragraph(text) + picture(figure, "probabilities of the operations at each decision", "decisions")


def show_trials(record: RunRecord) -> str:
    """Return how many trials there were, and the best metric so far against their number."""
    trials, task = record.trials, record.options.task
    if not trials:
        return ""
    counts: dict[str, int] = {}
    for trial in trials:
        kind = f"failed: {trial['kind']}" if trial["status"] == "failed" else trial["status"]
        counts[kind] = counts.get(kind, 0) + 1
    done = [(trial["id"] + 1, float(trial["value"]), trial["budgets"][-1]) for trial in trials if "value" in trial]
    text = facts({"trials": len(trials), **counts})
    if not done:
        return text
    groups: dict[str, tuple[list[float], list[float]]] = {}
    for number, value, epochs in sorted(done, key=lambda point: point[2]):
        points = groups.setdefault(f"trial of {count_of(epochs, 'epoch')}", ([], []))
        points[0].append(number)
        points[1].append(value)
    best: list[float] = []
    pick = max if task.is_higher_better else min
    for _, value, _ in done:
        best.append(pick(value, best[-1]) if best else value)
    metric = task.judged_metric(record.options).replace("_", " ")
    figure = draw_progress(groups, ([n for n, *_ in done], best), "number of the trial", f"validation {metric}")
    how = (
        "Each point is an architecture that was trained from scratch; the line is the best so far, by the "
        f"{metric} on the validation part. {'More' if task.is_higher_better else 'Less'} is better. A searcher "
        "that learns has better points on the right than on the left."
    )
    return text + paragraph(how) + picture(figure, "metric of the trials and the best so far", "trials")
