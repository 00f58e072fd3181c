"""An option that a stage does not read is refused where it is typed; a flagfile may hold those of a whole run."""

import pytest

from enas_tf.launch import arguments
from enas_tf.launch.flags import typed

CHILD = "child that was trained before"
WORDS = {"derive": "searched weights", "retrain": "about a child", "describe": "about a child", "evaluate": CHILD,
         "export": CHILD}  # fmt: skip


@pytest.mark.parametrize(
    ("launcher", "flag", "reader"),
    [
        ("evaluate", "--epochs=77", "a search"),
        ("evaluate", "--retrain_epochs=77", "retraining"),
        ("evaluate", "--precision=mixed_bfloat16", "a search and retraining"),
        ("evaluate", "--nosync_batch_norm", "a search and retraining"),
        ("evaluate", "--searcher=random", "a search"),
        ("evaluate", "--num_layers=3", "a search"),
        ("evaluate", "--derive_samples=3", "derive"),
        ("export", "--learning_rate=1.0", "a search"),
        ("export", "--retrain_l2=1.0", "retraining"),
        ("derive", "--retrain_epochs=3", "retraining"),
        ("derive", "--label_smoothing=0.1", "retraining"),
        ("retrain", "--updates_per_epoch=3", "a search"),
        ("retrain", "--derive_samples=3", "derive"),
        ("retrain", "--num_layers=6", "a search"),
        ("retrain", "--entropy_weight=0.1", "a search"),
        ("describe", "--temperature=0.1", "a search"),
    ],
)
def test_what_the_stage_does_not_read(run_directory, refuse, launcher, flag, reader):
    name = flag.replace("--no", "--")
    words = [name, f"is read by {reader}", WORDS[launcher], "leave it out"]
    refuse(launcher, ["--workdir=run", flag], words)


@pytest.mark.parametrize("form", [["--epochs=77"], ["--epochs", "77"], ["-epochs=77"], ["-epochs", "77"]])
def test_every_form_of_a_flag_is_seen(run_directory, refuse, form):
    refuse("evaluate", ["--workdir=run", *form], ["--epochs=77 is read by a search"])


def test_the_temperature_of_a_search_is_not_that_of_a_text(run_directory, refuse):
    arguments = ["--workdir=run", "--sample=10", "--temperature=0.01"]
    refuse("evaluate", arguments, ["--temperature=0.01 is read by a search", "--sample_temperature is that of"])


@pytest.mark.parametrize("form", [["--weights=shared"], ["--weights", "shared"]])
@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--retrain_epochs=3", "read by retraining"),
        ("--epochs=77", "--epochs was 1, is 77"),  # Read: the search there had other ones.
    ],
)
def test_what_works_on_shared_weights_reads_options_of_the_search(run_directory, refuse, form, flag, words):
    refuse("evaluate", ["--workdir=run", *form, flag], [words])


@pytest.mark.parametrize("launcher", ["evaluate", "describe"])
def test_a_flagfile_may_hold_the_options_of_a_whole_run(run_directory, launch, tmp_path, launcher):
    more = "--updates_per_epoch=3\n--retrain_l2=0.5\n--entropy_weight=0.5\n--derive_samples=7\n--augment=none\n"
    (tmp_path / "mine.flags").write_text((run_directory / "run.flags").read_text() + more)
    assert launch(launcher, "--workdir=run", "--flagfile=mine.flags").code == 0


@pytest.mark.parametrize("flags", [["--strategy=one_device"], ["--steps_per_loop=2"], ["--deterministic"], ["--seed=3"],
                                   ["--dataset", "digits"], ["--limit_train=48"]])  # fmt: skip
def test_what_a_child_is_measured_with(run_directory, launch, flags):
    outcome = launch("evaluate", "--workdir=run", *flags)
    assert outcome.code == 0, outcome.err


def test_options_of_the_space_help_to_read_an_architecture(launch):
    assert launch("describe", "--architecture=lstm", "--cell_nodes=5").code == 0


