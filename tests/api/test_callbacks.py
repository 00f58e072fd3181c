"""Callbacks hear what a run reports: an epoch with all its phases at its end, a trial at once."""

import pytest

import enas_tf
from enas_tf.api.callbacks import Callbacks
from tests.api.conftest import Recorder


def report(listener):
    """Report two epochs of a search, a trial and a finalist."""
    for epoch in range(2):
        listener.record("search", epoch, {"loss": 2.0 - epoch})
        listener.record("controller", epoch, {"loss": 0.5, "reward": 0.1 * epoch})
        listener.end_epoch("search", epoch)
    listener.record("retrain", 0, {"loss": 1.0})
    listener.end_epoch("retrain", 0)
    listener.record("trial", 3, {"valid_accuracy": 0.5})
    listener.record("finalist", 0, {"valid_accuracy": 0.6})


def test_metrics_of_an_epoch_are_those_of_all_its_phases():
    one, other = Recorder(), Recorder()
    report(Callbacks([one, other]))
    assert one.epochs == [
        (0, {"phase": "search", "loss": 2.0, "controller_loss": 0.5, "controller_reward": 0.0}),
        (1, {"phase": "search", "loss": 1.0, "controller_loss": 0.5, "controller_reward": 0.1}),
        (0, {"phase": "retrain", "loss": 1.0}),
    ]
    assert one.trials == [
        (3, {"phase": "trial", "valid_accuracy": 0.5}),
        (0, {"phase": "finalist", "valid_accuracy": 0.6}),
    ]
    assert (other.epochs, other.trials) == (one.epochs, one.trials)


def test_what_a_callback_does_to_its_metrics_changes_nothing_for_others():
    class Greedy:
        def on_epoch_end(self, epoch, metrics):
            metrics.clear()

    recorder = Recorder()
    report(Callbacks([Greedy(), recorder]))
    assert recorder.epochs[0][1]["loss"] == 2.0


def test_an_end_is_passed_on_but_for_finalists_which_derive_needs():
    class Impatient(enas_tf.Callback):
        def on_epoch_end(self, epoch, metrics):
            raise enas_tf.StopEarly

        on_trial_end = on_epoch_end

    listener = Callbacks([Impatient()])
    with pytest.raises(enas_tf.StopEarly):
        listener.end_epoch("search", 0)
    with pytest.raises(enas_tf.StopEarly):
        listener.record("trial", 0, {})
    listener.record("finalist", 0, {})


def test_other_objects_are_refused():
    with pytest.raises(enas_tf.InputError, match="a function is no callback"):
        Callbacks([lambda epoch, metrics: None])
