"""What a search step costs, in numbers that no machine changes: a guard on benchmarks/counts.json.

    python -m benchmarks --parts=counts --json=benchmarks/counts.json \
        --workloads='macro digits,micro digits,recurrent digits,nasnet digits'

makes the file anew, when a step has come to cost more for a reason, or less.
"""

import json
from pathlib import Path

import pytest

from benchmarks.parts import PARTS
from benchmarks.worker import open_run
from benchmarks.workloads import WORKLOADS

RECORDED = json.loads((Path(__file__).parents[2] / "benchmarks" / "counts.json").read_text())["results"]
NAMES = [workload.name for workload in WORKLOADS if workload.size == "digits"]
#: Nodes are TensorFlow's and Keras' too: their other versions may have a few more.
SLACK = 1.03


def test_every_space_is_guarded():
    assert list(RECORDED) == NAMES
    assert {workload.space for workload in WORKLOADS if workload.size == "digits"} == {w.space for w in WORKLOADS}


#: Cells have many operations, and graphs that take half a minute.
LARGE = ("micro digits", "nasnet digits")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in NAMES])
def test_a_step_costs_what_is_recorded(own_flags, name):
    recorded = RECORDED[name]["counts"]
    with open_run(next(workload for workload in WORKLOADS if workload.name == name)) as run:
        found = PARTS["counts"](run)
    assert found["traces"] == recorded["traces"] == 1
    assert found["graph_nodes"] <= SLACK * recorded["graph_nodes"]
    assert found["bytes_of_weights"] == recorded["bytes_of_weights"]
    assert found["bytes_of_optimizer"] == recorded["bytes_of_optimizer"]
    for mine, its in zip(found["paths"], recorded["paths"], strict=True):
        assert mine["flops"] == its["flops"]
        # Forward, and two gradients of each convolution and product. Factorized reductions cost four times as much in
        # the supernet: one kernel of 2x2, of which two corners are zeros.
        assert mine["child_flops"] <= mine["flops"] <= 1.5 * mine["child_flops"]
