"""What TensorBoard shows of a policy: how probable operations are, and the most probable architecture as a picture."""

import numpy as np

from enas_tf.errors import ref
from enas_tf.ops.op import CELL_OPS, LAYER_OPS, Op
from enas_tf.pictures.drawing import draw, to_pixels
from enas_tf.runtime.tensorboard import TensorBoard
from enas_tf.search.searchers.searcher import Outlook
from enas_tf.spaces.decisions import PickOp
from enas_tf.spaces.space import Space

#: Decisions on operations up to which each has curves of its own and architectures are drawn. A network of 24 layers
#: has as many, the paper's cells 20. What is larger nobody could read, and drawing it takes seconds.
_MOST_DECISIONS = 40
#: Pictures of a search. One takes 0.05 to 0.2 s and 20 to 600 kB.
_MOST_PICTURES = 100
#: Share of the policy on operations without parameters above which it is reported.
_MOST_IDLE = 0.8
#: The phase whose files hold all of it.
_PHASE = "controller"
#: Groups of tags: TensorBoard shows the charts of each together.
_OPERATIONS, _MEANS = "controller_operations", "controller_mean_operations"


def show(outlook: Outlook, space: Space, epoch: int, num_epochs: int, board: TensorBoard) -> None:
    """Show the outlook of a policy at the end of `epoch`, counted from 0, of a search of `num_epochs`."""
    step, means = epoch + 1, mean_operations(outlook, space)
    text = f"Mean probability of the operation over all decisions and {outlook.num_proposals} proposals of the policy."
    board.scalars(_PHASE, means, step, dict.fromkeys(means, text), _MEANS)
    _show_decisions(outlook, space, step, board)
    if epoch == 0:
        board.charts(_PHASE, "operations", _charts(outlook, space), step)
    if _is_readable(outlook) and (epoch % -(-num_epochs // _MOST_PICTURES) == 0 or step == num_epochs):
        text = f"The most probable of {outlook.num_proposals} proposals of the policy."
        board.image(_PHASE, "most_probable", to_pixels(draw(space.decode(outlook.tokens))), step, text)


def probabilities(outlook: Outlook) -> dict[str, list[float]]:
    """Return decision -> probabilities of its operations; nothing of a policy with more decisions than can be read."""
    if not _is_readable(outlook):
        return {}
    return {name: [round(float(p), 4) for p in values] for name, values in outlook.op_probabilities.items()}


def _show_decisions(outlook: Outlook, space: Space, step: int, board: TensorBoard) -> None:
    """Show the probabilities of each decision: a histogram, and a curve for each operation."""
    choices = _choices(space)
    for name, probabilities in outlook.op_probabilities.items():
        text = f"How often {outlook.num_proposals} proposals pick each operation: {_numbered(choices[name])}."
        board.histogram(_PHASE, name, as_counts(probabilities), step, text, _OPERATIONS)
        if _is_readable(outlook):
            numbers = {f"{name}/{op}": float(p) for op, p in zip(choices[name], probabilities, strict=True)}
            text = f"Mean probability of the operation at {name} over {outlook.num_proposals} proposals of the policy."
            board.scalars(_PHASE, numbers, step, dict.fromkeys(numbers, text), _OPERATIONS)


def mean_operations(outlook: Outlook, space: Space) -> dict[str, float]:
    """Return operation -> its mean probability over all decisions of its vocabulary.

    Where a space has several vocabularies, their names stand before the operations, as in `activation/tanh`.
    """
    picks = [decision for decision in space.decisions if isinstance(decision, PickOp)]
    vocabularies = {pick.vocabulary: pick.choices for pick in picks}
    found: dict[str, float] = {}
    for vocabulary, choices in vocabularies.items():
        rows = [outlook.op_probabilities[pick.name] for pick in picks if pick.vocabulary == vocabulary]
        start = f"{vocabulary}/" if len(vocabularies) > 1 else ""
        found |= {f"{start}{op}": float(p) for op, p in zip(choices, np.mean(rows, axis=0), strict=True)}
    return found


def _forms(op: str) -> list[Op]:
    """Return what is registered as an operation of images under that name."""
    return [registry[op] for registry in (LAYER_OPS, CELL_OPS) if op in registry]


def find_collapse(outlook: Outlook, space: Space) -> str | None:
    """Say that a policy prefers operations without parameters by more than `_MOST_IDLE`; None while it does not."""
    picks = [decision for decision in space.decisions if isinstance(decision, PickOp)]
    shares = {
        op: float(np.mean([outlook.op_probabilities[pick.name][pick.choices.index(op)] for pick in picks]))
        for op in sorted({op for pick in picks for op in pick.choices})
        if all(op in pick.choices for pick in picks)
    }
    if not all(map(_forms, shares)):
        return None  # Activations, for example, which have no parameters in any case.
    idle = {op: share for op, share in shares.items() if not any(f.count(8, 16).parameters for f in _forms(op))}
    if len(idle) == len(shares) or sum(idle.values()) <= _MOST_IDLE:
        return None
    return (
        f"the policy puts {sum(idle.values()):.0%} on operations without parameters ({', '.join(idle)}). Shared "
        "weights that are not trained yet often favour these, and networks of them alone are poor: train the weights "
        f"longer ({ref('epochs')}), or let the policy learn more slowly ({ref('controller_learning_rate')})."
    )


def _is_readable(outlook: Outlook) -> bool:
    return len(outlook.op_probabilities) <= _MOST_DECISIONS


def _choices(space: Space) -> dict[str, tuple[str, ...]]:
    return {decision.name: decision.choices for decision in space.decisions if isinstance(decision, PickOp)}


def _charts(outlook: Outlook, space: Space) -> dict[str, str]:
    """Return the charts of several curves: one of the means, and one of each decision."""
    names = _choices(space) if _is_readable(outlook) else ()
    return {"mean of all decisions": f"{_MEANS}/"} | {name: f"{_OPERATIONS}/{name}/" for name in names}


def _numbered(choices: tuple[str, ...]) -> str:
    return ", ".join(f"{number} = {choice}" for number, choice in enumerate(choices))


def as_counts(probabilities: np.ndarray, num: int = 1000) -> np.ndarray:
    """Return operation indices as `num` draws would hold them, so that their histogram shows the probabilities."""
    return np.repeat(np.arange(len(probabilities)), np.round(num * probabilities).astype(int))
