"""The controller: an LSTM policy that walks a space's program of decisions (Pham et al. 2018, section 2).

It depends on the decisions only, not on the space that they belong to. `sample` draws many proposals in one batched
pass; `score` walks given tokens and is differentiable. The reference is general_controller.py of the authors' code,
unless another file is named.
"""

import dataclasses
import math
from typing import NamedTuple

import keras
import tensorflow as tf

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
        require(self.tanh_constant >= 0, "tanh_constant", self.tanh_constant, "0 or more")
        require(self.op_tanh_reduce > 0, "op_tanh_reduce", self.op_tanh_reduce, "above 0")
        require(self.temperature >= 0, "temperature", self.temperature, "0 or more")
        require(0 < self.skip_target < 1, "skip_target", self.skip_target, "a probability between 0 and 1")


CONTROLLER = Group(ControllerConfig(), stages=("search",))


class Walk(NamedTuple):
    """The result of one pass over the program for `n` proposals.

    Attributes:
      tokens: int32 [n, num_tokens].
      log_prob: float32 [n], natural log of the probability of the whole proposal, <= 0.
      entropy: float32 [n], the sum over decisions of the entropy of the decision given those before it. Its mean over
        proposals estimates the entropy of the policy. The reference's macro code sums the sampled term only.
      skip_divergence: float32 [n], KL of the skip probabilities from the prior, summed over the skips of a layer and
        averaged over layers. Departure: the probability here is the one that is sampled from. The reference samples
        with sigmoid(2 z) but has sigmoid(z) in the KL, which moves the optimum from 0.4 to 0.31.
      op_probabilities: name of the decision -> float32 [n, choices].
    """

    tokens: tf.Tensor
    log_prob: tf.Tensor
    entropy: tf.Tensor
    skip_divergence: tf.Tensor
    op_probabilities: dict[str, tf.Tensor]


class Controller(keras.layers.Layer):
    """The policy. All weights start uniform in [-0.1, 0.1]; the LSTM has no biases (general_controller.py)."""

    def __init__(self, space: Space, config: ControllerConfig | None = None):
        super().__init__(name="controller")
        self.space, self.config = space, config or ControllerConfig()
        size = self.config.hidden_size
        self.cell = keras.layers.LSTMCell(
            size, use_bias=False, kernel_initializer=_uniform(), recurrent_initializer=_uniform(), name="lstm"
        )
        self.cell.build((None, size))
        self.start = self.add_weight(name="start", shape=(1, size), initializer=_uniform())
        self.embeddings, self.softmaxes, self.biases = {}, {}, {}
        for decision in space.decisions:
            if isinstance(decision, PickOp) and decision.vocabulary not in self.embeddings:
                word, num = decision.vocabulary, decision.num_values
                self.embeddings[word] = self.add_weight(name=f"embed_{word}", shape=(num, size), initializer=_uniform())
                self.softmaxes[word] = self.add_weight(
                    name=f"softmax_{word}", shape=(size, num), initializer=_uniform()
                )
                if decision.favoured:
                    start = [self.config.learned_bias * (choice in decision.favoured) for choice in decision.choices]
                    self.biases[word] = self.add_weight(
                        name=f"bias_{word}", shape=(num,), initializer=keras.initializers.Constant(start)
                    )
        if any(isinstance(decision, PickSkips | PickNode) for decision in space.decisions):
            self.key = self.add_weight(name="attention_key", shape=(size, size), initializer=_uniform())
            self.query = self.add_weight(name="attention_query", shape=(size, size), initializer=_uniform())
            self.attention = self.add_weight(name="attention", shape=(size, 1), initializer=_uniform())
        self.built = True

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
        steps = _Steps(self, num, uniforms, given)
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


def _uniform() -> keras.initializers.Initializer:
    """Return a new initializer for one weight: a Keras initializer gives all its weights the same numbers."""
    return keras.initializers.RandomUniform(-0.1, 0.1)


