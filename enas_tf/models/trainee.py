"""A trainee: a child and the parts that only its training needs."""

import keras
import tensorflow as tf


class Trainee:
    """A child in training. Each task extends it by the forward pass that it trains.

    Attributes:
      child: the model that training is for.
      trainable_variables: the weights that an optimizer moves.
      tracked: name -> object that a checkpoint holds.
      layers_in_training: all layers that the forward pass runs through.
    """

    def __init__(self, child: keras.Model):
        self.child = child

    @property
    def trainable_variables(self) -> list:
        return self.child.trainable_variables

    @property
    def layers_in_training(self) -> list:
        return self.child.layers

    @property
    def tracked(self) -> dict[str, object]:
        return {"child": self.child}


class ImageTrainee(Trainee):
    """A child that classifies images, trained as it is. Subclasses add what the child does not keep."""

    def predict(self, images: tf.Tensor, progress: tf.Tensor, seed: tf.Tensor) -> list[tuple[tf.Tensor, float]]:
        """Return logits in training mode, each with the weight of its loss; those of the child come first.

        Args:
          images: uint8 [batch, height, width, channels].
          progress: share of the training that is done with this step, float32 in (0, 1].
          seed: int32 [2], for what is random beside the child's own dropout.
        """
        return [(self.child(images, training=True), 1.0)]
