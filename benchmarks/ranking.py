"""How well shared weights rank architectures whose trainings are known; for spaces of images.

    python -m benchmarks.ranking --flagfile=benchmarks/ground_truth/macro.flags --data_dir=DIR --seed=0

Trains shared weights on uniform proposals. Then scores each architecture of the ground truth, which is the CSV beside
the flagfile, by its accuracy and its loss on the validation part, in batches of a step's size and in larger ones, and
by the mean of the weights of the last quarter of the epochs. Prints for each score Kendall's tau with the test metric,
how much of the best tenth it finds, and the mean percentile of what it chooses from half of the architectures, alone
and with finalists that were trained for an epoch.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

from enas_tf.experiments.run import Run
from enas_tf.experiments.statistics import best_by_stages, percentile_of, precision_at_top, rank_agreement
from enas_tf.experiments.study import Child, read_truth
from enas_tf.launch.flags import define_options, read_config
from enas_tf.search.config import SEARCH
from enas_tf.search.evaluators.shared import SharedWeightsEvaluator
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.tasks.classification_problems import mixed_batches
from enas_tf.tasks.losses import count_correct, cross_entropy

#: Images of a larger batch.
_LARGE = 500
#: Architectures that are chosen from, finalists among them, and repetitions.
_CHOICE, _FINALISTS, _DRAWS = 50, 12, 2000


class Weights:
    """The shared weights of a run, as they are trained, and their mean since a certain epoch."""

    def __init__(self, run: Run):
        self.run, self.evaluator = run, SharedWeightsEvaluator.build(run)
        self._searcher = RandomSearcher(run.space)
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
    valid = np.array([np.nanmean(child.valid) for child in children])
    short = np.array([child.short.get(1, np.nan) for child in children])

    def place(nums, scores):
        found = best_by_stages(nums, scores, test, seed=0, draws=_DRAWS)
        return np.mean([percentile_of(value, test, is_higher_better=True) for value in found])

    row = f"{name}: tau {rank_agreement(score, test):.2f}, best tenth {precision_at_top(score, test):.2f}"
    row += f", best of {_CHOICE} at percentile {place([_CHOICE], [score]):.0f}"
    if np.isfinite(short).all():
        row += f", with finalists {place([_CHOICE, _FINALISTS, 1], [score, short, valid]):.0f}"
    return row


def main(argv: list[str]) -> None:
    """Train, score, and print a row for each score."""
    run = Run(read_config(), Path("."))
    children, num = read_truth(Path(flags.FLAGS.truth), run)
    children = children[:num]
    weights = Weights(run)
    weights.train()
    step = run.config.option_values()["batch_size"]
    for words, batch_size in (("the last weights", step), (f"in batches of {_LARGE}", _LARGE), ("mean weights", step)):
        if words == "mean weights":
            weights.average()
        score = weights.scorer(batch_size)
        scores = np.array([score(child.tokens) for child in children])
        for place, name in enumerate(("accuracy", "loss")):
            print(describe(f"{words}, {name}", scores[:, place], children), flush=True)


if __name__ == "__main__":
    flags.DEFINE_string("truth", "benchmarks/ground_truth/macro.csv", "a children.csv of trained architectures")
    define_options()
    app.run(main)
