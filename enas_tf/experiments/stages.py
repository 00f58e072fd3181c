"""Which options a stage reads. One that is typed for a stage that does not read it is refused instead of ignored."""

from collections.abc import Collection, Mapping
from typing import Any

from enas_tf.data.augmentation import AUGMENTATION
from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import every_option
from enas_tf.options import STAGES, Option
from enas_tf.spaces.space import SPACES
from enas_tf.tasks.classification_config import IMAGE_DEVICE

#: Options of both stages that only training reads: not what measures, exports or samples a child.
_TRAINING = {option.name for group in (AUGMENTATION, IMAGE_DEVICE) for option in group.options} | {"precision"}


def find_unread(names: Collection[str], stage: str, has_architecture: bool) -> str | None:
    """Return the first of the options `names` that `stage` does not read; None where it reads all.

    Args:
      names: what a user has given.
      stage: "search" (and derive after it), "shared": what judges by its weights, "retrain" (and export after it),
        "describe", "child": a child that was trained before, or "export": the same, to be exported.
      has_architecture: whether the user names an architecture, which the options of its space help to read.
    """
    of_spaces = {option.name for entry in SPACES.entries() for group in entry.groups for option in group.options}
    offers = every_option()
    for name in names:
        is_of_space = name == "space" or (has_architecture and name in of_spaces)
        options = [option for _, option in offers.get(name, [])]
        if options and not is_of_space and not any(_is_read(option, stage) for option in options):
            return name
    return None


def _is_read(option: Option, stage: str) -> bool:
    if stage in ("child", "export"):
        return (option.stages == STAGES and option.name not in _TRAINING) or stage in option.stages
    if stage == "retrain":
        return "retrain" in option.stages or "export" in option.stages
    if stage == "describe":
        return "retrain" in option.stages
    if stage == "shared":
        return "search" in option.stages
    # What belongs to no stage is of derive, which goes on from a search.
    return stage in option.stages or (stage == "search" and not option.stages)


def stage_of(name: str) -> str:
    """Return what reads the option `name`, in words."""
    stages = {stage for _, option in every_option()[name] for stage in option.stages or ("derive",)}
    words = {"search": "a search", "retrain": "retraining", "derive": "derive", "export": "export"}
    return " and ".join(words[stage] for stage in words if stage in stages)


#: What a stage is about, in words.
_ABOUT = {
    "search": "this works on searched weights",
    "shared": "this works on searched weights",
    "retrain": "this is about a child",
    "describe": "this is about a child",
    "child": "this works on a child that was trained before",
    "export": "this works on a child that was trained before",
}


def check_read(given: Mapping[str, Any], stage: str, has_architecture: bool) -> None:
    """Raise `InputError` for an option that a user has given and that `stage` does not read (`find_unread`)."""
    name = find_unread(given, stage, has_architecture)
    if name is None:
        return
    shown = ",".join(given[name]) if isinstance(given[name], list | tuple) else str(given[name])
    hint = f" {ref('sample_temperature')} is that of the text." if name == "temperature" and stage == "child" else ""
    raise InputError(f"{ref(name)}={shown} is read by {stage_of(name)}, while {_ABOUT[stage]}: leave it out.{hint}")
