"""The processes of a run on several machines: what they agree on, and who writes. One process is the usual case.

Every process calls these functions in the same order, or all wait for each other.
"""

import functools

import tensorflow as tf

from enas_tf.layers.collectives import replica_id
from enas_tf.runtime.chief import is_chief, set_chief


class _Cluster:
    """A process belongs to one cluster, or to none."""

    strategy: tf.distribute.MultiWorkerMirroredStrategy | None = None


def join(strategy: tf.distribute.MultiWorkerMirroredStrategy) -> None:
    """Makes this process one of those of `strategy`, and waits for the others."""
    _Cluster.strategy = strategy
    set_chief(strategy.cluster_resolver.task_id == 0)
    barrier()


def num_workers() -> int:
    """Processes of the run."""
    return len(_Cluster.strategy.cluster_resolver.cluster_spec().as_dict()["worker"]) if _Cluster.strategy else 1


def agree(value: tf.Tensor) -> tf.Tensor:
    """The chief's `value` (a number of any shape, the same on all), in every process."""
    if _Cluster.strategy is None:
        return value
    return _sum_function()(value if is_chief() else tf.zeros_like(value))


def is_any(flag: bool) -> bool:
    """Whether `flag` is set in any process."""
    if _Cluster.strategy is None:
        return flag
    return int(_sum_function()(tf.constant(int(flag)))) > 0


def barrier() -> None:
    """Waits until all processes are here."""
    is_any(False)


@functools.cache
def _sum_function():
    """A traced function of a tensor to the sum over processes; the first replica of each brings it."""
    strategy = _Cluster.strategy

    def bring(value):
        context = tf.distribute.get_replica_context()
        is_first = replica_id() % len(strategy.extended.worker_devices) == 0
        # The identity stands on the replica's device, where an argument need not.
        mine = tf.identity(value if is_first else tf.zeros_like(value))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

    @tf.function(autograph=False, reduce_retracing=True)
    def add(value):
        return strategy.experimental_local_results(strategy.run(bring, args=(value,)))[0]

    return add