class _Steps:
    """The state of one pass: LSTM state, next input, anchors, and the results so far."""

    def __init__(self, controller: Controller, num, uniforms, given):
        self.policy, self.num, self.uniforms, self.given = controller, num, uniforms, given
        self.begin = tf.repeat(tf.convert_to_tensor(controller.start), num, axis=0)
        zeros = tf.zeros_like(self.begin)
        self.input, self.state = self.begin, [zeros, zeros]
        self.anchors, self.keys = [], []
        self.column = 0
        self.tokens, self.op_probabilities, self.divergences = [], {}, []
        self.log_prob, self.entropy = tf.zeros([num]), tf.zeros([num])

    def _advance(self) -> tf.Tensor:
        """Take an LSTM step on the next input; return the new hidden state [n, hidden]."""
        hidden, self.state = self.policy.cell(self.input, self.state)
        return hidden

    def _take_columns(self, num: int) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """Return the next `num` columns of the uniform numbers and of the given tokens; one of both is None."""
        columns = slice(self.column, self.column + num)
        self.column += num
        return (None, self.given[:, columns]) if self.uniforms is None else (self.uniforms[:, columns], None)

    def _pick(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pick a token of each proposal by the softmax of `logits` [n, values]; return tokens int32 [n] and softmax."""
        log_probs = tf.nn.log_softmax(logits)
        probs = tf.exp(log_probs)
        uniform, token = self._take_columns(1)
        if token is None:
            # The inverse of the distribution function: the number of its steps below the uniform number.
            steps = tf.cumsum(probs, axis=1)[:, :-1]
            token = tf.reduce_sum(tf.cast(steps <= uniform, tf.int32), axis=1, keepdims=True)
        self.tokens.append(token)
        self.log_prob += tf.gather(log_probs, token, batch_dims=1)[:, 0]
        self.entropy -= tf.reduce_sum(probs * log_probs, axis=1)
        return token[:, 0], probs

    def pick_op(self, decision: PickOp) -> None:
        """Pick an operation; the next input is its embedding."""
        token, probs = self._pick(self.policy.op_logits(self._advance(), decision))
        self.op_probabilities[decision.name] = probs
        self.input = tf.gather(self.policy.embeddings[decision.vocabulary], token)

    def pick_node(self, decision: PickNode) -> None:
        """Pick a node by attention over the first anchors of this cell; the next input is the chosen anchor.

        The query of a local pick is the last anchor. The distance of a node lowers its logit, and the chosen distance
        scales the next input down (ptb_enas_controller.py).
        """
        count = decision.num_candidates
        hidden = self.anchors[-1] if decision.is_local else self._advance()
        logits = self.policy.shape_logits(self._attend(hidden @ self.policy.query, count))
        distances = tf.range(count, 0, -1, tf.float32)
        if decision.is_local:
            logits -= self.policy.config.distance_penalty * tf.square(distances)
        token, _ = self._pick(logits)
        self.input = tf.gather(tf.stack(self.anchors[:count], axis=1), token, batch_dims=1)
        if decision.is_local:
            self.input /= 0.1 + tf.gather(distances, token)[:, None]

    def _attend(self, query: tf.Tensor, count: int) -> tf.Tensor:
        """Return the scores [n, count] of `query` [n, hidden] against the keys of the first `count` anchors."""
        keys = tf.stack(self.keys[:count], axis=1)
        return tf.squeeze(tf.tanh(keys + query[:, None, :]) @ self.policy.attention, axis=-1)

    def mark_node(self, decision: MarkNode) -> None:
        """Remember an anchor and its key. Of a given node the anchor is zero, but not the key (micro_controller.py)."""
        hidden = self._advance()
        self.anchors.append(tf.zeros_like(hidden) if decision.is_given else hidden)
        if hasattr(self.policy, "key"):
            self.keys.append(hidden @ self.policy.key)
        self.input = self.begin

    def new_cell(self, decision: NewCell) -> None:
        """Forget the anchors, and the LSTM state unless the decision keeps it."""
        self.anchors, self.keys, self.input = [], [], self.begin
        if not decision.keeps_state:
            self.state = [tf.zeros_like(part) for part in self.state]

    def pick_skips(self, decision: PickSkips) -> None:
        """Pick a bit per anchor, all at once; the next input is the mean of the chosen anchors and a zero."""
        count = decision.num_candidates
        if count == 0:
            self.input = self.begin
            return
        scores = self._attend(self.anchors[-1] @ self.policy.query, count)
        # The reference's softmax over the pair [-z, z] is a sigmoid of 2 z.
        logits = 2.0 * self.policy.shape_logits(scores)
        uniforms, tokens = self._take_columns(count)
        if tokens is None:
            tokens = tf.cast(uniforms < tf.sigmoid(logits), tf.int32)
        self.tokens.append(tokens)
        bits = tf.cast(tokens, tf.float32)
        log_yes, log_no = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
        yes, no = tf.exp(log_yes), tf.exp(log_no)
        self.log_prob += tf.reduce_sum(bits * log_yes + (1 - bits) * log_no, axis=1)
        self.entropy -= tf.reduce_sum(yes * log_yes + no * log_no, axis=1)
        target = self.policy.config.skip_target
        divergence = yes * (log_yes - math.log(target)) + no * (log_no - math.log(1 - target))
        self.divergences.append(tf.reduce_sum(divergence, axis=1))
        chosen = tf.reduce_sum(bits[:, :, None] * tf.stack(self.anchors[:count], axis=1), axis=1)
        self.input = chosen / (1.0 + tf.reduce_sum(bits, axis=1, keepdims=True))

    def walk(self) -> Walk:
        """Return the result of all decisions."""
        divergence = tf.add_n(self.divergences) / len(self.divergences) if self.divergences else tf.zeros([self.num])
        tokens = tf.concat(self.tokens, axis=1)
        return Walk(tokens, self.log_prob, self.entropy, divergence, self.op_probabilities)