@pytest.mark.parametrize("flag", ["--channels=0", "--retrain_channels=0"])
def test_a_short_name_is_reported_as_it_was_typed(launch, flag):
    outcome = launch("retrain", "--architecture=enas_micro", "--workdir=run", flag)
    assert outcome.err.startswith(f"{flag} is not valid")


@pytest.mark.parametrize(
    ("launcher", "arguments", "words"),
    [
        ("search", ["--flagfile=run/run.flags"], "of --restart_epochs=10, ends with --epochs=1; --restart_epochs=1 "),
        (
            "retrain",
            ["--overwrite", "--epochs=2"],
            "of --retrain_restart_epochs=10, ends with --epochs=2; --retrain_restart_epochs=2 lets one end there\n",
        ),
    ],
)
def test_a_shortened_run_says_that_its_learning_rate_does_not_come_down(run_directory, launch, launcher, arguments,
                                                                        words):  # fmt: skip
    outcome = launch(launcher, "--workdir=run", *arguments)
    assert outcome.code == 0, outcome.err
    (line,) = [line for line in outcome.out.splitlines(keepends=True) if line.startswith("  learning rate ")]
    assert "warning: it ends at 0.04" in line
    assert words in line


def test_arguments_are_written_out(own_flags):
    from enas_tf.launch import app
    from enas_tf.launch.flags import define_options

    app.define_common_flags()
    define_options()
    given = ["--workdir", "--channels", "-epochs=3", "--noaugment", "--nojit_compile", "--stem", "cifar", "--seed=1"]
    written = arguments.write_out([*given, "--no_such=1", "stray", "--epochs=5"], "retrain_")
    assert written == [
        *("--workdir", "--channels", "--retrain_epochs=3", "--noaugment", "--nojit_compile"),
        *("--retrain_stem", "cifar", "--seed=1", "--no_such=1", "stray", "--epochs=5"),
    ]
    assert typed == {
        "workdir": "workdir",
        "retrain_epochs": "epochs",
        "jit_compile": "jit_compile",
        "retrain_stem": "stem",
        "seed": "seed",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"--seed=1\xff", "not in UTF-8"),
        (b"--seed=1\n\0", "not a text"),
        ("--seed=1\n".encode("utf-16"), "not"),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_flagfile_that_is_no_text(refuse, tmp_path, content, words, is_nested):
    (tmp_path / "mine.flags").write_bytes(content)
    (tmp_path / "outer.flags").write_text("# of a run\n--flagfile=mine.flags\n")
    name = "outer.flags" if is_nested else "mine.flags"
    refuse("search", [f"--flagfile={name}", "--workdir=run"], [str(tmp_path / "mine.flags"), words])


def test_a_directory_as_a_flagfile(refuse, tmp_path):
    refuse("search", [f"--flagfile={tmp_path}", "--workdir=run"], [str(tmp_path), "is a directory"])


def test_a_flagfile_that_names_itself_ends(launch, tmp_path):
    (tmp_path / "mine.flags").write_text("--flagfile=mine.flags\n--epochs=0\n")
    assert launch("search", "--flagfile=mine.flags", "--workdir=run").code == 2


@pytest.mark.parametrize(
    "argument", ["--workdir=a\0b", "--workdir=\udcff", "--architecture=a\0b", "--dataset=folder:\udcff"]
)
def test_arguments_that_are_no_text(refuse, argument):
    refuse("retrain", [argument], ["argument"])


@pytest.mark.parametrize("argument", ["--epochs=" + "9" * 5_000, "--nodeterministic=1", "--no_such_" + "x" * 10**5])
def test_errors_of_absl_are_of_bounded_length(launch, argument):
    outcome = launch("search", argument)
    assert (outcome.code, "Traceback" in outcome.err) == (1, False)
    assert len(outcome.err) < 3_000


def test_the_message_of_ten_megabytes_of_input(launch):
    outcome = launch("search", f"--dataset={'x' * 10**7}", "--workdir=run")
    assert outcome.code == 2
    assert len(outcome.err) <= 2_001
