"""The parts of the measurements of a workload: each is a function of a run that returns numbers."""

import dataclasses
import time

import tensorflow as tf

from benchmarks.executed import peak_of_tensors, profile, trace_kernels
from benchmarks.measured import Measured, count_nodes, count_parameters, gib, peak_gib, seconds_of, take_turns
from enas_tf.experiments.run import Run
from enas_tf.experiments.run_config import RUN
from enas_tf.experiments.search_stage import count_bytes
from enas_tf.runtime.checkpoints import Position
from enas_tf.runtime.replicas import PRECISIONS, Replicas
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SEARCH
from enas_tf.search.loop import SearchTrainer

#: Proposals of a measured update of the controller, and architectures whose steps are compared.
_NUM_PROPOSALS, _NUM_ARCHITECTURES = 8, 8
#: Architectures whose steps are compared among precisions, or loops.
_NUM_COMPARED = 3


def measure_start(run: Run, begun: float) -> dict:
    """Return the seconds of each part up to the end of the first training step, and the memory of two steps."""
    marks = {"import": time.time()}
    _ = run.data
    marks["data"] = time.time()
    base = peak_gib()
    measured = Measured(run)
    marks["build"] = time.time()
    steps = measured.problem.stream.steps_per_epoch
    measured.searcher.propose(tf.constant(steps), seed_for(0, "shared_proposals", 0))
    marks["propose"] = time.time()
    inputs, step = measured.step_inputs(measured.median_child(_NUM_ARCHITECTURES)), measured.step.traced
    step.get_concrete_function(*inputs)
    marks["trace"] = time.time()
    step(*inputs)
    marks["first step"] = time.time()
    step(*inputs)
    peak, of_step = peak_gib(), peak_of_tensors(lambda: step(*inputs))
    seconds = {}
    for name, mark in marks.items():
        seconds[name], begun = mark - begun, mark
    bank = gib(count_bytes(measured.supernet.variables))
    memory = {"base_gib": base, "peak_gib": peak, "bank_gib": bank, "tensors_gib": gib(of_step)}
    return {"seconds": seconds | {"total": sum(seconds.values())}, **memory}


def measure_child(run: Run) -> dict:
    """Return the memory of two training steps of a child of typical cost."""
    _ = run.data
    base, measured = peak_gib(), Measured(run)
    step = measured.build_trainer(measured.median_child(_NUM_ARCHITECTURES)).step.traced
    for _ in range(2):
        step(*measured.child_inputs())
    peak, of_step = peak_gib(), peak_of_tensors(lambda: step(*measured.child_inputs()))
    return {"base_gib": base, "peak_gib": peak, "tensors_gib": gib(of_step)}


def measure_steps(run: Run, num: int = _NUM_ARCHITECTURES) -> dict:
    """Return the seconds of a step of the supernet and of its children, and of all else that a search does."""
    measured = Measured(run)
    proposals = measured.proposals(num)
    rows = [take_turns(_calls_of(measured, tokens)) for tokens in proposals]
    totals = {name: sum(row[name] for row in rows) for name in rows[0]}
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
        "parameters": count_parameters(measured.supernet),
        **measure_controller(measured),
        **measure_pipeline(measured),
        **measure_epoch(measured),
    }


def _calls_of(measured: Measured, tokens) -> dict:
    """Return what is compared for one architecture."""
    trainer, stock = measured.build_trainer(tokens), measured.build_trainer(tokens, for_training=False)
    inputs, reward = measured.step_inputs(tokens), tf.constant(tokens)[None]
    return {
        "supernet": lambda: measured.step.traced(*inputs),
        "child": lambda: trainer.step.traced(*measured.child_inputs()),
        "stock": lambda: stock.step.traced(*measured.child_inputs()),
        "reward": lambda: measured.evaluator.evaluate(reward),
        "forward": measured.compile_forward(stock.problem.trainee.child),
    }


def matmul_gflops(side: int = 2048) -> float:
    """Return the rate of this machine at a product of float32 matrices."""
    a = tf.random.normal([side, side])
    seconds = take_turns({"product": tf.function(lambda: tf.matmul(a, a), autograph=False)})
    return 2 * side**3 / seconds["product"] / 1e9


def measure_controller(measured: Measured) -> dict:
    """Return the seconds of sample, update and rewards of one update, and of all of them as a phase does it."""
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
    """Return units per second of the batches alone."""
    stream, num, ahead = measured.problem.stream, 100, 20
    batches = _endless(stream)
    for _ in range(0 if measured.is_text else ahead):
        next(batches)  # What was made ahead.
    begin = time.perf_counter()
    units = sum(int(tf.size(inputs)) if measured.is_text else len(inputs) for inputs, _ in _take(batches, num))
    return {"pipeline_units_per_second": units / (time.perf_counter() - begin)}


def _endless(stream):
    """Yield the batches of one epoch after another."""
    epoch = 0
    while True:
        yield from stream.batches(epoch, 0, 0)
        epoch += 1


def _take(batches, num: int):
    for _ in range(num):
        yield next(batches)


