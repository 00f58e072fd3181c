"""One part of the measurements of one workload, in a process of its own.

    python -m benchmarks.worker PART WORKLOAD BEGUN [FLAGS]

The parts: start (from the start of the process, at the time BEGUN, to the first step; and memory), child (its memory),
steps, counts, trace, kernels (a profile), precision, loops, and size (for `benchmarks.scale`). FLAGS come after the
workload's. It prints a JSON object. Everything is built as a launcher builds it.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import contextlib
import dataclasses
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks import workloads
from benchmarks.executed import peak_of_tensors, profile, trace_kernels
from benchmarks.workloads import Workload
from enas_tf.data.text_batches import training_windows
from enas_tf.experiments.config import Config, define_flags, read_config
from enas_tf.experiments.run import Run
from enas_tf.experiments.search_stage import SearchStage, count_bytes, count_parameters
from enas_tf.runtime.checkpoints import Position
from enas_tf.runtime.replicas import PRECISIONS, Replicas
from enas_tf.runtime.seeds import seed_for
from enas_tf.runtime.signals import stepping
from enas_tf.search.loop import _Loop
from enas_tf.tasks.classification import cross_entropy

#: Proposals of a measured update of the controller, and architectures whose steps are compared.
_NUM_PROPOSALS, _NUM_ARCHITECTURES = 8, 8
#: Architectures whose steps are compared among precisions, or loops.
_NUM_COMPARED = 3
#: About how long each call of a comparison is repeated.
_SECONDS = 4.0


def as_searched(config: Config) -> Config:
    """The configuration whose child is retrained just as shared weights are trained, at the searched size."""
    child = dataclasses.replace(config.network.as_child(), dropout=config.network.dropout)
    retrain = dataclasses.replace(config.retrain, retrain_batch_size=config.shared.batch_size, retrain_epochs=1)
    return dataclasses.replace(
        config,
        child=child,
        retrain_language=config.language,
        retrain=retrain,
        retrain_sgd=config.sgd,
        retrain_window=config.window,
        augmentation=dataclasses.replace(config.augmentation, cutout_size=0),
    )


class Measured:
    """A run of a workload, and its steps on one batch.

    Attributes:
      unit_count: images or tokens of a step.
    """

    def __init__(self, run: Run):
        self.run = run
        self.is_text = run.config.run.space == "recurrent"
        self.stage = SearchStage.build(run)
        self.evaluator, self.searcher = self.stage.evaluator, self.stage.searcher
        self.evaluator.start(0)
        if self.is_text:
            window = run.config.window
            batch = next(training_windows(self.evaluator.train, window.bptt, 0, 0, is_random=False))
            self.batch = tuple(map(tf.constant, batch))
            self.unit_count = int(tf.size(self.batch[0]))
        else:
            self.batch = next(self.evaluator._training)
            self.unit_count = len(self.batch[1])
        self.seed = tf.constant([1, 2])

    def step_inputs(self, tokens) -> tuple:
        """Arguments of the evaluator's training step for one proposal."""
        tokens = tf.constant(tokens)
        return (*self.batch, tokens if self.is_text else tokens[None], self.seed)

    def proposals(self, num: int) -> np.ndarray:
        return self.run.space.random_tokens(num, np.random.default_rng(0))

    def build_trainer(self, tokens, for_training: bool = True):
        """What trains the child of `tokens` as shared weights are trained; of stock layers if not `for_training`."""
        run, config, family = self.run, as_searched(self.run.config), self.run.family
        architecture, child_config = run.space.decode(tokens), run.task.child(config)
        precision = config.run.precision
        child = family.build_child(architecture, child_config, run.shape, dtype=precision, for_training=for_training)
        trainee = family.trainee(child, architecture, child_config, run.shape)
        return run.task.trainer(config, trainee, run.data, Replicas(precision=precision))

    def child_inputs(self) -> tuple:
        return (*self.batch, self.seed) if self.is_text else self.batch

    def child_flops(self, tokens) -> int:
        """Of the child's forward pass on the batch."""
        run = self.run
        cost = run.family.count(run.space.decode(tokens), run.task.searched_child(run.config), run.shape)
        return cost.flops * self.unit_count

    def compile_forward(self, child) -> Callable:
        """The child's forward pass and its loss, as a reward has them: with batch statistics, without dropout."""
        if self.is_text:
            state = tf.zeros([len(self.batch[0]), self.run.config.language.units])
            ids, targets = self.batch
            return tf.function(lambda: cross_entropy(targets, child([ids, state])[0]), autograph=False)
        images, labels = self.batch
        return tf.function(lambda: cross_entropy(labels, child(images, training=True)), autograph=False)


