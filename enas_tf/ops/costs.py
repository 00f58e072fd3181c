"""What a network costs: trainable parameters, and FLOPs of one image's forward pass.

Convention: a multiply-add is two FLOPs; convolutions and matrix products are counted, normalisation, activations,
additions and pooling are not.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cost:
    """Trainable parameters and FLOPs per image; costs add up and multiply with a count."""

    parameters: int = 0
    flops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.flops + other.flops)

    def __rmul__(self, count: int) -> "Cost":
        return Cost(count * self.parameters, count * self.flops)

    @classmethod
    def convolution(cls, size: int, inputs: int, outputs: int, pixels: int) -> "Cost":
        """A size x size convolution without bias and the batch normalisation behind it, for `pixels` outputs."""
        weights = size * size * inputs * outputs
        return cls(weights + 2 * outputs, 2 * weights * pixels)

    @classmethod
    def separable(cls, size: int, inputs: int, outputs: int, pixels: int) -> "Cost":
        """A depthwise and a pointwise convolution and the batch normalisation behind them."""
        weights = size * size * inputs + inputs * outputs
        return cls(weights + 2 * outputs, 2 * weights * pixels)

    @classmethod
    def dense(cls, inputs: int, outputs: int) -> "Cost":
        """A matrix product without bias."""
        return cls(inputs * outputs, 2 * inputs * outputs)
