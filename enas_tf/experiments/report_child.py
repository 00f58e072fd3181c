"""The sections of report.html about the retrained child: its curves, its test, the classes it confuses, its use."""

import csv
import io
import json
import math
from typing import Any

from enas_tf.experiments.run_record import RunRecord
from enas_tf.pictures.page import code, facts, matrix, note, paragraph, picture, table
from enas_tf.pictures.plots import Panel, draw_panels
from enas_tf.reading import read_text
from enas_tf.training.child import INHERIT

#: Classes up to which a confusion matrix is drawn, and rows of the tables that stand in its place.
_MOST_CLASSES = 50


def show_result(record: RunRecord) -> str:
    """Return what came out, in a few rows."""
    child, rows = record.child, record.candidates
    minutes = record.minutes
    found: dict[str, Any] = {
        **{_in_words(name): value for name, value in child.items() if name.startswith("test_")},
        "parameters of the child": child.get("parameters"),
        "FLOPs of the child": f"{child['flops']:,} per {record.options.task.unit}" if child else None,
        "latency of the child": f"{child['latency_ms']:.3g} ms, alone in a batch" if "latency_ms" in child else None,
        "trained on": child.get("trained_on"),
        **({} if child or not rows else best_candidate(rows[0])),
        "architecture": child.get("arc") or (rows[0]["arc"] if rows else None),
        "time": f"{minutes:.1f} minutes from the first record to the last, pauses included" if minutes else None,
    }
    text = "" if child else note("No child was retrained yet: the architecture is what the search would keep.")
    return (text + facts(found)) if child or rows else note("Nothing is finished yet.")


def best_candidate(row: dict[str, str]) -> dict[str, float]:
    """Return the metric that a candidate was ranked by: the column behind its arc."""
    names = list(row)
    name = names[names.index("arc") + 1]
    return {f"{_in_words(name.replace('valid_', 'validation_'))} of the best candidate": float(row[name])}


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def show_curves(record: RunRecord) -> str:
    """Return the curves of retraining, on training data and on the validation part."""
    options, panels = record.child_options, []
    task = options.task
    for name in dict.fromkeys(["loss", task.metric, task.judged_metric(options)]):
        curves = {
            words: (x, y)
            for words, (x, y) in {
                "training": record.curve("retrain", name),
                "validation": record.curve("retrain", f"valid_{name}"),
            }.items()
            if any(map(math.isfinite, y))
        }
        if curves:
            only = f"{next(iter(curves))} " if len(curves) == 1 else ""
            panels.append(Panel("epoch", only + _in_words(name) + " (nats)" * (name == "loss"), curves))
    if not panels:
        return ""
    is_inherited = record.child_options is not None and record.child_options[INHERIT].inherit
    start = "from the shared weights of the search" if is_inherited else "from scratch"
    text = (
        f"The child was trained {start}. Training is measured with dropout and augmentation while the weights "
        "change, validation without them at the end of each epoch. A validation loss that rises while the training "
        "loss falls means that the child learns its training data by heart."
    )
    return paragraph(text) + picture(draw_panels(panels), "loss and metric of the child over its epochs", "child")


def show_test(record: RunRecord) -> str:
    """Return the metrics on the test part, and which classes the child confuses; or what it writes."""
    child = record.child
    if not child:
        return ""
    metrics = {_in_words(name): value for name, value in child.items() if name.startswith("test_")}
    text = paragraph("The test part was read once, after the last epoch. Nothing was chosen by it.") + facts(metrics)
    sample = record.workdir.child / "sample.txt"
    if sample.exists():
        words = read_text(sample, "what a language model has written", "Remove it.")
        text += paragraph("What the child writes when it begins with nothing:") + code(words)
    return text + _show_confusion(record)


def _show_confusion(record: RunRecord) -> str:
    counts = record.confusion
    if not counts:
        return ""
    names = record.environment.get("data", {}).get("class_names") or list(dict.fromkeys(row for row, _ in counts))
    text = table(_classes(names, counts))
    if len(names) > _MOST_CLASSES:
        return paragraph(f"The {_MOST_CLASSES} classes with the lowest accuracy:") + text
    cells = [[counts.get((row, column), 0) for column in names] for row in names]
    how = (
        "The confusion matrix: a row has the test images of one class, a column those that the child takes for one. "
        "What is right lies on the diagonal; a dark cell beside it is a pair of classes that the child confuses."
    )
    return paragraph("The accuracy of each class:") + text + paragraph(how) + matrix(names, cells)


