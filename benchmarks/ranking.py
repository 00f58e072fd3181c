"""How well shared weights rank architectures whose trainings are known; for spaces of images.

    python -m benchmarks.ranking --flagfile=benchmarks/ground_truth/macro.flags --data_dir=DIR --seed=0

Trains shared weights on uniform proposals. Then scores each architecture of the ground truth, which is the CSV beside
the flagfile, by its accuracy and its loss on the validation part, in batches of a step's size and in larger ones, and
by the mean of the weights of the last quarter of the epochs. Prints for each score Kendall's tau with the test metric,
how much of the best tenth it finds, and the mean percentile of what it chooses from half of the architectures, alone
and with finalists that were trained for an epoch.

With `--sampling=balanced` each choice of each decision is trained equally often within an epoch. With
`--tuned_epochs=1` each architecture is also trained on for an epoch from the shared weights, with a rate that falls
from `--tuned_rate` to zero, and scored by the metric that it has then. Rows with a prior add 0.3 of the rank by a
cost to the rank by the score; the row with an epoch from scratch adds the rank by that.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
import tensorflow as tf
from absl import app, flags

from enas_tf.experiments.run import Run
from enas_tf.experiments.statistics import best_by_stages, percentile_of, precision_at_top, rank_agreement
from enas_tf.experiments.study import Child, read_truth
from enas_tf.experiments.tables import to_csv
from enas_tf.launch.flags import define_options, read_config
from enas_tf.search.config import SEARCH
from enas_tf.search.evaluators.shared import SHARED, SharedWeightsEvaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.tasks.classification_problems import mixed_batches
from enas_tf.tasks.losses import count_correct, cross_entropy
from enas_tf.training.optimizers import SGD
from enas_tf.training.runners import SupernetRunner
from enas_tf.training.scratch import Training

#: Images of a larger batch.
_LARGE = 500
#: Architectures that are chosen from, finalists among them, and repetitions.
_CHOICE, _FINALISTS, _DRAWS = 50, 12, 2000
#: Weight of the rank by a cost beside that by a score.
_PRIOR = 0.3


class BalancedSearcher(RandomSearcher):
    """Proposes each choice of each decision equally often in what shared weights are trained on, in a random order."""

    def sample(self, num, seed):
        draw = tf.random.stateless_uniform([num, self.space.num_tokens], seed=seed)
        return tf.argsort(draw, axis=0) % tf.constant(self.space.token_ranges)


class TunedRunner(SupernetRunner):
    """Trains architectures on from `values` of the supernet's variables, instead of fresh ones."""

    def __init__(self, run: Run, training: Training, values: list[np.ndarray]):
        super().__init__(run, training)
        self._fresh = values


class Weights:
    """The shared weights of a run, as they are trained, and their mean since a certain epoch."""

    def __init__(self, run: Run):
        self.run, self.evaluator = run, SharedWeightsEvaluator.build(run)
        self._searcher = {"uniform": RandomSearcher, "balanced": BalancedSearcher}[flags.FLAGS.sampling](run.space)
        self._sums: list[np.ndarray] = []
        self._num = 0

    def train(self) -> None:
        """Train for all epochs of the run; sum the weights after each of the last quarter."""
        epochs = self.run.config[SEARCH].epochs
        self.evaluator.start(0)
        for epoch in range(epochs):
            self.evaluator.prepare(self._searcher, epoch)
            if epoch >= epochs * 3 // 4:
                values = [variable.numpy() for variable in self.evaluator.problem.variables]
                self._sums = [a + b for a, b in zip(self._sums, values, strict=True)] if self._sums else values
                self._num += 1

    def average(self) -> None:
        """Put the mean in the place of the weights."""
        for variable, total in zip(self.evaluator.problem.variables, self._sums, strict=True):
            variable.assign(total / self._num)

    def tuner(self, num_epochs: int, rate: float) -> Callable[[tuple[int, ...]], float]:
        """Return a function of tokens to the metric of an architecture that was trained on from the shared weights."""
        config, supernet = self.run.config, self.evaluator.judge.supernet
        sgd = dataclasses.replace(config[SGD], learning_rate=rate)
        values = [variable.numpy() for variable in supernet.variables]
        runner = TunedRunner(self.run, Training(config[SHARED].batch_size, sgd), values)
        return lambda tokens: runner.train(np.array(tokens, np.int32), (num_epochs,)).value

    def scorer(self, batch_size: int) -> Callable[[tuple[int, ...]], tuple[float, float]]:
        """Return a function of tokens to the accuracy and the negative loss on the validation part."""
        run, supernet = self.run, self.evaluator.judge.supernet
        batches = mixed_batches(run.data.valid, batch_size)
        image = tf.TensorSpec([None, *run.data.image_shape], tf.uint8)
        signature = [image, tf.TensorSpec([None], tf.int32), tf.TensorSpec([run.space.num_tokens], tf.int32)]

        @tf.function(autograph=False, input_signature=signature)
        def measure(images, labels, tokens):
            logits, _ = supernet(images, tokens)
            size = tf.cast(tf.shape(labels)[0], tf.float32)
            return tf.stack([count_correct(labels, logits), -cross_entropy(labels, logits) * size])

        def score(tokens):
            total = sum(measure(*batch, tf.constant(tokens, tf.int32)).numpy() for batch in batches)
            accuracy, gain = (float(value) / len(run.data.valid) for value in total)
            return accuracy, gain

        return score


