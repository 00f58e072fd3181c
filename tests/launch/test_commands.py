"""The commands that an installation brings do what `python -m enas_tf.launch.NAME` does."""

import importlib
import sys
import tomllib
from pathlib import Path

import pytest

import enas_tf.launch

ROOT = Path(enas_tf.launch.__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def test_every_launcher_has_a_command():
    launchers = [
        path.stem
        for path in Path(enas_tf.launch.__file__).parent.glob("*.py")
        if 'if __name__ == "__main__"' in path.read_text()
    ]
    assert len(launchers) == 8
    assert {f"enas-{name}": f"enas_tf.launch.{name}:command" for name in launchers} == SCRIPTS


@pytest.fixture
def call(own_flags, monkeypatch, capsys):
    """`call("enas-describe", "--json")`: the exit code and what is printed."""

    def run(name, *arguments):
        module, _, function = SCRIPTS[name].partition(":")
        monkeypatch.setattr(sys, "argv", [f"/somewhere/bin/{name}", *arguments])
        with pytest.raises(SystemExit) as ended:
            getattr(importlib.import_module(module), function)()
        return ended.value.code or 0, capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", ["search", "retrain"])
def test_its_help_is_that_of_the_module(name, call):
    code, out = call(f"enas-{name}", "--help")
    assert code == 0
    assert out.startswith(f"python -m enas_tf.launch.{name} ")
    assert "--[no]overwrite: start anew" in out, "the launcher's own flags are there"
    assert "--workdir=" in out


def test_it_runs(call):
    code, out = call("enas-describe", "--architecture=enas_micro", "--json")
    assert (code, out[:1]) == (0, "{")