def gib(num_bytes: int | None) -> float | None:
    return None if num_bytes is None else num_bytes / 2**30


def peak_gib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def seconds_of(call: Callable) -> float:
    begin = time.perf_counter()
    result = call()
    for tensor in tf.nest.flatten(result):
        if tf.is_tensor(tensor):
            tensor.numpy()
    return time.perf_counter() - begin


def take_turns(calls: dict[str, Callable]) -> dict[str, float]:
    """Seconds of the fastest of some calls of each: 15, or fewer, down to 3, of what takes long.

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


def measure_start(run: Run, begun: float) -> dict:
    """Seconds of each part up to the end of the first training step, and the memory of two steps."""
    marks = {"import": time.time()}
    _ = run.data
    marks["data"] = time.time()
    base = peak_gib()
    measured = Measured(run)
    marks["build"] = time.time()
    steps = measured.evaluator.steps_per_epoch
    measured.searcher.propose(tf.constant(steps), seed_for(0, "shared_proposals", 0))
    marks["propose"] = time.time()
    inputs = measured.step_inputs(median_child(measured))  # Whose memory the part `child` tells.
    measured.evaluator._train_step.get_concrete_function(*inputs)
    marks["trace"] = time.time()
    measured.evaluator._train_step(*inputs)
    marks["first step"] = time.time()
    measured.evaluator._train_step(*inputs)
    peak, step = peak_gib(), peak_of_tensors(lambda: measured.evaluator._train_step(*inputs))
    variables = measured.evaluator.supernet.variables
    result = {}
    for name, mark in marks.items():
        result[name], begun = mark - begun, mark
    total = sum(result.values())
    memory = {"base_gib": base, "peak_gib": peak, "bank_gib": gib(count_bytes(variables)), "tensors_gib": gib(step)}
    return {"seconds": result | {"total": total}, **memory}


def measure_child(run: Run) -> dict:
    """The memory of two training steps of a child of typical cost."""
    _ = run.data
    base, measured = peak_gib(), Measured(run)
    trainer = measured.build_trainer(median_child(measured))
    for _ in range(2):
        trainer._train_step(*measured.child_inputs())
    peak, step = peak_gib(), peak_of_tensors(lambda: trainer._train_step(*measured.child_inputs()))
    return {"base_gib": base, "peak_gib": peak, "tensors_gib": gib(step)}


def median_child(measured: Measured) -> np.ndarray:
    proposals = measured.proposals(_NUM_ARCHITECTURES)
    return sorted(proposals, key=measured.child_flops)[_NUM_ARCHITECTURES // 2]


def measure_steps(run: Run, num: int = _NUM_ARCHITECTURES) -> dict:
    measured = Measured(run)
    proposals, totals, rows = measured.proposals(num), {}, []
    for tokens in proposals:
        trainer, stock = measured.build_trainer(tokens), measured.build_trainer(tokens, for_training=False)
        inputs, reward = measured.step_inputs(tokens), tf.constant(tokens)[None]
        calls = {
            "supernet": lambda inputs=inputs: measured.evaluator._train_step(*inputs),
            "child": lambda trainer=trainer: trainer._train_step(*measured.child_inputs()),
            "stock": lambda stock=stock: stock._train_step(*measured.child_inputs()),
            "reward": lambda reward=reward: measured.evaluator.evaluate(reward),
            "forward": measured.compile_forward(stock.trainee.child),
        }
        seconds = take_turns(calls)
        rows.append(seconds)
        totals = {name: totals.get(name, 0.0) + value for name, value in seconds.items()}
    flops = 3 * sum(map(measured.child_flops, proposals))
    return {
        "architectures": rows,
        "supernet_step": totals["supernet"] / num,
        "child_step": totals["child"] / num,
        "step_ratio": totals["supernet"] / totals["child"],
        "stock_child_step": totals["stock"] / num,
        "stock_step_ratio": totals["supernet"] / totals["stock"],
        "reward": totals["reward"] / num,
        "child_forward": totals["forward"] / num,
        "reward_ratio": totals["reward"] / totals["forward"],
        "units_per_second": measured.unit_count * num / totals["supernet"],
        "gflops": flops / totals["supernet"] / 1e9,
        "matmul_gflops": matmul_gflops(),
        "parameters": count_parameters(measured.evaluator.supernet),
        **measure_controller(measured),
        **measure_pipeline(measured),
        **measure_epoch(measured),
    }


def matmul_gflops(side: int = 2048) -> float:
    """The rate of this machine at a product of float32 matrices."""
    a = tf.random.normal([side, side])
    seconds = take_turns({"product": tf.function(lambda: tf.matmul(a, a), autograph=False)})
    return 2 * side**3 / seconds["product"] / 1e9


def measure_controller(measured: Measured) -> dict:
    """Sample, update and rewards of one update, and all of them as a phase does it."""
    tokens = measured.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed)
    rewards = measured.evaluator.evaluate(tokens)
    calls = {
        "sample": lambda: measured.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed),
        "update": lambda: measured.searcher.update(tokens, rewards),
        "rewards": lambda: measured.evaluator.evaluate(tokens),
    }
    seconds = take_turns(calls)
    share = sum(seconds.values()) / seconds["rewards"]
    return {"proposals": _NUM_PROPOSALS, **seconds, "controller_phase_ratio": share}


def measure_pipeline(measured: Measured) -> dict:
    """Units per second of the batches alone."""
    evaluator = measured.evaluator
    evaluator.start(0)
    if measured.is_text:
        spans = training_windows(evaluator.train, measured.run.config.window.bptt, 0, 0, is_random=False)
        begin = time.perf_counter()
        num = sum(int(tf.size(tf.constant(ids))) for ids, targets in spans if len(tf.constant(targets)))
        return {"pipeline_units_per_second": num / (time.perf_counter() - begin)}
    for _ in range(20):
        next(evaluator._training)  # What was made ahead.
    begin = time.perf_counter()
    for _ in range(100):
        next(evaluator._training)
    return {"pipeline_units_per_second": 100 * measured.unit_count / (time.perf_counter() - begin)}


def measure_epoch(measured: Measured) -> dict:
    """An epoch of the search with all that belongs to it, against its steps, samples, updates and rewards alone."""
    stage, run = measured.stage, measured.run
    search = dataclasses.replace(run.config.search, updates_per_epoch=2, samples_per_update=_NUM_PROPOSALS)
    run.reporter.say = lambda message: None
    loop = _Loop(stage.searcher, stage.evaluator, search, 0, run.reporter, stage.checkpoints(), stage.recovery)
    evaluator, found = measured.evaluator, []
    with stepping(loop.save) as after_step:

        def advance(num: int) -> None:
            loop.position = loop.position._replace(step=loop.position.step + num)
            after_step()

        loop.start(Position())
        for epoch in range(4):
            num = evaluator.num_steps(epoch)
            tokens = stage.searcher.propose(tf.constant(num), seed_for(0, "shared_proposals", epoch))
            whole = seconds_of(lambda: loop.run_epoch(advance))
            parts = sum(seconds_of(lambda t=t: evaluator._train_step(*measured.step_inputs(t))) for t in tokens)
            for _ in range(search.updates_per_epoch):
                proposals = stage.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed)
                parts += seconds_of(lambda: stage.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed))
                parts += seconds_of(lambda p=proposals: stage.searcher.update(p, evaluator.evaluate(p)))
            found.append((whole, parts))
    # The first epoch traces what the others only call.
    whole, parts = (sum(seconds) for seconds in zip(*found[1:], strict=True))
    return {"epoch_seconds": whole / 3, "epoch_rate": parts / whole, "epoch_steps": evaluator.num_steps(0)}


def measure_counts(run: Run) -> dict:
    """What does not depend on the machine: nodes of the graph, traces, kernels and FLOPs of a step, bytes kept."""
    measured = Measured(run)
    evaluator, paths = measured.evaluator, []
    # The step of a text has dynamic shapes: those of this batch tell the FLOPs.
    step = tf.function(evaluator._take_step, autograph=False) if measured.is_text else evaluator._train_step
    for tokens in measured.proposals(3):
        inputs = measured.step_inputs(tokens)
        evaluator._train_step(*inputs)
        executed = profile(step, *inputs, unknown=measured.unit_count)._asdict()
        if measured.is_text:
            del executed["bytes"]  # Most tensors are three-dimensional, and of a length that the graph does not know.
        paths.append(executed | {"child_flops": 3 * measured.child_flops(tokens)})
    graph = evaluator._train_step.get_concrete_function(*inputs).graph
    return {
        "graph_nodes": count_nodes(graph),
        "traces": evaluator._train_step.experimental_get_tracing_count(),
        "paths": paths,
        "bytes_of_weights": count_bytes(evaluator.supernet.variables),
        "bytes_of_optimizer": count_bytes(evaluator.optimizer.variables),
    }


def count_nodes(graph: tf.Graph) -> int:
    """Of a graph and of all functions in its library."""
    definition = graph.as_graph_def()
    return len(definition.node) + sum(len(function.node_def) for function in definition.library.function)


def measure_trace(run: Run) -> dict:
    """Seconds of a trace and nodes of the graph."""
    measured = Measured(run)
    (tokens,) = measured.proposals(1)
    step, inputs = measured.evaluator._train_step, measured.step_inputs(tokens)
    seconds = seconds_of(lambda: step.get_concrete_function(*inputs))
    return {"trace_seconds": seconds, "graph_nodes": count_nodes(step.get_concrete_function(*inputs).graph)}


def measure_precision(run: Run) -> dict:
    """Seconds of a supernet's step and of its child's in each precision, over a few architectures."""
    calls = {}
    for precision in PRECISIONS:
        run.config = dataclasses.replace(run.config, run=dataclasses.replace(run.config.run, precision=precision))
        run.replicas = Replicas(precision=precision)
        measured = Measured(run)
        for number, tokens in enumerate(measured.proposals(_NUM_COMPARED)):
            inputs, trainer = measured.step_inputs(tokens), measured.build_trainer(tokens)
            child = measured.child_inputs()
            calls[f"supernet {precision} {number}"] = lambda e=measured.evaluator, i=inputs: e._train_step(*i)
            calls[f"child {precision} {number}"] = lambda t=trainer, i=child: t._train_step(*i)
    return average(take_turns(calls))


def measure_loops(run: Run) -> dict:
    """Seconds of a supernet's step, alone and in a loop of eight, over a few architectures."""
    calls, num = {}, 8
    for steps_per_loop in (1, num):
        run.replicas = Replicas(steps_per_loop=steps_per_loop)
        measured = Measured(run)
        for number, tokens in enumerate(measured.proposals(_NUM_COMPARED)):
            steps = [measured.step_inputs(tokens)] * num
            calls[f"{steps_per_loop} {number}"] = lambda e=measured.evaluator, s=steps: e.replicas.take_steps(
                e._train_step, s, lambda num: None
            )
    return {name: seconds / num for name, seconds in average(take_turns(calls)).items()}


