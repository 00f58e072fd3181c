"""What a step of a supernet costs beside the same step of the child alone, all in one process.

    python -m benchmarks.supernet_step --space=macro --num_architectures=8 --batch=128
    python -m benchmarks.supernet_step --space=micro --num_architectures=8 --batch=64
    python -m benchmarks.supernet_step --space=recurrent --num_architectures=8 --batch=64

Supernet and child take turns, so that a machine whose speed drifts does not favour one; what counts are the ratios.
Peak memory is of a process of its own for each, TensorFlow's 0.6 GiB or so included.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import resource
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from enas_tf.layers.functions import sum_of_squares
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ChildConfig, ImageConfig, NetworkConfig
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_training import RecurrentTrainee
from enas_tf.spaces.decisions import Space
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.training.classification import cross_entropy
from enas_tf.training.devices import configure_runtime
from enas_tf.training.optimizers import SgdConfig, apply_clipped, build_optimizer

_SPACE = flags.DEFINE_enum(
    "space", "macro", ["macro", "micro", "recurrent"], "whose networks, at the paper's size for a search"
)
_SIDE = flags.DEFINE_integer("side", 32, "height and width of the images")
_TIME = flags.DEFINE_integer("time", 35, "tokens of a window of text")
_VOCABULARY = flags.DEFINE_integer("vocabulary", 10_000, "entries of the vocabulary of a text")
_BATCH = flags.DEFINE_integer("batch", 128, "images of a step, or rows of a window")
_NUM = flags.DEFINE_integer("num_architectures", 8, "random architectures that are compared")
_REPEATS = flags.DEFINE_integer("repeats", 3, "timed calls of each function; the fastest counts")


#: One for all steps: masks are drawn anew from it in each.
_DROPOUT_SEED = (1, 2)


@dataclasses.dataclass(frozen=True)
class Size:
    """A space, a network of it, and what the depth is called and is."""

    space: Space
    network: NetworkConfig | LanguageConfig
    depth: str

    @property
    def is_text(self) -> bool:
        return isinstance(self.network, LanguageConfig)

    @property
    def child(self) -> ChildConfig | LanguageConfig:
        return self.network if self.is_text else self.network.as_child()

    def run_supernet(self, supernet, inputs, tokens, training: bool):
        """Logits and the sum of squares of the chosen weights."""
        if not self.is_text:
            return supernet(inputs, tokens)
        reading, squares = supernet(*inputs, tokens, dropout_seed=_DROPOUT_SEED if training else None)
        return supernet.logits(reading.dropped), squares

    def run_child(self, child, inputs, training: bool):
        """Logits. A language model is trained with the dropout that its Keras model does not know."""
        if not self.is_text:
            return child(inputs, training=training)
        if not training:
            return child(inputs)[0]
        trainee = RecurrentTrainee(child, None, self.network, TextShape(child.get_layer("embedding").input_dim))
        return trainee.logits(trainee.read(*inputs, _DROPOUT_SEED).dropped)


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
    "recurrent": (
        Size(RecurrentSpace(nodes=8), LanguageConfig(), "8 nodes"),
        Size(RecurrentSpace(nodes=12), LanguageConfig(), "12 nodes"),
    ),
}


#: Whether the data are text -> how weights are trained in a search; enas_lm's has no momentum.
SGD = {False: SgdConfig(), True: SgdConfig(momentum=0.0)}


def compile_step(forward, variables, sgd: SgdConfig):
    """A training step of `forward(inputs, tokens) -> (logits, squares)`, as search and retraining take it."""
    optimizer = build_optimizer(sgd, 100, variables)

    @tf.function(autograph=False)
    def step(inputs, labels, tokens):
        with tf.GradientTape() as tape:
            logits, squares = forward(inputs, tokens)
            loss = cross_entropy(labels, logits) + sgd.l2 * squares
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        apply_clipped(optimizer, gradients, variables, sgd.clip_norm)
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


def make_batch(is_text: bool, side: int, batch: int, time_steps: int, vocabulary: int):
    """Random inputs and labels, and what networks are told of them: images of ten classes, or ids from a state of 0."""
    rng = np.random.default_rng(0)
    if is_text:
        ids, targets = (tf.constant(rng.integers(0, vocabulary, (batch, time_steps), dtype=np.int32)) for _ in range(2))
        return (ids, tf.zeros([batch, LanguageConfig().units])), targets, TextShape(vocabulary)
    images = tf.constant(rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8))
    labels = tf.constant(rng.integers(0, 10, batch, dtype=np.int32))
    return images, labels, ImageConfig(side, side, 3, 10, (120.0,) * 3, (3600.0,) * 3)


def peak_gib(kind: str, size: Size, batch_options: tuple) -> float:
    """Peak resident memory of this process after two training steps of the supernet or of one child, in GiB."""
    configure_runtime(seed=0, is_deterministic=False)
    inputs, labels, shape = make_batch(size.is_text, *batch_options)
    tokens = size.space.random_tokens(1, np.random.default_rng(0))[0]
    family = FAMILIES[size.space.name]
    if kind == "supernet":
        step = compile_supernet_step(size, family.supernet(size.space, size.network, shape))
    else:
        step = compile_child_step(size, family.build_child(size.space.decode(tokens), size.child, shape))
    for _ in range(2):
        step(inputs, labels, tf.constant(tokens)).numpy()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_peak(kind: str, size: Size, batch_options: tuple) -> float:
    """`peak_gib` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(peak_gib, kind, size, batch_options).result()


