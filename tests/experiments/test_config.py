"""Flags are a thin skin over configs: nothing is lost or renamed between the two, and every preset can be built."""

import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.experiments import config as configs
from enas_tf.experiments.config import GROUPS, Config, RunConfig, define_flags, flag_values, read_config, to_flagfile
from enas_tf.experiments.defaults import SPACE_DEFAULTS, SPACE_FLAGS, foreign_flags
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ImageConfig
from enas_tf.models.language import TextShape
from enas_tf.options import option
from enas_tf.spaces.architectures import SPACES, read_architecture
from enas_tf.tasks.tasks import TASKS

PRESETS = sorted((Path(__file__).parents[2] / "flags").glob("*.flags"))
FLAG_TYPES = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    tuple: "comma separated list of strings",
}
DEFAULTS = Config(**{group: default for group, (default, _) in GROUPS.items()})
FIELDS = [(group, field) for group, (default, _) in GROUPS.items() for field in dataclasses.fields(default)]


def parse(values, *arguments) -> Config:
    values(["test", *arguments])
    return read_config(values)


def test_every_group_is_a_field_of_the_config():
    assert [(field.name, field.type) for field in dataclasses.fields(Config)] == [
        (group, type(default)) for group, (default, _) in GROUPS.items()
    ]


@pytest.mark.parametrize(("group", "field"), FIELDS, ids=lambda value: getattr(value, "name", value))
def test_every_option_is_a_flag(own_flags, group, field):
    define_flags()
    default, prefix = GROUPS[group]
    flag, value = own_flags[prefix + field.name], getattr(default, field.name)
    assert flag.help
    assert flag.default == (list(value) if isinstance(value, tuple) else value)
    choices = field.metadata["choices"]
    assert flag.flag_type() == ("string enum" if choices else FLAG_TYPES[configs._kind(field)])
    assert not choices or tuple(flag.parser.enum_values) == choices


def test_flags_without_arguments_are_the_defaults(own_flags):
    define_flags()
    assert parse(own_flags) == DEFAULTS


def test_every_space_is_a_group_and_a_row_in_each_table():
    assert all(isinstance(GROUPS[name][0], space) for name, space in SPACES.items())
    assert SPACE_DEFAULTS.keys() == SPACE_FLAGS.keys() == SPACES.keys()


@pytest.mark.parametrize("space", SPACES)
def test_the_tables_of_a_space_name_flags(space):
    assert {*SPACE_FLAGS[space], *SPACE_DEFAULTS[space]} <= flag_values(DEFAULTS).keys()
    assert not set(SPACE_DEFAULTS[space]) & set(foreign_flags(space)), "a default of a flag that is not read"


@pytest.mark.parametrize("space", SPACES)
def test_a_space_has_defaults_of_its_own(own_flags, space):
    define_flags()
    expected = flag_values(DEFAULTS) | SPACE_DEFAULTS[space] | {"space": space}
    config = parse(own_flags, f"--space={space}")
    assert flag_values(config) == expected
    assert config.space is getattr(config, space)


def test_the_help_names_the_defaults_of_a_space(own_flags):
    define_flags()
    assert "--space=micro: 20" in own_flags["channels"].help


def test_what_is_given_wins_over_the_default_of_a_space(own_flags):
    """A value that is the component's default too: what counts is that it was given."""
    define_flags()
    assert parse(own_flags, "--space=micro", "--channels=36").network.channels == 36


def test_a_kind_of_option_without_a_flag_is_refused(own_flags):
    """A field of a new type cannot become a flag of a wrong one without a word."""

    @dataclasses.dataclass(frozen=True)
    class Odd:
        table: dict = option(None, "a table")  # noqa: RUF009

    with pytest.raises(KeyError):
        configs._define("odd_table", dataclasses.fields(Odd)[0], None)


def other_value(field, value):
    """A valid value of `field` that is not `value`, where there is one."""
    if field.metadata["choices"]:
        return next((choice for choice in field.metadata["choices"] if choice != value), value)
    kind = configs._kind(field)
    if kind is bool:
        return not value
    if kind is tuple:
        return value[:2]
    if kind is str:
        return "folder:a directory, with=signs"
    return kind(
        7 if value is None else value / 2 if value and kind is float else 2 * value or 0.25 + 1.75 * (kind is int)
    )


