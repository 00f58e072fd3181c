"""Entry points: `python -m enas_tf.launch.search` and its kin. The only place that reads flags."""

import glob
import os
import sys

# Before TensorFlow is imported: its notes about the CPU and about missing GPUs hide what a run has to say.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if glob.glob("/dev/nvidia*") else "3")
if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    print(
        f"KERAS_BACKEND={os.environ['KERAS_BACKEND']} is set, but enas_tf trains with tf.function and needs the "
        "TensorFlow backend: unset the variable or set KERAS_BACKEND=tensorflow.",
        file=sys.stderr,
    )
    sys.exit(2)
