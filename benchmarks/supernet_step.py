"""What a step of a supernet costs beside the same step of the child alone, all in one process.

    python -m benchmarks.supernet_step --space=macro --num_architectures=8 --batch=128
    python -m benchmarks.supernet_step --space=micro --num_architectures=8 --batch=64

Supernet and child take turns, so that a machine whose speed drifts does not favour one; what counts are the ratios.
Peak memory is of a process of its own for each, TensorFlow's 0.6 GiB or so included.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import concurrent.futures
import dataclasses
import multiprocessing
import resource
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ImageConfig, NetworkConfig
from enas_tf.spaces.decisions import Space
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.training.classification import cross_entropy
from enas_tf.training.devices import configure_runtime
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer

_SPACE = flags.DEFINE_enum("space", "macro", ["macro", "micro"], "whose networks, at the paper's size for a search")
_CHANNELS = flags.DEFINE_integer("channels", None, "width; default: the paper's, 36 macro, 20 micro")
_SIDE = flags.DEFINE_integer("side", 32, "height and width of the images")
_BATCH = flags.DEFINE_integer("batch", 128, "images of a step")
_NUM = flags.DEFINE_integer("num_architectures", 8, "random architectures that are compared")
_REPEATS = flags.DEFINE_integer("repeats", 3, "timed calls of each function; the fastest counts")


@dataclasses.dataclass(frozen=True)
class Size:
    """A space, a network of it, and what the depth is called and is."""

    space: Space
    network: NetworkConfig
    depth: str


#: The paper's size for a search, and a deeper one for the time of tracing.
SIZES = {
    "macro": (
        Size(MacroSpace(num_layers=12), NetworkConfig(channels=36), "12 layers"),
        Size(MacroSpace(num_layers=24), NetworkConfig(channels=36), "24 layers"),
    ),
    "micro": (
        Size(MicroSpace(), NetworkConfig(channels=20, cells_per_stage=2), "6 + 2 cells"),
        Size(MicroSpace(), NetworkConfig(channels=20, cells_per_stage=5), "15 + 2 cells"),
    ),
}


def sizes(space: str, channels: int | None) -> tuple[Size, Size]:
    """Both sizes of `space`, with another width where one is given."""
    if channels is None:
        return SIZES[space]
    return tuple(
        dataclasses.replace(size, network=dataclasses.replace(size.network, channels=channels)) for size in SIZES[space]
    )


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


def peak_gib(kind: str, size: Size, side: int, batch: int) -> float:
    """Peak resident memory of this process after two training steps of the supernet or of one child, in GiB."""
    configure_runtime(seed=0, is_deterministic=False)
    images, labels, image = make_batch(side, batch)
    tokens = size.space.random_tokens(1, np.random.default_rng(0))[0]
    family = FAMILIES[size.space.name]
    if kind == "supernet":
        supernet = family.supernet(size.space, size.network, image)
        step = compile_step(supernet, supernet.trainable_variables)
    else:
        child = family.build_child(size.space.decode(tokens), size.network.as_child(), image)
        step = compile_step(as_supernet(child), child.trainable_variables)
    for _ in range(2):
        step(images, labels, tf.constant(tokens)).numpy()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_peak(kind: str, size: Size) -> float:
    """`peak_gib` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(peak_gib, kind, size, _SIDE.value, _BATCH.value).result()


def make_batch(side: int, batch: int) -> tuple[tf.Tensor, tf.Tensor, ImageConfig]:
    """Random images, random labels of ten classes, and what networks are told of them."""
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8))
    labels = tf.constant(rng.integers(0, 10, batch, dtype=np.int32))
    return images, labels, ImageConfig(side, side, 3, 10, (120.0,) * 3, (3600.0,) * 3)


def as_supernet(child: keras.Model):
    """The child with the supernet's signature: (images, tokens) -> (logits, sum of squared weights)."""
    weights = child.trainable_variables
    return lambda images, _: (child(images, training=True), sum_of_squares([v.value for v in weights]))


