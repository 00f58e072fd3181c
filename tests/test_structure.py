"""The house: imports go one way, modules and functions stay small, and the library leaves flags and exits to launch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import enas_tf
from enas_tf.experiments.config import every_option

ROOT = Path(enas_tf.__file__).parent
RANKS = {
    name: rank
    for rank, names in enumerate(
        [
            ["errors"],
            ["options"],
            ["registry", "reading"],
            ["spaces", "layers"],
            ["ops"],
            ["data", "pictures"],
            ["models", "controller"],
            ["tasks"],
            ["runtime"],
            ["training"],
            ["search"],
            ["experiments"],
            ["api", "launch"],
        ]
    )
    for name in names
}
MODULES = {
    path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"
}
LIBRARY = {name: path for name, path in MODULES.items() if not name.startswith("launch/")}


def part_of(module: str) -> str:
    """Return the key of `RANKS` that a path such as spaces/macro.py belongs to."""
    return module.split("/")[0].removesuffix(".py")


def imported_names(path: Path) -> set[str]:
    """Return everything that a file imports, at any depth, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write imports in full, not relative to the file"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def functions_of(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_every_module_has_a_rank():
    assert {part_of(module) for module in MODULES} == set(RANKS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    part = part_of(module)
    for name in imported_names(MODULES[module]):
        if name.startswith("enas_tf."):
            other = name.split(".")[1]
            assert other == part or RANKS[other] < RANKS[part], f"{module} imports {name}"
        assert name.split(".")[0] != "absl" or part == "launch", (
            f"{module} imports {name}: flags are read in launch only"
        )
        assert part != "spaces" or name.split(".")[0] not in ("tensorflow", "keras"), f"{module} imports {name}"


def siblings(folder: str, common: set[str]) -> list[str]:
    """Return the modules of a folder that each hold a component, without those in `common`."""
    names = [
        module for module in MODULES if module.startswith(f"{folder}/") and module.count("/") == folder.count("/") + 1
    ]
    return [name for name in names if Path(name).stem not in {"__init__", *common}]


@pytest.mark.parametrize(
    ("folder", "common"),
    [
        (
            "spaces",
            {
                "space",
                "decisions",
                "vocabulary",
                "forms",
                "published",
                "architectures",
                "enas_lm",
                "cells",
                "cell_space",
            },
        ),
        ("search/searchers", {"searcher", "history"}),
        ("search/evaluators", {"evaluator"}),
        ("tasks", {"task", "problem", "losses", "export", "image_values", "signature", "litert", "onnx"}),
    ],
)
def test_components_of_one_kind_do_not_know_each_other(folder, common):
    components = {Path(name).stem.split("_")[0] for name in siblings(folder, common)}
    prefix = f"enas_tf.{folder.replace('/', '.')}."
    for module in siblings(folder, common):
        mine = Path(module).stem.split("_")[0]
        for name in imported_names(MODULES[module]):
            other = name.removeprefix(prefix).split(".")[0].split("_")[0]
            assert not name.startswith(prefix) or other == mine or other not in components, f"{module} imports {name}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("search/searchers/", "enas_tf.search.evaluators"),
        ("search/evaluators/", "enas_tf.search.searchers."),
        ("models/macro_child", "enas_tf.models.macro_supernet"),
        ("models/micro_child", "enas_tf.models.micro_supernet"),
        ("models/micro_child", "enas_tf.models.micro_cells"),
        ("models/recurrent_child", "enas_tf.models.recurrent_supernet"),
    ],
)
def test_a_noun_does_not_know_another(one, other):
    """Children know no supernet, searchers no evaluator; an evaluator knows of searchers that they propose."""
    modules = [module for module in MODULES if module.startswith(one)]
    assert modules
    for module in modules:
        names = {name for name in imported_names(MODULES[module]) if name.startswith(other)}
        assert names <= {"enas_tf.search.searchers.searcher.Searcher"}, f"{module} imports {names}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_with_what_it_is(module):
    source = MODULES[module].read_text()
    assert not source or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_are_small(module):
    path = MODULES[module]
    assert len(path.read_text().splitlines()) <= 300
    for function in functions_of(path):
        length = function.end_lineno - function.lineno + 1
        assert length <= 40, f"{function.name} has {length} lines"


#: First words of a docstring that tell of a thing, not of what the function does.
NOUNS = re.compile(r"(The|A|An|What|Where|Whether|How|Who|Of|`|float|int|bool|Names?|Number)\b")


@pytest.mark.parametrize("module", MODULES)
def test_the_docstring_of_a_function_begins_with_a_verb(module):
    for function in functions_of(MODULES[module]):
        text = ast.get_docstring(function)
        is_noun = any(getattr(d, "id", getattr(d, "attr", "")) in ("property", "cached_property") for d in
                      function.decorator_list)  # fmt: skip
        if text and not is_noun:
            assert not NOUNS.match(text), f"{function.name}: {text.splitlines()[0]}"
            assert not re.match(r"[A-Z][a-z]+s\b", text) or text.split()[0] in ("Pass", "Process", "Address"), (
                f"{function.name}: {text.splitlines()[0]} (write Return, not Returns)"
            )


#: Options, and flags that launchers have beside them.
FLAGS = {*every_option(), "workdir", "architecture", "overwrite", "then", "sample", "prompt", "weights", "import"}


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_writes_no_flag(module):
    """Messages name options by `errors.ref`; launchers add the dashes."""
    tree = ast.parse(LIBRARY[module].read_text())
    # Strings that stand alone are docstrings.
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            commands = re.sub(r"`python -m [^`]*`", "", node.value)
            if module != "experiments/config.py":  # It writes flagfiles.
                assert not FLAGS & set(re.findall(r"--([a-z_]+)", commands)), node.value


def test_importing_the_library_has_no_side_effects():
    modules = ["enas_tf." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in LIBRARY]
    script = (
        "import importlib, os, sys\n"
        "from absl import flags\n"
        "import tensorflow_datasets, tensorflow, keras\n"
        "before, stdout = set(flags.FLAGS), sys.stdout\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert sys.stdout is stdout\n"
        "assert set(flags.FLAGS) == before, set(flags.FLAGS) - before\n"
    )
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PATH": "",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": str(ROOT.parent),
    }
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
