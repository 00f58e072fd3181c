"""Options that the data are too small for: what nobody insists on is lowered, all else is refused in one message."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from enas_tf.errors import InputError, ref
from enas_tf.experiments.config import RunOptions
from enas_tf.tasks.task import Limit

#: Batches are lowered to a multiple of it where they can be: then 2, 4 or 8 devices can share them.
_ROUND = 8


def lower(options: RunOptions, limits: Sequence[Limit]) -> RunOptions:
    """Return `options` within `limits`, as far as they can be lowered and nobody insists on them.

    The result is a function of the options and the data. It does not depend on the devices, so that a run which is
    resumed on others goes on with the same batches.
    """
    values = options.option_values()
    lowered = {}
    for limit in _exceeded(values, limits):
        divisor = _divisor(values, limit)
        most = _multiple(limit.most, math.lcm(divisor, _ROUND)) or _multiple(limit.most, divisor)
        if most and limit.option not in options.insisted:
            lowered[limit.option] = most
    return options.with_values(lowered)


def lowered_in_words(asked: RunOptions, options: RunOptions, limits: Sequence[Limit], stage: str) -> str:
    """Say which options of `stage` were lowered, and why; nothing if there are none.

    Args:
      asked: the options as they were given.
      options: the options as they were lowered.
      limits: what they were lowered for.
      stage: "search" or "retrain".
    """
    before, after, names = asked.option_values(), options.option_values(), asked.stage_values(stage)
    return "; ".join(
        f"{ref(limit.option)} from {before[limit.option]} to {after[limit.option]}, since {limit.data}"
        for limit in limits
        if limit.option in names and before[limit.option] != after[limit.option]
    )


def check_limits(options: RunOptions, limits: Sequence[Limit], stages: Collection[str], num_replicas: int) -> None:
    """Raise one `InputError` for all options of `stages` that exceed `limits`; it names values that do not."""
    values = options.option_values()
    read = {name for stage in stages for name in options.stage_values(stage)}
    exceeded = [limit for limit in _exceeded(values, limits) if limit.option in read]
    if not exceeded:
        return
    names = [limit.option for limit in exceeded]
    names += [limit.multiple for limit in exceeded if _divisor(values, limit) > limit.most]
    shown, verb = _join([f"{ref(name)}={values[name]}" for name in names]), "is" if len(names) == 1 else "are"
    reasons = [limit.data for limit in exceeded]
    told = [
        words for words in dict.fromkeys(reasons) if not any(words != other and words in other for other in reasons)
    ]
    cures = [cure for limit in exceeded if (cure := _cure(values, limit, num_replicas))]
    use = f"Use {_join(cures)}, or" if len(cures) == len(exceeded) else "Use fewer devices, or"
    more = " or ".join(dict.fromkeys(limit.more for limit in exceeded))
    raise InputError(f"{shown} {verb} too large for the data: {', '.join(told)}. {use} {more}.")


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _cure(values: Mapping[str, Any], limit: Limit, num_replicas: int) -> str:
    """Return values within the limit that devices can share, in words; nothing if there are none."""
    divisor = math.lcm(_divisor(values, limit), num_replicas)
    if most := _multiple(limit.most, divisor):
        return f"{ref(limit.option)}={most} or {'less' if divisor == 1 else f'a smaller multiple of {divisor}'}"
    if limit.multiple and (most := _multiple(limit.most, num_replicas)):
        return f"{ref(limit.multiple)}={most} with {ref(limit.option)}={most}"
    return ""


def _exceeded(values: Mapping[str, Any], limits: Sequence[Limit]) -> list[Limit]:
    """Return the limits that `values` exceed, of the options that the run reads."""
    return [limit for limit in limits if limit.option in values and values[limit.option] > limit.most]


def _divisor(values: Mapping[str, Any], limit: Limit) -> int:
    return values.get(limit.multiple, 1)


def _multiple(most: int, divisor: int) -> int:
    """Return the largest multiple of `divisor` up to `most`; 0 if there is none."""
    return most // divisor * divisor
