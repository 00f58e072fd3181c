"""Laws of reporting: all three sinks get the same numbers, each step once; without a terminal text is plain."""

import io
import json
import math

import numpy as np
import pytest
import rich.console
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from enas_tf.errors import InputError, ref
from enas_tf.runtime.reporting import Reporter


def records(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def steps(workdir):
    return [(r["phase"], r["epoch"], r["loss"]) for r in records(workdir)]


def scalars(workdir, phase, tag="loss"):
    """Return (step, value) of all events in the files, sorted, also of those that TensorBoard would hide."""
    found = []
    for path in (workdir / "tensorboard" / phase).iterdir():
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            found += [(event.step, float(tf.make_ndarray(v.tensor))) for v in event.summary.value if v.tag == tag]
    return sorted(found)


def run(workdir, first, last, sign=1.0, phases=("search", "controller")):
    """Report the epochs first..last-1 of each phase."""
    with Reporter(workdir) as reporter:
        for epoch in range(first, last):
            for phase in phases:
                reporter.record(phase, epoch, {"loss": sign * epoch}, total_epochs=10)


@pytest.fixture
def terminal():
    """Return a console that behaves as on a terminal and prints to its `file`."""
    return rich.console.Console(file=io.StringIO(), force_terminal=True, width=60)


class TestRecord:
    def test_the_same_numbers_reach_all_three_sinks(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            metrics = {"loss": tf.constant(0.5), "accuracy": np.float64(0.875), "steps": 1234567}
            reporter.record("search", 2, metrics, total_epochs=10)
        (record,) = records(tmp_path)
        assert record.pop("time") > 1.7e9
        assert record == {"phase": "search", "epoch": 2, "loss": 0.5, "accuracy": 0.875, "steps": 1234567}
        assert isinstance(record["steps"], int)
        for tag, value in {"loss": 0.5, "accuracy": 0.875, "steps": 1234567}.items():
            assert scalars(tmp_path, "search", tag) == [(2, value)]
        line = capsys.readouterr().out
        assert " ".join(line.split()) == "search epoch 3/10 loss 0.5 accuracy 0.875 steps 1234567"

    def test_every_record_is_on_disk_at_once(self, tmp_path):
        reporter = Reporter(tmp_path)
        reporter.record("search", 0, {"loss": 1.0}, total_epochs=1)
        assert steps(tmp_path) == [("search", 0, 1.0)]
        assert scalars(tmp_path, "search") == [(0, 1.0)]

    def test_tensorboard_has_a_directory_per_reported_phase_only(self, tmp_path):
        with Reporter(tmp_path) as reporter:
            assert not (tmp_path / "tensorboard").exists()
            for phase in ("search", "retrain"):
                reporter.record(phase, 0, {"loss": 1.0}, total_epochs=1)
        assert sorted(p.name for p in (tmp_path / "tensorboard").iterdir()) == ["retrain", "search"]

    def test_columns_of_console_lines_are_aligned(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.record("search", 0, {"loss": 2.0, "accuracy": 0.1}, total_epochs=150)
            reporter.record("controller", 99, {"loss": -1.23456e-5, "accuracy": 0.25}, total_epochs=150)
        first, second = capsys.readouterr().out.splitlines()
        assert first.index("epoch") == second.index("epoch")
        assert first.index("/150") == second.index("/150")
        assert first.index("accuracy") == second.index("accuracy")

    def test_numbers_that_are_not_finite_leave_strict_json(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.record("search", 0, {"loss": math.nan, "peak": math.inf}, total_epochs=1)
        (record,) = records(tmp_path)
        assert record["loss"] is None
        assert record["peak"] is None
        assert "loss nan" in capsys.readouterr().out

    def test_a_metric_cannot_hide_the_epoch(self, tmp_path):
        with Reporter(tmp_path) as reporter, pytest.raises(ValueError, match="epoch"):
            reporter.record("search", 0, {"epoch": 7.0}, total_epochs=1)


class TestTruncate:
    def test_no_step_is_there_twice_and_none_is_missing(self, tmp_path):
        run(tmp_path, 0, 5)
        with Reporter(tmp_path) as reporter:
            reporter.truncate({"search": 3, "controller": 2})
        run(tmp_path, 3, 6, sign=-1.0, phases=("search",))
        run(tmp_path, 2, 6, sign=-1.0, phases=("controller",))
        expected = {
            "search": [(0, 0.0), (1, 1.0), (2, 2.0), (3, -3.0), (4, -4.0), (5, -5.0)],
            "controller": [(0, 0.0), (1, 1.0), (2, -2.0), (3, -3.0), (4, -4.0), (5, -5.0)],
        }
        for phase, pairs in expected.items():
            assert [(e, loss) for p, e, loss in steps(tmp_path) if p == phase] == pairs
            assert scalars(tmp_path, phase) == pairs

    def test_tensorboard_itself_reads_the_run_as_one(self, tmp_path):
        run(tmp_path, 0, 5, phases=("search",))
        with Reporter(tmp_path) as reporter:
            reporter.truncate({"search": 3})
            reporter.record("search", 3, {"loss": -3.0}, total_epochs=10)
        reader = EventAccumulator(str(tmp_path / "tensorboard" / "search")).Reload()
        values = [(t.step, float(tf.make_ndarray(t.tensor_proto))) for t in reader.Tensors("loss")]
        assert sorted(values) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, -3.0)]

    def test_phases_that_are_not_named_stay(self, tmp_path):
        run(tmp_path, 0, 3)
        before = steps(tmp_path)
        with Reporter(tmp_path) as reporter:
            reporter.truncate({"search": 0, "retrain": 0})
        assert steps(tmp_path) == [r for r in before if r[0] == "controller"]
        assert scalars(tmp_path, "search") == []
        assert len(scalars(tmp_path, "controller")) == 3

    def test_within_one_process(self, tmp_path):
        with Reporter(tmp_path) as reporter:
            for value in (1.0, 2.0):
                reporter.truncate({"search": 0})
                reporter.record("search", 0, {"loss": value}, total_epochs=1)
        assert steps(tmp_path) == [("search", 0, 2.0)]
        assert scalars(tmp_path, "search") == [(0, 2.0)]

    def test_pictures_histograms_and_texts_are_truncated_too(self, tmp_path):
        with Reporter(tmp_path) as reporter:
            for step in (0, 1):
                reporter.histogram("controller", "tokens", np.arange(6).reshape(2, 3), step)
                reporter.image("controller", "cell", np.full((2, 3, 3), step, np.uint8), step)
                reporter.text("controller", "arc", f"**{step}**", step)
            reporter.truncate({"controller": 1})
        reader = EventAccumulator(str(tmp_path / "tensorboard" / "controller")).Reload()
        for tag in ("tokens", "cell", "arc"):
            assert [t.step for t in reader.Tensors(tag)] == [0]
        width, height, png = tf.make_ndarray(reader.Tensors("cell")[0].tensor_proto)
        assert (int(width), int(height)) == (3, 2)
        assert np.array_equal(tf.io.decode_png(png), np.zeros((2, 3, 3)))
        assert tf.make_ndarray(reader.Tensors("arc")[0].tensor_proto) == b"**0**"

    @pytest.mark.parametrize("lost", [1, 5, 30])
    def test_an_event_file_cut_short_by_a_kill_keeps_its_whole_events(self, tmp_path, lost):
        run(tmp_path, 0, 3, phases=("search",))
        (path,) = (tmp_path / "tensorboard" / "search").iterdir()
        path.write_bytes(path.read_bytes()[:-lost])
        (path.parent / f".{path.name}.1.new").write_bytes(b"half")
        with Reporter(tmp_path) as reporter:
            reporter.truncate({"search": 9})
        assert scalars(tmp_path, "search") == [(0, 0.0), (1, 1.0)]
        assert list(path.parent.iterdir()) == [path]


class TestTornFile:
    @pytest.mark.parametrize("kept", [1, 10, -2])
    def test_a_torn_last_line_is_dropped_and_the_next_record_is_whole(self, tmp_path, kept):
        run(tmp_path, 0, 2, phases=("search",))
        path = tmp_path / "metrics.jsonl"
        first, second = path.read_text().splitlines(keepends=True)
        path.write_text(first + second[:kept])
        run(tmp_path, 1, 2, sign=-1.0, phases=("search",))
        assert steps(tmp_path) == [("search", 0, 0.0), ("search", 1, -1.0)]

    def test_a_whole_last_line_without_its_end_is_kept(self, tmp_path):
        run(tmp_path, 0, 2, phases=("search",))
        path = tmp_path / "metrics.jsonl"
        path.write_text(path.read_text()[:-1])
        run(tmp_path, 2, 3, phases=("search",))
        assert [epoch for _, epoch, _ in steps(tmp_path)] == [0, 1, 2]

    @pytest.mark.parametrize("line", ["torn{", "[]", '{"phase": "search"}', '{"phase": "search", "epoch": null}', ""])
    def test_any_other_line_is_named_and_the_file_is_kept(self, tmp_path, line):
        run(tmp_path, 0, 2, phases=("search",))
        path = tmp_path / "metrics.jsonl"
        content = path.read_text().replace("\n", f"\n{line}\n", 1)
        path.write_text(content)
        with pytest.raises(InputError, match=r"metrics\.jsonl, line 2"):
            Reporter(tmp_path)
        assert path.read_text() == content


class TestPipe:
    def test_lines_are_whole_and_plain_whatever_the_environment_says(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "40")
        message = "[bold]path[/bold] :smile: 'a' 1.5 " + "word " * 60 + "end"
        with Reporter(tmp_path) as reporter:
            reporter.say(message)
            reporter.record("search", 0, {f"metric_{i}": i / 7 for i in range(20)}, total_epochs=1)
            reporter.block("Start", {"data": "x" * 200, "batch size": "128 [per replica]"})
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == message
        assert lines[1].count("metric_") == 20
        assert lines[2:] == ["Start", "  data        " + "x" * 200, "  batch size  128 [per replica]"]
        assert "\x1b" not in "".join(lines)

    def test_options_are_written_as_the_face_writes_them(self, tmp_path, capsys):
        for options in ({}, {"write_option": lambda name: f"--{name}"}):
            with Reporter(tmp_path, **options) as reporter:
                reporter.say(f"use {ref('overwrite')}")
                reporter.block(f"Not {ref('seed')}", {f"{ref('epochs')}=1": f"{ref('workdir')}", "x": "y"})
        assert capsys.readouterr().out.splitlines() == [
            *("use overwrite", "Not seed", "  epochs=1  workdir", "  x         y"),
            *("use --overwrite", "Not --seed", "  --epochs=1  --workdir", "  x           y"),
        ]

    def test_progress_prints_nothing(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter, reporter.progress("search", 2) as advance:
            advance(1)
            advance(1)
        assert capsys.readouterr().out == ""

    def test_a_block_without_rows_is_its_title(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.block("Empty", {})
        assert capsys.readouterr().out == "Empty\n"


class TestTerminal:
    def test_progress_shows_count_and_rate_and_lets_lines_through(self, tmp_path, terminal):
        with Reporter(tmp_path, console=terminal) as reporter, reporter.progress("search [1]", 2) as advance:
            advance(1)
            reporter.record("search", 0, {"loss": 0.5}, total_epochs=1)
            advance(1)
        shown = terminal.file.getvalue()
        assert "search [1]" in shown
        assert "2/2" in shown
        assert "/s" in shown
        # The line begins where the bar was erased.
        (line,) = [part for part in shown.splitlines() if "epoch 1/1" in part]
        assert line.rpartition("\x1b[2K")[2].startswith("search      epoch 1/1  loss 0.5")

    def test_a_block_shows_every_character(self, tmp_path, terminal):
        rows = {"data": "x" * 100, "size": "128 [per replica]"}
        with Reporter(tmp_path, console=terminal) as reporter:
            reporter.block("Start [a]", rows)
        shown = terminal.file.getvalue()
        assert shown.count("x") == 100
        assert "128 [per replica]" in shown
        assert "Start [a]" in shown

    def test_a_block_writes_options(self, tmp_path, terminal):
        with Reporter(tmp_path, console=terminal, write_option=lambda name: f"--{name}") as reporter:
            reporter.block("Start", {"data": f"of {ref('dataset')}"})
        assert "of --dataset" in terminal.file.getvalue()


def test_a_workdir_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="run is not usable"):
        Reporter(tmp_path / "run")
