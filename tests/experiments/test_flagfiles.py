"""A flagfile is read as the launchers read it."""

from pathlib import Path

import pytest
from absl import flags

from enas_tf.errors import InputError
from enas_tf.experiments.config import every_option, read_options, to_flagfile
from enas_tf.experiments.flagfiles import read_flagfile

PRESETS = sorted((Path(__file__).parents[2] / "flags").glob("*.flags"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_read(path):
    given = read_flagfile(path)
    values = read_options(given).option_values()
    assert len(given) > 3
    assert {name: values[name] for name in given} == given


def test_what_a_run_has_written_is_read(tmp_path):
    options = read_options({"num_layers": 4, "ops": ["conv_3x3", "max_pool_3x3"], "deterministic": True, "l2": 1e-7})
    (tmp_path / "run.flags").write_text(to_flagfile(options))
    assert read_options(read_flagfile(tmp_path / "run.flags")) == options


def test_forms_of_a_line(tmp_path):
    (tmp_path / "base.flags").write_text("--epochs=4\n--seed=7\n")
    lines = ["# one", "// two", "", "-deterministic", "--nojit_compile", f"--flagfile={tmp_path}/base.flags"]
    text = "\n".join([*lines, "--workdir=x", "--epochs=5"])
    (tmp_path / "my.flags").write_text(text)
    found = {"deterministic": True, "jit_compile": False, "epochs": 5, "seed": 7}
    assert read_flagfile(tmp_path / "my.flags") == found
    values = flags.FlagValues()
    for name in ("deterministic", "jit_compile"):
        flags.DEFINE_bool(name, None, "", flag_values=values)
    for name in ("epochs", "seed"):
        flags.DEFINE_integer(name, None, "", flag_values=values)
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    values(["program", f"--flagfile={tmp_path}/my.flags"])
    assert {name: values[name].value for name in found} == found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--epochs=many", "epochs=many is not valid: expected a whole number"),
        ("--learning_rate=fast", "learning_rate=fast is not valid: expected a number"),
        ("--deterministic=maybe", "deterministic=maybe is not valid: expected true or false"),
        ("--epoch=3", "no option epoch. Did you mean epochs"),
        ("--import=nowhere.py", "nowhere.py"),
    ],
)
def test_wrong_lines_are_refused(tmp_path, line, words):
    (tmp_path / "my.flags").write_text(line)
    with pytest.raises(InputError, match=words):
        read_options(read_flagfile(tmp_path / "my.flags"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.flags"):
        read_flagfile(tmp_path / "nowhere.flags")


def test_every_option_has_one_kind():
    """So that the text of a flagfile has one meaning."""
    assert all(len({option.kind for _, option in offers}) == 1 for offers in every_option().values())
