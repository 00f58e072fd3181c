"""A child as a LiteRT file, for phones and other small devices."""

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from enas_tf.errors import InputError, ref
from enas_tf.options import shorten
from enas_tf.tasks.signature import Arrays, every_row


def to_litert(saved_model: Path, signature: str, calibration: Arrays | None = None) -> bytes:
    """Return the signature of a SavedModel as the content of a LiteRT file, with a batch of any size.

    Args:
      saved_model: its directory.
      signature: its name.
      calibration: examples of its inputs. With them all weights and all numbers between layers have 8 bits, each in a
        range that these examples have shown. The conversion of the inputs before the first layer stays in float32.

    Raises:
      InputError: LiteRT has no operation for a part of the network.
    """
    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[signature])
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: iter(every_row(calibration))
        with _without_farewell():
            return converter.convert()
    except (OSError, RuntimeError, ValueError, tf.errors.OpError, tf.lite.experimental.ConverterError) as error:
        reason = shorten(" ".join(str(error).split()), 300)
        raise InputError(
            f"the child cannot be converted to LiteRT ({reason}): expected operations that LiteRT has. Leave litert "
            f"out of {ref('export')}."
        ) from error


def run_litert(content: bytes, signature: str, examples: Arrays) -> dict[str, np.ndarray]:
    """Return what the interpreter of LiteRT computes for `examples`, with its default kernels.

    It is that of the package ai_edge_litert where that is installed, else TensorFlow's own.
    """
    with _without_farewell():
        interpreter = _interpreter_class()(model_content=content)
    return interpreter.get_signature_runner(signature)(**examples)


def _interpreter_class() -> Any:
    if importlib.util.find_spec("ai_edge_litert") is None:
        return tf.lite.Interpreter
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter


@contextlib.contextmanager
def _without_farewell() -> Iterator[None]:
    """Drop TensorFlow's warning that its interpreter will leave it: it is no concern of who exports a child."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*Interpreter is deprecated")
        yield
