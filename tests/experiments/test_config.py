"""Options follow from registrations: what a run reads, what is refused, the defaults, and what decides a stage."""

import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from enas_tf import registry
from enas_tf.errors import InputError
from enas_tf.experiments.config import every_option, read_options, to_flagfile, unread_options
from enas_tf.launch.flags import define_options, read_config
from enas_tf.models.networks import NETWORKS
from enas_tf.options import Group, option
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import SPACES
from enas_tf.tasks.task import TASKS
from enas_tf.training.optimizers import RETRAIN_SGD, SGD

PRESETS = sorted((Path(__file__).parents[2] / "flags").glob("*.flags"))
FLAG_TYPES = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    tuple: "comma separated list of strings",
}
OPTIONS = every_option()


def parse(values, *arguments):
    values(["test", *arguments])
    return read_config()


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_a_flag(own_flags, name):
    define_options()
    offers = [option for _, option in OPTIONS[name]]
    assert len({option.kind for option in offers}) == 1
    assert all(option.help for option in offers)
    flag = own_flags[name]
    assert flag.value is None, "what is not given has the default of what was chosen"
    # Where one component takes other values than those of a list, each checks its own.
    is_enum = all(option.choices for option in offers)
    assert flag.flag_type() == ("string enum" if is_enum else FLAG_TYPES[offers[0].kind])
    assert not is_enum or tuple(flag.parser.enum_values) == offers[0].choices


@pytest.mark.parametrize("entry", [e for kind in registry.Registry.every for e in kind.entries()], ids=lambda e: e.name)
def test_a_component_gives_defaults_of_options_that_its_runs_read(entry):
    if entry.kind == "space":
        options = read_options({"space": entry.name}).option_values()
        for name, value in entry.defaults.items():
            assert options[name] == value


def test_the_help_names_the_defaults_of_a_space(own_flags):
    define_options()
    assert (
        "[default: 36; 20 with the space micro; 32 with the space nasnet; 24 with the space pnas]"
        in own_flags["channels"].help
    )


def test_what_is_given_wins_over_the_default_of_a_space():
    """A value that is the component's default too: what counts is that it was given."""
    assert read_options({"space": "micro", "channels": 36}).option_values()["channels"] == 36
    assert read_options({"space": "micro"}).option_values()["channels"] == 20


def test_two_groups_have_options_of_their_own():
    config = read_options({"l2": 0.5, "retrain_l2": 0.25})
    assert (config[SGD].l2, config[RETRAIN_SGD].l2) == (0.5, 0.25)


def other_value(option, value):
    """Return a valid value of `option` that is not `value`, where there is one."""
    if option.choices:
        return next((choice for choice in option.choices if choice != value), value)
    if option.kind is bool:
        return not value
    if option.name == "objective":
        return ("accuracy:max", "flops:min")
    if option.name == "export":
        return ("keras",)
    if option.kind is tuple:
        return value[:2] or ("2",)
    if option.name == "cell_merge":
        return "all"
    if option.kind is str:
        return "folder:a directory, with=signs"
    if value is None:
        return 7
    return option.kind(
        value / 2 if value and option.kind is float else 2 * value or 0.001 + 1.999 * (option.kind is int)
    )


@pytest.mark.parametrize("space", SPACES)
def test_a_flagfile_says_the_whole_configuration(own_flags, tmp_path, space):
    define_options()
    defaults = read_options({"space": space})
    given = {
        o.name: other_value(o, value)
        for o, value in defaults.options()
        if o.name not in ("space", "searcher", "evaluator")
    }
    config = read_options({"space": space, **given})
    before, after = defaults.option_values(), config.option_values()
    assert {name for name in before if before[name] == after[name]} == {
        "space",
        "searcher",
        "evaluator",
        "reward_function",
    }
    path = tmp_path / "run.flags"
    path.write_text(to_flagfile(config))
    assert parse(own_flags, f"--flagfile={path}") == config


@pytest.mark.parametrize("space", SPACES)
def test_a_flagfile_of_defaults_names_the_space_alone(space):
    assert to_flagfile(read_options({"space": space})) == f"--space={space}\n"


def test_a_flagfile_names_the_searcher(own_flags, tmp_path):
    define_options()
    config = read_options({"searcher": "random"})
    path = tmp_path / "run.flags"
    path.write_text(to_flagfile(config))
    assert path.read_text() == "--space=macro\n--searcher=random\n"
    assert parse(own_flags, f"--flagfile={path}") == config


def foreign(space):
    return sorted(OPTIONS.keys() - read_options({"space": space}).option_values().keys())


@pytest.mark.parametrize(("space", "name"), [(space, name) for space in SPACES for name in foreign(space)])
def test_options_of_another_space_are_refused(space, name):
    _, option = OPTIONS[name][0]
    value = other_value(option, option.field.default)
    with pytest.raises(InputError) as error:
        read_options({"space": space, name: value})
    shown = ",".join(value) if isinstance(value, tuple) else value
    assert str(error.value).startswith(f"{name}={shown} ")
    assert re.search("leave it out|expected (ops|cell_ops|cell_activations) with names out of", str(error.value))
    assert unread_options({"space": space, name: value}) == {name}