def measure_epoch(measured: Measured) -> dict:
    """Return the seconds of an epoch of the search with all that belongs to it, against its parts alone."""
    stage, run, step = measured.stage, measured.run, measured.step.traced
    config = dataclasses.replace(run.config[SEARCH], updates_per_epoch=2, samples_per_update=_NUM_PROPOSALS)
    run.reporter.say = lambda message: None
    trainer = SearchTrainer(stage.searcher, stage.evaluator, config, 0, run.reporter)
    evaluator, checkpoints, found = measured.evaluator, stage.checkpoints(), []
    trainer.start(Position(), 0)

    def run_epoch(epoch: int) -> None:
        trainer.run_epoch(epoch, 0, lambda num: None)
        checkpoints.save(epoch + 1)

    for epoch in range(4):
        tokens = stage.searcher.propose(tf.constant(evaluator.num_steps(epoch)), seed_for(0, "shared_proposals", epoch))
        whole = seconds_of(lambda epoch=epoch: run_epoch(epoch))
        parts = sum(seconds_of(lambda t=t: step(*measured.step_inputs(t))) for t in tokens)
        for _ in range(config.updates_per_epoch):
            proposals = stage.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed)
            parts += seconds_of(lambda: stage.searcher.propose(tf.constant(_NUM_PROPOSALS), measured.seed))
            parts += seconds_of(lambda p=proposals: stage.searcher.update(p, evaluator.evaluate(p)))
        found.append((whole, parts))
    # The first epoch traces what the others only call.
    whole, parts = (sum(seconds) for seconds in zip(*found[1:], strict=True))
    return {"epoch_seconds": whole / 3, "epoch_rate": parts / whole, "epoch_steps": evaluator.num_steps(0)}


def measure_counts(run: Run) -> dict:
    """Return what does not depend on the machine: nodes, traces, kernels and FLOPs of a step, bytes that are kept."""
    measured = Measured(run)
    step, paths = measured.step.traced, []
    # The step of a text has dynamic shapes: those of this batch tell the FLOPs.
    static = tf.function(step.python_function, autograph=False) if measured.is_text else step
    for tokens in measured.proposals(3):
        inputs = measured.step_inputs(tokens)
        step(*inputs)
        executed = profile(static, *inputs, unknown=measured.unit_count)._asdict()
        if measured.is_text:
            del executed["bytes"]  # Most tensors are three-dimensional, and of a length that the graph does not know.
        paths.append(executed | {"child_flops": 3 * measured.child_flops(tokens)})
    return {
        "graph_nodes": count_nodes(step.get_concrete_function(*inputs).graph),
        "traces": step.experimental_get_tracing_count(),
        "paths": paths,
        "bytes_of_weights": count_bytes(measured.supernet.variables),
        "bytes_of_optimizer": count_bytes(measured.step.optimizer.variables),
    }


def measure_trace(run: Run) -> dict:
    """Return the seconds of a trace and the nodes of the graph."""
    measured = Measured(run)
    (tokens,) = measured.proposals(1)
    step, inputs = measured.step.traced, measured.step_inputs(tokens)
    seconds = seconds_of(lambda: step.get_concrete_function(*inputs))
    return {"trace_seconds": seconds, "graph_nodes": count_nodes(step.get_concrete_function(*inputs).graph)}


def measure_precision(run: Run) -> dict:
    """Return the seconds of a supernet's step and of its child's in each precision, over a few architectures."""
    calls = {}
    for precision in PRECISIONS:
        run.config = run.config.replace({RUN: dataclasses.replace(run.config.run, precision=precision)})
        run.replicas = Replicas(precision=precision)
        measured = Measured(run)
        for number, tokens in enumerate(measured.proposals(_NUM_COMPARED)):
            inputs, trainer = measured.step_inputs(tokens), measured.build_trainer(tokens)
            child = measured.child_inputs()
            calls[f"supernet {precision} {number}"] = lambda s=measured.step.traced, i=inputs: s(*i)
            calls[f"child {precision} {number}"] = lambda s=trainer.step.traced, i=child: s(*i)
    return average(take_turns(calls))


def measure_loops(run: Run) -> dict:
    """Return the seconds of a supernet's step, alone and in a loop of eight, over a few architectures."""
    calls, num = {}, 8
    for steps_per_loop in (1, num):
        run.replicas = Replicas(steps_per_loop=steps_per_loop)
        measured = Measured(run)
        for number, tokens in enumerate(measured.proposals(_NUM_COMPARED)):
            steps = [measured.step_inputs(tokens)] * num
            calls[f"{steps_per_loop} {number}"] = lambda m=measured, s=steps: m.step.take(s, lambda num: None)
    return {name: seconds / num for name, seconds in average(take_turns(calls)).items()}


def average(seconds: dict[str, float]) -> dict[str, float]:
    """Return the mean over the architectures, whose number is the last word of a name."""
    means: dict[str, float] = {}
    for name, value in seconds.items():
        group = name.rpartition(" ")[0]
        means[group] = means.get(group, 0.0) + value / _NUM_COMPARED
    return means


def measure_size(run: Run) -> dict:
    """Return the seconds of a training step, the memory above what data and imports take, and those of the trace."""
    _ = run.data
    base, measured = peak_gib(), Measured(run)
    step, inputs = measured.step.traced, [measured.step_inputs(tokens) for tokens in measured.proposals(4)]
    trace = seconds_of(lambda: step.get_concrete_function(*inputs[0]))
    calls = {str(i): lambda arguments=arguments: step(*arguments) for i, arguments in enumerate(inputs)}
    seconds = take_turns(calls)
    return {"step": sum(seconds.values()) / len(calls), "gib": peak_gib() - base, "trace_seconds": trace}


def measure_kernels(run: Run) -> dict:
    """Return type of operation -> its runs and milliseconds in a step of supernet, child and stock child."""
    measured = Measured(run)
    tokens = measured.median_child(_NUM_ARCHITECTURES)
    steps = _calls_of(measured, tokens)
    found: dict[str, dict[str, float]] = {}
    names = ("supernet", "child", "stock")
    for name in names:
        for kernel in trace_kernels(steps[name]):
            row = found.setdefault(kernel.op, {f"{of} {what}": 0 for of in names for what in ("runs", "ms")})
            row[f"{name} runs"] += 1
            row[f"{name} ms"] += 1000 * kernel.seconds
    return dict(sorted(found.items(), key=lambda item: -sum(item[1][f"{of} ms"] for of in names))[:25])


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
