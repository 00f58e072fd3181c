"""python -m enas_tf.launch.describe --architecture=FILE|ARC|NAME [--picture=FILE.svg] [--json|--code]

Says what an architecture is: its layers in words, what its child costs, how large its space is; and draws it.
The child is one that is retrained: in the command line --channels=8 means --retrain_channels=8, and so on.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.experiments.description import Description, describe, write_picture
from enas_tf.experiments.run import derived_architecture
from enas_tf.experiments.workdir import Workdir
from enas_tf.launch import app
from enas_tf.launch.flags import given_options
from enas_tf.options import require
from enas_tf.spaces.space import Buildable

FLAGS = flags.FLAGS
_MOST_CLASSES = 10**6


def define_flags() -> None:
    """Define the flags of this launcher."""
    app.define_common_flags()
    app.define_architecture_flag()
    flags.DEFINE_bool("json", False, "print one object for programs")
    flags.DEFINE_bool("code", False, "print Python source that builds the child by Keras alone, without enas_tf")
    flags.DEFINE_string("picture", None, "also draw the architecture to this file, .svg or .png")
    flags.DEFINE_list(
        "image_shape", None, "height,width,channels to count costs for; default: the workdir's, or 32,32,3"
    )
    flags.DEFINE_integer("num_classes", None, "classes to count costs for; default: the workdir's, or 10")


def main() -> None:
    """Print the description, and draw the picture that is asked for."""
    architecture = _read()
    config = app.config_for(architecture, stage="describe")
    recorded = Workdir(app.existing_workdir()).recorded_data if FLAGS.workdir else {}
    is_of_run, shape = not FLAGS.architecture, _given_shape()
    description = describe(architecture, config, recorded, is_of_run, **shape)
    if FLAGS.picture:
        write_picture(architecture, Path(FLAGS.picture))
    if FLAGS.code and FLAGS.json:
        raise InputError(f"{ref('code')} and {ref('json')} both say what is printed: leave one of them out.")
    if FLAGS.code:
        print(description.to_code(), end="")
    elif FLAGS.json:
        print(json.dumps(description.to_json()))
    else:
        lines = [*description.in_words(), *_assumptions(description, config, recorded | shape)]
        print(app.as_flags("\n".join(lines)))


def _read() -> Buildable:
    architecture = app.named_architecture()
    if architecture is not None:
        return architecture
    if not FLAGS.workdir:
        raise InputError(f"nothing to describe: expected {ref('architecture')} or the {ref('workdir')} of a run.")
    return derived_architecture(Workdir(app.existing_workdir()))


def _assumptions(description: Description, config: RunOptions, known: Mapping[str, Any]) -> list[str]:
    """Say which sizes are neither given nor those of a run, and which flags set them; `known` is said of the data."""
    if description.cost is None:
        return []
    given, assumed = given_options(), []
    group = config.networks.child
    sizes = [option.name for option in group.options if option.kind in (int, str)]
    if sizes and not FLAGS.workdir and not given.keys() & sizes:
        flags_of_child = [ref(name.removeprefix(app.RETRAIN)) for name in sizes]
        assumed.append(f"the size of the child (set by {', '.join(flags_of_child)}): {description.size}")
    is_text = "vocab_size" in config.option_values()
    fields = {"vocab_size": "vocab_size"} if is_text else {"image_shape": "image_shape", "num_classes": "class_names"}
    unknown = [ref(name) for name, field in fields.items() if field not in known and name not in given]
    if unknown:
        assumed.append(f"the size of the data (set by {', '.join(unknown)}): {description.data}")
    if not assumed:
        return []
    why = "the run has recorded no such data" if FLAGS.workdir else f"no {ref('workdir')} names a run"
    return [f"assumed, as {why}{_hint_at_run()}:", *(f"  {line}" for line in assumed)]


def _hint_at_run() -> str:
    """Return how to count for the run that the file of the architecture lies in; nothing where it lies in none."""
    text = FLAGS.architecture or ""
    path = Path(text.rpartition("#")[0] or text)
    is_of_run = not FLAGS.workdir and path.suffix in (".csv", ".json") and Workdir(path.parent).environment.is_file()
    return f" (with {ref('workdir')}={path.parent} they would be its own)" if is_of_run else ""


def _given_shape() -> dict[str, Any]:
    """Return the fields of the images' shape that flags give."""
    given: dict[str, Any] = {}
    if FLAGS.image_shape:
        if len(FLAGS.image_shape) != 3 or not all(re.fullmatch("[1-9][0-9]{0,5}", side) for side in FLAGS.image_shape):
            raise InputError(
                f"{ref('image_shape')}={','.join(FLAGS.image_shape)} is not valid: expected height,width,channels."
            )
        given["image_shape"] = [int(side) for side in FLAGS.image_shape]
    if FLAGS.num_classes is not None:
        is_number = 1 <= FLAGS.num_classes <= _MOST_CLASSES
        require(is_number, "num_classes", FLAGS.num_classes, f"a number of 1..{_MOST_CLASSES:,}")
        given["class_names"] = [str(number) for number in range(FLAGS.num_classes)]
    return given


def command() -> None:
    """Run this launcher by the arguments of the process, and end the process."""
    define_flags()
    app.run(main, prefix=app.RETRAIN, reads={"describe": ""})


if __name__ == "__main__":
    command()
