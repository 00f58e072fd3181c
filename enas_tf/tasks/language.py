"""The task of language modelling: predicting the next token of a text."""

import dataclasses
import json
import math
import warnings

import numpy as np

from enas_tf.data.fingerprint import fingerprint
from enas_tf.data.paths import shorten
from enas_tf.data.report import describe
from enas_tf.data.text import TEXT, TextData, Vocabulary, split_tokens
from enas_tf.data.text_batches import in_rows
from enas_tf.data.text_sources import TEXT_SOURCE, load_text
from enas_tf.errors import count_of, ref
from enas_tf.models.language import TextShape
from enas_tf.options import Group, option, require
from enas_tf.reading import read_json
from enas_tf.tasks.export import export_language_model, sample_ids, signature_of_step
from enas_tf.tasks.language_measures import compile_reader, mean_cross_entropy, measure_text, perplexity
from enas_tf.tasks.language_problems import (
    RETRAIN_WINDOW,
    REWARD,
    WINDOW,
    PerplexityJudge,
    TextChildProblem,
    TextSupernetProblem,
    validation_rows,
)
from enas_tf.tasks.task import TASKS, Task, Tested

#: Rows and columns of the text whose scores are compared when a child is exported.
_COMPARED = 4, 16
#: Tokens of the text that a child writes when it is tested.
_SAMPLED = 50
#: How many unknown words of a prompt a warning names, and how many characters of each.
_NAMED, _CHARACTERS = 5, 30


@dataclasses.dataclass(frozen=True)
class AveragingConfig:
    """The start of the averaging of weights (NT-ASGD); enas_lm's value."""

    patience: int = option(
        10,
        "start averaging when the validation loss exceeds its minimum over all epochs before the last N",
        most=1_000_000,
    )

    def __post_init__(self):
        require(self.patience >= 1, "patience", self.patience, "at least 1")


AVERAGING = Group(AveragingConfig(), prefix="retrain_", stages=("retrain",))


