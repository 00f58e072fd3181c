"""Law 1: tokens, architectures, JSON and every text form say the same; a wrong token names its decision."""

import csv
import itertools
import json

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.published import PUBLISHED, read_published
from enas_tf.spaces.space import BASELINES, SPACES


def test_every_space_is_a_case(case_list):
    assert {case.space.name for case in case_list} == set(SPACES)


def test_decode_and_encode_are_inverse(case):
    for tokens in case.space.random_tokens(50, np.random.default_rng(0)):
        np.testing.assert_array_equal(case.space.encode(case.space.decode(tokens)), tokens)


def test_size_is_the_number_of_architectures(case):
    sequences = itertools.product(*(range(num) for num in case.tiny.token_ranges))
    assert len({case.tiny.decode(tokens) for tokens in sequences}) == case.tiny.size


def text_forms(architecture, directory):
    """Return every text that is read as `architecture`: its arcs, a file, a row of candidates."""
    (directory / "architecture.json").write_text(json.dumps(architecture.to_json()))
    with (directory / "candidates.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["rank", "arc"])
        rows.writeheader()
        rows.writerows([{"rank": 1, "arc": "none"}, {"rank": 2, "arc": architecture.to_arc()}])
    forms = [architecture.to_arc(), str(directory / "architecture.json"), f"{directory / 'candidates.csv'}#2"]
    enas_lm = architecture.to_enas_lm() if hasattr(architecture, "to_enas_lm") else None
    # The notation of enas_lm has one rule for the output.
    return [*forms, f"enas_lm: {enas_lm}"] if enas_lm and architecture.output == "all_but_first" else forms


def test_every_text_form_reads_back(case, tmp_path):
    for tokens in case.space.random_tokens(5, np.random.default_rng(1)):
        architecture = case.space.decode(tokens)
        assert from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
        for text in text_forms(architecture, tmp_path):
            assert read_architecture(text, case.space.name) == architecture, text


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_name_is_read_whatever_the_space_and_so_are_its_text_forms(name, tmp_path):
    architecture = read_published(name)
    for space in SPACES:
        assert read_architecture(name, space) == architecture
    for text in text_forms(architecture, tmp_path):
        assert read_architecture(text, architecture.space_name) == architecture, text


def test_every_baseline_reads_back(case, tmp_path):
    for name in BASELINES:
        baseline = BASELINES[name].beside(case.space)
        assert from_json(baseline.to_json()) == baseline
        for text in text_forms(baseline, tmp_path)[:2]:
            assert read_architecture(text, case.space.name) == baseline, text
        assert all(baseline.in_words())


def test_an_architecture_is_in_its_own_space(case):
    for tokens in case.space.random_tokens(5, np.random.default_rng(3)):
        architecture = case.space.decode(tokens)
        space = architecture.space()
        assert space.decode(space.encode(architecture)) == architecture


def test_places_of_decisions_cover_all_tokens_in_order(case):
    places = [place for range_of_one in case.space.places.values() for place in range_of_one]
    assert places == list(range(case.space.num_tokens))


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
