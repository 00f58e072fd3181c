"""A child as an ONNX file, for the many programs that read these. The packages for it are an extra."""

import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.options import shorten
from enas_tf.tasks.signature import Arrays, Signature

#: The version of ONNX's operations that the file is written in: programs of 2022 and later read it.
_OPSET = 17
#: What stands before the name of an output that an input has, too.
_NEXT = "next_"
_PACKAGES = ("onnx", "tf2onnx", "onnxruntime")


def check_onnx_is_installed() -> None:
    """Raise `InputError` unless the packages are there that write ONNX files and compute them."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{ref('export')}=onnx needs the packages {', '.join(_PACKAGES)}; not installed: {', '.join(missing)}. Run "
            "`pip install 'enas_tf[onnx]'` (in a clone: `pip install -e '.[onnx]'`), or leave onnx out."
        )


def to_onnx(signature: Signature, metadata: Mapping[str, str]) -> bytes:
    """Return a signature as the content of an ONNX file, with a batch of any size.

    Args:
      signature: its inputs and outputs have the same names there, but for an output with the name of an input, such
        as state: it is next_state, since names are unique in ONNX.
      metadata: texts that the file holds under their names (metadata_props).

    Raises:
      InputError: ONNX has no operation for a part of the network.
    """
    import tf2onnx  # Only this needs it, and it takes a second to import.

    inputs = {spec.name for spec in signature.specs}

    def call(*given):
        return {_NEXT + name if name in inputs else name: value for name, value in signature.call(*given).items()}

    function = tf.function(call, autograph=False, input_signature=signature.specs)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=signature.specs, opset=_OPSET)
    except Exception as error:  # It raises what it stumbles over.
        reason = shorten(" ".join(str(error).split()), 300)
        raise InputError(
            f"the child cannot be converted to ONNX ({type(error).__name__}: {reason}): expected operations that ONNX "
            f"has. Leave onnx out of {ref('export')}."
        ) from error
    _fill_constants(model, function.get_concrete_function())
    for name, text in metadata.items():
        model.metadata_props.add(key=name, value=text)
    return model.SerializeToString()


def _fill_constants(model: Any, function: Any) -> None:
    """Give the constants that layers keep outside of their graph their values.

    tf2onnx takes them for inputs: the mean and the variance of Keras' Normalization are tensors, and no variables.
    """
    import onnx

    values = {inner.name: outer for outer, inner in function.graph.captures if outer.dtype != tf.resource}
    used = {name for node in model.graph.node for name in node.input}
    for given in [given for given in model.graph.input if given.name in values]:
        model.graph.input.remove(given)
        if given.name in used:
            model.graph.initializer.append(onnx.numpy_helper.from_array(values[given.name].numpy(), given.name))


def run_onnx(content: bytes, examples: Arrays) -> dict[str, np.ndarray]:
    """Return what ONNX Runtime computes on the CPU for `examples`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, dict(examples)), strict=True))
    return {name.removeprefix(_NEXT) if name.removeprefix(_NEXT) in examples else name: found[name] for name in names}
