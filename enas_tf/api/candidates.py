"""The candidates of a search as values, and what may name an architecture."""

import csv
import dataclasses
import io
import os
from collections.abc import Iterator
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.run import derived_architecture
from enas_tf.experiments.workdir import Workdir
from enas_tf.options import shorten
from enas_tf.reading import read_text
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import BASELINES, Architecture, Buildable

_COUNTS = ("rank", "parameters", "flops")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A row of candidates.csv.

    Attributes:
      rank: its place, 1 for the best.
      arc: the architecture as a text.
      architecture: the architecture as a value.
      metric: the name of what it was ranked by, such as valid_accuracy.
      value: what it has of that.
      parameters: of its child at the searched width.
      flops: of its child at the searched width, per image or token.
      more: further columns, such as the metric of a finalist after each training.
    """

    rank: int
    arc: str
    architecture: Architecture = dataclasses.field(repr=False)
    metric: str
    value: float
    parameters: int
    flops: int
    more: dict[str, float | str] = dataclasses.field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as one flat dictionary."""
        sizes = {"parameters": self.parameters, "flops": self.flops}
        return {"rank": self.rank, "arc": self.arc, self.metric: self.value, **self.more, **sizes}


class Candidates(list[Candidate]):
    """A list of candidates, best first."""

    def to_pandas(self) -> Any:
        """Return a table of pandas, which has to be installed."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas needs the package pandas: install it, or use to_dict of each one.") from None
        return pandas.DataFrame([candidate.to_dict() for candidate in self])


def read_candidates(workdir: Workdir, space: str, num: int | None = None) -> Candidates:
    """Return the best `num` candidates of a workdir, all for None.

    Raises:
      InputError: no search has left any there, or `num` is not a number of candidates.
    """
    if num is not None and (not isinstance(num, int) or num < 1):
        raise InputError(f"candidates({shorten(repr(num))}) is not valid: expected how many, at least 1, or nothing.")
    if not workdir.candidates.exists():
        raise InputError(f"{workdir} holds no candidates.csv: expected that of a search. Call search() first.")
    return Candidates(list(_rows(workdir, space))[:num])


def _rows(workdir: Workdir, space: str) -> Iterator[Candidate]:
    text = read_text(workdir.candidates, "the candidates.csv that a search has left", "Search again: it is derived.")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    metric, *_ = [name for name in reader.fieldnames or () if name not in ("rank", "arc")]
    for row in reader:
        rank, parameters, flops = (int(row.pop(name)) for name in _COUNTS)
        arc, value = row.pop("arc"), float(row.pop(metric))
        more = {name: _number(cell) for name, cell in row.items() if cell}
        architecture = read_architecture(f"{workdir.candidates}#{rank}", space)
        assert isinstance(architecture, Architecture)
        yield Candidate(rank, arc, architecture, metric, value, parameters, flops, more)


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def resolve(value: Any, workdir: Workdir, options: RunOptions) -> Buildable:
    """Return the architecture that `value` names.

    Args:
      value: None for what the workdir's search has derived, a rank, a candidate, an architecture, or a text: an arc, a
        published name, or the path of an architecture.json.
      workdir: of the run.
      options: of the run; a text is read as an arc of its space.

    Raises:
      InputError: it names none.
    """
    if value is None:
        return derived_architecture(workdir)
    if isinstance(value, Candidate):
        return value.architecture
    if isinstance(value, Buildable):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return read_architecture(f"{workdir.candidates}#{value}", options.run.space)
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str):
            is_baseline = text in BASELINES
            return BASELINES[text].beside(options.space) if is_baseline else read_architecture(text, options.run.space)
    raise InputError(
        f"{ref('architecture')} is a {type(value).__name__}: expected an architecture, a candidate, the rank of one, "
        "an arc, a published name, or the path of an architecture.json."
    )
