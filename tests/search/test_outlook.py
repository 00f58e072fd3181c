"""What TensorBoard shows of a policy: named operations, charts of each decision, and pictures."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from enas_tf.controller.policy import ControllerConfig
from enas_tf.errors import render
from enas_tf.runtime.seeds import seed_for
from enas_tf.runtime.tensorboard import TensorBoard
from enas_tf.search import outlook
from enas_tf.search.outlook import as_counts, find_collapse, mean_operations, show
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.reinforce import ReinforceSearcher
from enas_tf.search.searchers.searcher import Outlook
from enas_tf.spaces.decisions import PickOp
from enas_tf.spaces.macro import MacroSpace
from enas_tf.spaces.micro import MicroSpace
from enas_tf.spaces.recurrent import RecurrentSpace

OPS = ("conv_3x3", "max_pool_3x3")
SPACE = MacroSpace(num_layers=3, ops=OPS)
PROBABILITIES = {f"layer_{number}/op": np.array([share, 1 - share]) for number, share in enumerate((0.2, 0.3, 0.4), 1)}
OUTLOOK = Outlook(64, np.zeros(SPACE.num_tokens, np.int32), PROBABILITIES)


def read(directory):
    """Return what TensorBoard reads of the phase."""
    everything = dict.fromkeys(("tensors", "scalars", "images", "histograms"), 0)
    return EventAccumulator(str(directory / "controller"), everything).Reload()


def values(reader, tag):
    return [(event.step, pytest.approx(tf.make_ndarray(event.tensor_proto).item())) for event in reader.Tensors(tag)]


def test_every_operation_has_a_curve_of_its_own(tmp_path):
    board = TensorBoard(tmp_path)
    for epoch in (0, 1):
        show(OUTLOOK, SPACE, epoch, 2, board)
    reader = read(tmp_path)
    assert values(reader, "controller_operations/layer_2/op/conv_3x3") == [(1, 0.3), (2, 0.3)]
    assert values(reader, "controller_operations/layer_2/op/max_pool_3x3") == [(1, 0.7), (2, 0.7)]
    assert values(reader, "controller_mean_operations/conv_3x3") == [(1, 0.3), (2, 0.3)]
    assert [event.step for event in reader.Tensors("controller_operations/layer_2/op")] == [1, 2]
    description = reader.SummaryMetadata("controller_operations/layer_2/op").summary_description
    assert "0 = conv_3x3, 1 = max_pool_3x3" in description
    assert len(reader.Tensors("custom_scalars__config__")) == 1


@pytest.mark.parametrize(
    ("num_epochs", "expected"), [(3, [1, 2, 3]), (100, range(1, 101)), (202, [*range(1, 202, 3), 202])]
)
def test_a_search_has_a_hundred_pictures_at_most_and_one_of_its_end(num_epochs, expected, monkeypatch):
    monkeypatch.setattr(outlook, "draw", lambda architecture: architecture)
    monkeypatch.setattr(outlook, "to_pixels", lambda figure: figure)
    board = Board()
    for epoch in range(num_epochs):
        show(OUTLOOK, SPACE, epoch, num_epochs, board)
    assert board.drawn == list(expected)


class Board:
    """Notes the steps of pictures."""

    def __init__(self):
        self.drawn = []

    def image(self, phase, name, pixels, step, description):
        self.drawn.append(step)

    def _pass(self, *args):
        pass

    scalars = histogram = charts = _pass


def test_a_large_space_has_means_and_histograms_only(tmp_path):
    space = MacroSpace(num_layers=60, ops=OPS)
    many = {f"layer_{number}/op": np.array([0.5, 0.5]) for number in range(1, 61)}
    show(Outlook(64, np.zeros(space.num_tokens, np.int32), many), space, 0, 1, TensorBoard(tmp_path))
    tags = read(tmp_path).Tags()["tensors"]
    assert {tag.partition("/")[0] for tag in tags} == {
        "controller_mean_operations", "controller_operations", "custom_scalars__config__"
    }  # fmt: skip
    assert [tag for tag in tags if tag.count("/") > 2] == []


def test_the_curves_of_a_search_begin_anew_where_it_resumes(tmp_path):
    board = TensorBoard(tmp_path)
    for epoch in (0, 1):
        show(OUTLOOK, SPACE, epoch, 3, board)
    board.truncate("controller", 0)
    show(OUTLOOK, SPACE, 0, 3, board)
    reader = read(tmp_path)
    for tag in ("controller_mean_operations/conv_3x3", "controller/most_probable", "custom_scalars__config__"):
        assert [event.step for event in reader.Tensors(tag)] == [1]


@pytest.mark.parametrize("space", [SPACE, MicroSpace(blocks=2), RecurrentSpace(nodes=3)], ids=lambda space: space.name)
def test_a_policy_tells_what_it_would_propose(space):
    """The most probable proposal is the best of those that it would draw."""
    searcher = ReinforceSearcher(space)
    seen = searcher.outlook(seed_for(0, "report", 0))
    proposals = searcher.propose(tf.constant(64), seed_for(0, "report", 0))
    best = tf.reduce_max(searcher.controller.log_prob(proposals))
    assert searcher.controller.log_prob(seen.tokens[None]).numpy() == pytest.approx(best.numpy(), rel=1e-5)
    means = mean_operations(seen, space)
    assert sum(means.values()) == pytest.approx(1.0, abs=1e-5)
    assert all(probabilities.sum() == pytest.approx(1.0, abs=1e-5) for probabilities in seen.op_probabilities.values())
    assert set(searcher.metric_descriptions) >= set(searcher.metric_names)


def test_a_searcher_without_a_policy_has_no_outlook():
    searcher = RandomSearcher(SPACE)
    assert searcher.outlook(seed_for(0, "report", 0)) is None
    assert set(searcher.metric_descriptions) >= set(searcher.metric_names)


def test_counts_have_the_shares_of_the_probabilities():
    assert np.bincount(as_counts(np.array([0.25, 0.5, 0.25]), 100)).tolist() == [25, 50, 25]


def look(space, ops: dict[str, float]) -> Outlook:
    """Return an outlook with these probabilities of operations at every decision of `space`."""
    picks = [decision for decision in space.decisions if isinstance(decision, PickOp)]
    probabilities = {pick.name: np.array([ops.get(choice, 0.0) for choice in pick.choices]) for pick in picks}
    return Outlook(64, np.zeros(space.num_tokens, np.int32), probabilities)


class TestCollapse:
    def test_operations_without_parameters_are_named(self):
        told = render(find_collapse(look(MicroSpace(), {"identity": 0.5, "max_pool_3x3": 0.4}), MicroSpace()))
        assert told.startswith("the policy puts 90% on operations without parameters (avg_pool_3x3, identity, max_pool")
        assert "epochs" in told
        assert "controller_learning_rate" in told

    @pytest.mark.parametrize("share", [0.2, 0.79])
    def test_less_is_no_collapse(self, share):
        ops = {"identity": share, "sep_conv_3x3": 1 - share}
        assert find_collapse(look(MicroSpace(), ops), MicroSpace()) is None

    def test_a_space_without_other_operations_cannot_collapse(self):
        only = MicroSpace(ops=("identity", "max_pool_3x3"))
        assert find_collapse(look(only, {"identity": 1.0}), only) is None
        cells = RecurrentSpace(nodes=3)
        assert find_collapse(look(cells, {"identity": 1.0}), cells) is None

    def test_a_search_says_it(self):
        searcher = ReinforceSearcher(
            MicroSpace(), ControllerConfig(hidden_size=4, learned_bias=-60.0, tanh_constant=9.0)
        )
        assert find_collapse(searcher.outlook(tf.constant([1, 2])), MicroSpace()) is not None