class LanguageModelling(Task):
    """The prediction of the next token of a text."""

    name, metric, unit, writes_text, is_higher_better = "language_modelling", "perplexity", "token", True, False

    def load(self, config):
        source = config[TEXT_SOURCE]
        return load_text(source.dataset, source.data_dir, config[TEXT], source.limit_train)

    @property
    def data_groups(self):
        return (TEXT_SOURCE, TEXT)

    def fingerprint(self, data):
        return fingerprint(data)

    def shape(self, data: TextData) -> TextShape:
        return TextShape(data.vocab_size)

    def assumed_shape(self, config, recorded):
        """Return the size of the vocabulary that is recorded, else the largest one that the run allows."""
        size = recorded.get("vocab_size", config[TEXT].vocab_size)
        return TextShape(size), f"a vocabulary of {size:,}"

    def shared_problem(self, config, supernet, data, batch_size):
        return TextSupernetProblem(supernet, data, batch_size, config[WINDOW])

    def judge(self, config, supernet, data, batch_size, seed, replicas):
        return PerplexityJudge(supernet, data, batch_size, config[WINDOW], config[REWARD])

    def examples_of(self, config, batch_size):
        """Return the tokens of a window."""
        return batch_size * config[WINDOW].bptt

    def merit(self, config, value):
        return config[REWARD].reward_scale / value

    def as_search(self, config):
        return config.replace({RETRAIN_WINDOW: config[WINDOW]})

    def check_training(self, config, data, batch_size):
        in_rows(data.train, batch_size)
        in_rows(data.valid, 1, "validation")
        in_rows(data.test, 1, "test")

    def child_problem(self, config, trainee, data, batch_size):
        return TextChildProblem(trainee, data, batch_size, config[RETRAIN_WINDOW])

    def validate(self, config, child, data, batch_size):
        read, rows, size = compile_reader(child), validation_rows(data.valid, batch_size), child.input_shape[1][-1]
        # Without gradients, windows can be longer.
        length = 2 * config[RETRAIN_WINDOW].bptt

        def measure() -> dict[str, float]:
            loss = mean_cross_entropy(read, rows, length, size)
            return {"valid_loss": loss, "valid_perplexity": perplexity(loss)}

        return measure

    def averaging_patience(self, config):
        return config[AVERAGING].patience

    def test(self, child, data):
        return measure_text(child, data.test, "test")

    def test_in_detail(self, child, data):
        """Return the metrics, and some words that the child writes."""
        metrics = self.test(child, data)
        if not math.isfinite(metrics["loss"]):
            return Tested(metrics)  # A child that has diverged writes nothing.
        return Tested(metrics, files={"sample.txt": self.sample(child, data, "", _SAMPLED, seed=0) + "\n"})

    def find_mismatch(self, child, data, place):
        name, text = self.names(data)
        cure = f"Retrain with {ref('overwrite')}, or restore the file from a copy."
        fields = {"entries": (list,), "tokens": (str,)}
        found = read_json(place / name, "the vocabulary that retraining has left there", cure, fields)
        # Vocabularies of one size may differ: large texts have as many entries as the option `vocab_size` allows.
        if found == json.loads(text):
            return None
        return (
            f"has a vocabulary of {child.output_shape[0][-1]:,} entries ({name} there), but the text of "
            f"{ref('dataset')}={data.name} makes another one, of {data.vocab_size:,}"
        )

    def names(self, data):
        return "vocabulary.json", json.dumps(dataclasses.asdict(data.vocabulary), ensure_ascii=False) + "\n"

    def export(self, child, directory, data):
        return export_language_model(child, directory, _compared_rows(data))

    def signature(self, child):
        return signature_of_step(child)

    def examples(self, child, data):
        """Return ids, each with the state that the model has behind the ids before it."""
        rows = _compared_rows(data)
        state = np.zeros([len(rows), child.input_shape[1][-1]], np.float32)
        _, state = child([rows[:, :-1], state], training=False)
        return {"ids": rows[:, -1], "state": state.numpy()}

    def sample(self, child, data, prompt, num, seed, temperature=1.0):
        vocabulary = data.vocabulary
        if unknown := _unknown_in_words(prompt, vocabulary):
            warnings.warn(unknown, RuntimeWarning, stacklevel=2)
        begun = vocabulary.encode(prompt)
        if vocabulary.tokens == "word" and not prompt.endswith("\n"):
            begun = begun[:-1]  # A text of words ends its last line; a prompt goes on in its own.
        # Characters of a text without lines have no end of line.
        line = vocabulary.unknown if vocabulary.end_of_line is None else vocabulary.end_of_line
        start = np.array([line, *begun], np.int32)
        ids = sample_ids(child, start, num, vocabulary.unknown, seed, temperature)
        return vocabulary.decode(np.concatenate([begun, ids]))

    def summary(self, config, data):
        return {"data": data.name, **describe(data)}

    def batch_in_words(self, config, batch_size):
        return f"{count_of(batch_size, 'row')}, windows of about {count_of(config[WINDOW].bptt, 'token')}"

    def data_in_words(self, config, data):
        return count_of(len(data.train), "token")

    def record(self, data):
        return {
            "name": data.name,
            "tokens": data.vocabulary.tokens,
            "vocab_size": data.vocab_size,
            "num_tokens": data.num_tokens,
        }


def _compared_rows(data: TextData) -> np.ndarray:
    """Return the ids, int32 [rows, columns], by which an exported child is compared."""
    rows, columns = _COMPARED
    rows = min(rows, len(data.test) // 2)
    columns = min(columns, len(data.test) // rows)
    return np.array(data.test[: rows * columns], np.int32).reshape(rows, columns)


def _unknown_in_words(prompt: str, vocabulary: Vocabulary) -> str:
    """Say which tokens of `prompt` the vocabulary does not hold; return an empty text where it holds all."""
    known = set(vocabulary.entries)
    unknown = [token for token in dict.fromkeys(split_tokens(prompt, vocabulary.tokens)) if token not in known]
    if not unknown:
        return ""
    shown = ", ".join(f"'{shorten(token, _CHARACTERS)}'" for token in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
    return (
        f"the model reads {shown}{more} of the prompt as <unk>: expected entries of its vocabulary, which "
        "child/vocabulary.json lists."
    )


TASKS.register(
    LanguageModelling.name,
    [TEXT_SOURCE, TEXT, WINDOW, RETRAIN_WINDOW, REWARD, AVERAGING],
    help="to predict the next token of a text",
)(LanguageModelling())
