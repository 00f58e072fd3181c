"""All options of a run as one value, and the thin skin of flags over it.

Every field of every component's config is a flag of the same name (with the group's prefix); a test holds them to it.
"""

import dataclasses
import types
from typing import Any, get_args

from absl import flags

from enas_tf.controller.policy import ControllerConfig
from enas_tf.data.augmentation import AugmentationConfig
from enas_tf.data.sources import DataConfig
from enas_tf.data.text import TextConfig
from enas_tf.errors import InputError
from enas_tf.experiments.defaults import SPACE_DEFAULTS, check_no_foreign_flag, defaults_in_words
from enas_tf.models.images import ChildConfig, NetworkConfig
from enas_tf.models.language import RETRAIN_LANGUAGE, LanguageConfig
from enas_tf.options import option, renamed, require
from enas_tf.runtime.devices import STRATEGIES
from enas_tf.runtime.replicas import PRECISIONS
from enas_tf.search.derive import DeriveConfig
from enas_tf.search.evaluators.language import RewardConfig
from enas_tf.search.evaluators.shared import SharedTrainingConfig
from enas_tf.search.loop import SearchConfig
from enas_tf.search.searchers.reinforce import SEARCHERS, ReinforceConfig
from enas_tf.spaces.architectures import SPACES
from enas_tf.spaces.decisions import Space
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.recurrent import RecurrentSpace
from enas_tf.tasks.language import RETRAIN_WINDOWS, WindowConfig
from enas_tf.training.optimizers import SgdConfig
from enas_tf.training.retrain import RETRAIN_SGD, RetrainConfig
from enas_tf.training.retrain_language import AveragingConfig


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What belongs to no single component."""

    space: str = option("macro", "what is searched; some flags have defaults of their own there", tuple(SPACES))
    searcher: str = option("reinforce", "who proposes: reinforce = the paper's policy, random", choices=SEARCHERS)
    seed: int = option(0, "seed of initial weights, order of data, augmentation, dropout and proposals")
    deterministic: bool = option(False, "use deterministic kernels, so that a repeated run is equal to the last bit")
    strategy: str = option(
        "auto",
        "devices of a run: mirrored = each step is shared by all GPUs of this host, multi_worker = by those of all "
        "processes that TF_CONFIG or SLURM names, one_device = the first alone, auto = what there is",
        choices=STRATEGIES,
    )
    sync_batch_norm: bool = option(
        False,
        "image spaces: statistics of batch normalisation in training are those of all devices that compute one child",
    )
    precision: str = option(
        "float32",
        "what networks compute in while they are trained and searched; weights, batch statistics, logits and the "
        "controller are float32 in any case, and so is the child that is kept",
        choices=PRECISIONS,
    )
    steps_per_loop: int = option(1, "training steps that are started at once; a signal is heard between two loops")
    jit_compile: bool = option(
        False, "image spaces: XLA compiles the gradients of a child that is retrained; for GPUs, on a CPU it is slower"
    )

    def __post_init__(self):
        require(self.steps_per_loop >= 1, "steps_per_loop", self.steps_per_loop, "at least 1")
        # NumPy and Keras take no others.
        require(0 <= self.seed < 2**32, "seed", self.seed, f"0..{2**32 - 1}")


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration of a run: one config per component."""

    run: RunConfig
    data: DataConfig
    augmentation: AugmentationConfig
    text: TextConfig
    window: WindowConfig
    macro: MacroSpace
    micro: MicroSpace
    recurrent: RecurrentSpace
    network: NetworkConfig
    language: LanguageConfig
    controller: ControllerConfig
    reinforce: ReinforceConfig
    shared: SharedTrainingConfig
    reward: RewardConfig
    sgd: SgdConfig
    search: SearchConfig
    derive: DeriveConfig
    child: ChildConfig
    retrain_language: LanguageConfig
    retrain: RetrainConfig
    retrain_sgd: SgdConfig
    retrain_window: WindowConfig
    averaging: AveragingConfig

    @property
    def space(self) -> Space:
        """The space of the run: the group of that name."""
        return getattr(self, self.run.space)


