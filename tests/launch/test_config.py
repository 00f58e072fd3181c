"""Flags are a thin skin over configs: nothing is lost or renamed between the two, and every preset can be built."""

import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from enas_tf.data.sources import load_images
from enas_tf.errors import InputError
from enas_tf.launch import config as configs
from enas_tf.launch.config import GROUPS, Config, define_flags, flag_values, read_config, to_flagfile
from enas_tf.launch.run import image_config
from enas_tf.models.families import FAMILIES
from enas_tf.models.images import ImageConfig
from enas_tf.options import option
from enas_tf.spaces.architectures import read_architecture

PRESETS = sorted((Path(__file__).parents[2] / "flags").glob("*.flags"))
FLAG_TYPES = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    tuple: "comma separated list of strings",
}
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
    assert parse(own_flags) == Config(**{group: default for group, (default, _) in GROUPS.items()})


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


def test_a_flagfile_says_the_whole_configuration(own_flags, tmp_path):
    define_flags()
    groups = {}
    for group, (default, _) in GROUPS.items():
        values = {field.name: other_value(field, getattr(default, field.name)) for field in dataclasses.fields(default)}
        groups[group] = dataclasses.replace(default, **values)
    config = Config(**groups)
    defaults = flag_values(Config(**{group: default for group, (default, _) in GROUPS.items()}))
    unchanged = {name for name, value in flag_values(config).items() if value == defaults[name]}
    assert unchanged <= {"space"}, "the test should move every flag that has another value"
    path = tmp_path / "run.flags"
    path.write_text(to_flagfile(config))
    assert parse(own_flags, f"--flagfile={path}") == config


def test_a_flagfile_of_defaults_is_empty():
    assert not to_flagfile(Config(**{group: default for group, (default, _) in GROUPS.items()})).strip()


@pytest.mark.parametrize("name", ["l2", "retrain_l2", "dropout", "retrain_dropout", "channels", "retrain_channels"])
def test_errors_name_the_flag_with_its_prefix(own_flags, name):
    define_flags()
    with pytest.raises(InputError, match=f"^--{name}=-"):
        parse(own_flags, f"--{name}=-1")


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_parses_and_builds(own_flags, path):
    """It opens with its own command, and its networks can be built for its images."""
    command = re.search(rf"^#.*python -m (enas_tf\.launch\.\w+) .*--flagfile=flags/{path.name}", path.read_text(), re.M)
    assert command, f"{path.name} should open with the command that uses it"
    launcher = importlib.import_module(command[1])
    launcher.define_flags()
    config = parse(own_flags, f"--flagfile={path}")
    family = FAMILIES[config.run.space]
    is_digits = config.data.dataset == "digits"
    image = image_config(load_images(config.data)) if is_digits else ImageConfig(32, 32, 3, 10, (0.0,) * 3, (1.0,) * 3)
    if command[1].endswith(".search"):
        supernet = family.supernet(config.macro, config.network, image)
        assert supernet.space == config.macro
        architecture = config.macro.decode(config.macro.random_tokens(1, np.random.default_rng(0))[0])
    else:
        architecture = read_architecture(own_flags["architecture"].value)
    cost = family.count(architecture, config.child, image)
    if cost.parameters < 5e6:
        assert family.build_child(architecture, config.child, image).output_shape == (None, image.num_classes)


def test_there_are_presets():
    assert PRESETS
