"""Operations of layers across the replicas of a step: random rows and statistics of the global batch.

With one replica they compute the same as without tf.distribute.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator

import tensorflow as tf

#: Replica -> the numbers of its collective operations. All replicas trace these in the same order, and operations with
#: equal numbers exchange their tensors. After an error during a trace the numbers differ, so the process has to end.
_numbers: defaultdict[int, Iterator[int]] = defaultdict(lambda: itertools.count(1))
#: The key of the group of all replicas is above those of tf.distribute, which counts from 1.
_GROUP = 7_000
#: An operation fails, and does not hang, if another replica does not reach it within this time.
_TIMEOUT_SECONDS = 600.0


class _Synchronization:
    is_on = False


def count_replicas() -> int:
    """Return the number of replicas of the step that is being traced; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def replica_id() -> int:
    """Return the index of the replica that is being traced, counted over all processes."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return int(tf.get_static_value(number)) if tf.is_tensor(number) else int(number)


def draw_rows(draw: Callable[[tf.Tensor], tf.Tensor], num_rows: tf.Tensor) -> tf.Tensor:
    """Return this replica's `num_rows` rows of `draw(number of rows of the global batch)`.

    The rows of all replicas together are those that a single device would draw. All replicas have `num_rows` rows.
    """
    num = count_replicas()
    if num == 1:
        return draw(num_rows)
    begin = replica_id() * num_rows
    return draw(num * num_rows)[begin : begin + num_rows]


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Apply dropout to `x` [batch, ...] as a function of `seed` (int32 [2]) and a row's place in the global batch."""
    if count_replicas() == 1:
        return tf.nn.experimental.stateless_dropout(x, rate, seed)

    def draw(num_rows):
        shape = tf.concat([[num_rows], tf.shape(x)[1:]], axis=0)
        return tf.nn.experimental.stateless_dropout(tf.ones(shape, x.dtype), rate, seed)

    return x * draw_rows(draw, tf.shape(x)[0])


@contextlib.contextmanager
def synchronized_statistics(is_on: bool = True) -> Iterator[None]:
    """Let whatever is traced within the block take batch statistics over all replicas."""
    before, _Synchronization.is_on = _Synchronization.is_on, is_on
    try:
        yield
    finally:
        _Synchronization.is_on = before


def is_synchronized() -> bool:
    """Return whether batch statistics are taken over several replicas here."""
    return _Synchronization.is_on and count_replicas() > 1


def parallel_iterations() -> int:
    """Return the argument `parallel_iterations` of a `tf.while_loop` that contains batch statistics.

    The first call of a collective operation looks up its group, and a second call fails while that takes place.
    """
    return 1 if is_synchronized() else 10


def mean_over_replicas(x: tf.Tensor) -> tf.Tensor:
    """Return the mean of `x` over replicas. Unlike that of tf.distribute it may stand in loops and branches.

    All replicas have to reach it, the loop or branch has to be in a graph of its own (`own_graph`), and a loop has to
    run its iterations one after another (`parallel_iterations`). It is differentiable.
    """
    num, number = count_replicas(), 2 * next(_numbers[replica_id()])

    @tf.custom_gradient
    def mean(x):
        return _sum(x, num, number) / num, lambda dy: _sum(dy, num, number + 1) / num

    return mean(x)


def _sum(x: tf.Tensor, num: int, number: int) -> tf.Tensor:
    """Return the sum of `x` over `num` replicas by the collective operation `number`."""
    return tf.raw_ops.CollectiveReduce(
        input=x,
        group_size=num,
        group_key=_GROUP + num,
        instance_key=number,
        merge_op="Add",
        final_op="Id",
        subdiv_offsets=[0],
        timeout_seconds=_TIMEOUT_SECONDS,
    )


def own_graph(function: Callable, **options) -> Callable:
    """Return `function` in a graph that is not merged into its caller's; `options` are those of `tf.function`.

    A collective operation in a loop finds its counterparts by the name of the loop. Names are equal in the graphs of
    two replicas, but not after both graphs have been merged into one.
    """
    return tf.function(function, autograph=False, experimental_attributes={"_noinline": True}, **options)
