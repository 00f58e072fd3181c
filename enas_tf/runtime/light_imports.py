"""What a process imports that only runs a command or trains trials."""

import sys


def import_keras_lightly() -> None:
    """Import Keras without Matplotlib and scikit-learn, which it imports for plots and wrappers that are not used here.

    They take a third of the time that a process takes to start. What needs them imports them itself, later.
    """
    hidden = [name for name in ("matplotlib", "sklearn") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail.
    try:
        import keras  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
