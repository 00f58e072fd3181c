"""The runtime: seeds, determinism, and what TensorFlow is told about this machine."""

import keras
import tensorflow as tf


def configure_runtime(seed: int, is_deterministic: bool) -> None:
    """Sets the global seeds and, when asked, deterministic kernels. Call it before anything is built.

    On a CPU TensorFlow's graph optimizer is switched off: it lengthens a supernet's first call. On GPUs
    it stays, since it chooses layouts there.
    """
    keras.utils.set_random_seed(seed)
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()
    if not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def device_names() -> str:
    """The devices that training runs on, in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {tf.config.threading.get_intra_op_parallelism_threads() or 'all'} threads"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names)
