"""Laws of reporting: all three sinks get the same numbers, each step once; without a terminal text is plain."""

import io
import json
import math
import re
import time

import numpy as np
import pytest
import rich.console
import tensorflow as tf
from google.protobuf import json_format
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

from enas_tf.errors import InputError, ref
from enas_tf.runtime.console import Rows
from enas_tf.runtime.reporting import Reporter


def records(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def steps(workdir):
    return [(r["phase"], r["epoch"], r["loss"]) for r in records(workdir)]


def scalars(workdir, phase, tag="loss"):
    """Return (epoch, value) of all events in the files, sorted, also of those that TensorBoard would hide.

    In TensorBoard the first epoch, 0, is at step 1.
    """
    found, tag = [], f"{phase}/{tag}"
    for path in (workdir / "tensorboard" / phase).iterdir():
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            found += [(event.step - 1, float(tf.make_ndarray(v.tensor))) for v in event.summary.value if v.tag == tag]
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

    def test_numbers_are_described(self, tmp_path):
        """By the reporter where it knows them, else by whoever reports them."""
        with Reporter(tmp_path) as reporter:
            reporter.record("search", 0, {"loss": 1.0, "mine": 2.0, "other": 3.0}, 1, {"mine": "what *mine* is"})
        reader = EventAccumulator(str(tmp_path / "tensorboard" / "search")).Reload()
        texts = {tag: reader.SummaryMetadata(f"search/{tag}").summary_description for tag in ("loss", "mine", "other")}
        assert "cross-entropy" in texts["loss"]
        assert (texts["mine"], texts["other"]) == ("what *mine* is", "")


class TestResult:
    def test_it_stands_at_the_end_of_the_curves_and_has_no_epoch(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.record_result("test", {"loss": 0.5}, num_epochs=60, sizes={"flops": 7})
        (record,) = records(tmp_path)
        assert {name: record[name] for name in ("phase", "epoch", "loss")} == {"phase": "test", "epoch": 0, "loss": 0.5}
        assert "flops" not in record
        assert scalars(tmp_path, "test") == [(59, 0.5)]
        assert scalars(tmp_path, "test", "flops") == [(59, 7.0)]
        assert capsys.readouterr().out.split() == ["test", "loss", "0.5"]

    def test_another_one_replaces_it(self, tmp_path):
        with Reporter(tmp_path) as reporter:
            for num_epochs in (9, 2):
                reporter.record_result("derive", {"loss": float(num_epochs)}, num_epochs)
        assert steps(tmp_path) == [("derive", 0, 2.0)]
        assert scalars(tmp_path, "derive") == [(1, 2.0)]

    def test_options_are_shown_once_beside_all_results(self, tmp_path):
        """In the tab HParams, as one row for the run: TensorBoard joins what has the same name."""
        with Reporter(tmp_path / "a" / "run") as reporter:
            for phase, rate in (("derive", 0.1), ("test", 0.2)):
                reporter.record_result(phase, {"loss": 1.0}, 3)
                reporter.options({"rate": rate, "ops": ("a", "b"), "is_on": True, "num": 3, "none": None})
        for phase in ("derive", "test"):
            directory = tmp_path / "a" / "run" / "tensorboard" / phase
            assert len(list(tf.data.TFRecordDataset([str(path) for path in directory.iterdir()]))) > 1
            reader = EventAccumulator(str(directory)).Reload()
            content = reader.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
            info = parse_session_start_info_plugin_data(content)
            assert info.group_name == f"run ({tmp_path / 'a'})"
            assert json_format.MessageToDict(info)["hparams"] == {
                "rate": 0.2, "ops": "a,b", "is_on": True, "num": 3.0
            }  # fmt: skip
            assert len(reader.Tensors("_hparams_/session_start_info")) == 1


def test_the_policy_of_each_epoch_is_kept_once(tmp_path):
    """A run that was killed while it wrote reports the epoch again; what it had cut off does not stay."""
    path = tmp_path / "policy.jsonl"
    with Reporter(tmp_path) as reporter:
        for epoch in range(3):
            reporter.keep_policy(epoch, {"layer_1/op": [0.25, 0.75]})
        reporter.keep_policy(3, {})
        with path.open("a") as file:
            file.write('{"epoch": 0, "lay')
        reporter.keep_policy(1, {"layer_1/op": [0.5, 0.5]})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"epoch": 0, "layer_1/op": [0.25, 0.75]},
        {"epoch": 1, "layer_1/op": [0.5, 0.5]},
    ]