def trace_seconds(size: Size, image: ImageConfig, images, labels) -> tuple[float, float, int]:
    """Seconds to trace the supernet's step, seconds of its first call, and the number of its nodes."""
    supernet = FAMILIES[size.space.name].supernet(size.space, size.network, image)
    step = compile_step(supernet, supernet.trainable_variables)
    tokens = tf.constant(size.space.random_tokens(1, np.random.default_rng(0))[0])
    begin = time.perf_counter()
    graph = step.get_concrete_function(images, labels, tokens).graph.as_graph_def()
    traced = time.perf_counter()
    step(images, labels, tokens).numpy()
    nodes = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    return traced - begin, time.perf_counter() - traced, nodes


def compare(supernet, size: Size, image, images, labels, proposals) -> None:
    """Prints the table of steps and forward passes, supernet beside child, for each of `proposals`."""
    train_supernet = compile_step(supernet, supernet.trainable_variables)
    reward = tf.function(lambda images, labels, tokens: supernet(images, tokens)[0], autograph=False)
    totals = dict.fromkeys(("train_supernet", "train_child", "reward", "forward_child", "infer_child"), 0.0)
    print("| architecture | supernet train s | child train s | ratio | reward s | child forward s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for i, tokens in enumerate(proposals):
        child = FAMILIES[size.space.name].build_child(size.space.decode(tokens), size.network.as_child(), image)
        functions = {
            "train_supernet": train_supernet,
            "train_child": compile_step(as_supernet(child), child.trainable_variables),
            "reward": reward,
            "forward_child": tf.function(lambda x, y, t, child=child: child(x, training=True), autograph=False),
            "infer_child": tf.function(lambda x, y, t, child=child: child(x, training=False), autograph=False),
        }
        arguments = (images, labels, tf.constant(tokens))
        time_calls(functions, arguments, 1)
        seconds = time_calls(functions, arguments, _REPEATS.value)
        print_row(i, seconds)
        totals = {name: totals[name] + value for name, value in seconds.items()}
    print_row("all", totals)
    print(f"reward / the child's pass with moving averages: {totals['reward'] / totals['infer_child']:.3f}")
    print(f"traces of the supernet's step: {train_supernet.experimental_get_tracing_count()}")


def print_row(name, s: dict[str, float]) -> None:
    train, infer = s["train_supernet"] / s["train_child"], s["reward"] / s["forward_child"]
    print(
        f"| {name} | {s['train_supernet']:.3f} | {s['train_child']:.3f} | {train:.3f} "
        f"| {s['reward']:.3f} | {s['forward_child']:.3f} | {infer:.3f} |",
        flush=True,
    )


def main(_) -> None:
    usual, deep = sizes(_SPACE.value, _CHANNELS.value)
    peaks = {kind: measure_peak(kind, usual) for kind in ("supernet", "child")}
    configure_runtime(seed=0, is_deterministic=False)
    images, labels, image = make_batch(_SIDE.value, _BATCH.value)
    proposals = usual.space.random_tokens(_NUM.value, np.random.default_rng(0))

    begin = time.perf_counter()
    supernet = FAMILIES[_SPACE.value].supernet(usual.space, usual.network, image)
    step = compile_step(supernet, supernet.trainable_variables)
    step(images, labels, tf.constant(proposals[0])).numpy()
    parameters = sum(int(np.prod(variable.shape)) for variable in supernet.trainable_variables)
    print(f"supernet of {usual.depth}: {parameters:,} parameters")
    print(f"build, trace and first training step {time.perf_counter() - begin:.1f} s", flush=True)
    del step
    compare(supernet, usual, image, images, labels, proposals)
    print("peak memory of a process that trains: " + ", ".join(f"{k} {gib:.2f} GiB" for k, gib in peaks.items()))

    traces = [(size.depth, *trace_seconds(size, image, images[:8], labels[:8])) for size in (usual, deep, usual, deep)]
    for depth, traced, called, nodes in traces:
        print(f"{depth}: trace {traced:.2f} s, first call {called:.2f} s, {nodes:,} graph nodes")
    fastest = [min(row[1] for row in traces if row[0] == size.depth) for size in (usual, deep)]
    print(f"trace of {deep.depth} / {usual.depth}: {fastest[1] / fastest[0]:.2f}")


if __name__ == "__main__":
    app.run(main)
