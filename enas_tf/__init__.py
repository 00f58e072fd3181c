"""enas_tf: neural architecture search by parameter sharing (ENAS, Pham et al. 2018) for Keras 3 on TensorFlow 2."""

__version__ = "0.1.0"
