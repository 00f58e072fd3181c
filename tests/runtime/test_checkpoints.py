"""Laws of checkpoints: a restored run computes the same bits, and damaged files are never restored."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.runtime.checkpoints import Checkpoints, Position

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=8.0),
}
INPUTS = tf.constant(np.random.default_rng(0).normal(size=(8, 3)), tf.float32)


class Network(keras.layers.Layer):
    """A layer with all kinds of state of a Keras layer: dropout, batch norm, layers in a list, weights in a list."""

    def __init__(self, units: int):
        super().__init__()
        self.units = units
        self.stages = [keras.layers.Dense(units), keras.layers.BatchNormalization()]
        self.dropout = keras.layers.Dropout(0.5)

    def build(self, shape):
        self.stages[0].build(shape)
        self.stages[1].build((None, self.units))
        self.banks = [self.add_weight(shape=(self.units,), name=f"bank_{i}") for i in range(2)]

    def call(self, x):
        for stage in self.stages:
            x = stage(x, training=True)
        return self.dropout(x, training=True) * self.banks[0] + self.banks[1]


class Run:
    """All state of a training, newly made with other seeds each time."""

    def __init__(self, directory, optimizer="adam", units=4, dtype=tf.float32):
        self.network = Network(units)
        self.network.build((None, 3))
        self.optimizer = OPTIMIZERS[optimizer]()
        self.optimizer.build(self.network.trainable_variables)
        self.baseline = tf.Variable(0.0, dtype=dtype)
        self.seeds = keras.random.SeedGenerator(np.random.randint(1 << 30))
        self.generator = tf.random.Generator.from_seed(np.random.randint(1 << 30))
        self.checkpoints = Checkpoints(directory, self.objects())

    def objects(self):
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "baseline": self.baseline,
            "seeds": self.seeds,
            "generator": self.generator,
        }

    def step(self):
        noise = keras.random.normal((8, 3), seed=self.seeds) + self.generator.normal((8, 3))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.network(INPUTS + noise) ** 2)
        gradients = tape.gradient(loss, [v.value for v in self.network.trainable_variables])
        self.optimizer.apply(gradients)
        self.baseline.assign(0.9 * self.baseline + tf.cast(0.1 * loss, self.baseline.dtype))

    def state(self):
        variables = [*self.network.variables, *self.optimizer.variables, self.baseline, self.seeds.state]
        return [np.array(v) for v in variables] + [self.generator.state.numpy()]


def equal(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def damage(path: Path, kind: str):
    """Damage a file as a killed process, a full disk or a defective disk does."""
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        changed = {
            "empty": b"",
            "truncated": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        }
        path.write_bytes(changed[kind])


def parts(directory: Path, number: int) -> dict[str, Path]:
    return {
        "index": directory / f"ckpt-{number}.index",
        "data": directory / f"ckpt-{number}.data-00000-of-00001",
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_restored_run_goes_on_bit_by_bit(tmp_path, optimizer):
    first = Run(tmp_path, optimizer)
    first.step()
    first.step()
    first.checkpoints.save(2)
    first.step()
    first.step()

    second = Run(tmp_path, optimizer)
    assert not equal(second.state(), first.state())
    assert second.checkpoints.restore_latest() == (2, 0)
    assert not equal(second.state(), first.state())
    second.step()
    second.step()
    assert equal(second.state(), first.state())


def test_a_functional_model_is_restored(tmp_path):
    def model():
        x = keras.Input((3,))
        y = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(x))
        return keras.Model(x, keras.layers.BatchNormalization()(y))

    first, second = model(), model()
    first(INPUTS, training=True)
    Checkpoints(tmp_path, {"model": first}).save(1)
    Checkpoints(tmp_path, {"model": second}).restore_latest()
    assert equal([np.array(v) for v in first.variables], [np.array(v) for v in second.variables])
    assert np.array_equal(first(INPUTS, training=True), second(INPUTS, training=True))


def test_a_variable_listed_twice_is_saved_once(tmp_path):
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    Checkpoints(tmp_path, {"both": [a, b], "second": b}).save(3)
    a.assign(0.0)
    b.assign(0.0)
    assert Checkpoints(tmp_path, {"both": [a, b], "second": b}).restore_latest() == (3, 0)
    assert (float(a), float(b)) == (1.0, 2.0)


def test_without_a_checkpoint_nothing_happens(tmp_path):
    run = Run(tmp_path / "none")
    before = run.state()
    assert run.checkpoints.restore_latest() is None
    assert equal(run.state(), before)
    assert not (tmp_path / "none").exists()


def test_the_last_two_are_kept_and_the_newest_is_taken(tmp_path):
    value = tf.Variable(0)
    checkpoints = Checkpoints(tmp_path, {"value": value})
    for epoch in (1, 2, 3, 3):  # a run that is stopped by a signal saves epoch 3 again
        value.assign_add(1)
        checkpoints.save(epoch)
    assert len(list(tmp_path.glob("*.index"))) == 2
    value.assign(-1)
    again = Checkpoints(tmp_path, {"value": value})
    assert again.restore_latest() == (3, 0)
    assert int(value) == 4


def test_the_position_is_told_before_anything_is_restored(tmp_path):
    value = tf.Variable(5)
    assert Checkpoints(tmp_path, {"value": value}).latest_position() is None
    Checkpoints(tmp_path, {"value": value}).save(2, step=17)
    value.assign(0)
    checkpoints = Checkpoints(tmp_path, {"value": value})
    assert checkpoints.latest_position() == Position(epoch=2, step=17)
    assert int(value) == 0
    assert checkpoints.restore_latest() == Position(epoch=2, step=17)
    assert int(value) == 5
    checkpoints.save(3)
    assert checkpoints.latest_position() == Position(epoch=3)


def test_a_position_within_an_epoch_comes_back(tmp_path):
    value = tf.Variable(0)
    Checkpoints(tmp_path, {"value": value}).save(2, step=17)
    assert Checkpoints(tmp_path, {"value": value}).restore_latest() == Position(epoch=2, step=17)


def test_saving_an_epoch_again_spares_the_first_file_of_it(tmp_path):
    value = tf.Variable(0)
    checkpoints = Checkpoints(tmp_path, {"value": value})
    checkpoints.save(3)
    (first,) = tmp_path.glob("*.index")
    content = first.read_bytes()
    value.assign(1)
    checkpoints.save(3)
    assert first.read_bytes() == content
    assert len(list(tmp_path.glob("*.index"))) == 2


def test_a_moved_directory_is_restored(tmp_path):
    value = tf.Variable(5)
    Checkpoints(tmp_path / "here", {"value": value}).save(1)
    (tmp_path / "here").rename(tmp_path / "there")
    value.assign(0)
    assert Checkpoints(tmp_path / "there", {"value": value}).restore_latest() == (1, 0)
    assert int(value) == 5


class TestDamage:
    @pytest.mark.parametrize("part", ["index", "data"])
    @pytest.mark.parametrize("kind", ["empty", "truncated", "flipped", "missing"])
    def test_the_previous_checkpoint_is_taken_with_a_warning_and_the_run_goes_on(self, tmp_path, part, kind):
        value = tf.Variable(tf.zeros(50))
        checkpoints = Checkpoints(tmp_path, {"value": value})
        for epoch in (1, 2):
            value.assign(tf.fill([50], float(epoch)))
            checkpoints.save(epoch)
        damage(parts(tmp_path, 2)[part], kind)

        checkpoints = Checkpoints(tmp_path, {"value": value})
        with pytest.warns(RuntimeWarning, match=r"is damaged and skipped \(ckpt-2: .*goes back to ckpt-1"):
            assert checkpoints.restore_latest() == (1, 0)
        assert np.all(value.numpy() == 1.0)

        checkpoints.save(2)
        value.assign(tf.zeros(50))
        assert Checkpoints(tmp_path, {"value": value}).restore_latest() == (2, 0)
        assert np.all(value.numpy() == 1.0)

    @pytest.mark.parametrize("part", ["index", "data"])
    def test_without_a_whole_one_the_cure_is_named_and_nothing_is_restored(self, tmp_path, part, recwarn):
        value = tf.Variable(tf.zeros(50))
        Checkpoints(tmp_path, {"value": value}).save(1)
        value.assign(tf.ones(50))
        damage(parts(tmp_path, 1)[part], "truncated")
        with pytest.raises(InputError, match=r"\(ckpt-1: .*afresh with overwrite") as caught:
            Checkpoints(tmp_path, {"value": value}).restore_latest()
        assert not recwarn.list, "the one message says it"
        assert str(tmp_path) in str(caught.value)
        assert np.all(value.numpy() == 1.0)

    @pytest.mark.parametrize("part", ["index", "data"])
    def test_what_a_killed_save_left_is_ignored_and_overwritten(self, tmp_path, part, recwarn):
        value = tf.Variable(tf.zeros(50))
        Checkpoints(tmp_path, {"value": value}).save(1)
        for name, path in parts(tmp_path, 1).items():  # ckpt-2 is partly written and not in the state file
            shutil.copy(path, parts(tmp_path, 2)[name])
        damage(parts(tmp_path, 2)[part], "truncated")

        checkpoints = Checkpoints(tmp_path, {"value": value})
        assert checkpoints.restore_latest() == (1, 0)
        assert not [w for w in recwarn if w.category is RuntimeWarning]
        value.assign(tf.ones(50))
        checkpoints.save(2)
        assert Checkpoints(tmp_path, {"value": value}).restore_latest() == (2, 0)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\0\xff",
            b"\xff\xfe",
            b"{",
            b'model_checkpoint_path: "ckpt-99"',
            b"model_checkpoint_path: 7",
            b"a" * 9,
            None,
        ],
    )
    def test_a_damaged_list_of_checkpoints_is_named_and_not_taken_for_an_empty_one(self, tmp_path, content, caplog):
        value = tf.Variable(0)
        Checkpoints(tmp_path, {"value": value}).save(1)
        (tmp_path / "checkpoint").unlink()
        if content is None:
            (tmp_path / "checkpoint").mkdir()
        else:
            (tmp_path / "checkpoint").write_bytes(content)
        with pytest.raises(InputError, match=f"{tmp_path}/checkpoint .*that TensorFlow keeps.*overwrite"):
            Checkpoints(tmp_path, {"value": value})
        assert not caplog.records

    def test_a_list_that_names_files_which_are_not_there(self, tmp_path):
        (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-9"\nall_model_checkpoint_paths: "ckpt-9"\n')
        with pytest.raises(InputError, match=r"no checkpoint that can be read.*ckpt-9"):
            Checkpoints(tmp_path, {"value": tf.Variable(0)}).restore_latest()

    def test_the_next_save_removes_what_killed_ones_have_left(self, tmp_path):
        value = tf.Variable(0)
        Checkpoints(tmp_path, {"value": value}).save(1)
        (tmp_path / "flags.json").write_text("{}")
        kept = {path.name for path in tmp_path.iterdir()}
        for name in ("ckpt-1_temp", "ckpt-2_temp"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "part-00000-of-00001.index").write_text("half")
        for name in ("ckpt-7.index", "ckpt-7.data-00000-of-00001", "ckpt-7.index.tempstate12", "checkpoint.tmp1a2b"):
            (tmp_path / name).write_text("half")
        checkpoints = Checkpoints(tmp_path, {"value": value})
        assert checkpoints.restore_latest() == (1, 0)
        assert (tmp_path / "ckpt-1_temp").exists(), "reading changes nothing: another process may be writing"
        checkpoints.save(2)
        assert {path.name for path in tmp_path.iterdir()} == kept | {path.name for path in parts(tmp_path, 2).values()}


class TestOtherConfiguration:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"units": 5}, r'variable 0 of "network" is float32\[4\], expected float32\[5\]'),
            ({"optimizer": "sgd"}, r'"optimizer" has \d+ variables, expected \d+'),
            ({"dtype": tf.float64}, r'variable 0 of "baseline" is float32\[\], expected float64\[\]'),
        ],
    )
    def test_other_variables_are_named_and_nothing_is_restored(self, tmp_path, change, words):
        Run(tmp_path).checkpoints.save(1)
        other = Run(tmp_path, **change)
        before = other.state()
        with pytest.raises(InputError, match=words) as caught:
            other.checkpoints.restore_latest()
        assert "of another configuration" in str(caught.value)
        assert equal(other.state(), before)

    @pytest.mark.parametrize("kind", [tf.Variable, lambda _: tf.random.Generator.from_seed(1)])
    def test_an_object_more_or_less_is_named(self, tmp_path, kind):
        one, both = {"a": tf.Variable(1.0)}, {"a": tf.Variable(1.0), "b": kind(1.0)}
        Checkpoints(tmp_path / "one", one).save(1)
        Checkpoints(tmp_path / "both", both).save(1)
        with pytest.raises(InputError, match="another configuration"):
            Checkpoints(tmp_path / "one", both).restore_latest()
        with pytest.raises(InputError, match='it holds "b"'):
            Checkpoints(tmp_path / "both", one).restore_latest()


class TestMisuse:
    @pytest.mark.parametrize("make", [keras.optimizers.Adam, lambda: keras.layers.Dense(2)])
    def test_an_object_that_is_not_built_is_refused(self, tmp_path, make):
        with pytest.raises(ValueError, match=r'"thing" .* is not built'):
            Checkpoints(tmp_path, {"thing": make()})

    def test_an_object_without_state_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r'"thing" .* has no variables'):
            Checkpoints(tmp_path, {"thing": object()})

    def test_variables_that_came_later_are_not_forgotten_silently(self, tmp_path):
        module = tf.Module()
        module.first = tf.Variable(1.0)
        checkpoints = Checkpoints(tmp_path, {"module": module})
        module.second = tf.Variable(2.0)
        with pytest.raises(ValueError, match="gained or lost"):
            checkpoints.save(1)
