"""The controller: an LSTM policy that walks a space's program of decisions (Pham et al. 2018, section 2).

It depends on the decisions only, not on the space that they belong to. `sample` draws many proposals in one batched
pass; `score` walks given tokens and is differentiable. The reference is general_controller.py of the authors' code,
unless another file is named.
"""

import dataclasses

import keras
import tensorflow as tf

from enas_tf.controller.walk import Steps, Walk
from enas_tf.options import Group, option, require
from enas_tf.spaces.decisions import MarkNode, NewCell, PickNode, PickOp, PickSkips
from enas_tf.spaces.space import Space


def favours_operations(space: Space) -> bool:
    """spaces whose operations a controller favours from the start"""
    return any(isinstance(decision, PickOp) and decision.favoured for decision in space.decisions)


def picks_local_nodes(space: Space) -> bool:
    """spaces whose nodes pick a node near themselves"""
    return any(isinstance(decision, PickNode) and decision.is_local for decision in space.decisions)


def picks_skips(space: Space) -> bool:
    """spaces with skip connections"""
    return any(isinstance(decision, PickSkips) for decision in space.decisions)


@dataclasses.dataclass(frozen=True)
class ControllerConfig:
    """The controller. Sizes and `tanh_constant` are those of the reference's macro search (cifar10_macro_search.sh).

    `hidden_size`, `tanh_constant` and `temperature` concern every decision, `op_tanh_reduce` all operations,
    `learned_bias` and `fixed_bias` favoured operations, `distance_penalty` nodes that pick a node near themselves, and
    `skip_target` skip connections. Departure: what prefers some proposals from the start, and what keeps a policy from
    learning, is off by default. The presets of the paper's searches have it: `op_tanh_reduce` 2.5 and the biases of
    micro_controller.py, `temperature` 5 and `distance_penalty` 1/6 of enas_lm.
    """

    hidden_size: int = option(64, "size of the controller's LSTM and embeddings", most=100_000)
    controller_layers: int = option(1, "layers of the controller's LSTM (NAS: 2, of size 35)", most=100)
    controller_init: float = option(0.1, "weights of the controller start uniform in plus or minus this (NAS: 0.08)")
    tanh_constant: float = option(1.5, "logits z become c tanh(z) with this c; 0 leaves them as they are (paper: 2.5)")
    op_tanh_reduce: float = option(1.0, "divisor of c for the logits of operations (reference, micro space: 2.5)")
    learned_bias: float = option(
        0.0,
        "start of the learned bias of favoured operations (the authors' code: 10); that of others starts at 0",
        needs=favours_operations,
    )
    fixed_bias: float = option(
        0.0,
        "added to the squashed logits of favoured operations and subtracted from those of others, in the normal cell "
        "(the authors' code: 0.25)",
        needs=favours_operations,
    )
    distance_penalty: float = option(
        0.0,
        "the logit of a previous node is lowered by this times its squared distance (enas_lm: 1/6)",
        needs=picks_local_nodes,
    )
    temperature: float = option(0.0, "divisor of logits; 0 leaves them as they are (paper: 5.0)")
    skip_target: float = option(
        0.4, "prior probability of a skip connection, the target of the KL term", needs=picks_skips
    )

    def __post_init__(self):
        require(self.hidden_size >= 1, "hidden_size", self.hidden_size, "at least 1")
        require(self.controller_layers >= 1, "controller_layers", self.controller_layers, "at least 1")
        require(self.controller_init > 0, "controller_init", self.controller_init, "above 0")
        require(self.tanh_constant >= 0, "tanh_constant", self.tanh_constant, "0 or more")
        require(self.op_tanh_reduce > 0, "op_tanh_reduce", self.op_tanh_reduce, "above 0")
        require(self.temperature >= 0, "temperature", self.temperature, "0 or more")
        require(0 < self.skip_target < 1, "skip_target", self.skip_target, "a probability between 0 and 1")


CONTROLLER = Group(ControllerConfig(), stages=("search",))


