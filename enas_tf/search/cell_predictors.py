"""Predictors of the rewards of cells, as of PNAS (Liu et al. 2018, section 4.2): an LSTM, and an MLP.

Each is an ensemble whose members are fitted side by side, so that a matrix of theirs has one more dimension. Cells are
rows of tokens (`cells.py`); those of one fit may have different numbers of blocks.
"""

import abc
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from enas_tf.registry import Registry
from enas_tf.search.cells import BLOCK_TOKENS, CELL_INPUTS, PAD

#: Width of embeddings and of hidden layers.
_WIDTH = 100
#: Largest size of an embedding at first.
_EMBEDDING = 0.1
#: The part of the first fit's learning rate that later ones have (the paper: 0.01, then 0.002).
_LATER_RATE = 0.2
#: Rows of a step of a fit; the paper does not say how many.
_BATCH = 32
#: A member leaves out one row in so many.
_FOLDS = 5
#: Rows that are predicted at once, which bounds the memory.
_CHUNK = 8192


@dataclasses.dataclass(frozen=True)
class Scale:
    """A map of rewards into (0, 1), where the predictors' sigmoids are: the sigmoid of the standardised reward.

    Mean and deviation are those of the first fit and stay, so that later fits go on from there. The order of rewards
    stays, and no reward is out of reach, be it an accuracy or a function of the perplexity. Departure: the paper has
    accuracies as they are.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, rewards: np.ndarray) -> "Scale":
        """Return the scale of the rewards of a first fit, float [n]."""
        return cls(float(rewards.mean()), float(rewards.std()) or 1.0)

    def __call__(self, rewards: np.ndarray) -> np.ndarray:
        """Return what a predictor is to say for the rewards, float64 [n]."""
        return 1 / (1 + np.exp(-(rewards - self.mean) / self.deviation))


class CellPredictor(tf.Module, abc.ABC):
    """An ensemble of predictors. After each fit it predicts, also for cells with one block more.

    Args:
      num_blocks: of the largest cell.
      num_ops: operations of a block.
      num_members: of the ensemble.
      learning_rate: of Adam in the first fit.
      seed: of the first weights, and of what the members are fitted to.
    """

    def __init__(self, num_blocks: int, num_ops: int, num_members: int, learning_rate: float, seed: int):
        super().__init__()
        self._num_inputs, self._num_ops, self._num_members = CELL_INPUTS + num_blocks - 1, num_ops, num_members
        self._rng = np.random.default_rng(seed)
        self._scale: Scale | None = None
        self.embedding = self._weight(self._num_inputs + num_ops, _WIDTH, limit=_EMBEDDING)
        self._build()
        self.kernel = self._weight(_WIDTH, 1)
        self.bias = tf.Variable(tf.zeros([num_members, 1, 1]))
        self._learning_rate = learning_rate
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self.trainable_variables)

    @abc.abstractmethod
    def _build(self) -> None:
        """Make the weights between the embedding and the last layer."""

    @abc.abstractmethod
    def _hidden(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the last hidden layer, float32 [members, n, width], of the ids int32 [members, n, num_tokens]."""

    @abc.abstractmethod
    def _predict_sorted(self, ids: np.ndarray) -> np.ndarray:
        """Return the predictions, float32 [n], of different rows of ids in ascending order."""

    def _weight(self, rows: int, columns: int, limit: float | None = None) -> tf.Variable:
        """Return uniform weights [members, rows, columns]; Glorot's by default."""
        limit = np.sqrt(6 / (rows + columns)) if limit is None else limit
        shape = self._num_members, rows, columns
        return tf.Variable(self._rng.uniform(-limit, limit, shape).astype(np.float32))

    def _to_ids(self, cells: np.ndarray) -> np.ndarray:
        """Return the tokens as places in the one embedding: the inputs first, then the operations."""
        is_op = np.arange(cells.shape[1]) % BLOCK_TOKENS >= BLOCK_TOKENS // 2
        return np.where(cells == PAD, PAD, cells + self._num_inputs * is_op).astype(np.int32)

    def _embed(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the embeddings float32 [members, ..., width]; those of an ended cell are zeros."""
        return tf.einsum("m...v,mvw->m...w", tf.one_hot(ids, self.embedding.shape[1]), self.embedding)

    def _read(self, hidden: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(tf.squeeze(hidden @ self.kernel + self.bias, 2))

    def fit(self, cells: np.ndarray, rewards: np.ndarray, num_epochs: int) -> None:
        """Fit all members from where they are.

        Args:
          cells: int32 [n, num_tokens].
          rewards: float [n], all of which are numbers.
          num_epochs: passes over the rows.
        """
        if self._scale is None:
            self._scale = Scale.of(rewards)
            mean = self._scale(rewards).mean()
            self.bias.assign(tf.fill(self.bias.shape, np.float32(np.log(mean / (1 - mean)))))
        else:
            self._optimizer.learning_rate = _LATER_RATE * self._learning_rate
        ids, targets = self._to_ids(cells), self._scale(rewards).astype(np.float32)
        for rows in self._batches(len(ids), num_epochs):
            self._descend(ids[rows], targets[rows])

    def _batches(self, num: int, num_epochs: int):
        """Yield rows of `num` for each step, int [members, batch]; a member never sees one of five parts of them."""
        parts = self._rng.permutation(num), num // _FOLDS
        own = [np.delete(parts[0], np.arange(parts[1]) + parts[1] * (i % _FOLDS)) for i in range(self._num_members)]
        size = min(_BATCH, len(own[0]))
        for _ in range(num_epochs):
            rows = np.stack([self._rng.permutation(mine) for mine in own])
            for begin in range(0, rows.shape[1] - size + 1, size):
                yield rows[:, begin : begin + size]

    @tf.function(autograph=False, reduce_retracing=True)
    def _descend(self, ids: tf.Tensor, targets: tf.Tensor) -> None:
        """Take a step of the L1 loss of each member."""
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.reduce_mean(tf.abs(self._read(self._hidden(ids)) - targets), axis=1))
        self._optimizer.apply(tape.gradient(loss, variables), variables)

    def predict(self, cells: np.ndarray) -> np.ndarray:
        """Return the ensemble's mean prediction for each cell, float32 [n]; cells are of one length."""
        rows, places = np.unique(self._to_ids(cells), axis=0, return_inverse=True)
        chunks = [self._predict_sorted(rows[begin : begin + _CHUNK]) for begin in range(0, len(rows), _CHUNK)]
        return np.concatenate(chunks)[places.reshape(-1)]


#: Predictors by name.
PREDICTORS: Registry[type[CellPredictor]] = Registry("predictor")


@PREDICTORS.register("lstm", help="an LSTM over the tokens of a cell")
class LstmPredictor(CellPredictor):
    """An LSTM of 100 units; its last state says the reward.

    Predicted cells have common beginnings, and a state is computed once for each beginning. That makes the last token
    the only one that costs as much as there are cells.
    """

    def _build(self) -> None:
        self.inner = self._weight(_WIDTH, 4 * _WIDTH)
        self.recurrent = self._weight(_WIDTH, 4 * _WIDTH)
        # The gate that forgets is open at first (Gers et al. 2000), the second of four.
        self.gates = tf.Variable(
            tf.tile(tf.repeat([0.0, 1.0, 0.0, 0.0], _WIDTH)[None, None], [self._num_members, 1, 1])
        )

    def _start(self, num: int | tf.Tensor) -> tf.Tensor:
        return tf.zeros([self._num_members, num, _WIDTH])

    def _move(self, inner: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the state after a token whose part of the gates is `inner`."""
        entry, forget, fresh, exit_ = tf.split(inner + hidden @ self.recurrent + self.gates, 4, axis=2)
        memory = tf.sigmoid(forget) * memory + tf.sigmoid(entry) * tf.tanh(fresh)
        return tf.sigmoid(exit_) * tf.tanh(memory), memory

    def _hidden(self, ids):
        table = self.embedding @ self.inner
        by_time = tf.transpose(ids, [2, 0, 1])
        inner = tf.einsum("tmnv,mvw->tmnw", tf.one_hot(by_time, table.shape[1]), table)
        goes_on = tf.cast(by_time != PAD, tf.float32)[..., None]

        def step(time, hidden, memory):
            moved, kept = self._move(inner[time], hidden, memory)
            # The state of a cell that has ended stays.
            hidden += goes_on[time] * (moved - hidden)
            return time + 1, hidden, memory + goes_on[time] * (kept - memory)

        start = self._start(tf.shape(ids)[1])
        return tf.while_loop(lambda time, *_: time < tf.shape(by_time)[0], step, (0, start, start))[1]

    def _predict_sorted(self, ids):
        # In ascending order, a beginning is a new one where it differs from that of the row before.
        differs = np.concatenate([np.ones((1, ids.shape[1]), bool), ids[1:] != ids[:-1]])
        is_new = np.logical_or.accumulate(differs, axis=1)
        hidden = memory = self._start(1)
        places = np.zeros(len(ids), np.int32)
        for time in range(ids.shape[1]):
            rows = np.flatnonzero(is_new[:, time])
            hidden, memory = self._go_on(hidden, memory, places[rows], ids[rows, time])
            places = (np.cumsum(is_new[:, time]) - 1).astype(np.int32)
        return tf.reduce_mean(self._read(hidden), axis=0).numpy()[places]

    @tf.function(autograph=False, reduce_retracing=True)
    def _go_on(self, hidden, memory, places, ids):
        """Return the states [members, n, width] that follow those at `places` (int32 [n]) by the tokens `ids`."""
        table = tf.gather(self.embedding @ self.inner, ids, axis=1)
        return self._move(table, tf.gather(hidden, places, axis=1), tf.gather(memory, places, axis=1))


@PREDICTORS.register("mlp", help="an MLP over the mean embeddings of a cell's blocks")
class MlpPredictor(CellPredictor):
    """Two hidden layers of 100 over the four embeddings of a block, whose means over the blocks are taken."""

    def _build(self) -> None:
        self.layers = [self._weight(BLOCK_TOKENS * _WIDTH, _WIDTH), self._weight(_WIDTH, _WIDTH)]
        self.biases = [tf.Variable(tf.zeros([self._num_members, 1, _WIDTH])) for _ in self.layers]

    def _hidden(self, ids):
        members, num = tf.shape(ids)[0], tf.shape(ids)[1]
        blocks = tf.reshape(ids, [members, num, -1, BLOCK_TOKENS])
        lengths = tf.reduce_sum(tf.cast(blocks[..., :1] != PAD, tf.float32), axis=2)
        shares = tf.reduce_sum(tf.one_hot(blocks, self.embedding.shape[1]), axis=2) / lengths[..., None]
        x = tf.reshape(tf.einsum("mnkv,mvw->mnkw", shares, self.embedding), [members, num, BLOCK_TOKENS * _WIDTH])
        for layer, bias in zip(self.layers, self.biases, strict=True):
            x = tf.nn.relu(x @ layer + bias)
        return x

    def _predict_sorted(self, ids):
        return self._predict_all(ids).numpy()

    @tf.function(autograph=False, reduce_retracing=True)
    def _predict_all(self, ids):
        """Return the mean predictions float32 [n] of the ids int32 [n, num_tokens]."""
        every = tf.broadcast_to(ids, tf.concat([[self._num_members], tf.shape(ids)], axis=0))
        return tf.reduce_mean(self._read(self._hidden(every)), axis=0)
