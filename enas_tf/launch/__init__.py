"""Entry points: `python -m enas_tf.launch.search` and its kin. The only place that reads flags."""

import glob
import os
import sys
import warnings

from enas_tf.runtime.light_imports import import_keras_lightly

_HAS_GPU = bool(glob.glob("/dev/nvidia*"))
# Before TensorFlow is imported: its notes about the CPU and about missing GPUs hide what a run has to say.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if _HAS_GPU else "3")
if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    print(
        f"KERAS_BACKEND={os.environ['KERAS_BACKEND']} is set, but enas_tf trains with tf.function and needs the "
        "TensorFlow backend: unset the variable or set KERAS_BACKEND=tensorflow.",
        file=sys.stderr,
    )
    sys.exit(2)


if any(option.startswith("error") for option in sys.warnoptions):
    # By PYTHONWARNINGS=error: libraries warn of their own matters, which is no reason to end a run.
    warnings.simplefilter("default")


def _end_quietly(kind: type[BaseException], error: BaseException, traceback) -> None:
    """Print no traceback for Ctrl-C while modules are imported; `app.run` saves and says so later on."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _end_quietly


def _import_tensorflow_quietly() -> None:
    """Import TensorFlow without two notes about missing GPUs, which it writes to standard error at any log level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import_keras_lightly()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


if not _HAS_GPU and "tensorflow" not in sys.modules:
    _import_tensorflow_quietly()