class Controller(keras.layers.Layer):
    """The policy. All weights start uniform, by default in [-0.1, 0.1]; the LSTM has no biases (general_controller.py).

    With several layers of LSTM, as in NAS, each reads the one below it; decisions and anchors are those of the last.
    """

    def __init__(self, space: Space, config: ControllerConfig | None = None):
        super().__init__(name="controller")
        self.space, self.config = space, config or ControllerConfig()
        size, uniform = self.config.hidden_size, self._uniform
        self.cell = self._build_cell("lstm")
        self.start = self.add_weight(name="start", shape=(1, size), initializer=uniform())
        self.embeddings, self.softmaxes, self.biases = {}, {}, {}
        for decision in space.decisions:
            if isinstance(decision, PickOp) and decision.vocabulary not in self.embeddings:
                word, num = decision.vocabulary, decision.num_values
                self.embeddings[word] = self.add_weight(name=f"embed_{word}", shape=(num, size), initializer=uniform())
                self.softmaxes[word] = self.add_weight(name=f"softmax_{word}", shape=(size, num), initializer=uniform())
                if decision.favoured:
                    start = [self.config.learned_bias * (choice in decision.favoured) for choice in decision.choices]
                    self.biases[word] = self.add_weight(
                        name=f"bias_{word}", shape=(num,), initializer=keras.initializers.Constant(start)
                    )
        if any(isinstance(decision, PickSkips | PickNode) for decision in space.decisions):
            self.key = self.add_weight(name="attention_key", shape=(size, size), initializer=uniform())
            self.query = self.add_weight(name="attention_query", shape=(size, size), initializer=uniform())
            self.attention = self.add_weight(name="attention", shape=(size, 1), initializer=uniform())
        #: The layers above the first.
        if self.config.controller_layers > 1:
            self.upper_cells = [self._build_cell(f"lstm_{i}") for i in range(1, self.config.controller_layers)]
        self.built = True

    def _uniform(self) -> keras.initializers.Initializer:
        """Return a new initializer for one weight: a Keras initializer gives all its weights the same numbers."""
        return keras.initializers.RandomUniform(-self.config.controller_init, self.config.controller_init)

    def _build_cell(self, name: str) -> keras.layers.LSTMCell:
        """Return a layer of the LSTM."""
        size, start = self.config.hidden_size, {"kernel_initializer": self._uniform()}
        start["recurrent_initializer"] = self._uniform()
        cell = keras.layers.LSTMCell(size, use_bias=False, **start, name=name)
        cell.build((None, size))
        return cell

    @property
    def cells(self) -> list[keras.layers.LSTMCell]:
        """The layers of the LSTM, the lowest first."""
        return [self.cell, *getattr(self, "upper_cells", [])]

    def sample(self, num: int | tf.Tensor, seed: tf.Tensor) -> Walk:
        """Draw `num` proposals as a pure function of the weights and `seed` (int32 [2])."""
        uniforms = tf.random.stateless_uniform([num, self.space.num_tokens], seed=seed)
        return self._walk(num, uniforms=uniforms)

    def score(self, tokens: tf.Tensor) -> Walk:
        """Return the walk of given `tokens`, int32 [n, num_tokens]; it is differentiable in the weights."""
        return self._walk(tf.shape(tokens)[0], given=tokens)

    def log_prob(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the natural log of the probability of `tokens` (int32 [n, num_tokens]): float32 [n]."""
        return self.score(tokens).log_prob

    def _walk(self, num, uniforms=None, given=None) -> Walk:
        steps = Steps(self, num, uniforms, given)
        for decision in self.space.decisions:
            match decision:
                case PickOp():
                    steps.pick_op(decision)
                case PickNode():
                    steps.pick_node(decision)
                case MarkNode():
                    steps.mark_node(decision)
                case NewCell():
                    steps.new_cell(decision)
                case PickSkips():
                    steps.pick_skips(decision)
        return steps.walk()

    def shape_logits(self, logits: tf.Tensor, reduce: float = 1.0) -> tf.Tensor:
        """Return c / reduce tanh(z / t) of logits z, at temperature t; bounds keep the policy from settling early."""
        if self.config.temperature:
            logits = logits / self.config.temperature
        return self.config.tanh_constant / reduce * tf.tanh(logits) if self.config.tanh_constant else logits

    def op_logits(self, hidden: tf.Tensor, decision: PickOp) -> tf.Tensor:
        """Return the logits [n, choices] of an operation: softmax weights, learned bias, squashing, fixed bias."""
        logits = hidden @ self.softmaxes[decision.vocabulary]
        if decision.favoured:
            logits += self.biases[decision.vocabulary]
        logits = self.shape_logits(logits, self.config.op_tanh_reduce)
        if decision.is_nudged and decision.favoured:
            bias = self.config.fixed_bias
            logits += tf.constant([bias if choice in decision.favoured else -bias for choice in decision.choices])
        return logits
