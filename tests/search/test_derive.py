"""Derive ranks proposals: the best first, of equals the cheaper, each once. No network is needed to see that."""

import csv
import dataclasses
import io
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from enas_tf.errors import InputError
from enas_tf.models.images import ImageConfig
from enas_tf.models.macro_config import MacroChildConfig
from enas_tf.models.networks import NETWORKS
from enas_tf.search.derive import DeriveConfig, derive, to_csv, to_markdown
from enas_tf.search.objective import Objective
from enas_tf.spaces.architectures import read_architecture
from enas_tf.spaces.macro import MacroSpace

SPACE = MacroSpace(num_layers=3)
# Convolutions of 3x3 (0), 5x5 (2) and pools (4) without skips; the second is there twice.
PROPOSALS = np.array([[0, 0, 0, 0, 0, 0], [4, 4, 0, 4, 0, 0], [2, 2, 0, 2, 0, 0], [4, 4, 0, 4, 0, 0]], np.int32)
ACCURACIES = {0: 0.5, 2: 0.25, 4: 0.5}


class FixedSearcher:
    """Proposes `PROPOSALS`."""

    space = SPACE

    def candidates(self, num, seed):
        assert num == len(PROPOSALS)
        return tf.constant(PROPOSALS)


class KnownEvaluator:
    """Knows the accuracy from the first token, and what it was asked."""

    metric, is_higher_better = "valid_accuracy", True

    def __init__(self):
        self.asked = []

    def score(self, tokens, num_batches):
        self.asked.append((tuple(np.asarray(tokens).tolist()), num_batches))
        return ACCURACIES[tokens[0]]


def count(architecture):
    image = ImageConfig(8, 8, 1, 10, (0.0,), (1.0,))
    return NETWORKS["macro"].count(architecture, MacroChildConfig(channels=4), image)


@pytest.fixture
def evaluator():
    return KnownEvaluator()


@pytest.fixture
def candidates(evaluator):
    return derive(FixedSearcher(), evaluator, count, DeriveConfig(derive_samples=4, derive_batches=3), seed=0)


def test_the_best_is_first_and_of_equals_the_cheaper(candidates):
    assert [candidate.tokens[0] for candidate in candidates] == [4, 0, 2]
    assert [candidate.value for candidate in candidates] == [0.5, 0.5, 0.25]
    assert candidates[0].cost.flops < candidates[1].cost.flops


def test_of_perplexities_the_lowest_is_first(evaluator):
    evaluator.metric, evaluator.is_higher_better = "valid_perplexity", False
    found = derive(FixedSearcher(), evaluator, count, DeriveConfig(derive_samples=4), seed=0)
    assert [candidate.value for candidate in found] == [0.25, 0.5, 0.5]
    assert to_csv(found).startswith("rank,arc,valid_perplexity,")


def test_each_proposal_is_judged_on_the_batches_asked_for_and_the_best_on_all(evaluator):
    config = DeriveConfig(derive_samples=4, derive_batches=3, derive_kept=2)
    found = derive(FixedSearcher(), evaluator, count, config, seed=0)
    kept = [candidate.tokens for candidate in found[:2]]
    assert sorted(evaluator.asked) == sorted(
        [*((tuple(row), 3) for row in PROPOSALS[:3].tolist()), *((row, 0) for row in kept)]
    )


def test_on_the_whole_part_each_proposal_is_judged_once(evaluator):
    derive(FixedSearcher(), evaluator, count, DeriveConfig(derive_samples=4, derive_batches=0), seed=0)
    assert sorted(evaluator.asked) == sorted((tuple(row), 0) for row in PROPOSALS[:3].tolist())


class RankedOnFew(KnownEvaluator):
    """Few batches say another order than all of them."""

    def score(self, tokens, num_batches):
        value = super().score(tokens, num_batches)
        return 1 - value if num_batches else value


def test_those_that_few_batches_have_left_out_stay_behind():
    config = DeriveConfig(derive_samples=4, derive_batches=1, derive_kept=2)
    found = derive(FixedSearcher(), RankedOnFew(), count, config, seed=0)
    assert [(candidate.tokens[0], candidate.value) for candidate in found] == [(4, 0.5), (2, 0.25), (0, 0.5)]


class ManySearcher(FixedSearcher):
    """Proposes the same few for all but the mutations."""

    def candidates(self, num, seed):
        assert num == 16
        return tf.constant(PROPOSALS)


def test_a_fifth_are_mutations_of_the_best(evaluator):
    config = DeriveConfig(derive_samples=20, derive_batches=0)
    evaluator.score = lambda tokens, num_batches: sum(tokens) / 100
    found = derive(ManySearcher(), evaluator, count, config, seed=0)
    proposed = {tuple(row) for row in PROPOSALS.tolist()}
    mutated = [candidate.tokens for candidate in found if candidate.tokens not in proposed]
    assert 1 <= len(mutated) <= 4
    assert len({candidate.tokens for candidate in found}) == len(found), "none is there twice"
    again = derive(ManySearcher(), evaluator, count, config, seed=0)
    assert again == found


def test_candidates_are_what_their_tokens_say(candidates):
    for candidate in candidates:
        assert candidate.architecture == SPACE.decode(candidate.tokens)
        assert candidate.cost == count(candidate.architecture)


def test_the_table_holds_every_candidate(candidates):
    rows = list(csv.reader(io.StringIO(to_csv(candidates))))
    assert rows[0] == ["rank", "arc", "valid_accuracy", "parameters", "flops"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    for row, candidate in zip(rows[1:], candidates, strict=True):
        assert read_architecture(row[1], "macro") == candidate.architecture
        assert float(row[2]) == pytest.approx(candidate.value)
        assert [int(row[3]), int(row[4])] == [candidate.cost.parameters, candidate.cost.flops]


def test_a_row_of_the_table_is_read_back(candidates, tmp_path):
    path = tmp_path / "candidates.csv"
    path.write_text(to_csv(candidates))
    for place, candidate in enumerate(candidates, start=1):
        assert read_architecture(f"{path}#{place}", "macro") == candidate.architecture
    with pytest.raises(InputError, match=r"no candidate of rank '4': expected 1\.\.3"):
        read_architecture(f"{path}#4", "macro")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("is_higher_better", [True, False])
def test_a_score_that_is_no_number_comes_last_and_changes_no_other_place(candidates, odd, is_higher_better):
    rank, spoiled = Objective(is_higher_better).rank, [dataclasses.replace(candidates[0], value=odd), *candidates]
    for order in itertools.permutations(spoiled):
        assert rank(list(order)) == [*rank(candidates), spoiled[0]]


def test_the_table_for_tensorboard_holds_the_best(candidates):
    lines = to_markdown(candidates, num=2).splitlines()
    assert len(lines) == 4
    assert "`layers: 4 4 0 4 0 0`" in lines[2]


def test_further_columns_are_written_whole(candidates):
    (row,) = csv.DictReader(io.StringIO(to_csv([candidates[0].with_more({"child_flops": 1979008.0, "share": 0.25})])))
    assert (row["child_flops"], row["share"]) == ("1979008", "0.25")
