"""What children of a run cost: what limits and objectives are about."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.experiments.run import Run
from enas_tf.models.latency import LatencyTable, shortest
from enas_tf.ops.costs import Cost
from enas_tf.reading import read_json
from enas_tf.runtime import cluster
from enas_tf.runtime.devices import device_names
from enas_tf.runtime.files import write_json
from enas_tf.search.objective import OBJECTIVE, check_objective
from enas_tf.spaces.space import Architecture

#: Random children that the sums of latencies are compared with.
_NUM_COMPARED = 3


class ChildCosts:
    """What the retrained child of an architecture costs, by the names of `objective.COSTS`.

    Args:
      run: the run.
      is_new: whether what an earlier search has measured does not count.

    Raises:
      InputError: the run has an objective that its task cannot have.
    """

    def __init__(self, run: Run, is_new: bool = False):
        self._run, config = run, run.config[OBJECTIVE]
        check_objective(config, run.task.metric, run.task.is_higher_better)
        if config.needs_latency:
            _check_latency(run)
        self._latencies = Latencies(run, is_new) if config.needs_latency else None

    def __call__(self, architecture: Architecture) -> Mapping[str, float]:
        run = self._run
        cost = run.networks.count(architecture, run.config[run.networks.child], run.shape)
        found = {"parameters": float(cost.parameters), "flops": float(cost.flops)}
        return found if self._latencies is None else found | {"latency_ms": self._latencies.of(cost)}

    def save(self) -> None:
        """Write down what was measured, in a workdir that is there."""
        if self._latencies is not None:
            self._latencies.save()

    def summary(self) -> dict[str, str]:
        """Return the row about latencies for the first block of a search; none where they do not matter."""
        return {} if self._latencies is None else {"latency": self._latencies.in_words}


def _check_latency(run: Run) -> None:
    """Raise `InputError` where latencies cannot be measured."""
    if run.task.writes_text:
        raise InputError(
            f"the latency of a network is measured for images: leave out {ref('max_latency_ms')} and latency_ms in "
            f"{ref('objective')}, and use FLOPs instead."
        )
    if cluster.num_workers() > 1:
        raise InputError(
            f"the latency of a network is measured by one process, and this run has {cluster.num_workers()}: start "
            f"one, or use {ref('max_flops')} instead."
        )


class Latencies:
    """The latencies of a run's children: the table is measured once, and kept in latency.json of the workdir.

    So a run that resumes has the numbers that it began with, whatever else its machine does then.
    """

    def __init__(self, run: Run, is_new: bool):
        self._run, self._path = run, run.workdir.path / "latency.json"
        self._table, self._is_kept = LatencyTable(), False
        self._ratios: list[float] = []
        if not is_new and self._path.exists():
            self._read()

    def _read(self) -> None:
        cure = f"Start anew with {ref('overwrite')}."
        fields = {"device": (str,), "scale": (float,), "ratios": (list,), "parts": (dict,)}
        record = read_json(self._path, "the latencies that a search has measured", cure, fields)
        if record["device"] != device_names():
            raise InputError(
                f"{self._path} holds the latencies of another device ({record['device']}, and this one is "
                f"{device_names()}): expected the device that the search began on. {cure}"
            )
        self._table, self._ratios = LatencyTable(record["parts"], record["scale"]), record["ratios"]

    def of(self, cost: Cost) -> float:
        """Return the estimate of a child's latency in milliseconds; measure what is not known yet."""
        if self._table.scale is None:
            self._calibrate()
        if cost.flops_of_pieces != cost.flops:
            raise InputError(
                "the latency of a network is the sum of its parts, and an operation of your own names none: expected "
                "its `count` to return `Cost.convolution`, `separable`, `pooling` or `dense`, or their sum."
            )
        num = len(self._table.known)
        latency = self._table.latency(cost)
        if self._is_kept and len(self._table.known) > num:
            self.save()
        return latency

    def _calibrate(self) -> None:
        run = self._run
        config, rng = run.config[run.networks.child], np.random.default_rng([run.seed, 53])
        networks = []
        for tokens in run.space.random_tokens(_NUM_COMPARED, rng):
            architecture = run.space.decode(tokens)
            child = run.networks.build_child(architecture, config, run.shape)
            networks.append((run.networks.count(architecture, config, run.shape), caller(child)))
        self._ratios = self._table.calibrate(networks)

    @property
    def in_words(self) -> str:
        if not self._ratios:
            return "not measured yet"
        low, high = min(self._ratios), max(self._ratios)
        return (
            f"the sum of a network's parts, measured on this device, times {self._table.scale:.2f} "
            f"({len(self._ratios)} random children take {low:.2f} to {high:.2f} of theirs)"
        )

    def save(self) -> None:
        """Write the table, and from now on whatever is measured: the workdir is the run's."""
        self._is_kept = True
        if self._table.scale is not None:
            parts = dict(sorted(self._table.known.items()))
            record = {"device": device_names(), "scale": self._table.scale, "ratios": self._ratios, "parts": parts}
            write_json(self._path, record)


def caller(child: keras.Model):
    """Return a function that computes a child once, for one image alone in its batch."""
    compute = tf.function(lambda x: child(x, training=False), autograph=False)
    inputs = tf.zeros([1, *child.input_shape[1:]], child.inputs[0].dtype)
    return lambda: compute(inputs)


def measure_latency(child: keras.Model) -> float:
    """Return the milliseconds that a child takes for one image on this device."""
    return shortest(caller(child))
