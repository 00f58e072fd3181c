"""Agreement between the processes of a run on several machines. A single process is the usual case.

All processes have to call these functions in the same order; otherwise they wait for each other forever.
"""

import functools

import tensorflow as tf

from enas_tf.layers.collectives import replica_id
from enas_tf.runtime.chief import is_chief, set_chief


class _Cluster:
    """The cluster that this process belongs to, if any."""

    strategy: tf.distribute.MultiWorkerMirroredStrategy | None = None


def join(strategy: tf.distribute.MultiWorkerMirroredStrategy) -> None:
    """Make this process one of the processes of `strategy`, and wait for the others."""
    _Cluster.strategy = strategy
    set_chief(strategy.cluster_resolver.task_id == 0)
    barrier()


def num_workers() -> int:
    """Return the number of processes of the run."""
    return len(_Cluster.strategy.cluster_resolver.cluster_spec().as_dict()["worker"]) if _Cluster.strategy else 1


def agree(value: tf.Tensor) -> tf.Tensor:
    """Return the chief's `value` in every process: numbers of any shape that is the same in all processes."""
    if _Cluster.strategy is None:
        return value
    return _sum_function()(value if is_chief() else tf.zeros_like(value))


def is_any(flag: bool) -> bool:
    """Return whether `flag` is true in any process."""
    if _Cluster.strategy is None:
        return flag
    return int(_sum_function()(tf.constant(int(flag)))) > 0


def barrier() -> None:
    """Wait until all processes have called this function."""
    is_any(False)


@functools.cache
def _sum_function():
    """Return a traced function of a tensor to its sum over processes, one replica of each process taking part."""
    strategy = _Cluster.strategy

    def add_in_replica(value):
        context = tf.distribute.get_replica_context()
        is_first = replica_id() % len(strategy.extended.worker_devices) == 0
        # The identity is placed on the replica's device; an argument need not be there.
        mine = tf.identity(value if is_first else tf.zeros_like(value))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

    @tf.function(autograph=False, reduce_retracing=True)
    def add(value):
        return strategy.experimental_local_results(strategy.run(add_in_replica, args=(value,)))[0]

    return add