def compile_supernet_step(size: Size, supernet):
    def forward(inputs, tokens):
        return size.run_supernet(supernet, inputs, tokens, training=True)

    return compile_step(forward, supernet.trainable_variables, SGD[size.is_text])


def compile_child_step(size: Size, child: keras.Model):
    """With the supernet's signature; the L2 term is over all of the child."""
    weights = child.trainable_variables

    def forward(inputs, _):
        return size.run_child(child, inputs, training=True), sum_of_squares([v.value for v in weights])

    return compile_step(forward, weights, SGD[size.is_text])


def trace_seconds(size: Size, shape, inputs, labels) -> tuple[float, float, int]:
    """Seconds to trace the supernet's step, seconds of its first call, and the number of its nodes."""
    supernet = FAMILIES[size.space.name].supernet(size.space, size.network, shape)
    step = compile_supernet_step(size, supernet)
    tokens = tf.constant(size.space.random_tokens(1, np.random.default_rng(0))[0])
    begin = time.perf_counter()
    graph = step.get_concrete_function(inputs, labels, tokens).graph.as_graph_def()
    traced = time.perf_counter()
    step(inputs, labels, tokens).numpy()
    nodes = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    return traced - begin, time.perf_counter() - traced, nodes


def compare(supernet, size: Size, shape, inputs, labels, proposals) -> dict[str, float]:
    """Prints the table of steps and forward passes, supernet beside child, for each of `proposals`; the sums."""
    train_supernet = compile_supernet_step(size, supernet)
    reward = tf.function(
        lambda x, y, tokens: size.run_supernet(supernet, x, tokens, training=False)[0], autograph=False
    )
    totals = dict.fromkeys(("train_supernet", "train_child", "reward", "forward_child", "infer_child"), 0.0)
    print("| architecture | supernet train s | child train s | ratio | reward s | child forward s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for i, tokens in enumerate(proposals):
        child = FAMILIES[size.space.name].build_child(size.space.decode(tokens), size.child, shape)

        def forward(x, y, t, child=child, training=not size.is_text):
            return size.run_child(child, x, training)

        functions = {
            "train_supernet": train_supernet,
            "train_child": compile_child_step(size, child),
            "reward": reward,
            "forward_child": tf.function(forward, autograph=False),
            "infer_child": tf.function(functools.partial(forward, training=False), autograph=False),
        }
        arguments = (inputs, labels, tf.constant(tokens))
        time_calls(functions, arguments, 1)
        seconds = time_calls(functions, arguments, _REPEATS.value)
        print_row(i, seconds)
        totals = {name: totals[name] + value for name, value in seconds.items()}
    print_row("all", totals)
    print(f"reward / the child's pass in inference mode: {totals['reward'] / totals['infer_child']:.3f}")
    print(f"traces of the supernet's step: {train_supernet.experimental_get_tracing_count()}")
    return totals


def print_row(name, s: dict[str, float]) -> None:
    train, infer = s["train_supernet"] / s["train_child"], s["reward"] / s["forward_child"]
    print(
        f"| {name} | {s['train_supernet']:.3f} | {s['train_child']:.3f} | {train:.3f} "
        f"| {s['reward']:.3f} | {s['forward_child']:.3f} | {infer:.3f} |",
        flush=True,
    )


def main(_) -> None:
    usual, deep = SIZES[_SPACE.value]
    batch_options = (_SIDE.value, _BATCH.value, _TIME.value, _VOCABULARY.value)
    peaks = {kind: measure_peak(kind, usual, batch_options) for kind in ("supernet", "child")}
    configure_runtime(seed=0, is_deterministic=False)
    inputs, labels, shape = make_batch(usual.is_text, *batch_options)
    proposals = usual.space.random_tokens(_NUM.value, np.random.default_rng(0))

    begin = time.perf_counter()
    supernet = FAMILIES[_SPACE.value].supernet(usual.space, usual.network, shape)
    step = compile_supernet_step(usual, supernet)
    step(inputs, labels, tf.constant(proposals[0])).numpy()
    parameters = sum(int(np.prod(variable.shape)) for variable in supernet.trainable_variables)
    print(f"supernet of {usual.depth}: {parameters:,} parameters")
    print(f"build, trace and first training step {time.perf_counter() - begin:.1f} s", flush=True)
    del step
    totals = compare(supernet, usual, shape, inputs, labels, proposals)
    per_step = _BATCH.value * (_TIME.value if usual.is_text else 1)
    rate = per_step * len(proposals) / totals["train_supernet"]
    print(f"supernet: {rate:,.0f} {'tokens' if usual.is_text else 'images'} per second in training")
    print("peak memory of a process that trains: " + ", ".join(f"{k} {gib:.2f} GiB" for k, gib in peaks.items()))

    few_inputs, few_labels = tf.nest.map_structure(lambda tensor: tensor[:8], (inputs, labels))
    traces = [(size.depth, *trace_seconds(size, shape, few_inputs, few_labels)) for size in (usual, deep, usual, deep)]
    for depth, traced, called, nodes in traces:
        print(f"{depth}: trace {traced:.2f} s, first call {called:.2f} s, {nodes:,} graph nodes")
    fastest = [min(row[1] for row in traces if row[0] == size.depth) for size in (usual, deep)]
    print(f"trace of {deep.depth} / {usual.depth}: {fastest[1] / fastest[0]:.2f}")


if __name__ == "__main__":
    app.run(main)
