"""Law 1: tokens, architectures, JSON and arc strings say the same; a wrong token names its decision."""

import itertools

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import SPACES, from_json, read_architecture


def test_every_space_is_a_case(case_list):
    assert {case.space.name for case in case_list} == set(SPACES)


def test_decode_and_encode_are_inverse(case):
    for tokens in case.space.random_tokens(50, np.random.default_rng(0)):
        np.testing.assert_array_equal(case.space.encode(case.space.decode(tokens)), tokens)


def test_size_is_the_number_of_architectures(case):
    sequences = itertools.product(*(range(num) for num in case.tiny.token_ranges))
    assert len({case.tiny.decode(tokens) for tokens in sequences}) == case.tiny.size


def test_json_and_arc_strings_read_back(case, tmp_path):
    for tokens in case.space.random_tokens(5, np.random.default_rng(1)):
        architecture = case.space.decode(tokens)
        assert from_json(architecture.to_json()) == architecture
        assert read_architecture(architecture.to_arc(), case.space.name) == architecture


def test_random_tokens_reach_every_value(case):
    tokens = case.space.random_tokens(500, np.random.default_rng(0))
    assert tokens.dtype == np.int32
    for column, num in zip(tokens.T, case.space.token_ranges, strict=True):
        assert set(column) == set(range(num))


def test_a_wrong_token_names_its_decision(case):
    index = 0
    for decision in case.space.decisions:
        for offset in range(decision.num_tokens):
            tokens = np.zeros(case.space.num_tokens, np.int32)
            tokens[index] = decision.num_values
            with pytest.raises(
                InputError, match=rf"tokens\[{index}\] = {decision.num_values}.*{decision.token_name(offset)}"
            ):
                case.space.decode(tokens)
            index += 1
    assert index == case.space.num_tokens


def test_words_name_every_layer(case):
    architecture = case.space.decode(case.space.random_tokens(1, np.random.default_rng(0))[0])
    assert all(line.split(":")[0] for line in architecture.in_words())
