"""What a search is after: a metric, what it is weighed against, and limits that networks keep.

Limits and objectives are about the child as it is retrained, for that is what a user gets: its trainable parameters,
the FLOPs of one image or token, and its latency.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from enas_tf.errors import InputError, ref
from enas_tf.options import Group, option, require
from enas_tf.registry import Registry
from enas_tf.search.candidates import Candidate
from enas_tf.spaces.space import Architecture

#: What a network may cost: name -> how numbers of it are written.
COSTS = {"parameters": "{:,.0f} parameters", "flops": "{:,.0f} FLOPs", "latency_ms": "{:.3g} ms"}
_DIRECTIONS = ("max", "min")
CHOICES = ("best", "knee")
#: The column of candidates.csv that says which candidates are in the Pareto set.
PARETO = "pareto"
#: Functions by name: of a reward (more is better) and of what the retrained child costs, by the names of `COSTS`. They
#: return the reward which a searcher learns from.
REWARDS: Registry[Callable[[float, Mapping[str, float]], float]] = Registry("reward function")


@REWARDS.register("metric", help="the metric itself, or what the task makes of it")
def metric_alone(reward: float, costs: Mapping[str, float]) -> float:
    """Return the reward as it is."""
    return reward


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """Limits of the networks that a search may find, and what they are compared by."""

    max_parameters: int | None = option(
        None, "trainable parameters that a retrained child has at most; larger proposals are refused", most=10**15
    )
    max_flops: int | None = option(
        None, "FLOPs of a retrained child for one image or token at most; larger proposals are refused", most=10**18
    )
    max_latency_ms: float | None = option(
        None, "milliseconds at most that a retrained child takes for one image on this device, alone in a batch"
    )
    limit_penalty: float = option(
        0.0,
        "0 = refuse what exceeds a limit; above 0, its reward is multiplied by limit / value to this power instead "
        "(MnasNet: 0.07)",
    )
    reward_function: str = option(
        "metric", "what a searcher learns from; an imported file may register others", choices=REWARDS
    )
    objective: tuple[str, ...] = option(
        (),
        "what candidates are compared by: the metric, then costs, such as accuracy:max,flops:min; those for which no "
        "other is as good in all of them and better in one are the Pareto set. The metric alone by default",
        stages=(),
    )
    choose: str = option(
        "best",
        "which of the Pareto set becomes the architecture: best = by the metric, knee = the nearest to the best of "
        "each objective, all scaled to the set",
        choices=CHOICES,
        stages=(),
    )

    def __post_init__(self):
        for name in ("max_parameters", "max_flops", "max_latency_ms"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "above 0")
        require(0 <= self.limit_penalty <= 100, "limit_penalty", self.limit_penalty, "a power in [0, 100]")
        known = ", ".join(ref(f"max_{name}") for name in COSTS)
        has_use = bool(self.limits) or not self.limit_penalty
        require(has_use, "limit_penalty", self.limit_penalty, f"a limit, too ({known})")
        costs = ", ".join(f"{name}:min" for name in COSTS)
        is_alone = len(self.objective) == 1
        require(not is_alone, "objective", ",".join(self.objective), f"the metric and at least one of {costs}")
        is_chosen = self.choose == "best" or bool(self.objective)
        require(is_chosen, "choose", self.choose, f"best, or {ref('objective')} with costs, too")

    @property
    def limits(self) -> dict[str, float]:
        """Cost -> the most that is allowed, of the costs that have a limit."""
        found = {"parameters": self.max_parameters, "flops": self.max_flops, "latency_ms": self.max_latency_ms}
        return {name: float(value) for name, value in found.items() if value is not None}

    @property
    def weighed(self) -> tuple[str, ...]:
        """The costs that the metric is weighed against."""
        return tuple(term.partition(":")[0] for term in self.objective[1:])

    @property
    def needs_latency(self) -> bool:
        return "latency_ms" in (*self.limits, *self.weighed)


OBJECTIVE = Group(ObjectiveConfig(), stages=("search",))


def check_objective(config: ObjectiveConfig, metric: str, is_higher_better: bool) -> None:
    """Raise `InputError` unless `objective` is the task's metric in its direction, and then costs to be small."""
    if not config.objective:
        return
    own = f"{metric}:{_DIRECTIONS[not is_higher_better]}"
    able = [f"{name}:min" for name in COSTS]
    first, *others = config.objective
    require(first == own, "objective", ",".join(config.objective), f"{own} first, then some of {', '.join(able)}")
    for term in others:
        is_known = term in able and config.objective.count(term) == 1
        require(is_known, "objective", ",".join(config.objective), f"{own}, then some of {', '.join(able)}, each once")


