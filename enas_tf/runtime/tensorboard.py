"""TensorBoard files of a run: a directory for each phase, and the phase before the name in every tag.

The step of all that is shown is the number of epochs that are done, counted like the log: the first epoch is at step 1.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from enas_tf.runtime import files


class TensorBoard:
    """The event files in `directory`, which has a directory of its own for each phase.

    The tag of a summary is `PHASE/NAME`, or `GROUP/NAME` where a group is given: TensorBoard shows tags with the same
    first word together, twelve charts a page, so many charts of one kind get a group of their own.
    """

    def __init__(self, directory: Path):
        self._directory = directory
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def scalars(
        self,
        phase: str,
        numbers: Mapping[str, float],
        step: int,
        descriptions: Mapping[str, str] | None = None,
        group: str | None = None,
    ) -> None:
        """Add a point to the curve of each of `numbers`; `descriptions` explain them by name."""
        texts, summary = descriptions or {}, Summary()
        for name, value in numbers.items():
            summary.MergeFrom(scalar_pb(f"{group or phase}/{name}", value, texts.get(name)))
        self._write(phase, summary, step)

    def histogram(
        self, phase: str, name: str, values: Any, step: int, description: str | None = None, group: str | None = None
    ) -> None:
        """Add a histogram of numbers of any shape."""
        self._write(phase, histogram_pb(f"{group or phase}/{name}", np.asarray(values), description=description), step)

    def image(self, phase: str, name: str, pixels: np.ndarray, step: int, description: str | None = None) -> None:
        """Add a picture, uint8 [height, width, channels]."""
        with self._open(phase):
            tf.summary.image(f"{phase}/{name}", pixels[np.newaxis], step, description=description)

    def text(self, phase: str, name: str, markdown: str, step: int, description: str | None = None) -> None:
        """Add a text in Markdown."""
        with self._open(phase):
            tf.summary.text(f"{phase}/{name}", markdown, step, description=description)

    def charts(self, phase: str, title: str, charts: Mapping[str, str], step: int) -> None:
        """Add charts of several curves to the tab Custom Scalars, under `title`.

        Args:
          phase: whose files hold the charts.
          title: of the section.
          charts: name of a chart -> the beginning that the tags of its curves have in common.
          step: the first step that the curves have.
        """
        from tensorboard.plugins.custom_scalar import layout_pb2, summary

        drawn = [
            layout_pb2.Chart(title=name, multiline=layout_pb2.MultilineChartContent(tag=[f"^{re.escape(start)}"]))
            for name, start in charts.items()
        ]
        layout = summary.pb(layout_pb2.Layout(category=[layout_pb2.Category(title=title, chart=drawn)]))
        self._write(phase, layout, step)

    def options(self, phases: Sequence[str], options: Mapping[str, Any], name: str) -> None:
        """Show `options` and the scalars of `phases` in the tab HParams, as one row called `name`.

        Options that an earlier call has written are replaced. Phases without files are left out.

        Args:
          phases: those whose scalars are results of the run.
          options: option -> value; sequences are joined with commas, and None is left out.
          name: of the run.
        """
        # They are needed once a stage, so the start of a process does without them.
        from tensorboard.plugins.hparams import api, metadata

        values = {key: _as_hparam(value) for key, value in options.items() if value is not None}
        for phase in phases:
            if not (self._directory / phase).is_dir():
                continue
            self._keep(phase, lambda event: not _is_of_plugin(event, metadata.PLUGIN_NAME))
            with self._open(phase):
                api.hparams(values, trial_id=name)

    def truncate(self, phase: str, num_epochs: int) -> None:
        """Remove what was shown of `phase` after its first `num_epochs` epochs."""
        self._keep(phase, lambda event: event.step <= num_epochs or not event.HasField("summary"))

    def close(self) -> None:
        """Flush and close the files; a later summary opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    @contextlib.contextmanager
    def _open(self, phase: str) -> Iterator[None]:
        """Direct `tf.summary` within the block to the files of the phase; the end of `as_default` flushes them."""
        if phase not in self._writers:
            self._writers[phase] = tf.summary.create_file_writer(str(self._directory / phase))
        with self._writers[phase].as_default():
            yield

    def _write(self, phase: str, summary: Any, step: int) -> None:
        """Write a summary at once: a summary op for each of a hundred curves would take a tenth of a second."""
        with self._open(phase):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step)

    def _keep(self, phase: str, is_kept: Callable[[Any], bool]) -> None:
        """Remove all events of a phase but those that `is_kept` returns True for."""
        if phase in self._writers:
            self._writers.pop(phase).close()
        # Left by a process that was killed in this function; TensorBoard would read it in addition to the original.
        for leftover in (self._directory / phase).glob(".*tfevents*.new"):
            leftover.unlink()
        for path in (self._directory / phase).glob("*tfevents*"):
            _rewrite(path, is_kept)


def _rewrite(path: Path, is_kept: Callable[[Any], bool]) -> None:
    """Rewrite one event file with the events that `is_kept` returns True for.

    TensorBoard can purge the events before a restart (a session log event with a step), but the writers of TensorFlow 2
    cannot request it, and other readers would show the repeated steps. The file keeps its name, because TensorBoard
    reads the files of a directory in the order of their names.
    """
    with files.replacement(path) as aside, tf.io.TFRecordWriter(str(aside)) as writer:
        # A killed run may leave half an event at the end, for which the reader raises an error.
        for serialized in tf.data.TFRecordDataset(str(path)).ignore_errors().as_numpy_iterator():
            if is_kept(tf.compat.v1.Event.FromString(serialized)):
                writer.write(serialized)


def _is_of_plugin(event: Any, name: str) -> bool:
    """Return whether the summaries of an event belong to the TensorBoard plugin `name`."""
    return any(value.metadata.plugin_data.plugin_name == name for value in event.summary.value)


def _as_hparam(value: Any) -> bool | int | float | str:
    """Return the value of an option as one that the tab HParams can show."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, bool | int | float) else str(value)