#: Field of `Config` -> default value and prefix of its flags.
GROUPS: dict[str, tuple[Any, str]] = {
    "run": (RunConfig(), ""),
    "data": (DataConfig(), ""),
    "augmentation": (AugmentationConfig(), ""),
    "text": (TextConfig(), ""),
    "window": (WindowConfig(), ""),
    "macro": (MacroSpace(), ""),
    "micro": (MicroSpace(), "cell_"),
    "recurrent": (RecurrentSpace(), "cell_"),
    "network": (NetworkConfig(), ""),
    "language": (LanguageConfig(), ""),
    "controller": (ControllerConfig(), ""),
    "reinforce": (ReinforceConfig(), ""),
    "shared": (SharedTrainingConfig(), ""),
    "reward": (RewardConfig(), ""),
    "sgd": (SgdConfig(), ""),
    "search": (SearchConfig(), ""),
    "derive": (DeriveConfig(), ""),
    "child": (ChildConfig(), "retrain_"),
    "retrain_language": (RETRAIN_LANGUAGE, "retrain_"),
    "retrain": (RetrainConfig(), ""),
    "retrain_sgd": (RETRAIN_SGD, "retrain_"),
    "retrain_window": (RETRAIN_WINDOWS, "retrain_"),
    "averaging": (AveragingConfig(), "retrain_"),
}
#: The groups that decide what a stage computes; a stage goes on in a workdir only where they are equal.
SEARCH_GROUPS = (
    "run",
    "data",
    "augmentation",
    "text",
    "window",
    "macro",
    "micro",
    "recurrent",
    "network",
    "language",
    "controller",
    "reinforce",
    "shared",
    "reward",
    "sgd",
    "search",
)
RETRAIN_GROUPS = (
    "data",
    "augmentation",
    "text",
    "child",
    "retrain_language",
    "retrain",
    "retrain_sgd",
    "retrain_window",
    "averaging",
)
#: Flags that change nothing of what a stage computes: where things are, and what is for retraining alone.
_WITHOUT_EFFECT = {
    "search": ("data_dir", "strategy", "steps_per_loop", "jit_compile", "cutout_size", "min_entropy"),
    "retrain": ("data_dir", "strategy"),
}


def define_flags() -> None:
    """Defines a flag for every field of every group."""
    for default, prefix in GROUPS.values():
        for field in dataclasses.fields(default):
            _define(prefix + field.name, field, getattr(default, field.name))


def _define(name: str, field: dataclasses.Field, default: Any) -> None:
    kind, text = _kind(field), field.metadata["help"] + defaults_in_words(name)
    if field.metadata["choices"]:
        flags.DEFINE_enum(name, default, field.metadata["choices"], text)
    elif kind is tuple:
        flags.DEFINE_list(name, list(default), text)
    else:
        define = {
            bool: flags.DEFINE_bool,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
        }[kind]
        define(name, default, text)


def _kind(field: dataclasses.Field) -> type:
    """The type of a field's values: `int | None` is int, `tuple[str, ...]` is tuple."""
    annotation = field.type
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    return getattr(annotation, "__origin__", annotation)


def read_config(values: flags.FlagValues = flags.FLAGS) -> Config:
    """The configuration that the parsed flags say; raises `InputError` for values that cannot be.

    Flags that were not given have the defaults of the space.
    """
    space = values["space"].value
    check_no_foreign_flag(values, space)
    return Config(**{group: _read_group(values, SPACE_DEFAULTS[space], *GROUPS[group]) for group in GROUPS})


def _read_group(values: flags.FlagValues, space_defaults: dict[str, Any], default: Any, prefix: str) -> Any:
    given = {}
    for field in dataclasses.fields(default):
        flag = values[prefix + field.name]
        value = space_defaults.get(flag.name, flag.value) if flag.using_default_value else flag.value
        given[field.name] = tuple(value) if isinstance(value, list) else value
    try:
        return type(default)(**given)
    except InputError as error:
        raise renamed(error, given, prefix) from error


def flag_values(config: Config, groups: tuple[str, ...] = tuple(GROUPS)) -> dict[str, Any]:
    """Flag name -> value of `groups`, in order."""
    values = {}
    for group in groups:
        _, prefix = GROUPS[group]
        for field in dataclasses.fields(GROUPS[group][0]):
            value = getattr(getattr(config, group), field.name)
            values[prefix + field.name] = ",".join(value) if isinstance(value, tuple) else value
    return values


def stage_values(config: Config, stage: str) -> dict[str, Any]:
    """The flags that decide what `stage`, "search" or "retrain", computes."""
    values = flag_values(config, {"search": SEARCH_GROUPS, "retrain": RETRAIN_GROUPS}[stage])
    shared = ("seed", "deterministic", "sync_batch_norm", "precision", "jit_compile")
    values |= {name: getattr(config.run, name) for name in shared}
    return {name: value for name, value in values.items() if name not in _WITHOUT_EFFECT[stage]}


def to_flagfile(config: Config) -> str:
    """The text of a flagfile that says this configuration: its space, and every flag that has not the default there."""
    space = config.run.space
    defaults = flag_values(Config(**{group: default for group, (default, _) in GROUPS.items()}))
    defaults |= SPACE_DEFAULTS[space] | {"space": space}
    changed = [f"--{name}={value}" for name, value in flag_values(config).items() if value != defaults[name]]
    return "\n".join([f"--space={space}", *changed]) + "\n"