def rows_of_hparams(logdir):
    """What the tab HParams of TensorBoard shows below a directory: run -> (its options, its metrics)."""
    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(logdir))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(logdir))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    asked = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=api_pb2.Status.values(), aggregation_type=api_pb2.AGGREGATION_AVG, slice_size=10
    )
    found = list_session_groups.Handler(RequestContext(), backend, "", asked).run().session_groups
    return {
        group.name: (
            {name: json_format.MessageToDict(value) for name, value in group.hparams.items()},
            {metric.name.tag: pytest.approx(metric.value) for metric in group.metric_values},
        )
        for group in found
    }


def test_tensorboard_compares_runs_by_their_options_and_results(tmp_path):
    """A run that was searched and retrained, and one that was retrained alone: all final numbers are its metrics."""
    numbers = {"best_valid_accuracy": 0.75}, {"accuracy": 0.5, "loss": 1.5}, {"parameters": 7, "flops": 8}
    for name, rate in (("first", 0.1), ("second", 0.2)):
        with Reporter(tmp_path / name) as reporter:
            reporter.record("search", 0, {"loss": 9.0}, 1)
            if name == "first":
                reporter.record_result("derive", numbers[0], 3, {"best_reward": 0.625})
                reporter.options({"rate": rate})
            reporter.record_result("test", numbers[1], 5, numbers[2])
            reporter.options({"rate": rate})
    tested = {"test/accuracy": 0.5, "test/loss": 1.5, "test/parameters": 7, "test/flops": 8}
    searched = {"derive/best_valid_accuracy": 0.75, "derive/best_reward": 0.625}
    assert rows_of_hparams(tmp_path) == {
        f"first ({tmp_path})": ({"rate": 0.1}, tested | searched),
        f"second ({tmp_path})": ({"rate": 0.2}, tested),
    }


