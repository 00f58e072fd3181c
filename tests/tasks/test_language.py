"""The task of language modelling: samples, what a run is told of its text, and which input is refused."""

import json
import warnings

import keras
import numpy as np
import pytest

from enas_tf.data.text import TEXT, TextConfig, TextData, Vocabulary
from enas_tf.errors import InputError, render
from enas_tf.models.language import LanguageConfig, TextShape
from enas_tf.models.recurrent_child import build_recurrent_child
from enas_tf.options import Config
from enas_tf.spaces.recurrent import RecurrentArchitecture
from enas_tf.tasks.language import AVERAGING, AveragingConfig
from enas_tf.tasks.language_problems import RETRAIN_WINDOW, WINDOW, WindowConfig
from enas_tf.tasks.task import TASKS
from tests.tasks.small import PATTERN, VOCABULARY, make_text

TASK = TASKS["language_modelling"]
DATA, DEFAULTS = make_text(), Config({})


@pytest.fixture(scope="module")
def child():
    keras.utils.set_random_seed(1)
    architecture = RecurrentArchitecture.from_arc("0 0 1")
    return build_recurrent_child(architecture, LanguageConfig(units=5, init_scale=0.9), TASK.shape(DATA))


class TestSample:
    def test_it_goes_on_from_the_prompt_in_its_line(self, child):
        found = TASK.sample(child, DATA, "a b a", 6, seed=3)
        assert found.startswith(("a b a ", "a b a\n"))
        assert len(found.replace("\n", " <eos> ").split()) == 9
        assert found == TASK.sample(child, DATA, "a b a", 6, seed=3) != TASK.sample(child, DATA, "a b a", 6, seed=4)
        assert "<unk>" not in found

    def test_a_prompt_may_end_its_line(self, child):
        assert TASK.sample(child, DATA, "a b\n", 4, seed=3).startswith("a b\n")

    def test_characters(self):
        vocabulary = Vocabulary(("<unk>", "a", "b", "\n"), "char")
        ids = np.tile(np.array([1, 2, 3], np.int32), 20)
        data = TextData("characters", vocabulary, ids, ids, ids)
        keras.utils.set_random_seed(1)
        architecture = RecurrentArchitecture.from_arc("0 0 1")
        child = build_recurrent_child(architecture, LanguageConfig(units=5), TASK.shape(data))
        found = TASK.sample(child, data, "abba", 5, seed=0)
        assert found.startswith("abba")
        assert len(found) == 9

    def test_a_temperature(self, child):
        """Far below 1, every seed takes what is most probable."""
        cold = {TASK.sample(child, DATA, "a b", 8, seed, temperature=0.001) for seed in range(3)}
        assert len(cold) == 1
        assert TASK.sample(child, DATA, "a b", 8, 3, temperature=1.0) == TASK.sample(child, DATA, "a b", 8, 3)

    def test_words_that_the_vocabulary_lacks_are_named_once(self, child):
        with pytest.warns(RuntimeWarning, match="^the model reads 'zebra', 'quux' of the prompt as <unk>") as warned:
            found = TASK.sample(child, DATA, "a zebra quux zebra b <unk>", 2, seed=0)
        assert found.startswith("a <unk> <unk> <unk> b <unk>")
        assert len(warned) == 1
        assert str(warned[0].message).endswith("which child/vocabulary.json lists.")

    def test_many_long_words_make_one_short_line(self, child):
        prompt = " ".join(f"{number}" + "x" * 10_000 for number in range(12)) + " \x1b[1m"
        with pytest.warns(RuntimeWarning, match="and 8 more of the prompt") as warned:
            TASK.sample(child, DATA, prompt, 1, seed=0)
        (message,) = (str(warning.message) for warning in warned)
        assert len(message) < 400
        assert message.isprintable()

    def test_a_prompt_of_known_words_needs_no_word(self, child):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            TASK.sample(child, DATA, "a b\nc <eos>", 1, seed=0)


