"""A task: what networks are for. It decides all that depends on the kind of data; nothing else of a run does."""

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import keras

from enas_tf.models.trainee import Trainee
from enas_tf.options import Config, Group
from enas_tf.registry import Registry
from enas_tf.tasks.problem import Judge, Problem, Supernet
from enas_tf.tasks.signature import Arrays, Signature


class Limit(NamedTuple):
    """The largest value that the data allow of an option, a whole number.

    Attributes:
      option: its name.
      most: the largest value.
      data: what limits it, in words: "the training part has 54 images".
      more: how there would be more data, in words: "more images".
      multiple: the option whose value it has to be a multiple of; empty where there is none.
    """

    option: str
    most: int
    data: str
    more: str
    multiple: str = ""


class Tested(NamedTuple):
    """What the test of a child has found.

    Attributes:
      metrics: name -> number, the task's metric and the loss among them.
      record: what metrics.json holds beside, as JSON.
      files: texts about the test by the names of the files to keep them in.
    """

    metrics: dict[str, float]
    record: dict[str, Any] = {}  # noqa: RUF012
    files: dict[str, str] = {}  # noqa: RUF012


class Task(abc.ABC):
    """Everything of a run that its kind of data decides.

    Attributes:
      name: what the task is registered under.
      metric: what a child is tested by, as in test_accuracy.
      unit: what costs and counts are per.
      is_higher_better: whether more of the metric is better.
      writes_text: whether children can `sample`.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    unit: ClassVar[str]
    is_higher_better: ClassVar[bool] = True
    writes_text: ClassVar[bool] = False

    def judged_metric(self, config: Config) -> str:
        """Return the metric of the validation part that networks are compared by: `metric`, unless overridden."""
        return self.metric

    def holds_out(self, config: Config) -> bool:
        """Return whether children are retrained without the validation part: yes, unless overridden."""
        return True

    @abc.abstractmethod
    def load(self, config: Config) -> Any:
        """Read the data into memory."""

    @property
    @abc.abstractmethod
    def data_groups(self) -> tuple[Group, ...]:
        """The options that decide which data are loaded."""

    @abc.abstractmethod
    def fingerprint(self, data: Any) -> dict[str, Any]:
        """Return what tells these data from others, as JSON: counts, names and hashes (`data.fingerprint`)."""

    @abc.abstractmethod
    def shape(self, data: Any) -> Any:
        """Return what networks are told of the data."""

    @abc.abstractmethod
    def assumed_shape(self, config: Config, recorded: dict[str, Any]) -> tuple[Any, str]:
        """Return the shape that costs are counted for without data, and its words.

        Args:
          config: the options of the run.
          recorded: what `record` has left of the data of an earlier run; empty without one.
        """

    def keep_as_recorded(self, child: keras.Model, recorded: dict[str, Any]) -> keras.Model:
        """Return what `keep` returns, by what `record` has left of the data: the child itself, unless overridden."""
        return child

    def replica_options(self, config: Config) -> dict[str, Any]:
        """Return the arguments of `runtime.Replicas` that this task has options for."""
        return {}

    def limits(self, config: Config, data: Any) -> list[Limit]:
        """Return what the data limit of the options of all stages.

        It is a function of the options and the data alone, so that a run that is resumed has the same.
        """
        return []

    @abc.abstractmethod
    def shared_problem(self, config: Config, supernet: Supernet, data: Any, batch_size: int) -> Problem:
        """Return the problem of training shared weights; raise `InputError` for data that are too small."""

    @abc.abstractmethod
    def judge(self, config: Config, supernet: Supernet, data: Any, batch_size: int, seed: int, replicas: Any) -> Judge:
        """Return what judges proposals by shared weights.

        Args:
          config: the options of the run.
          supernet: what judges.
          data: what `load` has returned.
          batch_size: images or rows of text of a reward.
          seed: the seed of the run.
          replicas: the devices of the run (`runtime.Replicas`).

        Raises:
          InputError: the validation part is too small.
        """

    def examples_of(self, config: Config, batch_size: int) -> int:
        """Return how many examples of the data a batch of a search holds: images, unless overridden."""
        return batch_size

    def merit(self, config: Config, value: float) -> float:
        """Return what a value of the metric is worth, where more is better: the metric itself, unless overridden."""
        return value

    def as_search(self, config: Config) -> Config:
        """Return the options with which `child_problem` and `validate` train a child as the search trains its networks.

        What retraining alone is told has no part in the results of a search.
        """
        return config

    @abc.abstractmethod
    def check_training(self, config: Config, data: Any, batch_size: int) -> None:
        """Raise `InputError` when the data are too small to train a child on in batches of that size."""

    @abc.abstractmethod
    def child_problem(self, config: Config, trainee: Trainee, data: Any, batch_size: int) -> Problem:
        """Return the problem of training a child from scratch."""

    @abc.abstractmethod
    def validate(
        self, config: Config, child: keras.Model, data: Any, batch_size: int
    ) -> Callable[[], dict[str, float]] | None:
        """Return a function that measures `child` on the validation part; None where it is trained on that too.

        The metrics are named valid_loss and so on.
        """

    def averaging_patience(self, config: Config) -> int | None:
        """Return after how many epochs without a better validation loss weights are averaged; None for never."""
        return None

    @abc.abstractmethod
    def test(self, child: keras.Model, data: Any) -> dict[str, float]:
        """Return the metric and the loss of a child on the test part."""

    def test_in_detail(self, child: keras.Model, data: Any) -> Tested:
        """Return what `test` does, and more about it; nothing more, unless overridden."""
        return Tested(self.test(child, data))

    @abc.abstractmethod
    def find_mismatch(self, child: keras.Model, data: Any, place: Path) -> str | None:
        """Say how `child`, which lies in the directory `place`, does not fit the data; None if it fits."""

    def keep(self, child: keras.Model, data: Any) -> keras.Model:
        """Return what is kept of a trained child: a model that takes the data as the user has them."""
        return child

    def describe_input(self, child: keras.Model) -> dict[str, Any]:
        """Return what a kept child takes, for metrics.json; empty where its signature says all."""
        return {}

    @abc.abstractmethod
    def names(self, data: Any) -> tuple[str, str]:
        """Return the name and the text of the file with the meaning of a child's numbers: classes or vocabulary."""

    @abc.abstractmethod
    def export(self, child: keras.Model, directory: Path, data: Any) -> float:
        """Write the SavedModel to `directory`; return the largest difference of its numbers from the child's."""

    @abc.abstractmethod
    def signature(self, child: keras.Model) -> Signature:
        """Return the function of a child that LiteRT and ONNX files hold."""

    @abc.abstractmethod
    def examples(self, child: keras.Model, data: Any) -> Arrays:
        """Return inputs of that function, by which its files are compared with the child."""

    def calibration(self, child: keras.Model, data: Any) -> Arrays | None:
        """Return inputs of that function out of the training part; None where it is not to be computed in 8 bits."""
        return None

    def sample(self, child: keras.Model, data: Any, prompt: str, num: int, seed: int, temperature: float = 1.0) -> str:
        """Return `prompt` and `num` tokens that the child adds to it; its logits are divided by `temperature`."""
        raise NotImplementedError

    @abc.abstractmethod
    def summary(self, config: Config, data: Any) -> dict[str, str]:
        """Return the rows about the data for the first block of a search."""

    @abc.abstractmethod
    def batch_in_words(self, config: Config, batch_size: int) -> str:
        """Say what a training step of shared weights sees."""

    @abc.abstractmethod
    def data_in_words(self, config: Config, data: Any) -> str:
        """Say what a child is trained on."""

    @abc.abstractmethod
    def record(self, data: Any) -> dict[str, Any]:
        """Return what environment.json says of the data."""


#: Tasks by name; the groups of an entry are the options of its data and its training.
TASKS: Registry[Task] = Registry("task")
