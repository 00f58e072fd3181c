"""One pass of a controller over a space's program of decisions, and its result."""

import math
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from enas_tf.spaces.decisions import MarkNode, NewCell, PickNode, PickOp, PickSkips

if TYPE_CHECKING:
    from enas_tf.controller.policy import Controller


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


class Steps:
    """The state of one pass: LSTM state, next input, anchors, and the results so far."""

    def __init__(self, controller: "Controller", num, uniforms, given):
        self.policy, self.num, self.uniforms, self.given = controller, num, uniforms, given
        self.begin = tf.repeat(tf.convert_to_tensor(controller.start), num, axis=0)
        zeros = tf.zeros_like(self.begin)
        self.input, self.states = self.begin, [[zeros, zeros] for _ in controller.cells]
        self.anchors, self.keys = [], []
        self.column = 0
        self.tokens, self.op_probabilities, self.divergences = [], {}, []
        self.log_prob, self.entropy = tf.zeros([num]), tf.zeros([num])

    def _advance(self) -> tf.Tensor:
        """Take an LSTM step on the next input; return the new hidden state [n, hidden]."""
        hidden = self.input
        for layer, cell in enumerate(self.policy.cells):
            hidden, self.states[layer] = cell(hidden, self.states[layer])
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
            self.states = [[tf.zeros_like(part) for part in state] for state in self.states]

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
