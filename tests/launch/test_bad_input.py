"""Wrong input ends with one paragraph that names the thing and the cure, exit code 2, and nothing written or lost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
import tensorflow as tf

SMALL = (
    "--num_layers=3",
    "--channels=4",
    "--retrain_channels=4",
    "--workdir=run",
    "--epochs=1",
    "--updates_per_epoch=0",
    "--derive_samples=1",
    "--finalists=0",
    "--retrain_epochs=1",
)
SMALL_CELLS = (
    "--space=micro",
    "--cell_blocks=1",
    "--cells_per_stage=1",
    "--retrain_cells_per_stage=1",
    *(flag for flag in SMALL if not flag.startswith("--num_layers")),
)
SMALL_TEXT = (
    "--space=recurrent",
    "--dataset=text:texts",
    "--cell_nodes=2",
    "--units=4",
    "--batch_size=4",
    "--retrain_units=4",
    "--retrain_batch_size=4",
    *(flag for flag in SMALL if not flag.startswith(("--num_layers", "--channels", "--retrain_channels"))),
)
SIDE = 8


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dataset=digit"], ["--dataset=digit", "Did you mean digits?"]),
        (["--dataset=cifar10"], ["--dataset=cifar10", "tfds:cifar10"]),
        (["--dataset=npz:none.npz"], ["none.npz", "no such file"]),
        (["--valid_fraction=1.5"], ["--valid_fraction=1.5", "between 0 and 1"]),
        (["--seed=-1"], ["--seed=-1", "0"]),
        (["--seed=4294967296"], ["--seed=4294967296", "4294967295"]),
        (["--ops=conv_3x3,conv_7x7"], ["--ops=conv_3x3,conv_7x7", "sep_conv_5x5"]),
        (["--then=retrain,expotr"], ["--then=retrain,expotr", "retrain,export"]),
        (["stray"], ["stray", "--name=value"]),
        (["--batch_size=64", "--children_per_step=3"], ["--batch_size=64", "--children_per_step=3", "multiple"]),
        (["--batch_size=1000", "--limit_train=999"], ["--batch_size=1000", "999", "training", "--limit_train"]),
        (["--batch_size=200"], ["--batch_size=200", "validation", "--valid_fraction"]),
        (["--num_layers=4"], ["4 layers", "--num_layers", "multiple of 3"]),
        (["--channels=5"], ["--channels=5", "even"]),
        (["--image_size=10"], ["10x10", "--image_size="]),
    ],
    ids=lambda value: value[0] if value[0].startswith(("-", "s")) else "",
)
def test_flags_of_a_search(refuse, flags, words):
    refuse("search", [*SMALL, *flags], words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--cells_per_stage=0"], ["--cells_per_stage=0", "at least 1"]),
        (["--channels=0"], ["--channels=0", "at least 1"]),
        (["--retrain_cells_per_stage=0"], ["--retrain_cells_per_stage=0", "at least 1"]),
        (["--retrain_drop_path_keep=0"], ["--retrain_drop_path_keep=0", "probability"]),
        (["--retrain_auxiliary_weight=-1"], ["--retrain_auxiliary_weight=-1", "0 or more"]),
        (["--cell_blocks=0"], ["--cell_blocks=0", "at least 1"]),
        (["--cell_ops=identity,sep_conv_9x9"], ["--cell_ops=identity,sep_conv_9x9", "sep_conv_7x7"]),
        (["--op_tanh_reduce=0"], ["--op_tanh_reduce=0", "above 0"]),
        (["--image_size=6"], ["6x6", "--image_size="]),
        (["--stem=imagenet"], ["8x8", "--image_size=32"]),
        (["--num_layers=6"], ["--num_layers=6", "the macro space", "--space=micro", "--cell_blocks"]),
        (["--skip_weight=0.5"], ["--skip_weight=0.5", "spaces with skip connections", "the micro space is none"]),
        (["--retrain_channel_growth=2"], ["--retrain_channel_growth=2", "the macro space", "--space=micro"]),
        (["--ops=conv_3x3"], ["--ops=conv_3x3", "--cell_ops", "identity", "max_pool_7x7"]),
        (["--space=macro"], ["--cell_blocks=1", "the micro space", "--space=macro", "--num_layers"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_flags_of_a_search_for_cells(refuse, flags, words):
    refuse("search", [*SMALL_CELLS, *flags], words)


def test_operations_of_cells_in_a_macro_search(refuse):
    refuse("search", [*SMALL, "--cell_ops=identity"], ["--cell_ops=identity", "--space=macro", "--ops", "sep_conv_5x5"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--retrain_stem=imagenet"], ["8x8", "--image_size=32"]),
        (["--retrain_batch_size=9999"], ["--retrain_batch_size=9999", "training"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_flags_of_later_stages_are_refused_before_the_search_for_cells(refuse, flags, words):
    refuse("search", [*SMALL_CELLS, "--then=retrain", *flags], words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--retrain_channels=5"], ["--retrain_channels=5", "even"]),
        (["--retrain_batch_size=9999"], ["--retrain_batch_size=9999", "training"]),
        (["--retrain_l2=-1"], ["--retrain_l2=-1", "0 or more"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_flags_of_later_stages_are_refused_before_the_search(refuse, flags, words):
    refuse("search", [*SMALL, "--then=retrain", *flags], words)


def write_texts(directory: Path, **contents: bytes) -> None:
    """A text of three parts of 40 words and their ends of lines each, but for those of `contents`."""
    directory.mkdir()
    for part in ("train", "valid", "test"):
        (directory / f"{part}.txt").write_bytes(contents.get(part, b"one two three four\n" * 10))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dataset=digits"], ["--dataset=digits", "holds images", "needs text", "pydoc, text:PATH, tfds:NAME"]),
        (["--dataset=folder:images"], ["--dataset=folder:images", "holds images", "pydoc, text:PATH, tfds:NAME"]),
        (["--dataset=pydocs"], ["--dataset=pydocs", "Did you mean pydoc?"]),
        (["--dataset=text:none"], ["text:none", "no such directory", "train.txt, valid.txt and test.txt"]),
        (["--vocab_size=1"], ["--vocab_size=1", "2 or more"]),
        (["--units=0"], ["--units=0", "at least 1"]),
        (["--retrain_units=0"], ["--retrain_units=0", "at least 1"]),
        (["--drop_state=1"], ["--drop_state=1", "[0, 1)"]),
        (["--retrain_drop_state=1"], ["--retrain_drop_state=1", "[0, 1)"]),
        (["--bptt=0"], ["--bptt=0", "at least 1"]),
        (["--reward_scale=0"], ["--reward_scale=0", "above 0"]),
        (["--cell_nodes=0"], ["--cell_nodes=0", "at least 1"]),
        (["--cell_activations=tanh,gelu"], ["--cell_activations=tanh,gelu", "sigmoid"]),
        (["--batch_size=26"], ["--batch_size=26", "training", "50 tokens", "at least 52", "--batch_size=25"]),
        (["--batch_size=0"], ["--batch_size=0", "at least 1"]),
        (["--limit_train=7"], ["--batch_size=4", "7 tokens", "--limit_train"]),
        (["--children_per_step=2"], ["--children_per_step=2", "the classification task", "--vocab_size"]),
        (["--channels=8"], ["--channels=8", "the macro space and the micro space", "--space=recurrent", "--units"]),
        (["--cell_ops=identity"], ["--cell_ops=identity", "the micro space", "--cell_activations", "sigmoid"]),
        (["--cell_blocks=2"], ["--cell_blocks=2", "the micro space", "--cell_nodes"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_flags_of_a_search_for_recurrent_cells(refuse, tmp_path, flags, words):
    write_texts(tmp_path / "texts")
    refuse("search", [*SMALL_TEXT, *flags], words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--units=8"], ["--units=8", "the recurrent space", "--space=macro"]),
        (["--cell_nodes=4"], ["--cell_nodes=4", "the recurrent space", "--space=macro"]),
        (["--dataset=pydoc"], ["--dataset=pydoc", "digits, tfds:NAME, folder:PATH or npz:PATH"]),
        (["--dataset=text:texts"], ["--dataset=text:texts", "digits, tfds:NAME, folder:PATH or npz:PATH"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_what_is_of_texts_in_a_search_for_images(refuse, flags, words):
    refuse("search", [*SMALL, *flags], words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--retrain_batch_size=26"], ["--retrain_batch_size=26", "50 tokens", "--retrain_batch_size=25"]),
        (["--retrain_batch_size=0"], ["--retrain_batch_size=0", "at least 1"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_flags_of_later_stages_are_refused_before_the_search_for_recurrent_cells(refuse, tmp_path, flags, words):
    write_texts(tmp_path / "texts")
    refuse("search", [*SMALL_TEXT, "--then=retrain", *flags], words)


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_text_with_a_missing_part(refuse, tmp_path, part):
    write_texts(tmp_path / "texts")
    (tmp_path / f"texts/{part}.txt").unlink()
    refuse("search", list(SMALL_TEXT), ["text:texts", f"no {part}.txt", f"wiki.{part}.tokens"])


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_text_with_an_empty_part(refuse, tmp_path, part):
    write_texts(tmp_path / "texts", **{part: b" \n\n"})
    refuse("search", list(SMALL_TEXT), [f"texts/{part}.txt", "is empty"])


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_text_that_is_not_utf_8(refuse, tmp_path, part):
    write_texts(tmp_path / "texts", **{part: "naïve".encode("latin1")})
    refuse("search", list(SMALL_TEXT), [f"texts/{part}.txt", "not UTF-8", "0xef", "offset 2", "iconv"])


def test_a_validation_part_of_fewer_tokens_than_rows(refuse, tmp_path):
    write_texts(tmp_path / "texts", valid=b"one two three")
    refuse("search", list(SMALL_TEXT), ["validation", "4 tokens", "--batch_size=4", "at least 8"])


def test_a_test_part_without_a_token_to_predict(refuse, tmp_path):
    """Only retraining reads it, but what it would refuse is refused before the search."""
    write_texts(tmp_path / "texts", test=b"x")
    refuse("search", [*SMALL_TEXT, "--tokens=char", "--then=retrain"], ["test part", "1 tokens", "longer text"])


def test_the_workdir_is_asked_for(refuse):
    refuse("search", ["--num_layers=3"], ["--workdir"])


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/enas_tf"])
def test_a_workdir_that_cannot_be_written(refuse, tmp_path, place, overwrite):
    (tmp_path / "file").write_text("precious")
    refuse("search", [*SMALL, f"--workdir={place}", *overwrite], [f"--workdir={place}", "directory"])


def write_images(directory: Path, **counts: int) -> None:
    """A folder of images of one size, `counts` of each class."""
    for name, count in counts.items():
        (directory / name).mkdir(parents=True)
        for number in range(count):
            image = np.full((SIDE, SIDE, 1), number, np.uint8)
            (directory / name / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())


def test_an_empty_folder(refuse, tmp_path):
    (tmp_path / "images").mkdir()
    refuse("search", [*SMALL, "--dataset=folder:images"], ["images", "0 classes", "at least 2"])


def test_a_folder_that_is_not_there(refuse):
    refuse("search", [*SMALL, "--dataset=folder:images"], ["folder:images", "no such directory"])


def test_a_folder_with_one_class(refuse, tmp_path):
    write_images(tmp_path / "images", cat=4)
    refuse("search", [*SMALL, "--dataset=folder:images"], ["images", "1 class (", "cat", "at least 2"])


def test_an_unreadable_image(refuse, tmp_path):
    write_images(tmp_path / "images", cat=4, dog=4)
    (tmp_path / "images/dog/2.png").write_bytes(b"no image")
    refuse("search", [*SMALL, "--dataset=folder:images"], ["images/dog/2.png", "PNG", "Replace or remove"])


def test_images_of_different_sizes(refuse, tmp_path):
    write_images(tmp_path / "images", cat=4, dog=4)
    larger = tf.io.encode_png(np.zeros((9, 7, 1), np.uint8)).numpy()
    (tmp_path / "images/dog/2.png").write_bytes(larger)
    refuse("search", [*SMALL, "--dataset=folder:images"], ["images/dog/2.png", "9x7", "--image_size"])


def test_fewer_images_than_a_batch(refuse, tmp_path):
    write_images(tmp_path / "images", cat=20, dog=20)
    refuse(
        "search", [*SMALL, "--dataset=folder:images", "--batch_size=64"], ["--batch_size=64", "training", "32 images"]
    )


@pytest.mark.parametrize("labels", [[1, 2], [0, 2], [-1, 0]])
def test_labels_that_are_not_numbered_from_0(refuse, tmp_path, labels):
    images, labels = np.zeros((40, SIDE, SIDE, 1), np.uint8), np.tile(labels, 20)
    np.savez(tmp_path / "images.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    refuse("search", [*SMALL, "--dataset=npz:images.npz"], ["images.npz", "from 0"])


def test_a_data_set_that_is_neither_on_disk_nor_to_be_had(refuse, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")

    def fail(*args, **kwargs):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "head", fail)
    monkeypatch.setattr(requests.Session, "request", fail)
    refuse("search", [*SMALL, "--dataset=tfds:mnist", "--data_dir=sets"], ["mnist", "sets", "--data_dir", "tfds build"])


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 3 0 0", ["4 integers", "3 for 2 layers", "6 for 3"]),
        ("0 3 0 0 7 0", ["tokens[4] = 7", "layer_3/skip_0", "0 or 1"]),
        ("0 6 0 0 1 0", ["tokens[1] = 6", "layer_2/op", "conv_3x3"]),
        ("0 -1 0 0 1 0", ["tokens[1] = -1", "layer_2/op"]),
        ("layers: 0 3 0 9 1 0", ["tokens[3] = 9", "layer_3/op"]),
        ("0 3 x 0 1 0", ["0 3 x 0 1 0", "integers"]),
        ("nonsense", ["nonsense", "enas_macro"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arc_strings(refuse, arc, words):
    refuse("describe", [f"--architecture={arc}"], words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0 1 0 1 0 1 0 1", "--cell_blocks=2"], ["with --cell_blocks=1, but --cell_blocks=2", "reads it as it is"]),
        (["0 1 0 1 0 1", "--cell_blocks=1"], ["6 integers", "8 for every block", "--space=macro"]),
        (["0 1 0 1 2 1 0 1", "--cell_blocks=1"], ["tokens[4] = 2", "reduction/block_1/input_1"]),
        (["0 20 0 1 0 1 0 1", "--cell_blocks=1"], ["tokens[2] = 20", "normal/block_1/op_1", "sep_conv_3x3"]),
        (["0 1 0 1 0 1 0 1", "--space=macro"], ["8 integers", "6 for 3 layers", "--space=micro"]),
    ],
    ids=lambda value: " ".join(value) if "integers" not in value else "",
)
def test_arc_strings_of_cells(refuse, arguments, words):
    arc, *flags = arguments
    refuse("describe", ["--space=micro", f"--architecture={arc}", *flags], words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0 2 1 0"], ["4 integers", "2 n - 1", "notation of enas_lm", "'enas_lm:'"]),
        (["enas_lm: 0 2 1"], ["3 integers", "even", "notation of the first repository"]),
        (["0 0 1 2 3"], ["tokens[3] = 2", "node_2/previous", "0..1"]),
        (["enas_lm: 0 4"], ["4", "node_1/activation", "0..3"]),
        (["loose_ends: 0 0 1"], ["loose_ends: 0 0 1", "'enas_lm:'", "'all_but_first:'"]),
        (["0 3 0 0 1 0"], ["6 integers", "--space=macro reads it"]),
        (["0 0 1 0 2", "--space=macro"], ["5 integers", "or 6 for 3", "--space=recurrent reads it"]),
        (["enas_lm: 0 2 1 0", "--space=macro"], ["enas_lm: 0 2 1 0", "--space=recurrent reads it"]),
        (["lstm", "--cell_nodes=0"], ["--cell_nodes=0", "at least 1"]),
    ],
    ids=lambda value: " ".join(value) if len(value) < 3 and "integers" not in value[0] else "",
)
def test_arc_strings_of_recurrent_cells(refuse, arguments, words):
    arc, *flags = arguments
    refuse("describe", ["--space=recurrent", f"--architecture={arc}", *flags], words)


def write_flags(directory: Path, flags: tuple[str, ...] = SMALL) -> str:
    """Write the options of a whole run to a file, and its directory; return the flag that reads it."""
    (directory / "run").mkdir()
    (directory / "small.flags").write_text("\n".join(flags))
    return "--flagfile=small.flags"


def test_an_lstm_has_no_shared_weights(refuse, tmp_path):
    flags = [write_flags(tmp_path, SMALL_TEXT), "--weights=shared", "--architecture=lstm"]
    refuse("evaluate", flags, ["--weights=shared", "lstm:2, a baseline", "the searched space"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--space=macro", "--sample=5"], ["--sample", "language models", "--space=recurrent"]),
        (["--sample=5", "--weights=shared"], ["--sample=5", "retrained child", "--weights=shared"]),
        (["--prompt=the"], ["--prompt=the", "--sample"]),
        (["--sample_temperature=0.5"], ["--sample_temperature=0.5", "--sample=50"]),
        (["--sample=5", "--sample_temperature=0"], ["--sample_temperature=0", "0.001..1000"]),
        (["--sample=5", "--sample_temperature=nan"], ["--sample_temperature=nan", "0.001..1000"]),
        (["--sample=99999999999"], ["--sample=99999999999", "1,000,000"]),
        (["--sample=5"], ["run", "no retrained child"]),
    ],
    ids=["images", "shared", "prompt", "cold", "zero", "nan", "many", "no child"],
)
def test_samples_of_what_does_not_write(refuse, tmp_path, flags, words):
    refuse("evaluate", [write_flags(tmp_path, SMALL_TEXT), *flags], words)


@pytest.mark.parametrize("launcher", ["retrain", "evaluate", "export"])
def test_every_launcher_checks_its_architecture(refuse, tmp_path, launcher):
    arguments = [write_flags(tmp_path), "--architecture=0 3 0 0 7 0"]
    refuse(launcher, arguments, ["tokens[4] = 7", "layer_3/skip_0"])


def test_an_architecture_of_a_depth_without_thirds(refuse):
    arguments = ["--workdir=run", "--architecture=0 3 0"]
    refuse("retrain", arguments, ["2 layers", "length of the architecture", "multiple of 3"])


@pytest.mark.parametrize("text", ["{", '{"space": "mega"}', '{"space": "macro", "layers": 3}', "[]"])
def test_an_architecture_file_that_is_none(refuse, tmp_path, text):
    (tmp_path / "mine.json").write_text(text)
    refuse("describe", ["--architecture=mine.json"], ["expected"])


def test_an_architecture_of_the_workdir_that_is_none(refuse, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/architecture.json").write_text("{")
    refuse("describe", ["--workdir=run"], ["architecture.json", "JSON"])


@pytest.mark.parametrize(
    ("launcher", "words"),
    [
        ("derive", ["run", "no searched weights", "enas_tf.launch.search"]),
        ("retrain", ["run", "no architecture.json", "--architecture,"]),
        ("evaluate", ["run", "no retrained child", "enas_tf.launch.retrain"]),
        ("export", ["run", "no retrained child", "enas_tf.launch.retrain"]),
        ("describe", ["run", "no architecture.json", "--architecture,"]),
    ],
)
def test_stages_whose_input_is_not_there(refuse, tmp_path, launcher, words):
    refuse(launcher, [write_flags(tmp_path)], [*words, str(tmp_path / "run")])


@pytest.mark.parametrize("launcher", ["derive", "retrain", "evaluate", "export", "describe"])
def test_a_workdir_that_is_not_there(refuse, tmp_path, launcher):
    """Before its flags are missed, which would have said what the other flags mean."""
    (tmp_path / "runs/digits").mkdir(parents=True)
    words = ["--workdir=runs/digts: no such directory", str(tmp_path / "runs/digts"), "Did you mean runs/digits?"]
    refuse(launcher, ["--workdir=runs/digts", "--dataset=pydoc"] if launcher == "evaluate" else
           ["--workdir=runs/digts"], words)  # fmt: skip


@pytest.mark.parametrize("launcher", ["derive", "retrain", "evaluate", "export", "describe"])
def test_a_workdir_that_is_a_file(refuse, tmp_path, launcher):
    (tmp_path / "run").write_text("mine")
    refuse(launcher, ["--workdir=run"], ["--workdir=run: is not a directory", str(tmp_path / "run")])


def test_a_workdir_that_is_not_there_beside_an_architecture(refuse, tmp_path):
    """To retrain, it is created; to describe for its sizes, it is needed."""
    words = ["--workdir=run: no such directory", str(tmp_path / "run")]
    refuse("describe", ["--workdir=run", "--architecture=enas_macro"], words)


def test_of_two_workdirs_the_last_one_gives_the_flags(refuse, tmp_path):
    for name, space in (("first", "micro"), ("last", "macro")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.flags").write_text(f"--space={space}\n")
    arguments = ["--workdir=first", "--workdir=last", "--retrain_stem=cifar"]
    refuse("export", arguments, ["--retrain_stem=cifar", "while --space=macro"])


def test_an_architecture_that_no_search_has_left_is_not_lost(refuse, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/architecture.json").write_text("{}")
    refuse("search", list(SMALL), ["run", "holds an architecture", "--overwrite"])


@pytest.mark.parametrize("arguments", [["--image_shape=32,32"], ["--image_shape=a,b,c"], ["--num_classes=0"]])
def test_images_to_describe_for(refuse, arguments):
    refuse("describe", ["--architecture=enas_macro", *arguments], [arguments[0], "expected"])


@pytest.mark.parametrize("path", ["picture.jpg", "missing/picture.svg"])
def test_pictures_that_cannot_be_written(refuse, path):
    refuse("describe", ["--architecture=enas_macro", f"--picture={path}"], [path])


@pytest.mark.parametrize(
    ("place", "hint"), [("flags/digits_marco.flags", "Did you mean flags/digits_macro.flags?"), ("nowhere/a.flags", "")]
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_flagfile_that_is_not_there(refuse, tmp_path, place, hint, is_nested):
    (tmp_path / "flags").mkdir()
    (tmp_path / "flags/digits_macro.flags").write_text("--epochs=1\n")
    (tmp_path / "outer.flags").write_text(f"--epochs=1\n--flagfile={place}\n")
    words = [f"--flagfile={place}: no such file ({tmp_path / place})", "one flag a line", f"Correct the path. {hint}"]
    arguments = ["--flagfile=outer.flags"] if is_nested else [f"--flagfile={place}"]
    refuse("search", [*SMALL, *arguments], [word.strip() for word in words])


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--searcher=climb", ["climb", "random|", "reinforce"]),
        ("--searcher=reinforced", ["reinforced", "Did you mean reinforce?"]),
        (
            "--space=marco",
            ["marco", "<macro|micro|nas_conv|nas_recurrent|nasnet|pnas|recurrent>", "Did you mean macro?"],
        ),
        ("--evaluator=size", ["size", "shared"]),
    ],
)
def test_a_component_that_no_file_has_registered(launch, content, tmp_path, argument, words):
    outcome = launch("search", *SMALL, argument)
    assert outcome.code == 1
    for word in [*words, "--import=my_file.py adds what your own file registers"]:
        assert word in outcome.err
    assert not content(tmp_path)


@pytest.mark.parametrize("argument", ["--space=mega", "--epochs=many", "--no_such_flag=1"])
def test_errors_of_absl_keep_their_exit_code(launch, content, tmp_path, argument):
    outcome = launch("search", *SMALL, argument)
    assert outcome.code == 1
    assert argument.partition("=")[2] in outcome.err or "no_such_flag" in outcome.err
    assert "Traceback" not in outcome.err
    assert not content(tmp_path)


@pytest.mark.parametrize(
    ("environment", "argument", "code", "word"),
    [
        ({"KERAS_BACKEND": "jax"}, "--help", 2, "KERAS_BACKEND=jax"),
        ({}, "--space=mega", 1, "mega"),
        ({}, "--dataset=digit", 2, "Did you mean digits?"),
        ({"LC_ALL": "C", "PYTHONWARNINGS": "error"}, "--dataset=größe", 2, "größe"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "--dataset=größe", 2, "PYTHONUTF8=1"),
    ],
    ids=["backend", "absl", "input", "C", "ASCII"],
)
def test_as_a_process(content, tmp_path, environment, argument, code, word):
    """What the in-process tests cannot see: the real exit code, and nothing but the paragraph on standard error."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment
    command = [sys.executable, "-m", "enas_tf.launch.search", *SMALL, argument]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not content(tmp_path)


def test_a_name_beyond_ascii_in_the_locale_c(tmp_path):
    """Where warnings of libraries are errors, too."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    environment |= {"LC_ALL": "C", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "enas_tf.launch.describe", "--architecture=enas_macro", "--picture=größe.svg"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "größe.svg").exists()