@pytest.mark.parametrize("name", ["entropy_weight", "controller_learning_rate", "hidden_size", "skip_target"])
def test_options_of_another_searcher_are_refused(name):
    """Even with the value that is the default there: given is given."""
    _, option = OPTIONS[name][0]
    with pytest.raises(InputError, match=f"{name}=.* belongs to the reinforce searcher, while searcher=random"):
        read_options({"searcher": "random", name: option.field.default})


@pytest.mark.parametrize(
    ("space", "name", "words"),
    [
        ("micro", "skip_weight", "spaces with skip connections"),
        ("recurrent", "learned_bias", "favours"),
        ("macro", "distance_penalty", "near"),
    ],
)
def test_options_for_other_decisions_are_refused(space, name, words):
    with pytest.raises(InputError, match=f"^{name}=0.5 is for .*{words}.*the {space} space is none of these"):
        read_options({"space": space, name: 0.5})


def test_an_unknown_option_is_refused_with_a_guess():
    with pytest.raises(InputError, match=r"there is no option epocs\. Did you mean epochs"):
        read_options({"epocs": 3})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "3", "a whole number"),
        ("epochs", True, "a whole number"),
        ("l2", "small", "a number"),
        ("deterministic", 1, "True or False"),
        ("ops", "conv_3x3", "names separated by commas"),
        ("space", "tiny", "one of macro, micro, nas_conv, nas_recurrent, nasnet, pnas, recurrent"),
        ("epochs", None, "a whole number"),
    ],
)
def test_values_of_another_type_are_refused(name, value, expected):
    # A text in the place of a number looks like a number without its quotes.
    shown = repr(value) if isinstance(value, str) and name != "space" else str(value)
    with pytest.raises(InputError, match=f"^{name}={re.escape(shown)} is not valid: expected {expected}"):
        read_options({name: value})


PREFIXED = {
    "macro": ("l2", "retrain_l2", "dropout", "retrain_dropout", "channels", "retrain_channels", "retrain_epochs"),
    "micro": ("cell_blocks", "cells_per_stage", "retrain_cells_per_stage"),
    "nas_conv": ("num_layers", "more_filters", "retrain_more_filters"),
    "nas_recurrent": ("cell_base",),
    "recurrent": ("cell_nodes", "units", "retrain_units", "bptt", "retrain_bptt", "drop_state", "retrain_patience"),
}


@pytest.mark.parametrize(("space", "name"), [(space, name) for space, names in PREFIXED.items() for name in names])
def test_errors_name_the_option_with_its_prefix(space, name):
    kind = OPTIONS[name][0][1].kind
    with pytest.raises(InputError, match=f"^{name}=-") as error:
        read_options({"space": space, name: kind(-1)})
    assert error.value.render(lambda option: f"--{option}").startswith(f"--{name}=-")


#: Options that change nothing of what a stage computes: where things are, how many devices share it, how it is watched.
#: Those of derive are no part of a stage: a finished search is ranked anew with other values.
WITHOUT_EFFECT = {
    "data_dir",
    "strategy",
    "steps_per_loop",
    "min_entropy",
    "executor",
    "parallel",
    "max_failures",
    "max_minutes",
    "derive_samples",
    "derive_batches",
    "derive_kept",
    "random_finalists",
    "finalists",
    "objective",
    "choose",
    "export",
}


@pytest.mark.parametrize("space", SPACES)
def test_every_option_decides_a_stage(space):
    config = read_options({"space": space})
    search, retrain = config.stage_values("search"), config.stage_values("retrain")
    left_out = config.option_values().keys() - search.keys() - retrain.keys()
    assert left_out <= WITHOUT_EFFECT
    assert {"seed", "deterministic", "precision"} <= search.keys() & retrain.keys()
    assert {"space", "searcher", "evaluator", "epochs", "batch_size"} <= search.keys() - retrain.keys()
    assert {"retrain_epochs", "retrain_l2"} <= retrain.keys() - search.keys()
    assert not search.keys() & {"cutout_size", "jit_compile"}


def test_a_stage_of_random_search_does_not_depend_on_the_controller():
    assert "hidden_size" not in read_options({"searcher": "random"}).stage_values("search")
    assert "hidden_size" in read_options({}).stage_values("search")


