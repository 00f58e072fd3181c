"""Trials of every space: a result is a function of architecture, budgets and seed, whatever was trained before."""

import dataclasses
import math
import types

import keras
import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.models.networks import Networks
from enas_tf.tasks.task import TASKS
from enas_tf.training.runners import KerasRunner, SupernetRunner, build_runner, has_supernet
from enas_tf.training.scratch import Diverged, Training
from tests.conformance.conftest import CASES
from tests.conformance.runs import BATCH, OPTIONS, SEED, make_data, sgd_of, small

pytestmark = pytest.mark.usefixtures("graphs_of_a_test")


def make_runner(case, precision="float32", **training):
    """Build a runner of the tiny space of a case."""
    run = types.SimpleNamespace(
        config=OPTIONS.replace({case.networks.network: small(case.network)}),
        seed=SEED,
        space=case.tiny,
        networks=case.networks,
        task=TASKS[case.networks.task],
        data=make_data(case.shape),
        shape=case.shape,
        precision=precision,
    )
    return build_runner(run, Training(**{"batch_size": BATCH, "sgd": sgd_of(case)} | training))


def tokens_of(case, num=3):
    return case.tiny.random_tokens(num, np.random.default_rng(4))


def assert_same(found, expected):
    """Assert that two trainings have come to the same, to the last bit."""
    assert (found.value, found.loss, found.curve) == (expected.value, expected.loss, expected.curve)
    for mine, its in zip(found.state, expected.state, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.fixture(scope="module")
def runner(costly_shared_case):
    case = costly_shared_case
    if case.networks.differs_in_training(case.tiny, case.network):
        pytest.skip(f"trials of {case.name} are trained as Keras models")
    return make_runner(case)


@pytest.fixture(scope="module")
def trained(costly_shared_case, runner):
    """The first trial of a process: two epochs, the first of which is a budget of its own."""
    return runner.train(tokens_of(costly_shared_case)[0], (1, 2), keeps_state=True)


def test_a_trial_is_the_same_after_others_and_one_trace_serves_all(costly_shared_case, runner, trained):
    first, *others = tokens_of(costly_shared_case)
    found = {runner.train(tokens, (1,)).loss for tokens in others}
    assert len(found) == len({tuple(tokens) for tokens in others}), "other architectures, other losses"
    assert_same(runner.train(first, (1, 2), keeps_state=True), trained)
    assert isinstance(runner, SupernetRunner)
    assert runner._step.traced.experimental_get_tracing_count() == 1


def test_a_prolonged_trial_is_one_that_was_trained_through(costly_shared_case, runner, trained):
    first, other = tokens_of(costly_shared_case, 2)
    short = runner.train(first, (1,), keeps_state=True)
    runner.train(other, (1,))
    assert_same(runner.train(first, (1, 2), short.state, 1, True), trained)
    through = runner.train(first, (2,), keeps_state=True)
    # The learning rate falls to zero within each budget, unless no cycles are asked for.
    assert (through.loss != trained.loss) == runner.training.sgd.has_cycles


def test_weights_move_and_the_metric_is_measured(costly_shared_case, runner, trained):
    assert np.isfinite([trained.value, trained.loss]).all()
    assert trained.curve == (trained.value,)
    start = np.concatenate([values.ravel() for values in runner._fresh])
    end = np.concatenate([values.ravel() for values in trained.state[: len(runner._fresh)]])
    assert np.abs(end - start).max() > 1e-3


def only(*names):
    return [case for case in CASES if case.name in names]


@pytest.mark.parametrize("case", only("macro-layers", "recurrent-loose_ends"), ids=lambda case: case.name)
def test_a_keras_model_is_trained_by_the_same_laws(case):
    runner, (tokens, other) = make_runner(case, model="keras", num_measured=2), tokens_of(case, 2)
    assert isinstance(runner, KerasRunner)
    assert runner.is_disposable
    through = runner.train(tokens, (1, 3), keeps_state=True)
    assert len(through.curve) == 2
    assert through.value == (max if TASKS[case.networks.task].is_higher_better else min)(through.curve)
    short = runner.train(tokens, (1,), keeps_state=True)
    runner.train(other, (1,))
    assert_same(runner.train(tokens, (1, 3), short.state, 1, True), through)


def test_a_space_without_a_supernet_has_keras_models(case_list):
    (case,) = [case for case in case_list if case.name == "macro-layers"]

    class Plain(type(case.networks)):
        build_supernet = Networks.build_supernet

    assert has_supernet(case.networks)
    assert not has_supernet(Plain())


def test_trials_that_a_supernet_would_train_otherwise_are_keras_models(case_list):
    """Cells that grow have fewer tokens than a supernet reads; it has no drop-path."""
    cases = {case.name: case for case in case_list}
    dropping = dataclasses.replace(cases["nasnet-cifar"].network, drop_path_keep=0.6)
    for case in (cases["pnas-cifar"], dataclasses.replace(cases["nasnet-cifar"], network=dropping)):
        assert isinstance(make_runner(case), KerasRunner)
        with pytest.raises(InputError, match=r"trial_model=supernet cannot train these trials: .*Expected keras"):
            make_runner(case, model="supernet")


def test_a_training_that_diverges_says_where_and_harms_no_other(costly_shared_case, runner, trained, monkeypatch):
    first = tokens_of(costly_shared_case)[0]
    with monkeypatch.context() as patched:
        patched.setattr(runner, "_fresh", [np.full_like(values, np.nan) for values in runner._fresh])
        with pytest.raises(Diverged, match=r"^step 1 has a loss of nan"):
            runner.train(first, (1,))
    with monkeypatch.context() as patched:
        patched.setattr(runner, "measure", lambda tokens: math.nan)
        with pytest.raises(Diverged, match=r"^the metric of epoch 1 is nan"):
            runner.train(first, (1,))
    assert_same(runner.train(first, (1, 2), keeps_state=True), trained)


@pytest.mark.parametrize("case", only("macro-layers"), ids=lambda case: case.name)
def test_a_trial_in_float16_begins_with_a_loss_scale_of_its_own(case):
    runner, tokens = make_runner(case, "mixed_float16"), tokens_of(case)[0]
    expected = runner.train(tokens, (1, 2), keeps_state=True)
    runner._step.loss_scale.factor.assign(2.0)
    runner._step.loss_scale.num_finite.assign(1_999)
    assert_same(runner.train(tokens, (1, 2), keeps_state=True), expected)
    short = runner.train(tokens, (1,), keeps_state=True)
    assert_same(runner.train(tokens, (1, 2), short.state, 1, True), expected)
    assert runner._step.loss_scale.num_finite.numpy() > 3


@pytest.mark.parametrize("case", only("recurrent-loose_ends"), ids=lambda case: case.name)
def test_the_same_seed_is_the_same_in_another_runner(case):
    tokens = tokens_of(case)[0]
    expected = make_runner(case).train(tokens, (1,), keeps_state=True)
    keras.utils.set_random_seed(99)
    assert_same(make_runner(case).train(tokens, (1,), keeps_state=True), expected)
