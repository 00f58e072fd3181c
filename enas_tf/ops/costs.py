"""What a network costs: trainable parameters, and FLOPs of the forward pass for one image or one token.

Convention: a multiply-add is two FLOPs. Convolutions and matrix products are counted; normalisation, activations,
additions and pooling are not.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cost:
    """Trainable parameters and FLOPs. Costs add up, and multiply with a count."""

    parameters: int = 0
    flops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.flops + other.flops)

    def __rmul__(self, count: int) -> "Cost":
        return Cost(count * self.parameters, count * self.flops)

    @classmethod
    def convolution(cls, size: int, inputs: int, outputs: int, pixels: int) -> "Cost":
        """Return the cost of a size x size convolution and its batch normalisation, with `pixels` in the result."""
        weights = size * size * inputs * outputs
        return cls(weights + 2 * outputs, 2 * weights * pixels)

    @classmethod
    def separable(cls, size: int, inputs: int, outputs: int, pixels: int) -> "Cost":
        """Return the cost of a depthwise and a pointwise convolution and their batch normalisation."""
        weights = size * size * inputs + inputs * outputs
        return cls(weights + 2 * outputs, 2 * weights * pixels)

    @classmethod
    def dense(cls, inputs: int, outputs: int) -> "Cost":
        """Return the cost of a matrix product without bias."""
        return cls(inputs * outputs, 2 * inputs * outputs)
