"""Every preset is a configuration that can be run, and its learning rates come down by its end."""

from pathlib import Path

import pytest

from enas_tf.experiments.schedule import unended_schedule
from enas_tf.launch import app
from enas_tf.launch.flags import define_options, read_config

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "flags").glob("*.flags"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_read(own_flags, path):
    app.define_common_flags()
    app.define_architecture_flag()
    define_options()
    own_flags([path.stem, f"--flagfile={path}"])
    config = read_config()
    assert config.run.space in path.read_text()
    assert not unended_schedule(config, "search")
    assert not unended_schedule(config, "retrain")


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_told_of(path):
    assert f"`flags/{path.name}`" in (ROOT / "BUILD.md").read_text()
    assert f"--flagfile=flags/{path.name}" in path.read_text(), "its command stands at its beginning"