class Objective:
    """Ranks candidates, and says which architectures keep the limits.

    Args:
      is_higher_better: whether more of the metric is better.
      config: limits and costs to weigh; neither by default.
      measure: returns what the retrained child of an architecture costs, by the names of `COSTS`.
      merit: returns the reward of a value of the metric; the value itself by default.
    """

    def __init__(
        self,
        is_higher_better: bool,
        config: ObjectiveConfig | None = None,
        measure: Callable[[Architecture], Mapping[str, float]] | None = None,
        merit: Callable[[float], float] = float,
    ):
        self.is_higher_better, self.config = is_higher_better, config or ObjectiveConfig()
        self.measure, self._merit = measure or (lambda architecture: {}), merit
        self._reward = REWARDS[self.config.reward_function]

    @property
    def refuses(self) -> bool:
        """Whether there are architectures that are not to be trained."""
        return bool(self.config.limits) and not self.config.limit_penalty

    def excess(self, architecture: Architecture) -> str | None:
        """Say which limit the architecture's child exceeds, whether that is refused or not; None if it keeps all."""
        costs = self.measure(architecture) if self.config.limits else {}
        for name, most in self.config.limits.items():
            if costs[name] > most:
                words = COSTS[name]
                return f"{words.format(costs[name])}, more than {ref(f'max_{name}')}={words.format(most).split()[0]}"
        return None

    def factor(self, costs: Mapping[str, float]) -> float:
        """Return what a reward is multiplied by: the product of (limit / cost)^limit_penalty over exceeded limits.

        Source: Tan et al. 2019 (MnasNet), equation 2, with the power 0 below the limit.
        """
        config = self.config
        shares = [most / costs[name] for name, most in config.limits.items() if costs[name] > most]
        return math.prod(share**config.limit_penalty for share in shares)

    @property
    def shapes_rewards(self) -> bool:
        """Whether a searcher learns from something else than the rewards of an evaluator."""
        return self.config.limit_penalty > 0 or self._reward is not metric_alone

    def shaped(self, reward: float, costs: Mapping[str, float]) -> float:
        """Return what a searcher learns from, of a network that costs so much; NaN for a reward that is no number.

        Raises:
          InputError: the function of the option `reward_function` fails.
        """
        if not math.isfinite(reward):
            return math.nan
        try:
            value = float(self._reward(reward, costs))
        except Exception as error:  # It is a user's.
            raise InputError(
                f"the function of {ref('reward_function')}={self.config.reward_function} fails for a reward of "
                f"{reward:.6g} and {dict(costs)} ({type(error).__name__}: {error}): expected a number. Mend it."
            ) from error
        # A reward below zero is lowered too.
        return value * self.factor(costs) if value >= 0 else value / self.factor(costs)

    def annotate(self, candidate: Candidate) -> Candidate:
        """Return the candidate with the costs of its retrained child, where limits or objectives name any."""
        if not (self.config.limits or self.config.weighed or self.shapes_rewards):
            return candidate
        costs = self.measure(candidate.architecture)
        return candidate.with_more({f"child_{name}": float(value) for name, value in costs.items()})

    def rank(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates, best first.

        With several objectives the Pareto set comes first (for which no other is as good in all of them and better in
        one), then the Pareto set of the others, and so on; within these groups the metric decides. Of equals the one
        with fewer FLOPs comes first. Values that are not finite come last.
        """
        keys = {id(c): (*self._key(c), c.cost.flops, c.tokens) for c in candidates}
        found = sorted(candidates, key=lambda candidate: keys[id(candidate)])
        if not self.config.weighed:
            return found
        ordered: list[Candidate] = []
        left = [c for c in found if math.isfinite(c.value)]
        while left:
            is_best = self._undominated(left)
            ordered += [c for c, is_in in zip(left, is_best, strict=True) if is_in]
            left = [c for c, is_in in zip(left, is_best, strict=True) if not is_in]
        return ordered + [c for c in found if not math.isfinite(c.value)]

    def settle(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return ranked candidates that compare with each other, the chosen one first, the Pareto set marked."""
        if not self.config.weighed:
            return list(candidates)
        finite = [c for c in candidates if math.isfinite(c.value)]
        is_best = {id(c): is_in for c, is_in in zip(finite, self._undominated(finite), strict=True)}
        chosen = self._knee([c for c in finite if is_best[id(c)]]) if self.config.choose == "knee" and finite else None
        marked = [
            (c is chosen, c.with_more({PARETO: "yes" if is_best.get(id(c), False) else "no"})) for c in candidates
        ]
        return [c for is_first, c in marked if is_first] + [c for is_first, c in marked if not is_first]

    def _key(self, candidate: Candidate) -> tuple[bool, float]:
        is_odd = not math.isfinite(candidate.value)
        return is_odd, 0.0 if is_odd else self._loss(candidate)

    def _loss(self, candidate: Candidate) -> float:
        """Return the metric, or the reward where that is shaped, such that less is better."""
        if not self.shapes_rewards:
            return -candidate.value if self.is_higher_better else candidate.value
        costs = {name: float(candidate.more[f"child_{name}"]) for name in COSTS if f"child_{name}" in candidate.more}
        value = self.shaped(self._merit(candidate.value), costs)
        return -value if math.isfinite(value) else math.inf

    def _losses(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """Return float64 [n, objectives], of which less is better."""
        rows = [[self._loss(c), *(float(c.more[f"child_{name}"]) for name in self.config.weighed)] for c in candidates]
        return np.array(rows, np.float64).reshape(len(candidates), 1 + len(self.config.weighed))

    def _undominated(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """Return bool [n]: whether no other candidate is as good in all objectives and better in one."""
        losses = self._losses(candidates)
        # One after the other: all pairs at once would fill memory where there are many.
        beaten = [((losses <= own).all(axis=1) & (losses < own).any(axis=1)).any() for own in losses]
        return np.logical_not(np.array(beaten, bool))

    def _knee(self, candidates: Sequence[Candidate]) -> Candidate:
        losses = self._losses(candidates)
        span = np.ptp(losses, axis=0)
        scaled = (losses - losses.min(axis=0)) / np.where(span, span, 1.0)
        return candidates[int(np.argmin(np.linalg.norm(scaled, axis=1)))]


def in_words(config: ObjectiveConfig) -> dict[str, str]:
    """Return rows about limits and objectives for the first block of a search; none where there are none."""
    rows = {}
    if config.limits:
        most = [f"at most {COSTS[name].format(value)}" for name, value in config.limits.items()]
        power = config.limit_penalty
        what = "others are refused" if not power else f"others lose reward, (limit / value)^{power:g}"
        rows["limits"] = f"{', '.join(most)} of the retrained child; {what}"
    if config.reward_function != ObjectiveConfig.reward_function:
        rows["reward"] = config.reward_function
    if config.objective:
        rows["objectives"] = ", ".join(term.replace(":", " ") for term in config.objective)
    return rows


def no_room(objective: Objective, smallest: str) -> InputError:
    """Return the error of limits that no random architecture keeps."""
    named = " and ".join(f"{ref(f'max_{name}')}={value:g}" for name, value in objective.config.limits.items())
    return InputError(
        f"none of the random architectures that were tried keeps {named}: the smallest children among them "
        f"have {smallest}. Raise the limit, or make the child smaller by the options of retraining (such as "
        f"{ref('retrain_channels')} or {ref('retrain_units')})."
    )
