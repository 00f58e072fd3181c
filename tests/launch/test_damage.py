"""Files of a run that are damaged: one paragraph names the file, what is wrong and the cure, and nothing is changed."""

import json
import os
import stat
import zipfile

import keras
import pytest

#: File -> the launcher and the arguments that read it.
READERS = {
    "run.flags": ("describe", []),
    "architecture.json": ("describe", []),
    "environment.json": ("describe", []),
    "candidates.csv": ("describe", ["--architecture=run/candidates.csv#1"]),
    "checkpoints/search/flags.json": ("derive", []),
    "checkpoints/search/checkpoint": ("derive", []),
    "checkpoints/retrain/flags.json": ("retrain", []),
    "child/run.flags": ("evaluate", []),
    "child/metrics.json": ("evaluate", []),
    "child/child.keras": ("evaluate", []),
    "metrics.jsonl": ("search", ["--flagfile=run/run.flags"]),
}
DAMAGE = {
    "binary": lambda content: bytes(range(256)),
    "not UTF-8": lambda content: "naïve".encode("latin1") + content,
    "NUL": lambda content: content[:5] + b"\0" + content[5:],
}
JSON_DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "list": lambda content: b"[1, 2]",
    "number": lambda content: b"7",
    "null": lambda content: b"null",
    "deep": lambda content: b'{"space":' * 50_000,
    "digits": lambda content: b'{"space": ' + b"9" * 5_000 + b"}",
    "infinite": lambda content: b'{"space": 1e999}',
    "not a number": lambda content: b'{"space": NaN}',
    "other keys": lambda content: b'{"rows": []}',
}
NO_KEYS = ("checkpoints/search/flags.json", "checkpoints/retrain/flags.json")
CASES = [
    # A Keras file is found in spite of other bytes before it or in it.
    *((path, kind) for path in READERS for kind in DAMAGE if path != "child/child.keras" or kind == "binary"),
    *(
        (path, kind)
        for path in READERS
        for kind in JSON_DAMAGE
        # An empty list of options differs in none.
        if path.endswith(".json") and not (path in NO_KEYS and kind == "other keys")
    ),
    *((path, "directory") for path in READERS),
    ("child/child.keras", "empty"),
    ("child/child.keras", "truncated"),
    ("checkpoints/search/checkpoint", "empty"),
]


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_a_damaged_file(run_directory, refuse, path, kind):
    place = run_directory / path
    content = place.read_bytes()
    place.unlink()
    if kind == "directory":
        place.mkdir()
    else:
        place.write_bytes((DAMAGE | JSON_DAMAGE)[kind](content))
    launcher, arguments = READERS[path]
    refuse(launcher, ["--workdir=run", *arguments], [str(place)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"image_shape": 7}, "environment.json"),
        ({"image_shape": [8, 8]}, "environment.json"),
        ({"image_shape": [8, 8, "x"]}, "environment.json"),
        ({"class_names": 7}, "environment.json"),
        (7, 'has 7 under the key "data"'),
    ],
)
def test_an_environment_of_other_types(run_directory, refuse, data, words):
    (run_directory / "environment.json").write_text(json.dumps({"data": data}))
    refuse("describe", ["--workdir=run"], [words])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": 3}, "is not a list"),
        ({"layers": []}, "it has no layers"),
        ({"layers": [{"op": "conv_3x3", "skips": [True]}]}, "True is not a whole number"),
        (
            {"layers": [{"op": "conv_3x3", "skips": []}, {"op": "conv_3x3", "skips": [1.0]}]},
            "1.0 is not a whole number",
        ),
        ({"layers": [{"op": 7, "skips": []}]}, "is not a name"),
        ({"layers": [{"op": "conv_3x3", "skips": {}}]}, "is not a list"),
        ({"layers": [{"op": "conv_3x3", "skips": []}] * 1001}, "num_layers=1,001"),
        ({"skip_sources": ["layers"]}, "is not a name"),
        ({"space": 7}, "'7'"),
        ({"space": "x" * 10**6}, "expected one of"),
        ({"baseline": "gru"}, "gru"),
    ],
)
def test_an_architecture_of_other_values(run_directory, refuse, change, words):
    path = run_directory / "architecture.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refuse("describe", ["--workdir=run"], [str(path), words])


@pytest.mark.parametrize("previous", [0.5, True, "0", [0], 10**30])
def test_a_previous_node_that_is_no_node(refuse, tmp_path, previous):
    nodes = [{"activation": "tanh", "previous": None}, {"activation": "relu", "previous": previous}]
    (tmp_path / "mine.json").write_text(json.dumps({"space": "recurrent", "output": "loose_ends", "nodes": nodes}))
    refuse("describe", ["--architecture=mine.json"], ["expected"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rank and arc"),
        ("rank,tokens\n1,0 3 0\n", "rank and arc"),
        ("rank,arc\n", "no candidate of rank '1'"),
        ('rank,arc\n1,"0 3 0\n', "is not a table"),
        ("rank,arc\n1\n", "no candidate of rank '1'"),
        ("rank,arc\n1," + "9" * 10**6 + "\n", "not a list of integers"),
    ],
)
def test_a_table_of_candidates_that_is_none(refuse, tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text)
    refuse("describe", ["--architecture=mine.csv#1"], [words])


