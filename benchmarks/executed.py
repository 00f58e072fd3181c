"""The kernels that a call runs, recorded by TensorFlow's profiler, and their FLOPs, computed from shapes."""

import collections
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

#: The node of an inlined function is called CALLER/FUNCTION/_NUMBER/NODE.
_NUMBER = re.compile(r"/_\d+(?=/)")
#: Attributes that name the functions of a node, and what FUNCTION is for each.
_FUNCTIONS = {"body": "body", "cond": "cond", "then_branch": "then", "else_branch": "else"}
#: Kernels that read and write tensors of their own; the others pass tensors on, or are small.
_MOVING = re.compile(
    "(Add|AddN|AddV2|AvgPool|BiasAdd|Cast|Concat|Conv2D|DepthwiseConv2d|FusedBatchNorm|L2Loss|MatMul|MaxPool|Mean|Mul|"
    "Pad|RealDiv|Relu|ResourceApply|Sigmoid|Slice|Softmax|SparseSoftmax|Split|Sub|Sum|Tanh|Tile|Transpose)"
)


class Executed(NamedTuple):
    """The work of one call.

    Kernels of a few microseconds may be missing: TensorFlow stops tracing them after some hundred runs.

    Attributes:
      flops: of convolutions and matrix products.
      bytes: read and written by all kernels, as if nothing stayed in a cache.
    """

    flops: int
    bytes: int


def profile(function, *arguments, unknown: int = 0) -> Executed:
    """Run `function`, a tf.function, and return its work.

    Args:
      function: what is run.
      arguments: its arguments.
      unknown: the length of all sides that the graph does not know.
    """
    costs = _costs(function.get_concrete_function(*arguments).graph, unknown)
    runs = collections.Counter(run.node for run in trace_kernels(lambda: function(*arguments)))
    flops, moved = (sum(num * costs[name][i] for name, num in runs.items() if name in costs) for i in range(2))
    return Executed(flops, moved)


class Run(NamedTuple):
    """A run of a kernel: the node of the graph, the type of operation, and the seconds."""

    node: str
    op: str
    seconds: float


def trace_kernels(call: Callable) -> list[Run]:
    """Call twice; return the kernels of the second call."""
    runs = []
    for name, seconds, _ in _trace(call, level=2):
        node, has_op, op = name.rpartition(":")
        # Kernels are called NODE:OP; other events of the runtime have other names.
        if has_op and re.fullmatch(r"[A-Z_]\w+", op) and not node.endswith(":"):
            runs.append(Run(_NUMBER.sub("", node), op.removeprefix("_MklNative").removeprefix("_Mkl"), seconds))
    return runs


def peak_of_tensors(call: Callable) -> int | None:
    """Call twice; return the peak of the bytes of tensors in the second call, above those at its beginning.

    None if the profiler has recorded no allocation, as happens with small work.
    """
    events = [stats["bytes_allocated"] for name, _, stats in _trace(call, level=3) if name == "MemoryAllocation"]
    return max(events) - events[0] if events else None


def _trace(call: Callable, level: int) -> list[tuple[str, float, dict[str, int]]]:
    """Call twice; return name, seconds and numbers of each event of the second call, in order of time."""
    call()
    with tempfile.TemporaryDirectory() as directory:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=level, python_tracer_level=0)
        with tf.profiler.experimental.Profile(directory, options):
            call()
        (path,) = Path(directory).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    found = []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                stats = {plane.stat_metadata[stat.metadata_id].name: stat.int64_value for stat in event.stats}
                name = plane.event_metadata[event.metadata_id].name
                found.append((line.timestamp_ns * 1000 + event.offset_ps, name, event.duration_ps / 1e12, stats))
    return [event[1:] for event in sorted(found, key=lambda event: event[0])]


def _costs(graph: tf.Graph, unknown: int, caller: str = "") -> dict[str, tuple[int, int]]:
    """Return node -> FLOPs and bytes of one run, for all nodes of the graph and of the functions that it calls."""
    costs = {}
    for op in graph.get_operations():
        costs[caller + op.name] = _flops(op, unknown), _bytes(op, unknown)
        for function, name in _called(op):
            inner = graph._get_function(name).graph
            costs |= _costs(inner, unknown, f"{caller}{op.name}/{function}/")
    return costs


def _called(op: tf.Operation) -> list[tuple[str, str]]:
    """Return the functions that a node calls: the part of the names of their nodes, and their own names."""
    definition = op.node_def.attr
    called = [(function, definition[key].func.name) for key, function in _FUNCTIONS.items() if key in definition]
    return called + [(f"branch{i}", function.name) for i, function in enumerate(definition["branches"].list.func)]


def _flops(op: tf.Operation, unknown: int) -> int:
    """Return the FLOPs of a run, two for a multiply-add; 0 unless it is a convolution or a matrix product."""
    kind = next((kind for kind in ("DepthwiseConv2dNative", "Conv2D", "MatMul") if op.type.startswith(kind)), None)
    if kind is None:
        return 0
    if kind == "MatMul":
        inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
        return _product(unknown, op.outputs[0].shape, [inner])
    is_of_filter, is_of_input = op.type.endswith("BackpropFilter"), op.type.endswith("BackpropInput")
    pixels = (op.inputs[2] if is_of_filter or is_of_input else op.outputs[0]).shape
    filters = (op.outputs[0] if is_of_filter else op.inputs[1]).shape
    return _product(unknown, pixels, filters[:2] if kind == "DepthwiseConv2dNative" else filters[:3])


def _bytes(op: tf.Operation, unknown: int) -> int:
    """Return the bytes that a run reads and writes."""
    if not _MOVING.match(op.type):
        return 0
    tensors = [t for t in (*op.inputs, *op.outputs) if t.shape.rank is not None and t.dtype.is_floating]
    return sum(_product(unknown, t.shape) // 2 * t.dtype.size for t in tensors)


def _product(unknown: int, *shapes) -> int:
    """Return twice the product of all sides of the shapes."""
    sides = [unknown if side is None else side for shape in shapes for side in shape]
    return 2 * int(np.prod(sides, dtype=np.int64))
