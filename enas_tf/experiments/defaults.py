"""What a space changes of the flags: defaults of its own, and the flags that it alone reads.

A flag that the chosen space does not read is refused instead of being ignored. A new space is a row in each table.
"""

from typing import Any

from absl import flags

from enas_tf.errors import InputError
from enas_tf.spaces.macro import MACRO_OPS
from enas_tf.spaces.micro import CELL_OPS
from enas_tf.spaces.recurrent import ACTIVATIONS

#: Space -> flag -> its default there, where it is not the one of the component: the components' are the macro space's.
SPACE_DEFAULTS: dict[str, dict[str, Any]] = {
    "macro": {},
    "micro": {
        # scripts/cifar10_micro_search.sh of the authors' code.
        "channels": 20,
        "batch_size": 160,
        "epochs": 150,
        "l2": 1e-4,
        "updates_per_epoch": 30,
        "samples_per_update": 10,
        "tanh_constant": 1.1,
        "op_tanh_reduce": 2.5,
        "controller_learning_rate": 3.5e-3,
        # scripts/cifar10_micro_final.sh.
        "retrain_channels": 36,
        "retrain_dropout": 0.2,
        "retrain_drop_path_keep": 0.6,
        "retrain_auxiliary_weight": 0.4,
        "retrain_epochs": 630,
        "retrain_batch_size": 144,
        "retrain_min_learning_rate": 1e-4,
        "retrain_l2": 2e-4,
    },
    "recurrent": {
        "dataset": "pydoc",
        # enas_lm: child.py, controller.py and search.py, where the options are not those of LanguageConfig.
        "batch_size": 128,
        "epochs": 600,
        "learning_rate": 20.0,
        "restart_epochs": 0,
        "momentum": 0.0,
        "l2": 8e-7,
        "clip_norm": 0.1,
        "updates_per_epoch": 25,
        "samples_per_update": 10,
        "tanh_constant": 2.25,
        "temperature": 5.0,
        "controller_learning_rate": 5e-5,
        "entropy_weight": 1e-5,
        "baseline_decay": 0.999,
        # Its final training on a GPU.
        "retrain_epochs": 3000,
        "retrain_batch_size": 64,
        "retrain_learning_rate": 20.0,
        "retrain_restart_epochs": 0,
        "retrain_momentum": 0.0,
        "retrain_l2": 8e-7,
        "retrain_clip_norm": 0.25,
    },
}
#: What networks for images read, whichever space they are of.
_IMAGE_FLAGS = (
    "image_size",
    "valid_fraction",
    "augment",
    "crop_padding",
    "cutout_size",
    "channels",
    "dropout",
    "children_per_step",
    "sync_batch_norm",
    "jit_compile",
    "retrain_channels",
    "retrain_dropout",
    "label_smoothing",
    "train_on",
)
#: Space -> the flags that it reads and not every other space does.
SPACE_FLAGS: dict[str, tuple[str, ...]] = {
    "macro": (
        *_IMAGE_FLAGS,
        "num_layers",
        "ops",
        "skip_sources",
        "skip_target",
        "skip_weight",
        "retrain_channel_growth",
    ),
    "micro": (
        *_IMAGE_FLAGS,
        "cell_blocks",
        "cell_ops",
        "cell_merge",
        "cells_per_stage",
        "stem",
        "op_tanh_reduce",
        "learned_bias",
        "fixed_bias",
        "retrain_cells_per_stage",
        "retrain_stem",
        "retrain_drop_path_keep",
        "retrain_auxiliary_weight",
    ),
    "recurrent": (
        "cell_nodes",
        "cell_activations",
        "cell_output",
        "tokens",
        "vocab_size",
        "bptt",
        "random_bptt",
        "activation_penalty",
        "slowness_penalty",
        "reward_scale",
        "distance_penalty",
        "units",
        "drop_words",
        "drop_embedded",
        "drop_input",
        "drop_state",
        "drop_output",
        "init_scale",
        "retrain_units",
        "retrain_drop_words",
        "retrain_drop_embedded",
        "retrain_drop_input",
        "retrain_drop_state",
        "retrain_drop_output",
        "retrain_init_scale",
        "retrain_bptt",
        "retrain_random_bptt",
        "retrain_activation_penalty",
        "retrain_slowness_penalty",
        "retrain_patience",
    ),
}
#: Space -> the flag of its operations, and what can be named there.
_OPERATIONS = {
    "macro": ("ops", MACRO_OPS),
    "micro": ("cell_ops", CELL_OPS),
    "recurrent": ("cell_activations", ACTIVATIONS),
}


def defaults_in_words(name: str) -> str:
    """What the help of flag `name` says of the defaults of single spaces; empty where all have the same."""
    return "".join(
        f" [default with --space={space}: {defaults[name]}]"
        for space, defaults in SPACE_DEFAULTS.items()
        if name in defaults
    )


def foreign_flags(space: str) -> list[str]:
    """The flags that other spaces read and `space` does not."""
    return [name for names in SPACE_FLAGS.values() for name in names if name not in SPACE_FLAGS[space]]


def check_no_foreign_flag(values: flags.FlagValues, space: str) -> None:
    """Raises `InputError` when a flag that `space` does not read has another value than its default."""
    for name in foreign_flags(space):
        value = values[name].value
        if value != values[name].default:
            shown = ",".join(value) if isinstance(value, list) else value
            owners = [other for other, names in SPACE_FLAGS.items() if name in names]
            of = f"{' and '.join(owners)} space{'s' if len(owners) > 1 else ''}"
            cure = _cure(name, owners[0], space)
            raise InputError(f"--{name}={shown} belongs to the {of}, while --space={space}: {cure}.")


def _cure(name: str, owner: str, space: str) -> str:
    if name == _OPERATIONS[owner][0]:
        flag, operations = _OPERATIONS[space]
        return f"expected --{flag}= with names out of {', '.join(operations)}"
    own = ", ".join(f"--{flag}" for flag in SPACE_FLAGS[space])
    return f"leave it out, or say what is meant by the flags of the {space} space ({own})"
