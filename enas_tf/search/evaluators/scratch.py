"""The evaluator of NAS, NASNet, PNAS and AmoebaNet: each proposal is trained from scratch, for a few epochs."""

import dataclasses
import re

import tensorflow as tf

from enas_tf.errors import InputError, count_of, ref
from enas_tf.options import Group, option, require
from enas_tf.search.evaluators.evaluator import EVALUATORS, Evaluator
from enas_tf.search.halving import Halving, budgets_of
from enas_tf.tasks.task import Task
from enas_tf.training.optimizers import SGD
from enas_tf.training.runners import Runner, build_runner
from enas_tf.training.scratch import MODELS, Diverged, Training

_BEST = re.compile("best_of_last:([0-9]{1,6})")


@dataclasses.dataclass(frozen=True)
class ScratchConfig:
    """Trials of a search. NAS (Zoph and Le 2017) has 12,800 of 50 epochs, NASNet 20,000 of 20."""

    trials: int = option(100, "architectures that are trained from scratch", decides=False, most=10_000_000)
    trial_epochs: int = option(
        20, "epochs of a trial; the learning rate falls to zero within them (NASNet: 20)", most=1_000_000
    )
    batch_size: int = option(128, "images (rows of text) of a step of a trial", most=1_000_000)
    samples_per_update: int = option(
        10,
        "trials of an update of a searcher that compares trials; others learn from each",
        most=10_000,
    )
    halving: int = option(
        0,
        "train one in N of the trials of a budget for N times as many epochs, up to trial_epochs, and so on from "
        "one epoch up (ASHA); 0 = train all for trial_epochs",
        most=1_000,
    )
    reward: str = option(
        "last",
        "what a trial is worth: last = the validation metric of its last epoch, best_of_last:5 = the best of five",
    )
    reward_power: float = option(1.0, "the reward is the metric to this power (NAS: 3)")
    trial_model: str = option(
        "auto",
        "trial networks: supernet = weights of the supernet drawn anew for each, keras = a Keras model each, auto = "
        "the supernet where the space has one that trains alike",
        choices=MODELS,
    )

    def __post_init__(self):
        for name in ("trials", "trial_epochs", "batch_size", "samples_per_update"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.halving == 0 or self.halving >= 2, "halving", self.halving, "0, or 2 or more")
        require(self.reward_power > 0, "reward_power", self.reward_power, "above 0")
        num = self.num_measured
        require(num >= 1, "reward", self.reward, "last, or best_of_last:5, say")
        require(
            num <= self.trial_epochs, "reward", self.reward, f"at most {ref('trial_epochs')}={self.trial_epochs} epochs"
        )

    @property
    def num_measured(self) -> int:
        """Number of the last epochs that are measured; 0 for a `reward` that is not valid."""
        match = _BEST.fullmatch(self.reward)
        return int(match[1]) if match else int(self.reward == "last")


SCRATCH = Group(ScratchConfig(), stages=("search",))


@EVALUATORS.register(
    "scratch", [SCRATCH, SGD], defaults={"searcher": "auto"}, help="by a training from scratch of each proposal"
)
class ScratchEvaluator(Evaluator):
    """Trains each proposal from scratch and takes its metric on the validation part.

    A search by trials trains them in the processes of an executor, by what this class says. `evaluate` and `score`
    train in this process.

    Args:
      config: budgets and rewards.
      training: how a trial is trained.
      task: what the networks are for.
      run: the run.
    """

    trains_children = has_trials = True

    def __init__(self, config: ScratchConfig, training: Training, task: Task, run):
        self.config, self.training, self._task, self._run = config, training, task, run
        self.metric, self.is_higher_better = f"valid_{task.judged_metric(run.config)}", task.is_higher_better
        self.halving = Halving(budgets_of(config.trial_epochs, config.halving), config.halving, task.is_higher_better)
        self._runner: Runner | None = None

    @classmethod
    def build(cls, run):
        config = run.config[SCRATCH]
        training = Training(config.batch_size, run.config[SGD], config.num_measured, config.trial_model)
        return cls(config, training, run.task, run)

    def limit(self, num_trials: int) -> None:
        """Train at most so many architectures."""
        self.config = dataclasses.replace(self.config, trials=min(num_trials, self.config.trials))

    def reward(self, value: float) -> float:
        """Return the reward of a value of the metric."""
        return self._task.merit(self._run.config, value) ** self.config.reward_power

    def merit(self, value):
        return self.reward(value)

    def evaluate(self, tokens):
        return tf.constant([self.reward(self.score(row)) for row in tokens.numpy()], tf.float32)

    def score(self, tokens, num_batches=0):
        if self._runner is None:
            self._runner = build_runner(self._run, self.training)
        try:
            return self._runner.train(tokens, (self.config.trial_epochs,)).value
        except Diverged:
            return float("nan")

    def summary(self):
        config, budgets = self.config, self.halving.budgets
        rows = {"trials": f"{count_of(config.trials, 'architecture')}, {count_of(config.trial_epochs, 'epoch')} each"}
        if len(budgets) > 1:
            some = ", ".join(map(str, budgets[:-2]))
            some = f"{some} and {count_of(budgets[-2], 'epoch')}" if some else count_of(budgets[-2], "epoch")
            rows["trials"] = (
                f"{count_of(config.trials, 'architecture')} for {count_of(budgets[0], 'epoch')}; one in "
                f"{config.halving} goes on after {some}, up to {budgets[-1]}"
            )
        return rows | {"batch": self._task.batch_in_words(self._run.config, config.batch_size)}


def check_searcher(compares_trials: bool, config: ScratchConfig, searcher: str) -> None:
    """Raise `InputError` for halving with a searcher that compares the trials of an update or a level."""
    if config.halving and compares_trials:
        raise InputError(
            f"{ref('halving')}={config.halving} is not for {ref('searcher')}={searcher}, which compares trials of "
            f"equal length: expected {ref('halving')}=0, or {ref('searcher')}=random, evolution, local or surrogate."
        )
