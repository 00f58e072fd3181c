"""The replicas of a run: each computes its rows of a batch, and all have the same weights after a step."""

import itertools
from collections.abc import Callable, Iterable

import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.layers.collectives import own_graph, replica_id, synchronized_statistics

#: Keras policies that networks may be trained in.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


class Replicas:
    """The devices that share the steps of a run, and how these are compiled.

    Args:
      strategy: a strategy of tf.distribute; one device without it.
      is_synchronized: whether batch statistics in training are those of all replicas.
      precision: the Keras policy of networks in training.
      steps_per_loop: the number of steps that are started at once.
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
        """The number of replicas."""
        return self.strategy.num_replicas_in_sync

    def check_divides(self, option: str, size: int) -> None:
        """Raise `InputError` unless `size`, the value of `option`, splits evenly over the replicas."""
        if size % self.num:
            raise InputError(
                f"{ref(option)}={size} does not split over {self.num} replicas: expected a multiple of {self.num}."
            )

    def compile_step(self, function: Callable, signature: list[tf.TensorSpec] | None = None) -> Callable:
        """Return `function`, a whole step that calls `run`, as a traced function for `take_steps`.

        Without a `signature` its arguments have the same shapes in every step. One trace then serves all steps.
        """
        options = {"reduce_retracing": True} if signature is None else {"input_signature": signature}
        return own_graph(function, **options)

    def take_steps(self, step: Callable, inputs: Iterable[tuple], advance: Callable[[int], None]) -> None:
        """Call `step`, a compiled one, with each of `inputs`, tuples of tensors.

        `advance(n)` is called after every n steps. n is `steps_per_loop`, but 1 for the last few steps: n steps are
        one call of the runtime, and the host waits for it once.
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
        """Return a function that calls `step` with each of a list of inputs. The step itself is traced once."""
        if self._loop[0] is not step:

            def take(group):
                for arguments in group:
                    step(*arguments)

            # Only one is kept, so that the memory of what an earlier stage trained can be freed.
            self._loop = step, tf.function(take, autograph=False, reduce_retracing=True)
        return self._loop[1]

    def run(self, step: Callable, batch: list[tf.Tensor], *shared) -> list:
        """Call `step(rows of batch, *shared)` on every replica, in replica context; return the results, one of each.

        Each replica gets its part of the rows of every tensor of `batch`. Call it while a tf.function is traced.
        """
        if self.num == 1:
            return [step(batch, *shared)]
        with tf.device("/CPU:0"):
            parts = list(zip(*(tf.split(tensor, self.num) for tensor in batch), strict=True))

        run = self.strategy.run(lambda: step(list(parts[replica_id()]), *shared))
        return list(self.strategy.experimental_local_results(run))

    def differentiate(self, forward: Callable, *arguments):
        """Call `forward(*arguments)` in replica context, with batch statistics of all replicas if asked for."""
        if not (self.is_synchronized and self.num > 1):
            return forward(*arguments)
        with synchronized_statistics():
            return own_graph(forward)(*arguments)

    def compile_map(self, function: Callable, signature: list[tf.TensorSpec]) -> Callable:
        """Return a function of a list of items to the list of `function(*item)`; replicas share the items.

        Each replica computes one item at a time, with its own copy of the weights and the batch statistics of the item.
        An item is a tuple of tensors of `signature`, a result is a tensor. One trace serves all items. Call the
        function eagerly.
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
                # Every replica computes something: where items are missing, the last one again.
                results += compute_round(part + [part[-1]] * (self.num - len(part)))[: len(part)]
            return results

        return compute


def gather_rows(rows: tf.Tensor) -> tf.Tensor:
    """Return the rows [n, ...] of all replicas, [replicas n, ...]; each of them calls it in replica context."""
    context = tf.distribute.get_replica_context()
    return rows if context.num_replicas_in_sync == 1 else context.all_gather(rows, axis=0)
