"""python -m enas_tf.launch.describe --architecture=FILE|ARC|NAME [--picture=FILE.svg] [--json]

Says what an architecture is: its layers in words, what its child costs, how large its space is; and draws it.
The child is one that is retrained: in the command line --channels=8 means --retrain_channels=8, and so on.
"""

import json
from pathlib import Path

from absl import flags

from enas_tf.errors import InputError
from enas_tf.experiments.config import Config
from enas_tf.experiments.run import derived_architecture, format_size, size_in_words
from enas_tf.experiments.workdir import Workdir
from enas_tf.launch import app
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import TextShape
from enas_tf.ops.costs import Cost
from enas_tf.options import require
from enas_tf.pictures import draw, save
from enas_tf.spaces.decisions import Architecture, Space
from enas_tf.spaces.recurrent import LstmBaseline, RecurrentArchitecture
from enas_tf.tasks.tasks import TASKS

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
    is_baseline = isinstance(architecture, LstmBaseline)
    space = config.space if is_baseline else _space(architecture, config)
    cost, cost_in_words = _cost(architecture, config)
    if FLAGS.picture:
        save(draw(architecture), Path(FLAGS.picture))
    if FLAGS.json:
        described = {
            "space": architecture.space_name,
            "architecture": architecture.to_json(),
            "arc": architecture.to_arc(),
            "tokens": None if is_baseline else space.encode(architecture).tolist(),
            "parameters": cost and cost.parameters,
            "flops": cost and cost.flops,
            "space_size": space.size,
        }
        print(json.dumps(described))
        return
    print("\n".join(architecture.in_words()))
    print(f"arc: {architecture.to_arc()}")
    if isinstance(architecture, RecurrentArchitecture) and architecture.to_enas_lm():
        print(_enas_lm_in_words(architecture))
    print(cost_in_words)
    of = "beside the" if is_baseline else "one of"
    print(f"{of} {format_size(space.size)} architectures of its space{_size_in_paper(space)}")


def _read() -> Architecture:
    architecture = app.named_architecture()
    if architecture is not None:
        return architecture
    if not FLAGS.workdir:
        raise InputError("nothing to describe: expected --architecture= or the --workdir= of a run.")
    return derived_architecture(Workdir(Path(FLAGS.workdir)))


def _space(architecture: Architecture, config: Config) -> Space:
    """The space of the run that the architecture is of; for one from elsewhere the smallest that holds it."""
    if not FLAGS.architecture:
        try:
            config.space.encode(architecture)
            return config.space
        except InputError:  # A child was trained of it here, and nothing was searched.
            pass
    return architecture.space()


def _enas_lm_in_words(architecture: RecurrentArchitecture) -> str:
    """The same nodes for enas_lm, which knows one output only."""
    is_same = architecture.averaged == tuple(range(1, architecture.num_nodes))
    other = "" if is_same else " (the nodes alone: the output would be the mean of all but the first)"
    return f"arc for enas_lm: {architecture.to_enas_lm()}{other}"


def _cost(architecture: Architecture, config: Config) -> tuple[Cost | None, str]:
    """The cost of the architecture's child, and a sentence about it; None for one that cannot be built."""
    task = TASKS[architecture.space_name]
    shape, words = _text(config) if task.unit == "token" else _image()
    child = task.child(config)
    try:
        cost = FAMILIES[architecture.space_name].count(architecture, child, shape)
    except InputError as error:
        return None, f"no child can be built of it: {error}"
    return cost, (
        f"child: {size_in_words(architecture, child)}\n"
        f"for {words}: {cost.parameters:,} parameters, {cost.flops:,} FLOPs per {task.unit} (a multiply-add is two; "
        "convolutions and matrix products)"
    )


def _size_in_paper(space: Space) -> str:
    """Where the paper counts a space by another formula than its token sequences: how many it gives."""
    size = getattr(space, "size_in_paper", None)
    return f", {format_size(size)} by the paper's formula" if size else ""


def _recorded_data() -> dict:
    """What environment.json of the workdir says of the data; nothing without one."""
    environment = Workdir(Path(FLAGS.workdir)).environment if FLAGS.workdir else None
    return json.loads(environment.read_text())["data"] if environment is not None and environment.exists() else {}


def _text(config: Config) -> tuple[TextShape, str]:
    """What costs of language models are counted for: the text of the workdir's run, else --vocab_size."""
    size = _recorded_data().get("vocab_size", config.text.vocab_size)
    return TextShape(size), f"a vocabulary of {size:,}"


def _image() -> tuple[ImageConfig, str]:
    """What costs are counted for: the flags, else the data of the workdir's run, else CIFAR's shape."""
    data = _recorded_data()
    shape = tuple(data.get("image_shape", (32, 32, 3)))
    num_classes = len(data["class_names"]) if "class_names" in data else 10
    if FLAGS.image_shape:
        if len(FLAGS.image_shape) != 3 or not all(side.isdigit() and int(side) for side in FLAGS.image_shape):
            raise InputError(
                f"--image_shape={','.join(FLAGS.image_shape)} is not valid: expected height,width,channels."
            )
        shape = tuple(int(side) for side in FLAGS.image_shape)
    if FLAGS.num_classes is not None:
        require(FLAGS.num_classes >= 1, "num_classes", FLAGS.num_classes, "at least 1")
        num_classes = FLAGS.num_classes
    image = ImageConfig(*shape, num_classes, (0.0,) * shape[2], (1.0,) * shape[2])
    return image, f"{'x'.join(str(side) for side in shape)} images of {num_classes} classes"


if __name__ == "__main__":
    define_flags()
    app.run(main, prefix=app.RETRAIN)