def test_charts_of_several_curves_are_found_by_the_beginning_of_their_tags(tmp_path):
    with Reporter(tmp_path) as reporter:
        reporter.tensorboard.charts("controller", "operations", {"layer 1": "ops/layer_1/op/"}, step=1)
    reader = EventAccumulator(str(tmp_path / "tensorboard" / "controller")).Reload()
    (event,) = reader.Tensors("custom_scalars__config__")
    (category,) = layout_pb2.Layout.FromString(tf.make_ndarray(event.tensor_proto).item()).category
    assert (category.title, category.chart[0].title) == ("operations", "layer 1")
    (pattern,) = category.chart[0].multiline.tag
    assert re.search(pattern, "ops/layer_1/op/conv_3x3")
    assert not re.search(pattern, "ops/layer_10/op/conv_3x3")


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
        values = [(t.step, float(tf.make_ndarray(t.tensor_proto))) for t in reader.Tensors("search/loss")]
        assert sorted(values) == [(1, 0.0), (2, 1.0), (3, 2.0), (4, -3.0)]

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
            board = reporter.tensorboard
            for step in (1, 2):
                board.histogram("controller", "tokens", np.arange(6).reshape(2, 3), step)
                board.image("controller", "cell", np.full((2, 3, 3), step, np.uint8), step)
                board.text("controller", "arc", f"**{step}**", step)
            reporter.truncate({"controller": 1})
        reader = EventAccumulator(str(tmp_path / "tensorboard" / "controller")).Reload()
        for tag in ("tokens", "cell", "arc"):
            assert [t.step for t in reader.Tensors(f"controller/{tag}")] == [1]
        width, height, png = tf.make_ndarray(reader.Tensors("controller/cell")[0].tensor_proto)
        assert (int(width), int(height)) == (3, 2)
        assert np.array_equal(tf.io.decode_png(png), np.ones((2, 3, 3)))
        assert tf.make_ndarray(reader.Tensors("controller/arc")[0].tensor_proto) == b"**1**"

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

    @pytest.mark.parametrize(
        "line",
        ["torn{", "[]", '{"phase": "search"}', '{"phase": "a", "epoch": null}', "", '{"phase": "a", "epoch": 1e999}',
         "[" * 100_000],
        ids=lambda line: line[:20],
    )  # fmt: skip
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

    def test_progress_of_a_short_run_prints_nothing(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter, reporter.progress("search", 2) as advance:
            advance(1)
            advance(1)
        assert capsys.readouterr().out == ""

    def test_rows_of_what_is_under_way_are_for_terminals_alone(self, tmp_path, capsys):
        rows = Rows("epochs")
        with Reporter(tmp_path) as reporter, reporter.progress("trials", 2, "trials", rows) as advance:
            rows.begin(0, "1  layers: 0", 2)
            rows.advance(0, 1.5)
            rows.end(0)
            advance(1)
        captured = capsys.readouterr()
        assert captured.out == captured.err == ""

    def test_a_block_without_rows_is_its_title(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.block("Empty", {})
        assert capsys.readouterr().out == "Empty\n"

    def test_lines_of_one_value_stand_below_each_other(self, tmp_path, capsys):
        with Reporter(tmp_path) as reporter:
            reporter.block("Start", {"notes": "one\ntwo", "x": "y"})
        assert capsys.readouterr().out.splitlines() == ["Start", "  notes  one", "         two", "  x      y"]


class TestProgressOfALongRun:
    """Without a terminal: a line after a minute of silence, and one every ten minutes in any case."""

    @pytest.fixture
    def clock(self, monkeypatch):
        """Return a function that lets seconds pass."""
        now = [time.monotonic()]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        return lambda seconds: now.__setitem__(0, now[0] + seconds)

    def test_an_epoch_of_hours_says_once_a_minute_how_far_it_is(self, tmp_path, capsys, clock):
        with Reporter(tmp_path) as reporter, reporter.progress("search", 1000, "proposals") as advance:
            clock(50)  # The first step builds graphs.
            for _ in range(5):
                advance(1)
                clock(20)
        assert capsys.readouterr().out.splitlines() == [
            "search      2 of 1,000 proposals, about 5.5 h left",
            "search      5 of 1,000 proposals, about 5.5 h left",
        ]

    def test_short_epochs_speak_for_themselves_for_ten_minutes(self, tmp_path, capsys, clock):
        with Reporter(tmp_path) as reporter, reporter.progress("retrain", 100) as advance:
            for _ in range(70):
                clock(10)
                advance(1)
                reporter.say("an epoch")
        lines = [line for line in capsys.readouterr().out.splitlines() if line != "an epoch"]
        assert lines == ["retrain     60 of 100 steps, about 6.7 min left"]

    def test_nothing_is_said_of_the_time_before_two_steps_or_beyond_the_end(self, tmp_path, capsys, clock):
        """The number of steps is not exact, and may be exceeded."""
        with Reporter(tmp_path) as reporter, reporter.progress("search", 2) as advance:
            clock(61)
            advance(1)
            clock(61)
            advance(2)
        assert capsys.readouterr().out.splitlines() == ["search      1 of 2 steps", "search      3 steps"]


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

    def test_steps_of_minutes_have_a_rate_and_an_end_too(self, tmp_path):
        now = [0.0]
        terminal = rich.console.Console(file=io.StringIO(), force_terminal=True, width=80, get_time=lambda: now[0])
        with Reporter(tmp_path, console=terminal) as reporter, reporter.progress("trials", 7, "trials") as advance:
            for _ in range(3):
                now[0] += 300
                advance(1)
            reporter.say("a line")
            shown = terminal.file.getvalue().rpartition("a line")[2]
        assert "3/7" in shown
        assert "0.2/min" in shown
        assert "0:20:00" in shown

    def test_rows_show_what_is_under_way_at_once(self, tmp_path, terminal):
        """Below the bar, until each is over; how far it is stands there once it is known."""
        rows = Rows("epochs")
        with (
            Reporter(tmp_path, console=terminal) as reporter,
            reporter.progress("trials", 7, "trials", rows) as advance,
        ):
            rows.begin(3, "4  layers: [1] 0 2", 9)
            rows.begin(4, f"5  layers: {' 1' * 60}", 27)
            rows.advance(3, 3.25)
            reporter.say("a line")
            first = terminal.file.getvalue().partition("a line")[2]
            rows.end(3)
            advance(1)
            reporter.say("another line")
            second = terminal.file.getvalue().partition("another line")[2]
        lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in first.splitlines() if line.strip()]
        assert [line.split()[0] for line in lines] == ["trials", "4", "5"]
        assert "0/7" in lines[0]
        assert "4  layers: [1] 0 2" in lines[1]
        assert lines[1].split()[-4:] == ["3.2/9", "epochs", "0", "s"]
        assert lines[2].split()[-4:] == ["27", "epochs", "0", "s"]
        assert max(map(len, lines)) <= 60, "a row is no longer than a line"
        assert "1/7" in second
        assert "[1] 0 2" not in second

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
