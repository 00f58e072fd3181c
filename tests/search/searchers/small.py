"""A small table of rewards, and searches on it, for the tests of searchers."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from enas_tf.controller.policy import CONTROLLER, ControllerConfig
from enas_tf.options import Config
from enas_tf.runtime.seeds import seed_for
from enas_tf.search.config import SEARCH, SearchConfig
from enas_tf.search.searchers.searcher import SEARCHERS
from enas_tf.spaces.decisions import MarkNode, PickOp, PickSkips
from enas_tf.spaces.space import Space


@dataclasses.dataclass(frozen=True)
class ListSpace(Space):
    """Tokens of given decisions; nothing is built of them."""

    program: tuple
    name = "list"

    @functools.cached_property
    def decisions(self):
        return self.program

    def decode(self, tokens):
        return tuple(self.check_tokens(tokens).tolist())

    def encode(self, architecture):
        return np.array(architecture, np.int32)


def ops_space(num: int, choices: int) -> ListSpace:
    """Return a space of `num` decisions between as many operations."""
    names = tuple(f"op_{number}" for number in range(choices))
    return ListSpace(tuple(PickOp(f"place_{number}", names) for number in range(num)))


#: 4,096 architectures of six operations.
SPACE = ops_space(6, 4)
#: One decision, three arms.
ARMS = ops_space(1, 3)
#: Both kinds of decisions, one of which has no choice.
MIXED = ListSpace(
    (
        PickOp("first", ("only",), "other_op"),
        PickOp("second", ("a", "b", "c")),
        *(MarkNode(f"node_{number}") for number in range(3)),
        PickSkips("skips", 3),
    )
)


def table_of(space: Space, seed: int = 0) -> np.ndarray:
    """Return rewards that operations, and pairs of them, have made, float64 [size]; about 0.7 to 0.95."""
    rng = np.random.default_rng(seed)
    ranges = space.token_ranges
    rows = np.indices(ranges).reshape(len(ranges), -1)
    rewards = np.zeros(rows.shape[1])
    for i in range(len(ranges)):
        rewards += rng.normal(size=ranges[i])[rows[i]]
        for j in range(i):
            rewards += 0.5 * rng.normal(size=(ranges[i], ranges[j]))[rows[i], rows[j]]
    rewards += 0.2 * rng.normal(size=len(rewards))
    return 0.85 + 0.03 * (rewards - rewards.mean()) / rewards.std()


def look_up(space: Space, table: np.ndarray, tokens: tf.Tensor) -> tf.Tensor:
    """Return the rewards of tokens int32 [n, num_tokens]: float32 [n]."""
    places = np.ravel_multi_index(tuple(tokens.numpy().T), space.token_ranges)
    return tf.constant(table[places], tf.float32)


#: Searchers for every space, whose proposals have no end. What proposes levels is held to the same laws on a space that
#: suits it, in a module of its own (`test_progressive.py`).
ENDLESS = [name for name in SEARCHERS if not SEARCHERS[name].proposes_levels]


def build(name: str, space: Space, length: SearchConfig | None = None, **values):
    """Return a searcher with a small controller."""
    config = Config({CONTROLLER: ControllerConfig(hidden_size=16), SEARCH: length or SearchConfig(1, 50, 10)})
    return SEARCHERS[name].build(space, config)


def run(searcher, table: np.ndarray, num_updates: int, batch: int, seed: int = 0, first: int = 0) -> np.ndarray:
    """Let the searcher propose and learn; return the rewards in their order."""
    found = []
    for update in range(first, first + num_updates):
        tokens = searcher.propose(tf.constant(batch), seed_for(seed, "test", update))
        rewards = look_up(searcher.space, table, tokens)
        searcher.update(tokens, rewards)
        found.append(rewards.numpy())
    return np.concatenate(found)
