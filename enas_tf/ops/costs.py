"""What a network costs: trainable parameters, and FLOPs of the forward pass for one image or one token.

Convention: a multiply-add is two FLOPs. Convolutions and matrix products are counted; normalisation, activations,
additions and pooling are not.
"""

import dataclasses
from typing import NamedTuple


class Piece(NamedTuple):
    """A part of a network whose time can be measured alone (`models/latency.py`).

    Attributes:
      kind: "convolution", "separable", "pooling" or "dense".
      size: height and width of its kernel.
      inputs: the channels that it reads.
      outputs: the channels that it makes.
      pixels: of its result.
    """

    kind: str
    size: tuple[int, int]
    inputs: int
    outputs: int
    pixels: int

    @property
    def flops(self) -> int:
        height, width = self.size
        weights = {
            "convolution": height * width * self.inputs * self.outputs,
            "separable": height * width * self.inputs + self.inputs * self.outputs,
            "pooling": 0,
            "dense": self.inputs * self.outputs,
        }
        return 2 * weights[self.kind] * self.pixels


@dataclasses.dataclass(frozen=True)
class Cost:
    """Trainable parameters, FLOPs, and the moving statistics beside the parameters. Costs add up, and multiply.

    `pieces` are what was counted, each with its number; two costs are equal by their numbers alone.
    """

    parameters: int = 0
    flops: int = 0
    statistics: int = 0
    pieces: tuple[tuple[Piece, int], ...] = dataclasses.field(default=(), compare=False, repr=False)

    @property
    def sizes(self) -> dict[str, int]:
        """The figures that records of runs hold."""
        return {"parameters": self.parameters, "flops": self.flops}

    @property
    def flops_of_pieces(self) -> int:
        """The FLOPs of all pieces: those of the network, unless an operation names none."""
        return sum(num * piece.flops for piece, num in self.pieces)

    @property
    def parameters_total(self) -> int:
        """Trainable parameters and moving statistics of batch normalisation: what Keras counts as parameters."""
        return self.parameters + self.statistics

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.flops + other.flops,
            self.statistics + other.statistics,
            self.pieces + other.pieces,
        )

    def __rmul__(self, count: int) -> "Cost":
        pieces = tuple((piece, count * num) for piece, num in self.pieces)
        return Cost(count * self.parameters, count * self.flops, count * self.statistics, pieces)

    @classmethod
    def convolution(cls, size: int | tuple[int, int], inputs: int, outputs: int, pixels: int) -> "Cost":
        """Return the cost of a convolution and its batch normalisation, with `pixels` in the result.

        `size` is that of the kernel: of both axes alike, or of height and width.
        """
        height, width = (size, size) if isinstance(size, int) else size
        weights = height * width * inputs * outputs
        piece = Piece("convolution", (height, width), inputs, outputs, pixels)
        return cls(weights + 2 * outputs, 2 * weights * pixels, 2 * outputs, ((piece, 1),))

    @classmethod
    def separable(cls, size: int, inputs: int, outputs: int, pixels: int) -> "Cost":
        """Return the cost of a depthwise and a pointwise convolution and their batch normalisation."""
        weights = size * size * inputs + inputs * outputs
        piece = Piece("separable", (size, size), inputs, outputs, pixels)
        return cls(weights + 2 * outputs, 2 * weights * pixels, 2 * outputs, ((piece, 1),))

    @classmethod
    def pooling(cls, size: int, channels: int, pixels: int) -> "Cost":
        """Return the cost of a pooling: its time alone."""
        return cls(pieces=((Piece("pooling", (size, size), channels, channels, pixels), 1),))

    @classmethod
    def dense(cls, inputs: int, outputs: int, use_bias: bool = False) -> "Cost":
        """Return the cost of a matrix product."""
        piece = Piece("dense", (1, 1), inputs, outputs, 1)
        return cls(inputs * outputs + use_bias * outputs, 2 * inputs * outputs, 0, ((piece, 1),))
