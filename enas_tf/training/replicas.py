"""The replicas of a run: each takes its rows of a batch, and all end a step with the same weights."""

from collections.abc import Callable, Iterable

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.layers.replicas import own_graph, replica_id, synchronized_statistics


class Replicas:
    """The devices that share the steps of a run.

    Args:
      strategy: of tf.distribute; one device without it.
      is_synchronized: whether batch statistics in training are those of all replicas.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, is_synchronized: bool = False):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.is_synchronized = is_synchronized

    @property
    def num(self) -> int:
        return self.strategy.num_replicas_in_sync

    def check_divides(self, flag: str, size: int) -> None:
        """Raises `InputError` unless a batch of `size` splits evenly over the replicas."""
        if size % self.num:
            raise InputError(
                f"--{flag}={size} does not split over {self.num} replicas: expected a multiple of {self.num}."
            )

    def run(self, step: Callable, batch: list[tf.Tensor], *shared) -> list:
        """`step(rows of batch, *shared)` on every replica, in replica context; the results, one per replica.

        Each replica has its part of the rows of every tensor of `batch`. Call it while a tf.function is traced.
        """
        if self.num == 1:
            return [step(batch, *shared)]
        with tf.device("/CPU:0"):
            parts = list(zip(*(tf.split(tensor, self.num) for tensor in batch), strict=True))

        run = self.strategy.run(lambda: step(list(parts[replica_id()]), *shared))
        return list(self.strategy.experimental_local_results(run))

    def differentiate(self, forward: Callable, *arguments):
        """`forward(*arguments)` in replica context, with statistics of all replicas where they are asked for."""
        if not (self.is_synchronized and self.num > 1):
            return forward(*arguments)
        with synchronized_statistics():
            return own_graph(forward)(*arguments)

    def compile_map(self, function: Callable, signature: list[tf.TensorSpec]) -> Callable:
        """A function of a list of items to the list of `function(*item)`: each replica computes one item at a time.

        An item is a tuple of tensors of `signature`, a result a tensor. Weights are the replica's own copy, and batch
        statistics those of the item. One trace serves all items. Call it eagerly.
        """

        @tf.function(autograph=False, input_signature=[[tuple(signature)] * self.num])
        def compute_round(items):
            if self.num == 1:
                return [function(*items[0])]
            run = self.strategy.run(lambda: gather_rows(function(*items[replica_id()])[None]))
            return tf.unstack(self.strategy.experimental_local_results(run)[0], self.num)

        def compute(items: Iterable[tuple]) -> list[tf.Tensor]:
            results, items = [], list(items)
            for begin in range(0, len(items), self.num):
                part = items[begin : begin + self.num]
                # Every replica computes something; what is one too many is the last once more.
                results += compute_round(part + [part[-1]] * (self.num - len(part)))[: len(part)]
            return results

        return compute


def gather_rows(rows: tf.Tensor) -> tf.Tensor:
    """The rows [n, ...] of all replicas one after another, [replicas n, ...]; called by each in replica context."""
    context = tf.distribute.get_replica_context()
    return rows if context.num_replicas_in_sync == 1 else context.all_gather(rows, axis=0)
