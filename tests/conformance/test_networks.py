"""Laws 3 and 4: supernet and child are one function; only what was chosen computes and learns; one trace for all."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.images import ImageConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.spaces.space import SPACES
from tests.conformance.laws import assert_child_costs_what_is_counted, assert_supernet_equals_child, build_moved


@pytest.fixture(scope="module")
def moved(shared_case):
    """A supernet with weights moved off their initial values, and its traced outputs and gradients."""
    return build_moved(shared_case)


def proposals(case, num):
    return case.space.random_tokens(num, np.random.default_rng(5))


def test_supernet_equals_child(shared_case, moved):
    supernet, differentiate = moved
    for tokens in proposals(shared_case, 2):
        assert_supernet_equals_child(shared_case, supernet, differentiate, tokens)


def test_one_trace_serves_every_architecture(shared_case, moved):
    _, differentiate = moved
    inputs = [tf.constant(part) for part in shared_case.inputs(8)]
    for tokens in proposals(shared_case, 6):
        logits, _, _ = differentiate(inputs, tf.constant(tokens))
        assert np.isfinite(logits).all()
    # NumPy arguments of the test above are tensors to a tf.function: the trace is the same one.
    assert differentiate.experimental_get_tracing_count() == 1


def test_architectures_differ(shared_case, moved):
    """No decision is without effect: changing any one token changes the logits (in the reference the op was)."""
    _, differentiate = moved
    inputs = [tf.constant(part) for part in shared_case.inputs(8)]
    base = shared_case.space.random_tokens(1, np.random.default_rng(2))[0]
    expected, _, _ = differentiate(inputs, base)
    for index, num in enumerate(shared_case.space.token_ranges):
        if num == 1:
            continue  # The second node of a recurrent cell has one node to read.
        tokens = base.copy()
        tokens[index] = (tokens[index] + 1) % num
        logits, _, _ = differentiate(inputs, tokens)
        assert float(tf.reduce_max(tf.abs(logits - expected))) > 1e-3, f"token {index} has no effect"


#: Tokens that are changed in turn.
_MOST_TOKENS = 20


def test_children_differ(separate_case):
    """No decision is without effect: with weights by one rule, changing any one token changes the logits.

    Of many tokens some are tried, since each is another child.
    """
    case, random = with_large_images(separate_case), np.random.default_rng(2)
    inputs = case.inputs(4)
    base = case.space.random_tokens(1, random)[0]
    expected = ruled_logits(case, base, inputs)
    ranges = case.space.token_ranges
    for index in random.permutation(len(ranges))[:_MOST_TOKENS]:
        tokens = base.copy()
        tokens[index] = (tokens[index] + 1) % ranges[index]
        difference = ruled_logits(case, tokens, inputs) - expected
        assert float(tf.reduce_max(tf.abs(difference))) > 1e-3, f"token {index} has no effect"


def with_large_images(case):
    """Images of which every stride leaves maps of several pixels."""
    if isinstance(case.shape, ImageConfig):
        return dataclasses.replace(case, shape=dataclasses.replace(case.shape, height=48, width=48))
    return case


def ruled_logits(case, tokens, inputs):
    """Return the logits of the child whose weights follow from their shapes alone."""
    child = case.build_child(case.space.decode(tokens))
    for variable in child.trainable_variables:
        numbers = np.arange(np.prod(variable.shape), dtype=np.float32)
        variable.assign(0.7 * np.sin(1 + numbers).reshape(variable.shape) + (len(variable.shape) == 1))
    return case.run_child(child, inputs)


def test_a_space_without_a_supernet_says_so(separate_case):
    with pytest.raises(InputError, match=f"the {separate_case.space.name} space has no supernet.*evaluator=scratch"):
        separate_case.build_supernet()


def test_weights_start_different(case):
    """No two weights of a supernet or a child begin with the same numbers, but for those that begin constant."""
    tokens = proposals(case, 1)[0]
    supernets = [case.build_supernet()] if case.has_supernet else []
    for network in (*supernets, case.build_child(case.space.decode(tokens))):
        starts = [variable.numpy().ravel()[:6] for variable in network.trainable_variables]
        starts = [values.tobytes() for values in starts if np.ptp(values)]
        assert len(set(starts)) == len(starts) > 1


def test_child_costs_what_is_counted(case):
    for tokens in proposals(case, 2):
        assert_child_costs_what_is_counted(case, case.space.decode(tokens))


def test_a_child_of_the_searched_size_inherits(shared_case):
    """Every weight of it has the shape of the supernet's."""
    networks, supernet = shared_case.networks, shared_case.build_supernet()
    architecture = shared_case.space.decode(proposals(shared_case, 1)[0])
    child = networks.build_child(architecture, networks.as_child(shared_case.network), shared_case.shape)
    networks.inherit_weights(child, supernet, architecture)


def test_sizes_in_words_name_the_width(case):
    architecture = case.space.decode(proposals(case, 1)[0])
    (width,) = (value for name, value in vars(case.child).items() if name in ("channels", "more_filters", "units"))
    assert str(width) in case.networks.size_in_words(architecture, case.child)


def test_every_space_has_networks_with_its_options():
    assert set(NETWORKS) == set(SPACES)
    for entry in NETWORKS.entries():
        assert entry.groups == (entry.component.network, entry.component.child)
        assert [group.stages for group in entry.groups] == [("search",), ("retrain",)]
