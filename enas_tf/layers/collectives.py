"""What layers do across the replicas of a step: random rows of a global batch, and statistics of all of it.

With one replica both are what they are without tf.distribute.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator

import tensorflow as tf

#: Replica -> the numbers of its collective operations. They are traced in the same order on all, and meet by number.
#: After an error while a step is traced they do not any more: a process whose trace has failed has to end.
_numbers: defaultdict[int, Iterator[int]] = defaultdict(lambda: itertools.count(1))
#: Names the group of all replicas; tf.distribute counts its own groups up from 1.
_GROUP = 7_000
#: A replica that does not come is an error after this time, not a hang.
_TIMEOUT_SECONDS = 600.0


class _Synchronization:
    is_on = False


def count_replicas() -> int:
    """Replicas of the step that is being traced; 1 outside of one."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def replica_id() -> int:
    """The number of the replica that is being traced, over all processes."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return int(tf.get_static_value(number)) if tf.is_tensor(number) else int(number)


def draw_rows(draw: Callable[[tf.Tensor], tf.Tensor], num_rows: tf.Tensor) -> tf.Tensor:
    """This replica's `num_rows` rows of `draw(rows of the global batch)`: together they are what one device would draw.

    Every replica has as many rows as the others.
    """
    num = count_replicas()
    if num == 1:
        return draw(num_rows)
    begin = replica_id() * num_rows
    return draw(num * num_rows)[begin : begin + num_rows]


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Dropout of `x` [batch, ...], a function of `seed` (int32 [2]) and of the row's place in the global batch."""
    if count_replicas() == 1:
        return tf.nn.experimental.stateless_dropout(x, rate, seed)

    def draw(num_rows):
        shape = tf.concat([[num_rows], tf.shape(x)[1:]], axis=0)
        return tf.nn.experimental.stateless_dropout(tf.ones(shape, x.dtype), rate, seed)

    return x * draw_rows(draw, tf.shape(x)[0])


@contextlib.contextmanager
def synchronized_statistics(is_on: bool = True) -> Iterator[None]:
    """What is traced within takes batch statistics over all replicas."""
    before, _Synchronization.is_on = _Synchronization.is_on, is_on
    try:
        yield
    finally:
        _Synchronization.is_on = before


def is_synchronized() -> bool:
    """Whether batch statistics are those of all replicas here."""
    return _Synchronization.is_on and count_replicas() > 1


def parallel_iterations() -> int:
    """What a `tf.while_loop` with batch statistics in it takes of that name.

    A collective operation finds its group on its first call, and fails if a second call of it comes meanwhile.
    """
    return 1 if is_synchronized() else 10


def mean_over_replicas(x: tf.Tensor) -> tf.Tensor:
    """The mean of every replica's `x`, with its gradient; unlike tf.distribute's it may stand in loops and branches.

    All replicas have to come by, the loop or branch has to be in a graph of its own (`own_graph`), and a loop has to
    take one iteration after another (`parallel_iterations`).
    """
    num, number = count_replicas(), 2 * next(_numbers[replica_id()])

    @tf.custom_gradient
    def mean(x):
        return _sum(x, num, number) / num, lambda dy: _sum(dy, num, number + 1) / num

    return mean(x)


def _sum(x: tf.Tensor, num: int, number: int) -> tf.Tensor:
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
    """`function` in a graph that is not merged into the one that calls it; `options` are those of `tf.function`.

    Collective operations in a loop meet by the name of the loop, and names are the same in the graphs of two replicas,
    but not where both are one graph.
    """
    return tf.function(function, autograph=False, experimental_attributes={"_noinline": True}, **options)