def average(seconds: dict[str, float]) -> dict[str, float]:
    """The mean over the architectures, whose number is the last word of a name."""
    means = {}
    for name, value in seconds.items():
        group = name.rpartition(" ")[0]
        means[group] = means.get(group, 0.0) + value / _NUM_COMPARED
    return means


def measure_size(run: Run) -> dict:
    """Seconds of a training step over a few architectures, memory above what data and imports take, the trace."""
    _ = run.data
    base, measured = peak_gib(), Measured(run)
    step, inputs = measured.evaluator._train_step, [measured.step_inputs(t) for t in measured.proposals(4)]
    trace = seconds_of(lambda: step.get_concrete_function(*inputs[0]))
    calls = {str(i): lambda arguments=arguments: step(*arguments) for i, arguments in enumerate(inputs)}
    seconds = take_turns(calls)
    return {"step": sum(seconds.values()) / len(calls), "gib": peak_gib() - base, "trace_seconds": trace}


def measure_kernels(run: Run) -> dict:
    """Type of operation -> times that it ran and its milliseconds, in a step of supernet, child and stock child."""
    measured = Measured(run)
    tokens = median_child(measured)
    inputs = measured.step_inputs(tokens)
    trainer, stock = measured.build_trainer(tokens), measured.build_trainer(tokens, for_training=False)
    steps = {
        "supernet": lambda: measured.evaluator._train_step(*inputs),
        "child": lambda: trainer._train_step(*measured.child_inputs()),
        "stock": lambda: stock._train_step(*measured.child_inputs()),
    }
    found = {}
    for name, step in steps.items():
        for kernel in trace_kernels(step):
            row = found.setdefault(kernel.op, {f"{of} {what}": 0 for of in steps for what in ("runs", "ms")})
            row[f"{name} runs"] += 1
            row[f"{name} ms"] += 1000 * kernel.seconds
    return dict(sorted(found.items(), key=lambda item: -sum(item[1][f"{of} ms"] for of in steps))[:25])


PARTS = {
    "kernels": measure_kernels,
    "precision": measure_precision,
    "loops": measure_loops,
    "child": measure_child,
    "steps": measure_steps,
    "counts": measure_counts,
    "trace": measure_trace,
    "size": measure_size,
}


@contextlib.contextmanager
def open_run(workload: Workload, *more: str) -> Iterator[Run]:
    """A run of the workload in a directory that goes with it."""
    define_flags()
    with tempfile.TemporaryDirectory() as directory:
        workloads.parse(workload, Path(directory), *more)
        with Run(read_config(), Path(directory) / "run") as run:
            yield run


def main(part: str, name: str, begun: str, *more: str) -> None:
    with open_run(workloads.find(name), *more) as run:
        print(json.dumps(measure_start(run, float(begun)) if part == "start" else PARTS[part](run)))


if __name__ == "__main__":
    main(*sys.argv[1:])
