"""A training step of NASNet-A's CIFAR child beside one of `keras.applications.NASNetMobile`, which costs as much.

    python -m benchmarks.published

The child is NASNet-A 6 @ 768 on images of 32x32 with 10 classes, NASNetMobile is 4 @ 1056 on images of 224x224 with
1,000. Their multiplications and additions differ by a few percent. They are counted here in one way for both, and the
ratio is scaled by them. All take the same plain step in turn, in one process on one thread: cross entropy, gradient,
Nesterov momentum. There is neither L2, nor clipping, nor an auxiliary classifier, nor drop-path.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks.measured import count_parameters, take_turns
from enas_tf.models.images import ImageConfig
from enas_tf.models.nasnet_child import build_nasnet_child
from enas_tf.models.nasnet_config import NasnetChildConfig
from enas_tf.spaces.architectures import read_architecture

#: Networks in the order in which they are printed; the last is what the others are compared with.
CHILD, STOCK, MOBILE = "child as it is trained", "child of stock layers", "keras.applications.NASNetMobile"
_CLASSES = {CHILD: 10, STOCK: 10, MOBILE: 1_000}


def build(name: str) -> keras.Model:
    """Build a network with random weights; it puts out logits."""
    if name == MOBILE:
        return keras.applications.NASNetMobile(weights=None, classes=_CLASSES[name], classifier_activation=None)
    config = NasnetChildConfig(channels=32, cells_per_stage=6, dropout=0.0)
    image = ImageConfig(32, 32, 3, 10, mean=(127.5,) * 3, variance=(5_000.0,) * 3)
    return build_nasnet_child(read_architecture("nasnet_a"), config, image, for_training=name == CHILD)


def count_products(model: keras.Model) -> int:
    """Return the multiplications with additions of convolutions and matrices, of a forward pass of one image."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            total += math.prod(layer.kernel.shape)
            continue
        # A kernel multiplies each of its weights once for every pixel of the result.
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            if getattr(layer, name, None) is not None:
                total += math.prod(layer.output.shape[1:3]) * math.prod(getattr(layer, name).shape)
    return total


def compile_step(model: keras.Model, num_classes: int, batch: int):
    """Return a function that takes a training step on `batch` random images, and returns its loss."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (batch, *model.input_shape[1:]))
    images = tf.constant(pixels if model.inputs[0].dtype == "uint8" else pixels / 127.5 - 1, model.inputs[0].dtype)
    labels = tf.constant(rng.integers(0, num_classes, batch))
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return step


def main(_):
    """Print a row for each network."""
    batch = flags.FLAGS.batch_size
    models = {name: build(name) for name in _CLASSES}
    seconds = take_turns({name: compile_step(model, _CLASSES[name], batch) for name, model in models.items()})
    costs = {name: count_products(model) for name, model in models.items()}
    print(f"| network | parameters | MACs | seconds of a step of {batch} images | ratio | ratio at equal MACs |")
    print("|---" * 6 + "|")
    for name, model in models.items():
        ratio = seconds[name] / seconds[MOBILE]
        equal = ratio * costs[MOBILE] / costs[name]
        words = f"{count_parameters(model):,} | {costs[name] / 1e6:.0f} M | {seconds[name]:.2f} | {ratio:.2f}"
        print(f"| {name} | {words} | {equal:.2f} |")


if __name__ == "__main__":
    flags.DEFINE_integer("batch_size", 8, "images of a step", lower_bound=1)
    # Before TensorFlow starts its threads.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    app.run(main)
