"""Laws of signals: the current step is finished and saved, and the exit code says that the run can be resumed."""

# ruff: noqa: PT012  The signal and the line that must not be reached belong into one block.

import os
import signal

import pytest

from enas_tf.runtime.signals import ABORTED, EXIT_CODE, Aborted, Interrupted, handled_signals, stepping

SIGNALS = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_outside_of_steps_a_signal_leaves_at_once(number):
    with pytest.raises(Interrupted) as left, handled_signals():
        send(number)
        pytest.fail("it should have left")
    assert (left.value.code, left.value.signal) == (EXIT_CODE, number.name)


@pytest.mark.parametrize("number", SIGNALS)
def test_within_steps_it_leaves_after_the_step_and_saves_once(number):
    log = []
    with pytest.raises(Interrupted) as left, handled_signals(), stepping(lambda: log.append("saved")) as after_step:
        for step in range(5):
            if step == 2:
                send(number)
                if number != signal.SIGINT:
                    send(number)
            log.append(step)
            after_step()
    assert log == [0, 1, 2, "saved"]
    assert left.value.signal == number.name


def test_the_second_sigint_leaves_at_once_and_saves_nothing():
    with pytest.raises(Aborted) as left, handled_signals(), stepping(lambda: pytest.fail("saved")) as after_step:
        after_step()
        send(signal.SIGINT)
        send(signal.SIGINT)
        pytest.fail("it should have left")
    assert left.value.code == ABORTED == 130


def test_a_run_begins_to_count_anew():
    for _ in range(2):
        with pytest.raises(Interrupted), handled_signals():
            send(signal.SIGINT)


def test_a_sigint_that_is_ignored_stays_so():
    """As in the background of a shell script: Ctrl-C is meant for what runs in the foreground."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with handled_signals():
            send(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_before_the_first_step_there_is_nothing_to_save():
    with pytest.raises(Interrupted), handled_signals(), stepping(lambda: pytest.fail("nothing was done")):
        send(signal.SIGTERM)
        pytest.fail("it should have left")


def test_a_signal_after_the_last_step_leaves_behind_it():
    """The code after the steps, such as a checkpoint of the epoch, is run."""
    log = []
    with pytest.raises(Interrupted), handled_signals():
        with stepping(lambda: log.append("saved")) as after_step:
            after_step()
            send(signal.SIGTERM)
            log.append("end of the epoch")
        log.append("the next stage")
    assert log == ["end of the epoch"]


def test_after_steps_a_signal_leaves_at_once_again():
    with pytest.raises(Interrupted), handled_signals():
        with stepping(lambda: None) as after_step:
            after_step()
        send(signal.SIGTERM)
        pytest.fail("it should have left")


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with handled_signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
