"""The options of a run that belong to no single component: which components there are, seeds and devices."""

import dataclasses

from enas_tf.options import Group, option, require
from enas_tf.registry import Choices
from enas_tf.runtime.devices import STRATEGIES
from enas_tf.runtime.replicas import PRECISIONS
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.executors.executor import EXECUTORS
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.space import SPACES

#: Stands for an evaluator (`experiments/advice.py`).
AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What belongs to no single component: which components there are, seeds and devices."""

    space: str = option(
        "macro", "what is searched; some options have other defaults there", choices=SPACES, stages=("search",)
    )
    searcher: str = option("reinforce", "who proposes architectures", choices=SEARCHERS, stages=("search",))
    evaluator: str = option(
        "shared",
        "what a proposal is judged by; auto = shared or scratch, whichever suits the length of the search",
        choices=Choices(EVALUATORS, AUTO),
        stages=("search",),
    )
    executor: str = option("serial", "where trials run", choices=EXECUTORS, stages=("search",), decides=False)
    seed: int = option(0, "seed of initial weights, order of data, augmentation, dropout and proposals", most=2**63)
    deterministic: bool = option(False, "use deterministic kernels, so that a repeated run is equal to the last bit")
    strategy: str = option(
        "auto",
        "devices of a run: mirrored = each step is shared by all GPUs of this host, multi_worker = by those of all "
        "processes that TF_CONFIG or SLURM names, one_device = the first alone, auto = what there is",
        choices=STRATEGIES,
        decides=False,
    )
    precision: str = option(
        "float32",
        "what networks compute in while they are trained and searched; weights, batch statistics, logits and the "
        "controller are float32 in any case, and so is the child that is kept",
        choices=PRECISIONS,
    )
    steps_per_loop: int = option(
        1,
        "training steps that are started at once; a signal is heard between two loops",
        decides=False,
        most=10_000,
    )

    max_minutes: float | None = option(
        None,
        "end the search after so many minutes from its start or its resumption on; derive and its finalists come on "
        "top, and use what is best so far",
        stages=("search",),
        decides=False,
    )

    def __post_init__(self):
        is_time = self.max_minutes is None or 0 < self.max_minutes < 10**7
        require(is_time, "max_minutes", self.max_minutes, "a number of minutes above 0")
        require(self.steps_per_loop >= 1, "steps_per_loop", self.steps_per_loop, "at least 1")
        # NumPy and Keras take no others.
        require(0 <= self.seed < 2**32, "seed", self.seed, f"0..{2**32 - 1}")


RUN = Group(RunConfig())
