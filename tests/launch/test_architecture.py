"""The architecture decides the space of a child; and where nothing but a child is meant, short names are its flags."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from enas_tf.models.images import ImageConfig
from enas_tf.models.language import RETRAIN_LANGUAGE, TextShape
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.recurrent import LstmBaseline

IMAGE = ImageConfig(32, 32, 3, 10, (0.0,) * 3, (1.0,) * 3)
TINY_CELLS = "0 4 0 0 1 4 0 2"
PAPERS = {"cells_per_stage": 5, "channels": 36}


def write_run(workdir: Path, *flags: str, architecture: str = "", space: str = "macro") -> None:
    """What a run leaves of its flags and its architecture."""
    workdir.mkdir()
    (workdir / "run.flags").write_text("\n".join(flags) + "\n")
    if architecture:
        found = read_architecture(architecture, space).to_json()
        (workdir / "architecture.json").write_text(json.dumps(found))


def parameters(architecture: str, **child) -> int:
    architecture = read_architecture(architecture)
    networks = NETWORKS[architecture.space_name]
    return networks.count(architecture, dataclasses.replace(networks.child.default, **child), IMAGE).parameters


@pytest.mark.parametrize(
    ("name", "flags", "trainable", "total"),
    [
        ("nasnet_a", ["--stem=imagenet", "--cells_per_stage=4", "--channels=44"], 5_289_978, 5_326_716),
        ("pnasnet_5", ["--stem=imagenet", "--channels=54"], 5_064_487, 5_098_151),
    ],
)
def test_parameters_are_those_that_are_trained_and_the_total_has_moving_statistics(
    launch, name, flags, trainable, total
):
    shape = ["--image_shape=224,224,3", "--num_classes=1000"]
    described = json.loads(launch("describe", f"--architecture={name}", *shape, *flags, "--json").out)
    assert (described["parameters"], described["parameters_total"]) == (trainable, total)


def test_a_published_architecture_brings_its_space_and_the_defaults_there(launch):
    described = json.loads(launch("describe", "--architecture=enas_micro", "--json").out)
    assert described["space"] == "micro"
    assert described["parameters"] == parameters("enas_micro", **PAPERS)
    assert len(described["tokens"]) == 40


def test_a_description_of_cells_for_people(launch):
    words = launch("describe", "--architecture=enas_micro").out
    assert words.startswith("nodes: 0 is the cell before the last, 1 the last cell, others are blocks; op(n) is op on")
    for word in ("5 @ 36: 17 cells of 36, 72, 144 channels", "2.56e+25", "1.30e+11 by the paper's formula"):
        assert word in words


def test_a_description_of_layers_for_people(launch):
    words = launch("describe", "--architecture=0 3 0 0 1 0", "--channel_growth=2").out
    for word in ("96 channels, times 2 at each reduction", "one of 1,728 architectures of its space\n"):
        assert word in words


def test_a_description_of_a_recurrent_cell_for_people(launch):
    words = launch("describe", "--architecture=enas_lm").out
    assert words.startswith("nodes: x is the input, h the last state; a node applies its activation to what it reads")
    for word in ("800 units", "a vocabulary of 10,000: 20,800,000 parameters", "9.51e+10 by the paper's formula"):
        assert word in words
    assert "arc for enas_lm: enas_lm: 0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2\n" in words


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["--architecture=enas_micro"],
            [
                "assumed, as no --workdir names a run:",
                "  the size of the child (set by --channels, --cells_per_stage, --stem): "
                "5 @ 36: 17 cells of 36, 72, 144 channels",
                "  the size of the data (set by --image_shape, --num_classes): 32x32x3 images of 10 classes",
            ],
        ),
        (
            ["--architecture=enas_lm"],
            [
                "assumed, as no --workdir names a run:",
                "  the size of the child (set by --units): 800 units",
                "  the size of the data (set by --vocab_size): a vocabulary of 10,000",
            ],
        ),
        (
            ["--architecture=enas_macro", "--channels=8", "--image_shape=8,8,1"],
            [
                "assumed, as no --workdir names a run:",
                "  the size of the data (set by --num_classes): 8x8x1 images of 10 classes",
            ],
        ),
        (["--architecture=enas_lm", "--units=8", "--vocab_size=50"], []),
        (["--architecture=enas_macro", "--retrain_channels=8", "--image_shape=8,8,1", "--num_classes=3"], []),
    ],
)
def test_a_description_says_which_sizes_are_assumed_and_what_sets_them(launch, arguments, lines):
    printed = launch("describe", *arguments).out.splitlines()
    assert printed[-len(lines) :] == lines or not lines
    assert bool(lines) == any(line.startswith("assumed") for line in printed)


def test_a_row_of_candidates_without_its_run(run_directory, launch):
    """The workdir that it lies in is named, where the sizes are not those that its parameters are counted at."""
    words = launch("describe", "--architecture=run/candidates.csv#2").out
    assert "assumed, as no --workdir names a run (with --workdir=run they would be its own):\n" in words
    assert "(set by --channels, --channel_growth): 96 channels, times 1 at each reduction\n" in words
    assert "(set by --image_shape, --num_classes): 32x32x3 images of 10 classes\n" in words


@pytest.mark.parametrize("arguments", [[], ["--architecture=run/candidates.csv#2"], ["--architecture=enas_macro"]])
@pytest.mark.usefixtures("run_directory")
def test_nothing_is_assumed_of_a_run(launch, arguments):
    words = launch("describe", "--workdir=run", *arguments).out
    assert "for 8x8x1 images of 10 classes" in words
    assert "assumed" not in words


def test_a_run_that_has_recorded_no_data(launch, tmp_path):
    write_run(tmp_path / "run", "--retrain_channels=8", architecture="0 3 0 0 1 0")
    words = launch("describe", "--workdir=run").out
    assert words.endswith(
        "assumed, as the run has recorded no such data:\n"
        "  the size of the data (set by --image_shape, --num_classes): 32x32x3 images of 10 classes\n"
    )


@pytest.mark.parametrize("arc", ["1 0 0", "0 0 1 0 3", "all_but_first: 1 0 1"])
def test_what_enas_lm_cannot_say_is_not_said(launch, arc):
    """A node 0 that is not tanh, and the mean of the loose ends: its notation has no word for them."""
    assert "enas_lm" not in launch("describe", "--space=recurrent", f"--architecture={arc}").out


def test_the_number_of_nodes_is_that_of_the_arc_string(launch):
    described = json.loads(launch("describe", "--space=recurrent", "--architecture=0 0 1 0 3", "--json").out)
    assert described["tokens"] == [0, 0, 1, 0, 3]
    assert described["space_size"] == 4**3 * 2


@pytest.mark.parametrize("arguments", [(), ("--space=recurrent",), ("--space=macro",)])
def test_an_lstm_brings_its_space(launch, arguments):
    described = json.loads(launch("describe", "--architecture=lstm", "--cell_nodes=5", "--json", *arguments).out)
    assert (described["space"], described["arc"], described["tokens"]) == ("recurrent", "lstm:5", None)
    cost = NETWORKS["recurrent"].count(LstmBaseline(5), RETRAIN_LANGUAGE.default, TextShape(10_000))
    assert (described["parameters"], described["flops"]) == (cost.parameters, cost.flops)


def test_a_description_of_an_lstm_for_people(launch):
    words = launch("describe", "--architecture=lstm", "--cell_nodes=5", "--units=100").out
    for word in ("an LSTM with the parameters of a cell of 5 nodes and 100 units", "beside the 24,576 architectures"):
        assert word in words


@pytest.mark.parametrize("architecture", ["0 3 0 0 1 0", "enas_micro", "enas_lm", "0 0 1"])
def test_an_architecture_that_was_only_retrained_is_of_no_space_of_the_run(launch, tmp_path, architecture):
    """The flags of such a run say nothing of the length that a searched space would have."""
    space = "recurrent" if len(architecture) == 5 else "macro"
    expected = read_architecture(architecture, space)
    write_run(tmp_path / "run", f"--space={expected.space_name}", architecture=architecture, space=space)
    described = json.loads(launch("describe", "--workdir=run", "--json").out)
    assert described["arc"] == expected.to_arc()
    assert described["tokens"] == expected.space().encode(expected).tolist()


@pytest.mark.parametrize("arguments", [("--cell_blocks=1",), ("--workdir=run",)])
def test_an_arc_string_is_read_as_of_the_flags_or_the_run(launch, tmp_path, arguments):
    write_run(tmp_path / "run", "--space=micro", "--cell_blocks=1")
    outcome = launch("describe", "--space=micro", f"--architecture={TINY_CELLS}", "--json", *arguments)
    assert json.loads(outcome.out)["arc"] == TINY_CELLS


def test_the_architecture_of_a_workdir(launch, tmp_path):
    flags = ("--space=micro", "--cell_blocks=1", "--cell_ops=identity,sep_conv_3x3,avg_pool_3x3")
    write_run(tmp_path / "run", *flags, architecture=TINY_CELLS, space="micro")
    described = json.loads(launch("describe", "--workdir=run", "--json").out)
    assert (described["space"], described["arc"]) == ("micro", TINY_CELLS)
    assert described["tokens"] == [0, 0, 0, 1, 1, 0, 0, 2]


@pytest.mark.parametrize("arguments", [("--workdir=run",), ("--flagfile=run/run.flags",), ()])
def test_the_architecture_wins_over_the_space_of_a_flagfile(launch, tmp_path, arguments):
    """What the file says for its own space alone is left out; the rest holds."""
    write_run(tmp_path / "run", "--num_layers=6", "--retrain_channel_growth=2", "--retrain_channels=8")
    described = json.loads(launch("describe", "--architecture=enas_micro", "--json", *arguments).out)
    expected = PAPERS | ({"channels": 8} if arguments else {})
    assert described["parameters"] == parameters("enas_micro", **expected)


def test_an_arc_string_of_another_space_than_the_run(launch, tmp_path):
    write_run(tmp_path / "run", "--space=micro", "--cell_blocks=3", "--retrain_stem=imagenet")
    arguments = ("--workdir=run", "--space=macro", "--architecture=0 3 0 0 1 0", "--json")
    assert json.loads(launch("describe", *arguments).out)["parameters"] == parameters("0 3 0 0 1 0")


@pytest.mark.parametrize("launcher", ["describe", "retrain", "evaluate", "export"])
@pytest.mark.parametrize("flag", ["--num_layers=6", "--retrain_channel_growth=2"])
def test_a_flag_of_another_space_is_refused_where_it_was_typed(launch, tmp_path, launcher, flag):
    write_run(tmp_path / "run", "--space=macro", "--num_layers=3", "--retrain_channel_growth=3")
    outcome = launch(launcher, "--workdir=run", "--architecture=enas_micro", flag)
    assert outcome.code == 2
    assert f"{flag} belongs to the macro space" in outcome.err
    assert "while --space=micro" in outcome.err


def test_shared_weights_are_of_the_space_of_the_run(launch, tmp_path):
    write_run(tmp_path / "run", "--space=micro", "--cell_blocks=1", "--cells_per_stage=1", "--batch_size=32")
    outcome = launch("evaluate", "--workdir=run", "--weights=shared", "--architecture=enas_macro")
    assert outcome.code == 2
    assert "macro architecture is not one of the micro space" in outcome.err


def test_a_child_of_another_space_is_trained_in_a_workdir(launch, tmp_path):
    """By short names, whose meaning is noted in full; the flags of the child are of its own space alone."""
    write_run(tmp_path / "run", "--space=macro", "--num_layers=3", "--limit_train=64", architecture="0 3 0 0 1 0")
    (tmp_path / "mine.json").write_text(json.dumps(read_architecture(TINY_CELLS, "micro").to_json()))
    size = ("--channels=4", "--cells_per_stage", "1", "-stem=cifar")
    outcome = launch(
        "retrain", "--workdir=run", "--architecture=mine.json", "--epochs=1", "--batch_size=32", "--dropout=0", *size
    )
    assert outcome.code == 0, outcome.err
    assert "1 @ 4: 5 cells of 4, 8, 16 channels" in outcome.err + outcome.out
    assert re.search(r"\n  skipped files +none\n", outcome.out), "no search has reported on the data"
    lines = (tmp_path / "run/child/run.flags").read_text().splitlines()
    assert lines[0] == "--space=micro"
    assert set(lines[1:]) == {
        "--limit_train=64",
        "--retrain_channels=4",
        "--retrain_cells_per_stage=1",
        "--retrain_dropout=0.0",
        "--retrain_epochs=1",
        "--retrain_batch_size=32",
    }
    assert json.loads((tmp_path / "run/child/metrics.json").read_text())["arc"] == TINY_CELLS


@pytest.mark.parametrize(
    ("launcher", "flag", "words"),
    [
        ("describe", "--channels=0", "--channels=0 "),
        ("retrain", "--cells_per_stage=0", "--cells_per_stage=0 "),
        ("retrain", "--stem=imagenet", "8x8"),
        ("retrain", "--batch_size=9999", "--batch_size=9999 "),
    ],
)
def test_short_names_are_flags_of_the_child(launch, launcher, flag, words):
    outcome = launch(launcher, "--architecture=enas_micro", "--workdir=run", flag)
    assert outcome.code == 2
    assert words in outcome.err


@pytest.mark.parametrize(
    ("launcher", "flag", "words"),
    [
        ("describe", "--units=0", "--units=0 "),
        ("retrain", "--units=0", "--units=0 "),
        ("retrain", "--bptt=0", "--bptt=0 "),
        ("retrain", "--drop_state=1", "--drop_state=1.0 "),
        ("retrain", "--batch_size=99999", "--batch_size=99999 "),
        ("retrain", "--channels=8", "--channels=8 belongs to the macro space and the micro space"),
    ],
)
def test_short_names_are_flags_of_the_recurrent_child(launch, launcher, flag, words):
    outcome = launch(launcher, "--architecture=enas_lm", "--workdir=run", flag)
    assert outcome.code == 2
    assert words in outcome.err


def test_short_names_in_a_flagfile_are_what_they_are(launch, tmp_path):
    (tmp_path / "mine.flags").write_text("--channels=8\n--cells_per_stage=1\n--epochs=1\n")
    described = json.loads(launch("describe", "--architecture=enas_micro", "--flagfile=mine.flags", "--json").out)
    assert described["parameters"] == parameters("enas_micro", **PAPERS)


TEXT = ("--dataset=text:texts", "--workdir=run", "--units=4", "--epochs=1", "--batch_size=2")


@pytest.mark.parametrize(
    ("arguments", "arc"),
    [
        (("--architecture=lstm",), "lstm:8"),
        (("--architecture=enas_lm",), "all_but_first: 0 0 3 1 0 2 1 2 3 4 0 5 0 3 3 6 3"),
        (("--architecture=0 0 1", "--space=recurrent"), "0 0 1"),
    ],
)
def test_a_recurrent_child_is_trained_without_a_search(launch, tmp_path, arguments, arc):
    """A name needs no --space."""
    (tmp_path / "texts").mkdir()
    for part in ("train", "valid", "test"):
        (tmp_path / f"texts/{part}.txt").write_text("one two three four\n" * 4)
    outcome = launch("retrain", *TEXT, *arguments, "--then=export")
    assert outcome.code == 0, outcome.err
    for path in ("child/child.keras", "child/vocabulary.json", "child/saved_model", "architecture.svg"):
        assert (tmp_path / "run" / path).exists()
    assert json.loads((tmp_path / "run/child/metrics.json").read_text())["arc"] == arc
    lines = (tmp_path / "run/run.flags").read_text().splitlines()
    assert lines[0] == "--space=recurrent"
    assert set(lines[1:]) == {
        f"--dataset=text:{tmp_path / 'texts'}",
        "--retrain_units=4",
        "--retrain_epochs=1",
        "--retrain_batch_size=2",
    }


def test_a_searcher_in_the_command_line_leaves_out_what_a_flagfile_says_for_another(launch, tmp_path):
    """The baseline of a preset is the preset with another searcher."""
    (tmp_path / "mine.flags").write_text("--controller_learning_rate=0.01\n--epochs=1\n")
    small = ("--flagfile=mine.flags", "--num_layers=3", "--channels=4", "--limit_train=64", "--batch_size=32")
    short = ("--updates_per_epoch=0", "--derive_samples=2", "--finalists=0")
    outcome = launch("search", *small, *short, "--searcher=random", "--workdir=run")
    assert outcome.code == 0, outcome.err
    assert "--controller_learning_rate" not in (tmp_path / "run/run.flags").read_text()


def test_what_a_searcher_in_the_command_line_does_not_read_is_refused_there(launch, tmp_path):
    outcome = launch("search", "--searcher=random", "--entropy_weight=1", "--workdir=run")
    assert outcome.code == 2
    assert "--entropy_weight=1.0 belongs to the reinforce searcher, while --searcher=random: leave" in outcome.err


def test_a_flagfile_that_contradicts_itself_is_refused(launch, tmp_path):
    (tmp_path / "mine.flags").write_text("--searcher=random\n--entropy_weight=1\n")
    outcome = launch("search", "--flagfile=mine.flags", "--workdir=run")
    assert outcome.code == 2
    assert "--entropy_weight=1.0 belongs to the reinforce searcher" in outcome.err
