"""How long networks take on this device: measured part by part, summed, and checked against whole networks."""

import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from enas_tf.ops.costs import Cost, Piece

#: A part is computed so often in a row that the time of a call hardly counts: the fewer repetitions are taken away.
_FEW, _MANY = 4, 20
#: Calls that are timed. The shortest counts: everything else that a machine does makes others longer.
_CALLS = 15


class LatencyTable:
    """Milliseconds of parts of networks, for one image or token alone in its batch, each measured when it is asked for.

    Args:
      known: the text of a part (`name_of`) -> milliseconds, of parts that need no measuring.
      scale: by what the sum of parts is multiplied (`calibrate`).
    """

    def __init__(self, known: dict[str, float] | None = None, scale: float | None = None):
        self.known, self.scale = dict(known or {}), scale

    def sum(self, cost: Cost) -> float:
        """Return the milliseconds of all parts of a network, before they are scaled."""
        return sum(num * self._measured(piece) for piece, num in cost.pieces)

    def latency(self, cost: Cost) -> float:
        """Return the estimate of a network's milliseconds."""
        return self.sum(cost) * (1.0 if self.scale is None else self.scale)

    def calibrate(self, networks: Iterable[tuple[Cost, Callable[[], object]]]) -> list[float]:
        """Let sums be scaled by the median of whole / sum over some `networks`; return these ratios.

        Each of `networks` is a cost and a function that computes the network once.
        """
        ratios = [shortest(compute) / self.sum(cost) for cost, compute in networks]
        self.scale = statistics.median(ratios)
        return ratios

    def _measured(self, piece: Piece) -> float:
        name = name_of(piece)
        if name not in self.known:
            self.known[name] = measure(piece)
        return self.known[name]


def name_of(piece: Piece) -> str:
    """Return the text that stands for a part: "convolution 3x3 16 16 64"."""
    height, width = piece.size
    return f"{piece.kind} {height}x{width} {piece.inputs} {piece.outputs} {piece.pixels}"


def measure(piece: Piece) -> float:
    """Return the milliseconds of a part: ReLU, convolution and batch normalisation, say, or a pooling."""
    compute = _compute(piece)
    rng = np.random.default_rng(0)
    height = max(1, round(piece.pixels**0.5))
    shape = (1, height, -(-piece.pixels // height), piece.inputs) if piece.kind != "dense" else (1, piece.inputs)
    inputs = tf.constant(rng.normal(size=shape), tf.float32)

    def repeat(num: int) -> Callable[[], tf.Tensor]:
        @tf.function(autograph=False)
        def run(x):
            total = tf.zeros([])
            for _ in range(num):
                # One after the other, as most of a network: each waits for the one before.
                with tf.control_dependencies([total]):
                    total = total + tf.reduce_max(compute(tf.identity(x)))
            return total

        return lambda: run(inputs)

    few, many = shortest(repeat(_FEW)), shortest(repeat(_MANY))
    return max(many - few, 1e-3 * many) / (_MANY - _FEW)


def _compute(piece: Piece) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what computes a part."""
    rng, (height, width) = np.random.default_rng(1), piece.size

    def weights(*shape: int) -> tf.Tensor:
        return tf.constant(rng.normal(size=shape), tf.float32)

    ones, zeros = tf.ones([piece.outputs]), tf.zeros([piece.outputs])

    def normalize(x: tf.Tensor) -> tf.Tensor:
        return tf.compat.v1.nn.fused_batch_norm(x, ones, zeros, zeros, ones, is_training=False)[0]

    kernel = weights(1 if piece.kind == "separable" else height, 1 if piece.kind == "separable" else width,
                     piece.inputs, piece.outputs)  # fmt: skip
    depthwise = weights(height, width, piece.inputs, 1)
    matrix = weights(piece.inputs, piece.outputs)

    def separate(x: tf.Tensor) -> tf.Tensor:
        x = tf.nn.depthwise_conv2d(tf.nn.relu(x), depthwise, [1, 1, 1, 1], "SAME")
        return normalize(tf.nn.conv2d(x, kernel, 1, "SAME"))

    return {
        "convolution": lambda x: normalize(tf.nn.conv2d(tf.nn.relu(x), kernel, 1, "SAME")),
        "separable": separate,
        "pooling": lambda x: tf.nn.avg_pool2d(x, (height, width), 1, "SAME"),
        "dense": lambda x: tf.matmul(x, matrix),
    }[piece.kind]


def shortest(compute: Callable[[], object]) -> float:
    """Return the milliseconds of the shortest of some calls; the first ones, which trace, do not count."""
    for _ in range(2):
        _wait(compute())
    times = []
    for _ in range(_CALLS):
        begin = time.perf_counter()
        _wait(compute())
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


def _wait(result: object) -> None:
    """Wait until a tensor, or all of several, are there: a GPU is asked and does not answer at once."""
    for tensor in tf.nest.flatten(result):
        tensor.numpy()
