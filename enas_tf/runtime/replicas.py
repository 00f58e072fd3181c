"""The replicas of a run: each takes its rows of a batch, and all end a step with the same weights."""

import itertools
from collections.abc import Callable, Iterable

import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.layers.collectives import own_graph, replica_id, synchronized_statistics
from enas_tf.training.optimizers import LossScale

#: Keras policies that networks may be trained in.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


class Replicas:
    """The devices that share the steps of a run, and how they take them.

    Args:
      strategy: of tf.distribute; one device without it.
      is_synchronized: whether batch statistics in training are those of all replicas.
      precision: the Keras policy of what is trained.
      steps_per_loop: steps that the host asks for at once.
      jit_compile: whether XLA compiles the gradients of a child.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        is_synchronized: bool = False,
        precision: str = "float32",
        steps_per_loop: int = 1,
        jit_compile: bool = False,
    ):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.is_synchronized, self.precision = is_synchronized, precision
        self.steps_per_loop, self.jit_compile = steps_per_loop, jit_compile
        self._loop: tuple[Callable | None, Callable | None] = (None, None)

    @property
    def num(self) -> int:
        return self.strategy.num_replicas_in_sync

    def check_divides(self, flag: str, size: int) -> None:
        """Raises `InputError` unless a batch of `size` splits evenly over the replicas."""
        if size % self.num:
            raise InputError(
                f"--{flag}={size} does not split over {self.num} replicas: expected a multiple of {self.num}."
            )

    def build_loss_scale(self) -> LossScale | None:
        """What gradients need to stay within the numbers of --precision; bfloat16 has float32's range."""
        return LossScale() if self.precision == "mixed_float16" else None

    def take_steps(self, step: Callable, inputs: Iterable[tuple], advance: Callable[[int], None]) -> None:
        """Calls `step`, an `own_graph`, with each of `inputs`, tuples of tensors; `advance(n)` after every n of them.

        n is `steps_per_loop`, the last few steps aside: one call of the runtime, which the host waits for once.
        """
        inputs = iter(inputs)
        while group := list(itertools.islice(inputs, self.steps_per_loop)):
            if len(group) == self.steps_per_loop > 1:
                self._loop_of(step)(group)
                advance(len(group))
            else:
                for arguments in group:
                    step(*arguments)
                    advance(1)

    def _loop_of(self, step: Callable) -> Callable:
        """A function that takes `step` with each of a list of inputs. A step is one call in it, traced once."""
        if self._loop[0] is not step:

            def take(group):
                for arguments in group:
                    step(*arguments)

            # One is kept, so that what an earlier stage trained can be forgotten.
            self._loop = step, tf.function(take, autograph=False, reduce_retracing=True)
        return self._loop[1]

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
