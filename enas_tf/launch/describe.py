"""python -m enas_tf.launch.describe --architecture=FILE|ARC|NAME [--picture=FILE.svg] [--json]

Says what an architecture is: its layers in words, what its child costs, how large its space is; and draws it.
The child is one that is retrained: in the command line --channels=8 means --retrain_channels=8, and so on.
"""

import json
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError
from enas_tf.launch import app
from enas_tf.launch.run import derived_architecture, format_size, size_in_words
from enas_tf.launch.workdir import Workdir
from enas_tf.models.costs import Cost
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ChildConfig, ImageConfig
from enas_tf.options import require
from enas_tf.pictures import draw, save
from enas_tf.spaces.decisions import Architecture, Space

FLAGS = flags.FLAGS


def define_flags() -> None:
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_bool("json", False, "print one object for programs")
    flags.DEFINE_string("picture", None, "also draw the architecture to this file, .svg or .png")
    flags.DEFINE_list(
        "image_shape", None, "height,width,channels to count costs for; default: the workdir's, or 32,32,3"
    )
    flags.DEFINE_integer("num_classes", None, "classes to count costs for; default: the workdir's, or 10")


def main() -> None:
    architecture = _read()
    config = app.config_for(architecture)
    # A run's space may have fewer operations than the smallest that holds an architecture from elsewhere.
    space = architecture.space() if FLAGS.architecture else config.space
    cost, cost_in_words = _cost(architecture, config.child, _image())
    if FLAGS.picture:
        save(draw(architecture), Path(FLAGS.picture))
    if FLAGS.json:
        described = {
            "space": architecture.space_name,
            "architecture": architecture.to_json(),
            "arc": architecture.to_arc(),
            "tokens": space.encode(architecture).tolist(),
            "parameters": cost and cost.parameters,
            "flops": cost and cost.flops,
            "space_size": space.size,
        }
        print(json.dumps(described))
        return
    print("\n".join(architecture.in_words()))
    print(f"arc: {architecture.to_arc()}")
    print(cost_in_words)
    print(f"one of {format_size(space.size)} architectures of its space{_size_in_paper(space)}")


def _read() -> Architecture:
    architecture = app.named_architecture()
    if architecture is not None:
        return architecture
    if not FLAGS.workdir:
        raise InputError("nothing to describe: expected --architecture= or the --workdir= of a run.")
    return derived_architecture(Workdir(Path(FLAGS.workdir)))


def _cost(architecture: Architecture, child: ChildConfig, image: ImageConfig) -> tuple[Cost | None, str]:
    """The cost of the architecture's child, and a sentence about it; None for one that cannot be built."""
    try:
        cost = FAMILIES[architecture.space_name].count(architecture, child, image)
    except InputError as error:
        return None, f"no child can be built of it: {error}"
    return cost, (
        f"child: {size_in_words(architecture.space_name, child)}\n"
        f"for {image.height}x{image.width}x{image.channels} images of {image.num_classes} classes: "
        f"{cost.parameters:,} parameters, {cost.flops:,} FLOPs per image (a multiply-add is two; convolutions and "
        "matrix products)"
    )


def _size_in_paper(space: Space) -> str:
    """Where the paper counts a space by another formula than its token sequences: how many it gives."""
    size = getattr(space, "size_in_paper", None)
    return f", {format_size(size)} by the paper's formula" if size else ""


def _image() -> ImageConfig:
    """What costs are counted for: the flags, else the data of the workdir's run, else CIFAR's shape."""
    shape, num_classes = (32, 32, 3), 10
    environment = Workdir(Path(FLAGS.workdir)).environment if FLAGS.workdir else None
    if environment is not None and environment.exists():
        data = json.loads(environment.read_text())["data"]
        shape, num_classes = tuple(data["image_shape"]), len(data["class_names"])
    if FLAGS.image_shape:
        if len(FLAGS.image_shape) != 3 or not all(side.isdigit() and int(side) for side in FLAGS.image_shape):
            raise InputError(
                f"--image_shape={','.join(FLAGS.image_shape)} is not valid: expected height,width,channels."
            )
        shape = tuple(int(side) for side in FLAGS.image_shape)
    if FLAGS.num_classes is not None:
        require(FLAGS.num_classes >= 1, "num_classes", FLAGS.num_classes, "at least 1")
        num_classes = FLAGS.num_classes
    return ImageConfig(*shape, num_classes, (0.0,) * shape[2], (1.0,) * shape[2])


if __name__ == "__main__":
    define_flags()
    app.run(main, prefix=app.RETRAIN)