def _classes(names: list[str], counts: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return a row for each class that the test part has; the worst ones alone where there are too many."""
    rows: list[dict[str, Any]] = []
    for name in names:
        mine = {predicted: num for (row, predicted), num in counts.items() if row == name}
        if total := sum(mine.values()):
            wrong = {predicted: num for predicted, num in mine.items() if predicted != name}
            most = max(wrong, key=lambda predicted: wrong[predicted], default="")
            share = f"{most} ({wrong[most]})" if wrong else ""
            accuracy = mine.get(name, 0) / total
            rows.append({"class": name, "test images": total, "accuracy": accuracy, "most often taken for": share})
    if len(rows) > _MOST_CLASSES:
        rows = sorted(rows, key=lambda row: row["accuracy"])[:_MOST_CLASSES]
    return rows


def show_children(record: RunRecord) -> str:
    """Return the children of several candidates."""
    path = record.workdir.children
    if not path.exists():
        return ""
    rows = list(csv.DictReader(io.StringIO(read_text(path, "the children of a run", "Restore it from a copy."))))
    text = "The best candidates were retrained, each in a directory child_1, child_2, ... with a report of its own."
    return paragraph(text) + table(rows)


def show_loading(record: RunRecord) -> str:
    """Return a program that loads the child."""
    if not record.workdir.child_keras.exists():
        return ""
    needed = "enas_tf" if record.options.task.writes_text else "keras"
    text = f"Run this in the directory of this page, where {needed} is installed. Paths are relative to that directory."
    parts = [paragraph(text), code(to_program(record))]
    if rows := _forms(record):
        about = "The same model in forms for other programs; docs/export.md of enas_tf says what they take and return."
        parts += [paragraph(about), table(rows)]
    return "".join(parts)


def _forms(record: RunRecord) -> list[dict[str, Any]]:
    """Return a row for each form that the child was exported in."""
    workdir = record.workdir
    forms = {
        "export": ("SavedModel", workdir.saved_model),
        "litert": ("LiteRT", workdir.litert),
        "litert_int8": ("LiteRT in 8 bits", workdir.litert_int8),
        "onnx": ("ONNX", workdir.onnx),
    }
    return [
        {
            "form": words,
            "place": f"child/{path.name}",
            "largest difference from the Keras model": record.child.get(f"{name}_max_difference"),
        }
        for name, (words, path) in forms.items()
        if path.exists()
    ]


def to_program(record: RunRecord) -> str:
    """Return a Python program that loads the child of a run and asks it something."""
    if record.child_options.task.writes_text:
        return _PROGRAM_FOR_TEXT
    given = record.child["input"]
    shape = ", ".join(map(str, given["shape"]))
    low, high = (f"{given[end]:g}" for end in ("low", "high"))
    return _PROGRAM_FOR_IMAGES.format(shape=shape, dtype=json.dumps(given["dtype"]), low=low, high=high)


_PROGRAM_FOR_IMAGES = """\
import keras
import numpy as np

model = keras.models.load_model("child/child.keras")  # enas_tf need not be installed
names = open("child/labels.txt", encoding="utf-8").read().splitlines()
images = np.zeros([1, {shape}], {dtype})  # yours: [number, height, width, channels], values of {low} to {high}
logits = model.predict(images, verbose=0)  # [number, classes]
print(names[logits[0].argmax()])
"""
_PROGRAM_FOR_TEXT = """\
import json

import enas_tf.models  # knows the layers of the child
import keras
import numpy as np

entries = json.load(open("child/vocabulary.json", encoding="utf-8"))["entries"]
model = keras.models.load_model("child/child.keras")
state = np.zeros([1, model.input_shape[1][-1]], "float32")
ids = np.array([[0]], "int32")  # yours: [number, time], places in entries
logits, state = model([ids, state])  # [number, time, entries]: scores of what comes next
print(entries[int(np.argmax(logits[0, -1]))])
"""