class TestValidation:
    def test_its_rows_and_windows(self, child):
        """Loss and perplexity of the validation part in ten rows at most, whatever the windows."""
        config = Config({RETRAIN_WINDOW: WindowConfig(bptt=6)})
        found = TASK.validate(config, child, DATA, 64)()
        longer = TASK.validate(Config({RETRAIN_WINDOW: WindowConfig(bptt=500)}), child, DATA, 10)()
        assert found["valid_loss"] == pytest.approx(longer["valid_loss"], rel=1e-5)
        assert found["valid_perplexity"] == pytest.approx(np.exp(found["valid_loss"]))

    def test_a_short_text(self, child):
        short = make_text(valid=PATTERN[:5])
        assert np.isfinite(TASK.validate(DEFAULTS, child, short, 64)()["valid_loss"])


def test_texts_that_are_too_short_to_train_on():
    TASK.check_training(DEFAULTS, DATA, 150)
    with pytest.raises(InputError, match=r"training part .* 300 tokens, but batch_size=151"):
        TASK.check_training(DEFAULTS, DATA, 151)
    with pytest.raises(InputError, match=r"validation part .* 1 tokens"):
        TASK.check_training(DEFAULTS, make_text(valid=PATTERN[:1]), 10)


def test_a_child_of_another_vocabulary_is_named(child, tmp_path):
    name, text = TASK.names(DATA)
    assert name == "vocabulary.json"
    assert json.loads(text) == {"entries": list(VOCABULARY.entries), "tokens": "word"}
    (tmp_path / name).write_text(text)
    assert TASK.find_mismatch(child, DATA, tmp_path) is None
    other = TextData("other", Vocabulary(("<unk>", "<eos>", *"abce")), PATTERN, PATTERN, PATTERN)
    found = render(TASK.find_mismatch(child, other, tmp_path))
    assert "the text of dataset=other makes another one, of 6" in found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b'{"entries": ["<unk>"', "is not JSON"),
        (b"[1]", "holds a list instead of an object"),
        (b'{"entries": 7, "tokens": "word"}', 'has 7 under the key "entries"'),
        (b"\xff\xfe", "is not"),
    ],
)
def test_a_damaged_vocabulary_is_named_with_its_path_and_the_cure(child, tmp_path, content, words):
    path = tmp_path / "vocabulary.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        TASK.find_mismatch(child, DATA, tmp_path)
    for word in (str(path), words, "Retrain with overwrite, or restore the file"):
        assert word in str(raised.value)


def test_what_a_run_is_told_of_the_text():
    assert TASK.shape(DATA) == TextShape(6)
    assert TASK.assumed_shape(Config({TEXT: TextConfig(vocab_size=50)}), {}) == (TextShape(50), "a vocabulary of 50")
    assert TASK.assumed_shape(DEFAULTS, TASK.record(DATA)) == (TextShape(6), "a vocabulary of 6")
    told = TASK.summary(DEFAULTS, DATA)
    assert told["data"] == "pattern"
    assert (told["words"], told["vocabulary"]) == ("300 training, 111 validation, 111 test", "6 entries")
    assert TASK.batch_in_words(Config({WINDOW: WindowConfig(bptt=9)}), 4) == "4 rows, windows of about 9 tokens"
    assert TASK.batch_in_words(Config({WINDOW: WindowConfig(bptt=1)}), 1) == "1 row, windows of about 1 token"
    assert TASK.data_in_words(DEFAULTS, DATA) == "300 tokens"


def test_patience():
    assert TASK.averaging_patience(Config({AVERAGING: AveragingConfig(3)})) == 3
    with pytest.raises(InputError, match=r"^patience=0"):
        AveragingConfig(patience=0)


def test_trials_are_trained_by_the_windows_of_the_search():
    given = Config({WINDOW: WindowConfig(bptt=7), RETRAIN_WINDOW: WindowConfig(bptt=9, activation_penalty=0.7)})
    assert TASK.as_search(given)[RETRAIN_WINDOW] == WindowConfig(bptt=7)


def test_the_test_in_detail_has_a_sample_of_a_child_that_is_sound(child):
    metrics, _, files = TASK.test_in_detail(child, DATA)
    assert metrics == TASK.test(child, DATA)
    assert len(files["sample.txt"].split()) > 20
    assert files == TASK.test_in_detail(child, DATA).files, "the same child writes the same"


def test_a_child_that_has_diverged_writes_nothing(child, monkeypatch):
    monkeypatch.setattr(type(TASK), "test", lambda self, child, data: {"loss": float("nan"), "perplexity": 1.0})
    assert TASK.test_in_detail(child, DATA).files == {}
