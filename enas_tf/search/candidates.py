"""What derive ranks: proposals with their metric and their cost."""

import dataclasses
from collections.abc import Mapping

from enas_tf.ops.costs import Cost
from enas_tf.spaces.space import Architecture


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A ranked proposal.

    Attributes:
      metric: the name of `value`, what the evaluator scores by.
      cost: of its child at the searched size.
      more: further columns of candidates.csv, name -> value; a candidate need not have all of them.
    """

    architecture: Architecture
    tokens: tuple[int, ...]
    metric: str
    value: float
    cost: Cost
    more: Mapping[str, float | str] = dataclasses.field(default_factory=dict)

    def with_more(self, more: Mapping[str, float | str]) -> "Candidate":
        """Return the candidate with `more` columns."""
        return dataclasses.replace(self, more={**self.more, **more})
