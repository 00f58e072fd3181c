"""enas_tf: neural architecture search by parameter sharing (ENAS, Pham et al. 2018) for Keras 3 on TensorFlow 2.

The names of `__all__` are loaded when they are first used, so that `import enas_tf` takes no time and imports no
TensorFlow.
"""

import importlib
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enas_tf.api.callbacks import Callback
    from enas_tf.api.candidates import Candidate
    from enas_tf.api.searches import ImageSearch, TextSearch
    from enas_tf.errors import InputError
    from enas_tf.runtime.stopping import StopEarly
    from enas_tf.tasks.new_images import load_image

# TensorFlow leaves oneDNN's kernels off where an x86 processor has no AVX-512. They are nearly twice as fast there,
# too, and TensorFlow's own gradient of an average pooling of 7x7 is wrong. It has to be said before TensorFlow loads.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
__all__ = ["Callback", "Candidate", "ImageSearch", "InputError", "StopEarly", "TextSearch", "load_image"]

_MODULES = {
    "Callback": "api.callbacks",
    "Candidate": "api.candidates",
    "ImageSearch": "api.searches",
    "InputError": "errors",
    "StopEarly": "runtime.stopping",
    "TextSearch": "api.searches",
    "load_image": "tasks.new_images",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
