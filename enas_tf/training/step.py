"""The training step of supernets and children, for images and for text: it solves any `Problem` of a task."""

import functools
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from enas_tf.runtime.replicas import Replicas, gather_rows
from enas_tf.runtime.seeds import seed_for
from enas_tf.tasks.problem import Loss, Problem, StepInputs
from enas_tf.training.health import LossWatch
from enas_tf.training.optimizers import LossScale, SgdConfig, apply_clipped, build_optimizer, scaled, tracked_scale


class TrainingStep:
    """Trains the model of a problem, step by step. Build it within the strategy's scope.

    Args:
      problem: the model, its loss and its batches.
      sgd: how the weights move.
      replicas: the devices that share a step.
      total_steps: the number of steps of the whole training; None in a search, whose problems need no progress.
      after_step: called at the end of the traced step, outside of the replicas.
      schedule: of the learning rate; that of `sgd` by default.

    Attributes:
      optimizer: the optimizer of the problem's variables.
      loss_scale: the factor of the loss in float16; None in other precisions.
      state: what is carried from step to step, a variable [rows, size]; None where steps do not depend on each other.
      traced: the traced function of one step: the tensors of a batch, tokens int32 [children, num_tokens] where the
        model is a supernet, a seed int32 [2].
    """

    def __init__(
        self,
        problem: Problem,
        sgd: SgdConfig,
        replicas: Replicas,
        total_steps: int | None = None,
        after_step: Callable[[], None] | None = None,
        schedule: Any = None,
    ):
        self.problem, self.sgd, self.replicas = problem, sgd, replicas
        self._total_steps, self._after_step = total_steps, after_step
        self.optimizer = build_optimizer(sgd, problem.stream.steps_per_epoch, problem.variables, schedule)
        # Only float16 needs it: bfloat16 has the range of float32.
        self.loss_scale = LossScale() if replicas.precision == "mixed_float16" else None
        names = ("loss", *problem.metrics, "gradient_norm", "learning_rate")
        self._means = {name: keras.metrics.Mean(name) for name in names}
        self._watch = LossWatch()
        shape = problem.state_shape
        self.state = None if shape is None else tf.Variable(tf.zeros(shape), trainable=False, name="state")
        self.traced = replicas.compile_step(self._take, self._signature())

    def _signature(self) -> list[tf.TensorSpec] | None:
        problem = self.problem
        if problem.signature is None:
            return None
        tokens = (
            [tf.TensorSpec([problem.children_per_step, problem.num_tokens], tf.int32)] if problem.num_tokens else []
        )
        return [*problem.signature, *tokens, tf.TensorSpec([2], tf.int32)]

    @property
    def tracked(self) -> dict[str, object]:
        """What a checkpoint holds: the model, the optimizer, and the epoch that is under way."""
        under_way = [*([] if self.state is None else [self.state]), *self._means.values()]
        own = {"optimizer": self.optimizer, "under_way": under_way}
        return self.problem.tracked | own | tracked_scale(self.loss_scale)

    @property
    def failure(self) -> str | None:
        """How the training has diverged, in words; None while all is well."""
        return self._watch.failure

    def clear_failure(self) -> None:
        """Forget a divergence, for another attempt."""
        self._watch.reset()

    def restart(self) -> None:
        """Forget all that steps have changed beside the weights, for another training by the same trace."""
        self.clear_failure()
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        if self.loss_scale is not None:
            self.loss_scale.reset()

    def begin_epoch(self) -> None:
        """Reset the means, and the state that is carried from step to step."""
        for mean in self._means.values():
            mean.reset_state()
        if self.state is not None:
            self.state.assign(tf.zeros_like(self.state))

    def take(self, inputs: Iterable[tuple], advance: Callable[[int], None]) -> None:
        """Take a step with each of `inputs`, tuples of the arguments of `traced`; `advance(n)` after every n."""
        self.replicas.take_steps(self.traced, inputs, advance)

    def means(self) -> dict[str, float]:
        """Return the means over the steps since the epoch began, and what follows from them."""
        return self.problem.summarize({name: float(mean.result()) for name, mean in self._means.items()})

    def run_epoch(
        self, seed: int, epoch: int, first_step: int, advance: Callable[[int], None], tokens: tf.Tensor | None = None
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Take the steps of `epoch` from `first_step` on.

        Args:
          seed: the seed of this attempt (`runtime.seeds.seed_of_attempt`).
          epoch: counted from 0.
          first_step: 0, or where a run is resumed.
          advance: called with n after every n steps.
          tokens: int32 [steps, children, num_tokens], the children of a supernet of all steps of the epoch.

        Returns:
          The means of the whole epoch, and the speed of the steps that were taken.
        """
        if first_step == 0:
            self.begin_epoch()
        stream, begin = self.problem.stream, time.perf_counter()
        self.take(self._inputs(seed, epoch, first_step, tokens), advance)
        seconds = time.perf_counter() - begin
        speed = stream.count_units(epoch, first_step, seed) / seconds
        return self.means(), {f"{stream.unit}_per_second": speed}

    def _inputs(self, seed: int, epoch: int, first_step: int, tokens: tf.Tensor | None) -> Iterable[tuple]:
        seeds = functools.partial(seed_for, seed)
        for step, batch in enumerate(self.problem.stream.batches(epoch, first_step, seed), start=first_step):
            chosen = () if tokens is None else (tokens[step],)
            yield (*batch, *chosen, self.problem.step_seed(seeds, epoch, step))

    def _take(self, *inputs: tf.Tensor) -> None:
        """Take a step: its arguments are those of `traced`.

        One child is computed by all replicas, each on its rows of the batch. Of several children, each replica has its
        own.
        """
        *batch, seed = inputs
        tokens = batch.pop() if self.problem.num_tokens else None
        if self.state is not None:
            batch.append(self.state.read_value())
        children = self.problem.children_per_step
        if children == 1:
            last = self.replicas.run(self._take_part, batch, None if tokens is None else tokens[0], seed)
        else:
            seeds = seed + tf.range(children)[:, None]
            last = self.replicas.run(self._take_children, [*batch, tokens, seeds])
        if self.state is not None:
            self.state.assign(last[0])
        if self._after_step is not None:
            self._after_step()

    def _take_part(self, batch: list[tf.Tensor], tokens: tf.Tensor | None, seed: tf.Tensor) -> tf.Tensor | None:
        """Take a replica's part of a step of one model; return the state of all rows after it."""
        inputs = StepInputs(seed, self._progress(), tokens)
        if tokens is not None and self.problem.has_batch_statistics and self.replicas.is_synchronized:
            gradients, loss = self.replicas.differentiate(self._differentiate_densely, batch, inputs)
        elif tokens is None and self.replicas.jit_compile:
            gradients, loss = tf.function(self._differentiate, autograph=False, jit_compile=True)(batch, inputs)
        else:
            gradients, loss = self._differentiate(batch, inputs)
        self._update(batch, gradients, loss.cross_entropy, loss.sums)
        return None if loss.state is None else gather_rows(loss.state)

    def _take_children(self, rows: list[tf.Tensor]) -> None:
        """Take a replica's part of a step of several children, whose statistics are their own."""
        *batch, tokens, seeds = rows
        self._update(batch, *self._differentiate_each(batch, tokens, seeds))

    def _progress(self) -> tf.Tensor:
        if self._total_steps is None:
            return tf.zeros([])
        return tf.cast(tf.cast(self.optimizer.iterations, tf.int32) + 1, tf.float32) / self._total_steps

    def _differentiate(self, batch: list[tf.Tensor], inputs: StepInputs) -> tuple[list, Loss]:
        """Return the gradients of the loss of one model, the L2 term included, and the loss."""
        values = [variable.value for variable in self.problem.variables]
        with tf.GradientTape() as tape:
            loss = self.problem.forward(batch, inputs)
            total = scaled(loss.objective + self.sgd.l2 * loss.squares, self.loss_scale)
        return tape.gradient(total, values, unconnected_gradients="zero"), loss

    def _differentiate_densely(self, batch: list[tf.Tensor], inputs: StepInputs) -> tuple[list[tf.Tensor], Loss]:
        """Return the same with dense gradients, since only tensors can leave a graph or a loop."""
        gradients, loss = self._differentiate(batch, inputs)
        return [tf.convert_to_tensor(gradient) for gradient in gradients], loss

    def _differentiate_each(
        self, batch: list[tf.Tensor], tokens: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor, dict[str, tf.Tensor]]:
        """Return the means over children of gradients and cross-entropies, and the sums of all their examples.

        One child is computed after another, in one loop of the graph.
        """
        children = tokens.shape[0]
        batch = [tf.stack(tf.split(tensor, children)) for tensor in batch]

        def add_child(i, gradients, cross_entropy, sums):
            inputs = StepInputs(seeds[i], self._progress(), tokens[i])
            mine, loss = self._differentiate_densely([tensor[i] for tensor in batch], inputs)
            gradients = [total + gradient / children for total, gradient in zip(gradients, mine, strict=True)]
            sums = {name: total + loss.sums[name] for name, total in sums.items()}
            return i + 1, gradients, cross_entropy + loss.cross_entropy / children, sums

        zeros = [tf.zeros(variable.shape) for variable in self.problem.variables]
        start = 0, zeros, tf.zeros([]), {name: tf.zeros([]) for name in self.problem.metrics}
        return tf.while_loop(lambda i, *_: i < children, add_child, start, parallel_iterations=1)[1:]

    def _update(
        self, batch: list[tf.Tensor], gradients: list, cross_entropy: tf.Tensor, sums: dict[str, tf.Tensor]
    ) -> None:
        """Apply the gradients of a replica, and add the step to what is reported."""
        step = tf.cast(self.optimizer.iterations, tf.int32)
        rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        scale, variables = self.problem.rate_scale(batch), self.problem.variables
        norm = apply_clipped(self.optimizer, gradients, variables, self.sgd.clip_norm, scale, self.loss_scale)
        self._watch.update(step, cross_entropy, rate, norm)
        rows = tf.cast(tf.shape(batch[0])[0], tf.float32)
        values = {name: total / rows for name, total in sums.items()}
        values |= {"loss": cross_entropy, "gradient_norm": norm, "learning_rate": rate}
        for name, value in values.items():
            self._means[name].update_state(value)
