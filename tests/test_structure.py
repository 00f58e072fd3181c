"""Imports go one way, from values to builders to runs: a module imports from lower ranks or its own folder."""

import ast
from pathlib import Path

import pytest

import enas_tf

ROOT = Path(enas_tf.__file__).parent
RANKS = {
    name: rank
    for rank, names in enumerate(
        [
            ["errors"],
            ["options"],
            ["spaces", "layers"],
            ["controller", "models", "data"],
            ["training"],
            ["search", "pictures", "export"],
            ["launch"],
        ]
    )
    for name in names
}
MODULES = {
    path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"
}


def part_of(module: str) -> str:
    """The key of `RANKS` that a path such as spaces/macro.py belongs to."""
    return module.split("/")[0].removesuffix(".py")


def imported_names(path: Path) -> set[str]:
    """Everything that a file imports, at any depth, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write imports in full, not relative to the file"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


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


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_with_what_it_is(module):
    source = MODULES[module].read_text()
    assert not source or ast.get_docstring(ast.parse(source))
