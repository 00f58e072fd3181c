"""The benchmark of speed and memory: every space, at the paper's size and at that of its quickstart.

    python -m benchmarks                                     # everything: half an hour on two cores, and nasnet
    python -m benchmarks --workloads='macro paper' --json=new.json --compare=old.json

It prints tables of numbers and of ratios with targets. Every part runs in a process of its own. Calls that are compared
take turns within one process, so that a machine whose speed drifts favours none. The numbers of a child are those of an
ordinary training of the same architecture at the searched size.
"""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from absl import app, flags

from benchmarks.workloads import WORKLOADS, Workload, run_part

_WORKLOADS = flags.DEFINE_list("workloads", [w.name for w in WORKLOADS], "what is measured, out of the default")
_PARTS = flags.DEFINE_list("parts", ["start", "child", "depth", "counts", "steps"], "which parts, out of the default")
_JSON = flags.DEFINE_string("json", None, "file to write all numbers to")
_COMPARE = flags.DEFINE_string("compare", None, "file of --json, of an earlier run: prints new / old for what differs")

#: (workload, key of the JSON form) -> the largest value that is on target.
TARGETS = {
    ("macro paper", "steps/step_ratio"): 1.05,
    ("micro paper", "steps/step_ratio"): 1.10,
    ("recurrent paper", "steps/step_ratio"): 1.05,
    ("nasnet paper", "steps/step_ratio"): 1.15,
    **{(f"{space} paper", "steps/controller_phase_ratio"): 1.1 for space in ("macro", "micro", "recurrent")},
    ("macro paper", "start/seconds/total"): 20.0,
    ("micro paper", "start/seconds/total"): 30.0,
    ("recurrent paper", "start/seconds/total"): 15.0,
    **{(f"{space} digits", "start/seconds/total"): 10.0 for space in ("macro", "micro", "recurrent")},
    **{(f"{space} paper", "depth/trace_ratio"): 1.1 for space in ("macro", "micro")},
    **{(f"{space} paper", "depth/node_ratio"): 1.1 for space in ("macro", "micro")},
    **{(f"{space} paper", "memory_ratio"): 1.0 for space in ("macro", "micro", "recurrent")},
    **{(f"{space} paper", "tensors_ratio"): 1.0 for space in ("macro", "micro", "recurrent")},
}
#: The same -> the smallest value that is on target.
FLOORS = {(f"{space} paper", "steps/epoch_rate"): 0.95 for space in ("macro", "micro", "recurrent")}


def measure(workload: Workload) -> dict:
    """Return part -> its numbers, and the ratios that need two parts."""
    result = {}
    for part in _PARTS.value:
        if part == "depth":
            if workload.deep:
                result[part] = measure_depth(workload)
        else:
            result[part] = run_part(part, workload)
        print(f"  {workload.name}: {part} done", file=sys.stderr, flush=True)
    if "start" in result and "child" in result:
        start, child = result["start"], result["child"]
        allowed = 1.15 * (child["peak_gib"] - child["base_gib"]) + 3 * start["bank_gib"]
        result["memory_ratio"] = (start["peak_gib"] - start["base_gib"]) / allowed
        if start["tensors_gib"] is not None and child["tensors_gib"] is not None:
            # The tensors of a step alone: the bank and its momentum exist before it.
            result["tensors_ratio"] = start["tensors_gib"] / (1.15 * child["tensors_gib"] + start["bank_gib"])
    return result


def measure_depth(workload: Workload) -> dict:
    """Return the numbers of the trace at the usual depth and at twice the depth; of two traces each, the faster."""
    flags_of = {"usual": (), "deep": workload.deep}
    parts = {depth: [run_part("trace", workload, *more) for _ in range(2)] for depth, more in flags_of.items()}
    seconds = {part: min(run["trace_seconds"] for run in runs) for part, runs in parts.items()}
    nodes = {part: runs[0]["graph_nodes"] for part, runs in parts.items()}
    ratios = {"trace_ratio": seconds["deep"] / seconds["usual"], "node_ratio": nodes["deep"] / nodes["usual"]}
    return {"trace_seconds": seconds, "graph_nodes": nodes, "flags": list(workload.deep), **ratios}


def flatten(numbers: dict, prefix: str = "") -> dict[str, float]:
    """Return path of keys -> number; lists, which hold a row for each architecture, are left out."""
    flat = {}
    for key, value in numbers.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            flat[prefix + key] = value
    return flat


def print_table(results: dict[str, dict]) -> None:
    """Print one row per number and one column per workload; mark the targets that are missed."""
    columns = {name: flatten(result) for name, result in results.items()}
    rows = list(dict.fromkeys(key for column in columns.values() for key in column))
    print("| number | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for key in rows:
        cells = [_cell(name, key, column.get(key)) for name, column in columns.items()]
        print(f"| {key} | " + " | ".join(cells) + " |")


def _cell(name: str, key: str, value: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    target, floor = TARGETS.get((name, key)), FLOORS.get((name, key))
    if target is not None:
        return f"{value:.3f} (at most {target})" + (" MISSED" if value > target else "")
    if floor is not None:
        return f"{value:.3f} (at least {floor})" + (" MISSED" if value < floor else "")
    return text


def print_comparison(old: dict[str, dict], new: dict[str, dict]) -> None:
    """Print new / old of every number that is in both and differs by more than 2 %."""
    print("\n| workload | number | old | new | new / old |\n|---|---|---|---|---|")
    for name in (name for name in new if name in old):
        before, after = flatten(old[name]), flatten(new[name])
        for key in (key for key in after if before.get(key)):
            ratio = after[key] / before[key]
            if abs(ratio - 1) > 0.02:
                print(f"| {name} | {key} | {before[key]:.4g} | {after[key]:.4g} | {ratio:.3f} |")


def processor() -> str:
    """Return the name of the processor; elsewhere than on Linux, that of its kind."""
    place = Path("/proc/cpuinfo")
    names = [line for line in place.read_text().splitlines() if "model name" in line] if place.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor()


def main(argv: list[str]) -> None:
    if argv[1:]:
        raise app.UsageError(f"unexpected arguments {argv[1:]}: options are given as --name=value")
    names = {workload.name: workload for workload in WORKLOADS}
    unknown = [name for name in _WORKLOADS.value if name not in names]
    if unknown:
        raise app.UsageError(f"--workloads={','.join(unknown)}: expected some of {', '.join(names)}")
    versions = {package: metadata.version(package) for package in ("tensorflow", "keras", "numpy")}
    about = {"processor": processor(), "python": platform.python_version(), "packages": versions}
    results = {}
    for name in _WORKLOADS.value:
        results[name] = measure(names[name])
        if _JSON.value:
            Path(_JSON.value).write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    print(f"{about['processor']}, {os.cpu_count()} threads\n")
    print_table(results)
    if _COMPARE.value:
        print_comparison(json.loads(Path(_COMPARE.value).read_text())["results"], results)


if __name__ == "__main__":
    app.run(main)
