"""What a step of the macro supernet costs beside the same step of the child alone, all in one process.

    python benchmarks/macro_step.py --num_architectures=8 --batch=128

Supernet and child take turns, so that a machine whose speed drifts does not favour one; what counts are the ratios.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import gc
import resource
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.images import ChildConfig, ImageConfig, NetworkConfig
from enas_tf.models.macro_child import build_macro_child
from enas_tf.models.macro_supernet import MacroSupernet
from enas_tf.spaces.macro import MacroSpace
from enas_tf.training.classification import cross_entropy
from enas_tf.training.devices import configure_runtime
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer

_LAYERS = flags.DEFINE_integer("layers", 12, "depth")
_CHANNELS = flags.DEFINE_integer("channels", 36, "width")
_SIDE = flags.DEFINE_integer("side", 32, "height and width of the images")
_BATCH = flags.DEFINE_integer("batch", 128, "images of a step")
_NUM = flags.DEFINE_integer("num_architectures", 8, "random architectures that are compared")
_REPEATS = flags.DEFINE_integer("repeats", 3, "timed calls of each function; the fastest counts")

SGD = SgdConfig()


def compile_step(forward, variables):
    """A training step of `forward(images, tokens) -> (logits, squares)`, as search and retraining take it."""
    optimizer = build_optimizer(SGD, 100, variables)

    @tf.function(autograph=False)
    def step(images, labels, tokens):
        with tf.GradientTape() as tape:
            logits, squares = forward(images, tokens)
            loss = cross_entropy(labels, logits) + SGD.l2 * squares
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        apply_clipped(optimizer, gradients, variables, SGD.clip_norm)
        return loss

    return step


def time_calls(functions: dict, arguments: tuple, repeats: int) -> dict[str, float]:
    """Seconds of the fastest of `repeats` calls of each function; the functions take turns."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            _ = [tensor.numpy() for tensor in tf.nest.flatten(function(*arguments))]
            seconds[name].append(time.perf_counter() - begin)
    return {name: min(times) for name, times in seconds.items()}


def reset_peak() -> None:
    """Makes the kernel forget the peak of resident memory so far."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def peak_gib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def trace_seconds(layers: int, image: ImageConfig, images, labels) -> tuple[float, float, int]:
    """Seconds to trace the supernet's step at a depth, seconds of its first call, and the number of its nodes."""
    space = MacroSpace(num_layers=layers)
    supernet = MacroSupernet(space, NetworkConfig(channels=_CHANNELS.value), image)
    step = compile_step(supernet, supernet.trainable_variables)
    tokens = tf.constant(space.random_tokens(1, np.random.default_rng(0))[0])
    begin = time.perf_counter()
    graph = step.get_concrete_function(images, labels, tokens).graph.as_graph_def()
    traced = time.perf_counter()
    step(images, labels, tokens).numpy()
    nodes = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    return traced - begin, time.perf_counter() - traced, nodes


def main(_) -> None:
    configure_runtime(seed=0, is_deterministic=False)
    side, batch, rng = _SIDE.value, _BATCH.value, np.random.default_rng(0)
    image = ImageConfig(side, side, 3, 10, (120.0,) * 3, (3600.0,) * 3)
    images = tf.constant(rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8))
    labels = tf.constant(rng.integers(0, 10, batch, dtype=np.int32))

    begin = time.perf_counter()
    space = MacroSpace(num_layers=_LAYERS.value)
    supernet = MacroSupernet(space, NetworkConfig(channels=_CHANNELS.value), image)
    train_supernet = compile_step(supernet, supernet.trainable_variables)
    proposals = space.random_tokens(_NUM.value, rng)
    train_supernet(images, labels, tf.constant(proposals[0])).numpy()
    print(f"supernet: build, trace and first training step {time.perf_counter() - begin:.1f} s", flush=True)
    reward = tf.function(lambda images, labels, tokens: supernet(images, tokens)[0], autograph=False)

    sums = dict.fromkeys(("train_supernet", "train_child", "reward", "forward_child"), 0.0)
    peaks = {"supernet": 0.0, "child": 0.0}
    print("| architecture | supernet train s | child train s | ratio | reward s | child forward s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for i, tokens in enumerate(proposals):
        child = build_macro_child(space.decode(tokens), ChildConfig(_CHANNELS.value), image)
        weights = child.trainable_variables

        def forward(images, _, child=child, weights=weights):
            return child(images, training=True), sum_of_squares([v.value for v in weights])

        functions = {
            "train_supernet": train_supernet,
            "train_child": compile_step(forward, weights),
            "reward": reward,
            "forward_child": tf.function(lambda x, y, t, child=child: child(x, training=True), autograph=False),
        }
        arguments = (images, labels, tf.constant(tokens))
        time_calls(functions, arguments, 1)
        seconds = time_calls(functions, arguments, _REPEATS.value)
        for name, value in seconds.items():
            sums[name] += value
        s = seconds
        print(
            f"| {i} | {s['train_supernet']:.3f} | {s['train_child']:.3f} | {s['train_supernet'] / s['train_child']:.3f} "
            f"| {s['reward']:.3f} | {s['forward_child']:.3f} | {s['reward'] / s['forward_child']:.3f} |",
            flush=True,
        )
        for name, function in (("supernet", "train_supernet"), ("child", "train_child")):
            reset_peak()
            functions[function](*arguments).numpy()
            peaks[name] = max(peaks[name], peak_gib())
        del functions, child, weights, forward
        keras.backend.clear_session()
        gc.collect()
    train, infer = sums["train_supernet"] / sums["train_child"], sums["reward"] / sums["forward_child"]
    print(f"| all | {sums['train_supernet']:.2f} | {sums['train_child']:.2f} | **{train:.3f}** "
          f"| {sums['reward']:.2f} | {sums['forward_child']:.2f} | **{infer:.3f}** |")  # fmt: skip
    print(f"peak resident memory of a training step: supernet {peaks['supernet']:.2f} GiB, child {peaks['child']:.2f} GiB")
    print(f"traces of the supernet's step: {train_supernet.experimental_get_tracing_count()}")

    traces = {depth: trace_seconds(depth, image, images[:8], labels[:8]) for depth in (12, 24, 12, 24)}
    for depth, (traced, called, nodes) in traces.items():
        print(f"{depth} layers: trace {traced:.2f} s, first call {called:.2f} s, {nodes:,} graph nodes")
    print(f"trace of 24 layers / 12 layers: {traces[24][0] / traces[12][0]:.2f}")


if __name__ == "__main__":
    app.run(main)