@pytest.mark.parametrize("space", SPACES)
def test_a_flagfile_says_the_whole_configuration(own_flags, tmp_path, space):
    define_flags()
    defaults, groups, foreign = parse(own_flags, f"--space={space}"), {}, set(foreign_flags(space))
    for group, (_, prefix) in GROUPS.items():
        old = getattr(defaults, group)
        moved = [field for field in dataclasses.fields(old) if prefix + field.name not in {"space", *foreign}]
        groups[group] = dataclasses.replace(old, **{f.name: other_value(f, getattr(old, f.name)) for f in moved})
    config = Config(**groups)
    before, after = flag_values(defaults), flag_values(config)
    assert {name for name in before if before[name] == after[name]} == {"space", *foreign}
    path = tmp_path / "run.flags"
    path.write_text(to_flagfile(config))
    assert parse(own_flags, f"--flagfile={path}") == config


@pytest.mark.parametrize("space", SPACES)
def test_a_flagfile_of_defaults_names_the_space_alone(own_flags, space):
    define_flags()
    assert to_flagfile(parse(own_flags, f"--space={space}")) == f"--space={space}\n"


@pytest.mark.parametrize("space", SPACES)
def test_a_flagfile_says_values_that_another_space_has_as_defaults(own_flags, tmp_path, space):
    define_flags()
    config = dataclasses.replace(DEFAULTS, run=RunConfig(space=space))
    path = tmp_path / "run.flags"
    path.write_text(to_flagfile(config))
    assert parse(own_flags, f"--flagfile={path}") == config


@pytest.mark.parametrize(("space", "name"), [(space, name) for space in SPACES for name in foreign_flags(space)])
def test_flags_of_another_space_are_refused(own_flags, space, name):
    define_flags()
    group, field = next((group, f) for group, f in FIELDS if GROUPS[group][1] + f.name == name)
    value = other_value(field, getattr(GROUPS[group][0], field.name))
    value = ",".join(value) if isinstance(value, tuple) else value
    with pytest.raises(InputError) as error:
        parse(own_flags, f"--space={space}", f"--{name}={value}")
    for word in (f"--{name}={value} ", "belongs to the", f"--space={space}"):
        assert word in str(error.value)
    assert any(f"--{flag}" in str(error.value) for flag in SPACE_FLAGS[space])


PREFIXED = {
    "macro": ("l2", "retrain_l2", "dropout", "retrain_dropout", "channels", "retrain_channels"),
    "micro": ("cell_blocks", "cells_per_stage", "retrain_cells_per_stage"),
    "recurrent": ("cell_nodes", "units", "retrain_units", "bptt", "retrain_bptt", "drop_state", "retrain_patience"),
}


@pytest.mark.parametrize(("space", "name"), [(space, name) for space, names in PREFIXED.items() for name in names])
def test_errors_name_the_flag_with_its_prefix(own_flags, space, name):
    define_flags()
    with pytest.raises(InputError, match=f"^--{name}=-"):
        parse(own_flags, f"--space={space}", f"--{name}=-1")


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_parses_and_builds(own_flags, path):
    """It opens with its own command, and its networks can be built for its data."""
    command = re.search(rf"^#.*python -m (enas_tf\.launch\.\w+) .*--flagfile=flags/{path.name}", path.read_text(), re.M)
    assert command, f"{path.name} should open with the command that uses it"
    launcher = importlib.import_module(command[1])
    launcher.define_flags()
    config = parse(own_flags, f"--flagfile={path}")
    family, task = FAMILIES[config.run.space], TASKS[config.run.space]
    shape = shape_of(config)
    if command[1].endswith(".search"):
        supernet = family.supernet(config.space, task.network(config), shape)
        assert supernet.space == config.space
        architecture = config.space.decode(config.space.random_tokens(1, np.random.default_rng(0))[0])
    else:
        architecture = read_architecture(own_flags["architecture"].value)
    cost = family.count(architecture, task.child(config), shape)
    if cost.parameters < 5e6:
        child = family.build_child(architecture, task.child(config), shape)
        assert sum(int(np.prod(variable.shape)) for variable in child.trainable_variables) == cost.parameters
        assert family.trainee(child, architecture, task.child(config), shape).trainable_variables


def shape_of(config):
    """What networks are told of the data: those that come with packages are read, CIFAR's shape stands for others."""
    task = TASKS[config.run.space]
    if config.data.dataset in ("digits", "pydoc"):
        return task.shape(task.load(config))
    if task.unit == "token":
        return TextShape(config.text.vocab_size)
    return ImageConfig(32, 32, 3, 10, (0.0,) * 3, (1.0,) * 3)


def test_there_are_presets():
    assert PRESETS
