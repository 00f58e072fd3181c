"""The runtime: seeds, determinism, and what TensorFlow is told about this machine."""

import functools

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


STRATEGIES = ("auto", "one_device", "mirrored")


def build_strategy(name: str) -> tf.distribute.Strategy | None:
    """The strategy called `name`, one of `STRATEGIES`: auto mirrors where there are several GPUs. None = one device.

    Without a GPU, mirrored takes the logical CPU devices there are.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    is_mirrored = name == "mirrored" or (name == "auto" and devices[0].device_type == "GPU" and len(devices) > 1)
    return _mirrored(tuple(device.name for device in devices)) if is_mirrored else None


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One per process: two would number their collective operations alike, and mix them up."""
    return tf.distribute.MirroredStrategy(devices)


def device_names(num_replicas: int = 1) -> str:
    """The devices that training runs on, in words."""
    if num_replicas > 1:
        return f"{num_replicas} replicas: {device_names()}"
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {tf.config.threading.get_intra_op_parallelism_threads() or 'all'} threads"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names)
