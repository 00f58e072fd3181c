"""The documents: their Python runs as it stands, and their links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "BUILD.md", "CONTRIBUTING.md", "benchmarks/README.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
EXTENDING = ROOT / "docs/extending.md"
#: Uses what the blocks of docs/extending.md have registered; the arguments are files with the blocks of a section each.
USE = """
import sys
import numpy as np
import tensorflow as tf
import enas_tf
from enas_tf.experiments.config import read_options
from enas_tf.ops.activations import ACTIVATIONS
from enas_tf.registry import import_file
from enas_tf.search.evaluators.evaluator import EVALUATORS
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.space import SPACES

for path in sys.argv[1:]:
    import_file(path)

config = read_options({"space": "stack", "searcher": "climb", "evaluator": "size", "climb_fresh_share": 0.0})
space = SPACES["stack"](depth=4)
searcher, evaluator = SEARCHERS["climb"].build(space, config), EVALUATORS["size"](lambda tokens: 1 + sum(tokens))
tokens = tf.constant([[1, 1, 1, 1], [0, 0, 1, 0], [2, 2, 2, 2]])
rewards = tf.concat([evaluator.evaluate(tokens)[:2], [np.nan]], 0)
assert searcher.update(tokens, rewards).keys() == set(searcher.metric_names)
assert searcher.best.numpy().tolist() == [0, 0, 1, 0]
proposals = searcher.propose(6, tf.constant([0, 1])).numpy()
assert (np.sum(proposals != [0, 0, 1, 0], axis=1) <= 1).all()

architecture = space.decode(proposals[0])
assert read_architecture(architecture.to_arc(), "stack") == architecture
assert read_architecture("squeeze_excite conv_9x9 1", "macro").to_arc() == "squeeze_excite conv_9x9 1"

small = {"epochs": 1, "updates_per_epoch": 1, "samples_per_update": 2, "derive_samples": 2, "limit_train": 64}
small |= {"retrain_channels": 4, "retrain_epochs": 1, "retrain_batch_size": 32, "channels": 4, "num_layers": 3}
search = enas_tf.ImageSearch(
    workdir="run", evaluator="one_epoch", searcher="climb", ops="squeeze_excite,conv_9x9", seed=1, **small
)
search.search()
assert all(0 <= candidate.value <= 1 for candidate in search.candidates())
model = search.retrain("squeeze_excite squeeze_excite 0 squeeze_excite 1 0")
assert "layer_1_op_gate" in " ".join(layer.name for layer in model.layers), [layer.name for layer in model.layers]
assert sum(map(np.size, model.trainable_weights)) == search.metrics["parameters"]
assert (search.export() / "saved_model.pb").exists()
search.plot("net.svg", "squeeze_excite squeeze_excite 0 squeeze_excite 1 0")
assert "squeeze_excite" in open("net.svg").read()
assert all(f"--import={path}" in open("run/run.flags").read().splitlines() for path in sys.argv[1:])

x = tf.constant([-2.0, 0.5])
with tf.GradientTape() as tape:
    tape.watch(x)
    y = ACTIVATIONS["softsign"].call(x)
np.testing.assert_allclose(ACTIVATIONS["softsign"].gradient(y, tf.ones(2)), tape.gradient(y, x), rtol=1e-6)
"""


def sections(path):
    """Return heading -> the Python blocks below it, without the headings that have none."""
    _, *rest = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    found = {text.splitlines()[0]: re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) for text in rest}
    return {heading: blocks for heading, blocks in found.items() if blocks}


@pytest.mark.slow
def test_blocks_about_extending_run_and_do_what_they_say(tmp_path):
    files = []
    for number, (_, blocks) in enumerate(sorted(sections(EXTENDING).items())):
        files.append(tmp_path / f"section_{number}.py")
        files[-1].write_text("\n\n".join(blocks))
    assert len(files) == 4
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", USE, *files]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr


def test_blocks_about_python_run_one_after_another(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.M | re.S)
    assert len(blocks) == 5
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", "\n".join(blocks)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "there is no option epoch. Did you mean epochs?" in ran.stdout
    assert "Candidate(rank=1, arc='layers: " in ran.stdout
    assert "retrain 0 " in ran.stdout
    assert (tmp_path / "net.svg").exists()


def test_the_space_of_the_document_is_the_one_that_is_tested():
    example = (ROOT / "tests/experiments/own_space.py").read_text()
    assert "\n\n".join(sections(EXTENDING)["A space"]).split() == example.split('"""', 2)[2].split()


def test_the_operation_of_the_document_is_the_one_that_is_tested():
    example = (ROOT / "tests/ops/own_op.py").read_text()
    assert sections(EXTENDING)["An operation"][0].split() == example.split('"""', 2)[2].split()


def text_of(path):
    """Return a document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)


def anchors(path):
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), f"{path.name} links to {link}, which is not there"
        assert not anchor or anchor in anchors(target), f"{path.name} links to {link}: there is no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_read_files_that_are_there(path):
    """Flagfiles, recipes and examples of the repository: runs, data and files that the reader writes are not there."""
    for name in re.findall(r"\b(?:flags|launch|tests|enas_tf)/[\w/]+\.\w+", path.read_text()):
        assert (ROOT / name).exists(), f"{path.name} names {name}, which is not there"
