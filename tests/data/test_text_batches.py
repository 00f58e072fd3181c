"""Laws of windows of text: every target occurs once, windows are adjacent, lengths depend on (seed, epoch) only."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.data.text_batches import TextStream, evaluation_windows, in_rows, training_windows, windows
from enas_tf.errors import InputError

STREAM = np.arange(1003, dtype=np.int32)


def lengths(columns, bptt, seed=0, epoch=0, is_random=True):
    return [length for _, length in windows(columns, bptt, seed, epoch, is_random)]


@pytest.mark.parametrize(("batch_size", "columns"), [(1, 1003), (4, 250), (501, 2)])
def test_rows_are_contiguous_and_follow_each_other(batch_size, columns):
    rows = in_rows(STREAM, batch_size)
    assert (rows.shape, rows.dtype) == ((batch_size, columns), np.int32)
    np.testing.assert_array_equal(rows.ravel(), STREAM[: batch_size * columns])


@pytest.mark.parametrize("is_random", [False, True])
@pytest.mark.parametrize(("columns", "bptt"), [(2, 35), (36, 35), (37, 35), (1000, 35), (50, 1), (200, 7)])
def test_windows_cover_all_but_the_last_column(columns, bptt, is_random):
    spans = windows(columns, bptt, 3, 1, is_random)
    covered = [column for start, length in spans for column in range(start, start + length)]
    assert covered == list(range(columns - 1))
    assert min(length for _, length in spans) >= 1


def test_lengths_that_are_not_random_are_equal():
    assert lengths(101, 25, is_random=False) == [25, 25, 25, 25]
    assert lengths(103, 25, is_random=False) == [25, 25, 25, 25, 2]
    assert lengths(103, 25, seed=1, epoch=2, is_random=False) == lengths(103, 25, is_random=False)


def test_random_lengths_depend_on_seed_and_epoch_alone():
    assert lengths(2000, 35, 5, 7) == lengths(2000, 35, 5, 7)
    drawn = {(seed, epoch): tuple(lengths(2000, 35, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(set(drawn.values())) == 16  # (1, 2) is not (2, 1), either


def test_random_lengths_have_the_stated_distribution():
    bptt = 60
    drawn = np.array(lengths(2_000_000, bptt)[:-1])
    is_half = drawn < 45  # three deviations from either mean
    assert is_half.mean() == pytest.approx(0.05, abs=0.005)
    for chosen, mean in ((drawn[~is_half], bptt), (drawn[is_half], bptt / 2)):
        assert chosen.mean() == pytest.approx(mean, abs=0.5)
        assert chosen.std() == pytest.approx(5, abs=0.4)


@pytest.mark.parametrize("bptt", [1, 6, 35])
def test_random_lengths_are_limited(bptt):
    drawn = lengths(50_000, bptt)[:-1]
    assert min(drawn) >= 5
    assert max(drawn) <= bptt + 20
    assert len(set(drawn)) > 5


@pytest.mark.parametrize("is_random", [False, True])
def test_every_token_but_the_first_of_a_row_is_a_target_once(is_random):
    rows = in_rows(STREAM, 4)
    inputs, targets = zip(*training_windows(rows, 20, seed=1, epoch=0, is_random=is_random), strict=True)
    np.testing.assert_array_equal(np.concatenate(inputs, axis=1), rows[:, :-1])
    np.testing.assert_array_equal(np.concatenate(targets, axis=1), rows[:, 1:])
    for ids, following in zip(inputs, targets, strict=True):
        assert ids.dtype == following.dtype == np.int32
        np.testing.assert_array_equal(ids + 1, following)  # the stream counts upwards


@pytest.mark.parametrize("first_window", [1, 5, 1000])
def test_a_resumed_epoch_goes_on_with_the_same_windows(first_window):
    rows = in_rows(STREAM, 2)
    unbroken = list(training_windows(rows, 20, seed=1, epoch=4))
    resumed = list(training_windows(rows, 20, seed=1, epoch=4, first_window=first_window))
    assert len(resumed) == len(unbroken[first_window:])
    for batch, batch_again in zip(unbroken[first_window:], resumed, strict=True):
        np.testing.assert_array_equal(batch, batch_again)


@pytest.mark.parametrize("bptt", [1, 10, 35, 5000])
def test_evaluation_counts_every_target_once(bptt):
    batches = list(evaluation_windows(in_rows(STREAM, 1), bptt))
    np.testing.assert_array_equal(np.concatenate([targets[0] for _, targets in batches]), STREAM[1:])
    assert {inputs.shape for inputs, _ in batches[:-1]} <= {(1, bptt)}


def test_windows_are_made_as_they_are_asked_for():
    ((inputs, _),) = itertools.islice(training_windows(in_rows(STREAM, 4), 20, 0, 0), 1)
    assert np.shares_memory(inputs, STREAM)


@pytest.mark.parametrize(
    ("count", "batch_size", "message"),
    [
        (7, 4, "validation part of the data has 7 tokens, but batch_size=4 needs at least 8.*batch_size=3 or less"),
        (1, 1, "validation part of the data has 1 tokens, but batch_size=1 needs at least 2.*use a longer text"),
        (7, 0, "batch_size=0 is not valid"),
    ],
)
def test_rows_without_a_target_are_refused(count, batch_size, message):
    with pytest.raises(InputError, match=message) as caught:
        in_rows(STREAM[:count], batch_size, "validation")
    assert "limit_train" not in str(caught.value)


def test_the_training_part_may_be_limited_too_much():
    with pytest.raises(InputError, match=r"training part .*larger limit_train\)\.$"):
        in_rows(STREAM[:7], 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: windows(10, 0, 0, 0, True),
        lambda: training_windows(in_rows(STREAM, 2), 0, 0, 0),
        lambda: evaluation_windows(in_rows(STREAM, 2), 0),
    ],
)
def test_a_window_needs_a_token(call):
    with pytest.raises(InputError, match="bptt=0 is not valid: expected a number of tokens per window, 1 or more"):
        call()


class TestStream:
    ROWS = in_rows(STREAM, 4)

    def expect(self, batches, seed, epoch, first_window=0, is_random=True):
        expected = training_windows(self.ROWS, 20, seed, epoch, is_random, first_window)
        for (ids, targets), (its_ids, its_targets) in zip(batches, expected, strict=True):
            assert tf.is_tensor(ids)
            assert ids.dtype == targets.dtype == tf.int32
            np.testing.assert_array_equal(ids, its_ids)
            np.testing.assert_array_equal(targets, its_targets)

    def test_an_epoch_is_its_windows_in_order(self):
        for is_random, seed, epoch in ((False, 0, 0), (True, 0, 0), (True, 0, 1), (True, 1, 0)):
            self.expect(TextStream(self.ROWS, 20, is_random).batches(epoch, 0, seed), seed, epoch, 0, is_random)

    def test_other_seeds_and_epochs_have_other_windows(self):
        stream = TextStream(self.ROWS, 20, is_random=True)
        lengths = {
            tuple(ids.shape[1] for ids, _ in stream.batches(epoch, 0, seed)) for seed in (1, 2) for epoch in (0, 1)
        }
        assert len(lengths) == 4

    @pytest.mark.parametrize("first_step", [1, 7, 1000])
    def test_an_epoch_is_resumed_in_its_middle(self, first_step):
        stream = TextStream(self.ROWS, 20, is_random=True)
        unbroken = list(stream.batches(3, 0, seed=1))
        resumed = list(stream.batches(3, first_step, seed=1))
        self.expect(resumed, 1, 3, first_step)
        assert len(resumed) == len(unbroken[first_step:])

    def test_a_consumer_may_stop_early(self):
        stream = TextStream(self.ROWS, 20, is_random=True)
        next(stream.batches(0, 0, seed=1))
        self.expect(stream.batches(0, 1, seed=1), 1, 0, 1)

    @pytest.mark.parametrize("is_random", [False, True])
    def test_it_counts_steps_and_tokens(self, is_random):
        stream = TextStream(self.ROWS, 20, is_random)
        assert (stream.unit, stream.steps_per_epoch) == ("tokens", 13)  # 249 columns of targets
        batches = list(stream.batches(2, 0, seed=1))
        assert stream.num_steps(2, seed=1) == len(batches)
        assert stream.count_units(2, 0, seed=1) == 4 * 249
        assert stream.count_units(2, 3, seed=1) == sum(tf.size(ids).numpy() for ids, _ in batches[3:])
        assert stream.count_units(2, len(batches), seed=1) == 0

    def test_a_window_needs_a_token(self):
        with pytest.raises(InputError, match="bptt=0 is not valid"):
            TextStream(self.ROWS, 0, is_random=True)
