"""`--help` shows every flag that a launcher reads once, under the stage and the component that it belongs to."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import every_option, read_options
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.executors.executor import EXECUTORS
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import SPACES
from tests.fuzz.conftest import run

#: Where the output is no terminal.
WIDTH = 100
#: A row of the help: whether it is a boolean, what may be left out at its beginning, and the rest of its name.
ROW = re.compile(r"^  --(\[no\])?(?:\[(\w+)\])?(\w+)[:=]", re.MULTILINE)
#: Space -> an architecture whose name or file says what space it is of.
NAMED = {
    "macro": "enas_macro",
    "micro": "enas_micro",
    "nas_conv": "nas.json",
    "nas_recurrent": "nas_cell",
    "nasnet": "nasnet_a",
    "pnas": "pnasnet_5",
    "recurrent": "enas_lm",
}
FILES = {"nas.json": read_architecture("3x3x24 5x5x36 1", "nas_conv")}
#: Valid values of options that have no default.
VALUES = {int: 8, float: 0.5, str: "sets"}
OWN = {
    "search": {"dry_run", "overwrite", "then"},
    "derive": set(),
    "retrain": {"architecture", "overwrite", "then", "top"},
    "evaluate": {"architecture", "prompt", "sample", "sample_temperature", "weights"},
    "export": {"architecture"},
    "describe": {"architecture", "code", "image_shape", "json", "num_classes", "picture"},
}


@pytest.fixture
def sections(launch):
    """Return heading -> text of the section."""
    outcome = launch("search", "--help")
    assert (outcome.code, outcome.err) == (0, "")
    parts = re.split(r"\n\n(.*):\n", outcome.out)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_option_is_there_once(sections):
    text = "\n".join(sections.values())
    found = [name for *_, name in ROW.findall(text)]
    assert sorted(found) == sorted([*every_option(), "dry_run", "flagfile", "import", "overwrite", "then", "workdir"])


def names_in_help(launcher: str) -> tuple[list[str], list[str]]:
    """Return the names of the flags that the help of a launcher shows, and the short names there."""
    ended = run(launcher, "--help")
    assert (ended.code, ended.err) == (0, "")
    rows = [(prefix, rest) for _, prefix, rest in ROW.findall(ended.out)]
    return [prefix + rest for prefix, rest in rows], [rest for prefix, rest in rows if prefix]


def typed(name: str) -> tuple[str, list[str]]:
    """Return an architecture, and the arguments of a valid value of the option `name` with components that read it."""
    found = every_option()[name][0][1]
    value = VALUES[found.kind] if found.field.default is None else found.field.default
    shown = ",".join(value) if isinstance(value, tuple) else value
    kinds = {"space": SPACES, "searcher": SEARCHERS, "evaluator": EVALUATORS, "executor": EXECUTORS}
    # A component is typed where the default one does not read the option.
    for choice in [{}, *({kind: one} for kind, registry in kinds.items() if kind != name for one in registry)]:
        try:
            space = read_options(choice | {name: value}).run.space
        except InputError:
            continue
        others = [f"--{kind}={one}" for kind, one in choice.items()]
        return NAMED[space], [f"--{name}={shown}", *others]
    raise AssertionError(f"nothing reads {name}")


@pytest.fixture
def nothing_runs(monkeypatch):
    """Let launchers end where all flags have been read."""

    def stop(*args, **kwargs):
        raise SystemExit(0)

    monkeypatch.setattr("enas_tf.launch.app.start_run", stop)
    monkeypatch.setattr("enas_tf.experiments.description.describe", stop)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("launcher", OWN)
def test_what_help_shows_is_accepted_and_all_else_is_refused(monkeypatch, tmp_path, launcher):
    shown, short = names_in_help(launcher)
    assert len({*shown, *short}) == len(shown) + len(short)
    assert set(shown) - every_option().keys() == OWN[launcher] | {"flagfile", "import", "workdir"}
    modes = [["--weights=child"], ["--weights=shared"]] if launcher == "evaluate" else [[]]
    monkeypatch.chdir(tmp_path)
    for name, arc in FILES.items():
        Path(name).write_text(json.dumps(arc.to_json()))
    for name in every_option():
        architecture, arguments = typed(name)
        arguments.append(f"--workdir={tmp_path}")
        if "architecture" in OWN[launcher]:
            arguments.append(f"--architecture={architecture}")
        ended = [run(launcher, *arguments, *mode) for mode in modes]
        is_refused = all(end.code == 2 and f"--{name}=" in end.err and "is read by" in end.err for end in ended)
        assert is_refused == (name not in {*shown, *short}), (name, [end.err for end in ended])
        assert is_refused or any(end.code == 0 for end in ended), (name, [end.err for end in ended])


@pytest.mark.parametrize(
    ("launcher", "rows"),
    [
        ("retrain", {"Retraining": "--[retrain_]epochs=N", "To read --architecture, space macro": "--ops=A,B"}),
        ("describe", {"Retraining, networks of the space nas_recurrent and recurrent": "--[retrain_]units=N"}),
        ("evaluate", {"With --weights=shared": "--epochs=N", "Every stage": "--seed=N", "This command": "--prompt"}),
        ("export", {"To read --architecture": "--space=macro|micro|nas_conv|nas_recurrent|nasnet|pnas|recurrent"}),
        ("derive", {"Derive": "--derive_samples=N", "Search, searcher reinforce": "--entropy_weight=X"}),
    ],
)
def test_sections_of_other_launchers(launch, launcher, rows):
    sections = re.split(r"\n\n(.*):\n", launch(launcher, "--help").out)
    for heading, flag in rows.items():
        (text,) = [
            text
            for found, text in zip(sections[1::2], sections[2::2], strict=True)
            if found == heading or found.startswith(f"{heading} (")
        ]
        assert flag in text


def test_lines_are_wrapped(sections):
    """But for lists of names, which can be copied as they are."""
    lines = "\n".join(sections.values()).splitlines()
    assert [line for line in lines if len(line) > WIDTH and " " in line.strip()] == []


@pytest.mark.parametrize(
    ("flag", "heading"),
    [
        ("--ops=A,B", "Search, space macro (a whole convolutional network, layer by layer)"),
        ("--num_layers=N", "Search, space macro and nas_conv"),
        ("--cell_blocks=N", "Search, space micro, nasnet and pnas"),
        ("--channels=N", "Search, networks of the space macro, micro, nasnet and pnas"),
        ("--retrain_channels=N", "Retraining, networks of the space macro, micro, nasnet and pnas"),
        ("--entropy_weight=X", "Search, searcher reinforce"),
        ("--space=macro|micro|nas_conv|nas_recurrent|nasnet|pnas|recurrent", "Search"),
        ("--[no]overwrite", "This command"),
        ("--derive_samples=N", "Derive"),
        ("--retrain_epochs=N", "Retraining"),
        ("--seed=N", "Every stage"),
        ("--[no]random_bptt", "Search, task language_modelling"),
        ("--cell_ops=A,B", "Search, space micro, nasnet and pnas"),
    ],
)
def test_a_flag_stands_where_it_belongs(sections, flag, heading):
    (found,) = [name for name, text in sections.items() if f"\n  {flag}: " in f"\n{text}"]
    assert found == heading or found.startswith(f"{heading} (")


def test_help_says_the_defaults_of_spaces(sections):
    assert "[default: 310; 150 with the space micro;" in " ".join(sections["Search"].split())


def test_choices_are_shown_once(sections):
    """Absl puts them before the words of a flag."""
    assert "<macro|" not in sections["Search"]


def test_help_imports_nothing_that_is_slow_and_not_needed():
    """TensorFlow and Keras take most of the time; a third more went to what they import and runs do not use."""
    script = "import runpy, sys, atexit; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "
    script += "sys.argv = ['search', '--help']; runpy.run_module('enas_tf.launch.search', run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert "keras" in loaded
    assert not loaded & {"matplotlib", "sklearn", "scipy.stats", "tensorflow_datasets", "pandas", "pydoc_data.topics"}
