"""report.html: one page about a run, which opens without a network. It is made of what the run has left on the disk."""

from collections.abc import Callable
from pathlib import Path

from enas_tf.experiments import report_child, report_finals, report_search
from enas_tf.experiments.run import Run
from enas_tf.experiments.run_record import RunRecord
from enas_tf.options import shorten
from enas_tf.pictures.page import escape, note, to_page
from enas_tf.runtime.chief import is_chief
from enas_tf.runtime.files import write_text

#: Id, heading, and what writes the section: an empty text where the run has nothing of it.
_SECTIONS: tuple[tuple[str, str, Callable[[RunRecord], str]], ...] = (
    ("result", "The result", report_child.show_result),
    ("setting", "What was done", report_search.show_setting),
    ("search", "The search, epoch by epoch", report_search.show_curves),
    ("policy", "The policy over time", report_search.show_policy),
    ("trials", "Trials", report_search.show_trials),
    ("finalists", "Finalists", report_finals.show_finalists),
    ("candidates", "Candidates", report_finals.show_candidates),
    ("pareto", "Quality and cost", report_finals.show_fronts),
    ("child", "The training of the child", report_child.show_curves),
    ("test", "The test", report_child.show_test),
    ("children", "Several children", report_child.show_children),
    ("loading", "How to load the model", report_child.show_loading),
)


def write_report(run: Run) -> None:
    """Write report.html into the workdir of a run. Whatever is wrong with it is said, and fails no run."""
    if not is_chief():
        return
    try:
        write_text(run.workdir.report, to_report(run.workdir.path))
    except Exception as error:
        run.reporter.say(f"report: {run.workdir.report} could not be written ({_reason(error)})")


def to_report(path: Path) -> str:
    """Return the page about the run in the directory `path`."""
    record = RunRecord(path)
    texts = {place: _write(show, record) for place, _, show in _SECTIONS}
    found = [(place, heading) for place, heading, _ in _SECTIONS if texts[place]]
    links = "".join(f'<a href="#{place}">{escape(heading)}</a>' for place, heading in found)
    parts = [f'<h2 id="{place}">{escape(heading)}</h2>\n{texts[place]}' for place, heading in found]
    return to_page(_title(record), [f"<nav>{links}</nav>", *parts])


def _write(show: Callable[[RunRecord], str], record: RunRecord) -> str:
    """Return a section, or a note in its place: a file may be damaged in any way."""
    try:
        return show(record)
    except Exception as error:
        return note(f"This part is left out, since a file of the run cannot be read: {_reason(error)}")


def _title(record: RunRecord) -> str:
    """Return the heading of the page: what was done, and on which data."""
    try:
        options, data = record.options, record.environment["data"]["name"]
        what = f"A search among {options.space.name} networks" if record.has_search else "The training of a network"
        return f"{what}: {data}"
    except Exception:
        return "A run"


def _reason(error: Exception) -> str:
    return shorten(f"{type(error).__name__}: {error}", 400)