def describe(name: str, score: np.ndarray, children: list[Child]) -> str:
    """Return a row of the table."""
    test = np.array([np.nanmean(child.test) for child in children])
    worth = np.array([child.worth for child in children])
    valid = np.array([child.chosen_by for child in children])
    short = np.array([child.short.get(1, np.nan) for child in children])

    def place(nums, scores):
        found = best_by_stages(nums, scores, worth, seed=0, draws=_DRAWS)
        return np.mean([percentile_of(value, worth, is_higher_better=True) for value in found])

    row = f"{name}: tau {rank_agreement(score, test):.2f}, best tenth {precision_at_top(score, test):.2f}"
    row += f", best of {_CHOICE} at percentile {place([_CHOICE], [score]):.0f}"
    if np.isfinite(short).all():
        row += f", with finalists {place([_CHOICE, _FINALISTS, 1], [score, short, valid]):.0f}"
    return row


def sum_of_ranks(score: np.ndarray, other: list[float], weight: float) -> np.ndarray:
    """Return the ranks by the score plus `weight` of those by another number."""
    return scipy.stats.rankdata(score) + weight * scipy.stats.rankdata(other)


def main(argv: list[str]) -> None:
    """Train, score, and print a row for each score."""
    run = Run(read_config(), Path("."))
    children, num = read_truth(Path(flags.FLAGS.truth), run)
    children = children[:num]
    weights = Weights(run)
    weights.train()
    step, kept = run.config.option_values()["batch_size"], {}
    for words, batch_size in (("the last weights", step), (f"in batches of {_LARGE}", _LARGE), ("mean weights", step)):
        if words == "mean weights":
            weights.average()
        score = weights.scorer(batch_size)
        scores = np.array([score(child.tokens) for child in children])
        for place, name in enumerate(("accuracy", "loss")):
            print(describe(f"{words}, {name}", scores[:, place], children), flush=True)
            kept[f"{words}, {name}"] = scores[:, place]
        if words == "the last weights":
            kept |= _print_more(weights, scores[:, 0], children)
    if flags.FLAGS.scores:
        rows = [
            {"arc": child.arc} | {name: score[i] for name, score in kept.items()} for i, child in enumerate(children)
        ]
        Path(flags.FLAGS.scores).write_text(to_csv(rows))


def _print_more(weights: Weights, score: np.ndarray, children: list[Child]) -> dict[str, np.ndarray]:
    """Print the rows of the last weights that other things have a share in; return the scores that are new."""
    for name, others, weight in (
        ("FLOPs as a prior", [c.flops for c in children], _PRIOR),
        ("parameters as a prior", [c.parameters for c in children], _PRIOR),
        ("an epoch from scratch", [c.short.get(1, np.nan) for c in children], 1.0),
    ):
        print(describe(f"accuracy with {name}", sum_of_ranks(score, others, weight), children), flush=True)
    if not flags.FLAGS.tuned_epochs:
        return {}
    tune, name = weights.tuner(flags.FLAGS.tuned_epochs, flags.FLAGS.tuned_rate), "trained on from shared weights"
    tuned = np.array([tune(child.tokens) for child in children])
    print(describe(name, tuned, children), flush=True)
    return {name: tuned}


if __name__ == "__main__":
    flags.DEFINE_string("truth", "benchmarks/ground_truth/macro.csv", "a children.csv of trained architectures")
    flags.DEFINE_enum("sampling", "uniform", ["uniform", "balanced"], "how children are drawn for the shared weights")
    flags.DEFINE_integer("tuned_epochs", 0, "epochs that each architecture is trained on for, from shared weights")
    flags.DEFINE_string("scores", None, "CSV file for the scores of each architecture")
    flags.DEFINE_float("tuned_rate", 0.02, "the learning rate that this begins with")
    define_options()
    app.run(main)