@pytest.mark.parametrize("space", ["macro", "micro", "recurrent"])
@pytest.mark.parametrize(
    "arc",
    [
        "0 " * 600_000,
        "0" * 5_000,
        "1 x" + " 1" * 5_000,
        "1" * 3_000 + "x",
        "-" * 5_000 + "1",
        "0 3 0\0",
        "0 3 0\n\x1b[1m",
    ],
)
def test_arc_strings_of_enormous_length(launch, space, arc):
    """A regular expression once took minutes for them."""
    outcome = launch("describe", f"--space={space}", f"--architecture={arc}")
    assert outcome.code == 2
    assert len(outcome.err) <= 2_000
    assert outcome.err.strip().isprintable()


def rewrite_keras(path, **members):
    """Change members of a Keras file; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (old | members).items():
            if content is not None:
                archive.writestr(name, content)


def other_model(*shape):
    image = keras.Input(shape)
    return keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image)))


@pytest.mark.parametrize(
    "members",
    [
        {"model.weights.h5": None},
        {"model.weights.h5": b""},
        {"config.json": None},
        {"config.json": b"{"},
        {"config.json": b"[]"},
        {"config.json": b'{"module": "os", "class_name": "system", "config": {}}'},
        {"config.json": json.dumps(keras.saving.serialize_keras_object(keras.layers.Dense(3))).encode()},
        {"config.json": json.dumps(keras.saving.serialize_keras_object(other_model(8, 8, 1))).encode()},
    ],
    ids=lambda members: "-".join(f"{name}-{len(content or '')}" for name, content in members.items()),
)
def test_a_keras_file_with_other_content(run_directory, refuse, members):
    path = run_directory / "child/child.keras"
    rewrite_keras(path, **members)
    refuse("evaluate", ["--workdir=run"], [str(path), "--overwrite"])


def test_a_keras_file_of_another_kind(run_directory, refuse):
    first, second = keras.Input((3,)), keras.Input((3,))
    path = run_directory / "child/child.keras"
    keras.Model([first, second], [first + second, first]).save(path)
    refuse("evaluate", ["--workdir=run"], [str(run_directory / "child")])


@pytest.mark.parametrize("place", ["child", "checkpoints/search", "tensorboard/derive"])
def test_a_link_is_not_followed_by_overwrite_and_nothing_is_removed(run_directory, refuse, tmp_path, place):
    (run_directory / place).rename(tmp_path / "elsewhere")
    (run_directory / place).symlink_to(tmp_path / "elsewhere")
    arguments = ["--flagfile=run/run.flags", "--workdir=run", "--overwrite"]
    refuse("search", arguments, [str(run_directory / place), "symbolic link", "--overwrite"])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may remove everything")
def test_what_cannot_be_removed_is_found_before_anything_is(run_directory, refuse):
    (run_directory / "tensorboard/search").chmod(stat.S_IRUSR | stat.S_IXUSR)
    refuse("search", ["--flagfile=run/run.flags", "--workdir=run", "--overwrite"], ["cannot be removed"])


@pytest.mark.parametrize("place", ["tensorboard", "checkpoints", "child", "child/saved_model"])
def test_a_file_where_a_directory_is_to_be(run_directory, refuse, tmp_path, place):
    (run_directory / place).rename(tmp_path / "elsewhere")
    (run_directory / place).write_text("mine")
    for arguments in (["search", "--flagfile=run/run.flags"], ["export"])[: 1 if place == "checkpoints" else 2]:
        if arguments[0] == "export" and place in ("tensorboard", "child"):
            continue
        refuse(arguments[0], [*arguments[1:], "--workdir=run"], [str(run_directory / place)])
        break


@pytest.mark.parametrize(
    "place", ["candidates.csv", "architecture.svg", "run.flags", "report.html", "child/labels.txt"]
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["", "overwrite"])
def test_a_directory_where_a_file_is_to_be(run_directory, refuse, tmp_path, place, overwrite):
    (run_directory / "run.flags").rename(tmp_path / "mine.flags")
    (run_directory / place).unlink(missing_ok=True)
    (run_directory / place).mkdir()
    refuse("search", ["--flagfile=mine.flags", "--workdir=run", *overwrite], [str(run_directory / place), "a file"])


def test_a_picture_in_the_place_of_a_directory(refuse, tmp_path):
    (tmp_path / "net.svg").mkdir()
    refuse("describe", ["--architecture=enas_macro", "--picture=net.svg"], [str(tmp_path / "net.svg"), "a directory"])


def test_without_a_damaged_file_the_same_is_read(run_directory, launch):
    assert launch("describe", "--workdir=run").code == 0