def takes_long(path: Path) -> bool:
    """Whether the networks of a preset are cells in the size of the papers."""
    return path.stem.startswith(("cifar10_", "imagenet_")) and "macro" not in path.stem


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] if takes_long(path) else []) for path in PRESETS],
    ids=lambda path: path.stem,
)
def test_a_preset_parses_and_builds(own_flags, path):
    """It opens with its own command, and its networks can be built for its data."""
    command = re.search(rf"^#.*python -m (enas_tf\.launch\.\w+) .*--flagfile=flags/{path.name}", path.read_text(), re.M)
    assert command, f"{path.name} should open with the command that uses it"
    launcher = importlib.import_module(command[1])
    launcher.define_flags()
    define_options()
    config = parse(own_flags, f"--flagfile={path}")
    networks, child = config.networks, config[config.networks.child]
    shape = shape_of(config)
    if command[1].endswith(".search"):
        architecture = config.space.decode(config.space.random_tokens(1, np.random.default_rng(0))[0])
    else:
        architecture = read_architecture(own_flags["architecture"].value)
    if command[1].endswith(".search") and config.run.evaluator == "shared":
        supernet = networks.build_supernet(config.space, config[networks.network], shape)
        assert supernet.space == config.space
    cost = networks.count(architecture, child, shape)
    if cost.parameters < 5e6:
        model = networks.build_child(architecture, child, shape)
        assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == cost.parameters
        assert networks.build_trainee(model, architecture, child, shape).trainable_variables


def shape_of(config):
    """Return what networks are told of the data: of sets in packages, or what is assumed for others."""
    if config.option_values()["dataset"] in ("digits", "pydoc"):
        return config.task.shape(config.task.load(config))
    return config.task.assumed_shape(config, {})[0]


def test_there_are_presets():
    assert PRESETS


@pytest.mark.parametrize("space", SPACES)
def test_every_space_has_networks_of_a_task(space):
    entry = NETWORKS.entry(space)
    assert entry.groups == (entry.component.network, entry.component.child)
    assert entry.component.task in TASKS


@pytest.fixture
def own_searcher():
    """A searcher of the user's, and one of its options."""

    @dataclasses.dataclass(frozen=True)
    class Config:
        patience_of_mine: int = option(7, "how long it waits")

    group = Group(Config(), stages=("search",))
    SEARCHERS.register("mine", [group], {"epochs": 5}, help="my own")(RandomSearcher)
    yield group
    SEARCHERS.remove("mine")


def test_what_is_registered_is_offered(own_flags, own_searcher):
    define_options()
    assert "mine" in own_flags["searcher"].parser.enum_values
    assert "how long it waits [default: 7]" in own_flags["patience_of_mine"].help
    config = read_options({"searcher": "mine", "patience_of_mine": 9})
    assert config[own_searcher].patience_of_mine == 9
    assert config.option_values()["epochs"] == 5, "any component may have defaults"
    with pytest.raises(InputError, match="patience_of_mine=9 belongs to the mine searcher"):
        read_options({"patience_of_mine": 9})


def test_a_default_of_no_option_is_refused(own_searcher):
    SEARCHERS.remove("mine")
    SEARCHERS.register("mine", [own_searcher], {"epoch": 5})(RandomSearcher)
    with pytest.raises(InputError, match="the searcher mine has a default of epoch, which is no option"):
        read_options({"searcher": "mine"})


@pytest.fixture
def table_evaluator():
    """An evaluator that trains no shared weights."""
    EVALUATORS.register("mine")(object)
    yield
    EVALUATORS.remove("mine")


@pytest.mark.parametrize(
    ("space", "name"), [("macro", "children_per_step"), ("recurrent", "reward_scale"), ("macro", "batch_size")]
)
def test_options_of_shared_weights_are_refused_without_them(table_evaluator, space, name):
    read_options({"space": space, name: OPTIONS[name][0][1].field.default})
    with pytest.raises(
        InputError, match=f"^{name}=.*(shared weights, and evaluator=mine trains none|shared evaluator)"
    ):
        read_options({"space": space, "evaluator": "mine", name: OPTIONS[name][0][1].field.default})


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read_options({}).run.seed = 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", sorted(name for name, offers in OPTIONS.items() if offers[0][1].kind is float))
def test_numbers_are_finite(name, value):
    entry = OPTIONS[name][0][0]
    chosen = {"space": entry.name if entry is not None and entry.kind in ("space", NETWORKS.kind) else "macro"}
    if entry is not None and entry.kind in ("searcher", "evaluator", "executor"):
        chosen |= {entry.kind: entry.name}
    if name not in read_options(chosen).option_values():
        chosen["space"] = next(s for s in SPACES if name in read_options(chosen | {"space": s}).option_values())
    with pytest.raises(InputError, match=f"^{name}={value} is not valid: expected a finite number"):
        read_options(chosen | {name: value})


@pytest.mark.parametrize("name", ["epochs", "num_layers", "batch_size", "channels", "seed", "limit_train"])
@pytest.mark.parametrize("value", [10**24, 10**5000], ids=["long", "endless"])
def test_whole_numbers_that_cannot_be_meant_are_refused_at_once(name, value):
    with pytest.raises(InputError, match=f"^{name}=.* is not valid: expected at most ") as error:
        read_options({name: value})
    assert len(str(error.value)) < 200
