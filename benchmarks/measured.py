"""A run of a workload, its steps on one batch, and how times are taken. Everything is built as a run builds it."""

import dataclasses
import math
import resource
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from enas_tf.data.augmentation import AUGMENTATION
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.run import Run
from enas_tf.experiments.search_stage import SearchStage
from enas_tf.runtime.replicas import Replicas
from enas_tf.search.evaluators.shared import SHARED
from enas_tf.tasks.language_problems import RETRAIN_WINDOW, WINDOW
from enas_tf.tasks.losses import cross_entropy
from enas_tf.training.child import RETRAIN, ChildTrainer
from enas_tf.training.optimizers import RETRAIN_SGD, SGD

#: Seconds for which each call of a comparison is repeated, about.
_SECONDS = 4.0


def as_searched(config: RunOptions) -> RunOptions:
    """Return the configuration whose child is retrained just as shared weights are trained, at the searched size."""
    networks = config.networks
    network = config[networks.network]
    child = networks.as_child(network)
    shared = {f.name for f in dataclasses.fields(child)} & {"dropout"}
    child = dataclasses.replace(child, **{name: getattr(network, name) for name in shared})
    retrain = dataclasses.replace(config[RETRAIN], batch_size=config[SHARED].batch_size, epochs=1)
    return config.replace(
        {
            networks.child: child,
            RETRAIN: retrain,
            RETRAIN_SGD: config[SGD],
            RETRAIN_WINDOW: config[WINDOW],
            AUGMENTATION: dataclasses.replace(config[AUGMENTATION], cutout_size=0),
        }
    )


class Measured:
    """A run of a workload, and its steps on one batch.

    Attributes:
      step: the training step of the supernet; its `traced` takes what `step_inputs` returns.
      unit_count: images or tokens of a step.
    """

    def __init__(self, run: Run):
        self.run = run
        self.stage = SearchStage(run)
        self.evaluator, self.searcher = self.stage.evaluator, self.stage.searcher
        self.evaluator.start(0)
        self.problem, self.step = self.evaluator.problem, self.evaluator.step
        self.batch = next(self.problem.stream.batches(0, 0, 0))
        self.is_text = self.step.state is not None
        self.unit_count = int(tf.size(self.batch[0])) if self.is_text else len(self.batch[0])
        self.seed = tf.constant([1, 2])

    @property
    def supernet(self):
        """The supernet that is measured."""
        return self.problem.supernet

    def step_inputs(self, tokens) -> tuple:
        """Return the arguments of the supernet's training step for one proposal."""
        return (*self.batch, tf.constant(tokens)[None], self.seed)

    def proposals(self, num: int) -> np.ndarray:
        """Return `num` random proposals, the same for every run."""
        return self.run.space.random_tokens(num, np.random.default_rng(0))

    def build_trainer(self, tokens, for_training: bool = True) -> ChildTrainer:
        """Build what trains the child of `tokens` as shared weights are trained.

        With `for_training` false, the child is made of stock layers.
        """
        run, config = self.run, as_searched(self.run.config)
        networks, precision = run.networks, config.run.precision
        child_config, architecture = config[networks.child], run.space.decode(tokens)
        child = networks.build_child(architecture, child_config, run.shape, precision, for_training)
        trainee = networks.build_trainee(child, architecture, child_config, run.shape)
        problem = run.task.child_problem(config, trainee, run.data, config[RETRAIN].batch_size)
        replicas = Replicas(precision=precision)
        return ChildTrainer(problem, None, config[RETRAIN], config[RETRAIN_SGD], replicas, run.seed)

    def child_inputs(self) -> tuple:
        """Return the arguments of a child's training step."""
        return (*self.batch, self.seed)

    def child_flops(self, tokens) -> int:
        """Return the FLOPs of the child's forward pass on the batch."""
        run = self.run
        child = run.networks.as_child(run.config[run.networks.network])
        return run.networks.count(run.space.decode(tokens), child, run.shape).flops * self.unit_count

    def median_child(self, num: int) -> np.ndarray:
        """Return the one of `num` proposals whose child has the median cost."""
        return sorted(self.proposals(num), key=self.child_flops)[num // 2]

    def compile_forward(self, child) -> Callable:
        """Return the child's forward pass and its loss as a reward has them: batch statistics, no dropout."""
        inputs, targets = self.batch
        if self.is_text:
            state = tf.zeros(self.step.state.shape)
            return tf.function(lambda: cross_entropy(targets, child([inputs, state])[0]), autograph=False)
        return tf.function(lambda: cross_entropy(targets, child(inputs, training=True)), autograph=False)


def gib(num_bytes: int | None) -> float | None:
    """Return bytes as GiB."""
    return None if num_bytes is None else num_bytes / 2**30


def peak_gib() -> float:
    """Return the peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def count_parameters(layer) -> int:
    """Return the number of trainable weights."""
    return sum(math.prod(variable.shape) for variable in layer.trainable_variables)


def count_nodes(graph: tf.Graph) -> int:
    """Return the nodes of a graph and of all functions in its library."""
    definition = graph.as_graph_def()
    return len(definition.node) + sum(len(function.node_def) for function in definition.library.function)


def seconds_of(call: Callable) -> float:
    """Return the seconds of one call, its results included."""
    begin = time.perf_counter()
    result = call()
    for tensor in tf.nest.flatten(result):
        if tf.is_tensor(tensor):
            tensor.numpy()
    return time.perf_counter() - begin


def take_turns(calls: dict[str, Callable]) -> dict[str, float]:
    """Return the seconds of the fastest of some calls of each: 15, or fewer, down to 3, of what takes long.

    They take turns, so that a machine whose speed drifts favours none. The first call of each, which may trace, is not
    among them.
    """
    for call in calls.values():
        call()
    seconds = {name: [seconds_of(call)] for name, call in calls.items()}
    slowest = max(times[0] for times in seconds.values())
    for _ in range(min(14, max(2, int(_SECONDS / slowest)))):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call))
    return {name: min(times) for name, times in seconds.items()}
