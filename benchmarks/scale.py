"""The growth of a search step with each factor of its size, and bounds of the cost of a search on GPUs.

    python -m benchmarks.scale --json=scale.json             # about 20 minutes on two cores

Each factor is varied alone. Time and memory are fitted by a power of the factor. The costs on GPUs are computed, not
measured: FLOPs and bytes of all kernels of a step, divided by the rates that the vendors publish. They are lower
bounds.
"""

import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import app, flags

from benchmarks.workloads import find, run_part
from enas_tf.spaces.macro import MACRO_OPS
from enas_tf.spaces.micro import MICRO_OPS

_JSON = flags.DEFINE_string("json", None, "file to write all numbers to")
_SPACES = flags.DEFINE_list("spaces", ["macro", "micro", "recurrent"], "what is varied, out of the default")

#: Space -> flags of the size in the middle; factor -> its flag and values, the middle one among them.
BASES = {"macro": ["--batch_size=32"], "micro": ["--batch_size=32"], "recurrent": []}
FACTORS = {
    "macro": {
        "layers": ("num_layers", (6, 12, 24)),
        "channels": ("channels", (18, 36, 72)),
        "batch": ("batch_size", (16, 32, 64)),
        "operations": ("ops", (2, 4, 6)),
    },
    "micro": {
        "cells per stage": ("cells_per_stage", (1, 2, 4)),
        "blocks": ("cell_blocks", (3, 5, 7)),
        "channels": ("channels", (10, 20, 40)),
        "batch": ("batch_size", (16, 32, 64)),
        "operations": ("cell_ops", (2, 3, 5)),
    },
    "recurrent": {
        "nodes": ("cell_nodes", (4, 8, 12)),
        "units": ("units", (100, 200, 400)),
        "batch": ("batch_size", (32, 64, 128)),
        "vocabulary": ("vocab_size", (2_500, 5_000, 10_000)),
    },
}
#: Flag -> its operations; a number of operations is that of the first ones.
OPERATIONS = {"ops": MACRO_OPS, "cell_ops": MICRO_OPS}


class Device(NamedTuple):
    """The rates of a GPU.

    Attributes:
      float32: TFLOP/s without tensor cores.
      tf32: TFLOP/s with tensor cores, dense; None without them.
      bfloat16: the same in bfloat16.
      memory: GB/s.
    """

    name: str
    float32: float
    tf32: float | None
    bfloat16: float | None
    memory: float


#: From the vendor's data sheets.
DEVICES = (
    Device("GTX 1080 Ti", 11.3, None, None, 484),
    Device("A100 80 GB SXM", 19.5, 156, 312, 2_039),
    Device("H100 SXM", 67, 494.7, 989.4, 3_350),
)


class Search(NamedTuple):
    """The length of the paper's search.

    Attributes:
      images: of the training part.
      batch: images of a step.
      epochs: of the search.
      proposals: of an epoch, over all updates.
      published_days: the paper's time on a GTX 1080 Ti.
    """

    images: int
    batch: int
    epochs: int
    proposals: int
    published_days: float


SEARCHES = {
    "macro": Search(45_000, 128, 310, 50 * 20, 0.32),
    "micro": Search(45_000, 160, 150, 30 * 10, 0.45),
}


def vary(space: str) -> dict:
    """Measure a step for all values of each factor; return factor -> its values and their numbers."""
    found = {}
    for factor, (flag, values) in FACTORS[space].items():
        rows = []
        for value in values:
            given = ",".join(OPERATIONS[flag][:value]) if flag in OPERATIONS else value
            rows.append(run_part("size", find(f"{space} paper"), *BASES[space], f"--{flag}={given}"))
            print(f"  {space}: {factor} {value}: {rows[-1]}", file=sys.stderr, flush=True)
        found[factor] = {"values": list(values), "rows": rows}
    return found


def exponent(values, numbers) -> float:
    """Return p of numbers ~ values^p, by least squares of the logarithms."""
    return float(np.polyfit(np.log(values), np.log(numbers), 1)[0])


def print_growth(space: str, found: dict) -> None:
    """Print a row for each factor: values, numbers and fitted powers."""
    print(f"\n| {space}: factor | values | step s | memory GiB | trace s | step ~ | memory ~ | trace ~ |")
    print("|---|---|---|---|---|---|---|---|")
    for factor, of in found.items():
        columns = {name: [row[name] for row in of["rows"]] for name in ("step", "gib", "trace_seconds")}
        shown = [", ".join(f"{number:.3g}" for number in numbers) for numbers in columns.values()]
        powers = [f"{factor}^{exponent(of['values'], numbers):.2f}" for numbers in columns.values()]
        print(f"| {factor} | {', '.join(map(str, of['values']))} | " + " | ".join([*shown, *powers]) + " |")


def print_costs(space: str, counts: dict) -> None:
    """Print the days of a search on each device, by its rates and the FLOPs and bytes of a step without caches."""
    search, paths = SEARCHES[space], counts["paths"]
    flops, moved = (float(np.mean([path[name] for path in paths])) for name in ("flops", "bytes"))
    # A reward is a forward pass: a third of the work of a step, on a batch of the same size.
    steps = search.epochs * (search.images // search.batch + search.proposals / 3)
    print(
        f"\n{space}: a step of {search.batch} images computes {flops / 1e9:.1f} GFLOP and moves {moved / 1e9:.2f} GB, ",
        end="",
    )
    print(f"a search is worth {steps:,.0f} steps; the paper's took {search.published_days} days on a GTX 1080 Ti")
    print("| device | FLOPs in float32 | on tensor cores (TF32) | in bfloat16 | bytes in float32 | bound in float32 |")
    print("|---|---|---|---|---|---|")
    for device in DEVICES:
        rates = (device.float32, device.tf32, device.bfloat16)
        days = [steps * flops / rate / 1e12 / 86_400 if rate else math.nan for rate in rates]
        memory = steps * moved / device.memory / 1e9 / 86_400
        cells = [*days, memory, max(min(filter(math.isfinite, days[:2])), memory)]
        print(f"| {device.name} | " + " | ".join(f"{x:.4f} days" if math.isfinite(x) else "" for x in cells) + " |")


def main(_) -> None:
    """Measure and print all spaces that were asked for."""
    results = {}
    for space in _SPACES.value:
        results[space] = {"growth": vary(space)}
        print_growth(space, results[space]["growth"])
        if space in SEARCHES:
            results[space]["counts"] = run_part("counts", find(f"{space} paper"))
            print_costs(space, results[space]["counts"])
    if _JSON.value:
        Path(_JSON.value).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
