"""Architectures printed in papers and their code, as data: the space and the arc string in the source's notation."""

from enas_tf.registry import Registry
from enas_tf.spaces.space import SPACES, Architecture

#: Name -> (space, arc string).
PUBLISHED: Registry[tuple[str, str]] = Registry("published architecture")

#: scripts/cifar10_macro_final.sh of the authors' code: 24 layers, four operations (no pooling), 98 of 276 skips.
_ENAS_MACRO = """
0
3 0
0 1 0
2 0 0 1
2 0 0 0 0
3 1 1 0 1 0
2 0 0 0 0 0 1
2 0 1 1 0 1 1 1
1 0 1 1 1 0 1 0 1
0 0 0 0 0 0 0 0 0 0
2 0 0 0 0 0 1 0 0 0 0
0 1 0 0 1 1 0 0 0 0 1 1
2 0 1 0 0 0 0 0 1 0 1 1 0
1 0 0 1 0 0 0 1 1 1 0 1 0 1
0 1 1 0 1 0 1 0 0 0 0 0 1 0 0
2 0 0 1 0 0 0 0 0 0 0 1 0 1 0 1
2 0 1 0 0 0 1 0 0 1 1 1 1 0 0 1 0
2 0 0 0 0 1 0 1 0 1 0 0 1 0 1 0 0 1
3 0 1 1 0 1 0 0 0 0 0 1 0 1 0 1 0 0 0
3 0 1 1 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 1
0 1 0 0 1 0 1 1 0 0 0 1 0 0 0 0 0 1 1 0 0
3 0 1 0 1 1 0 0 1 0 1 1 0 1 1 0 1 0 0 1 0 0
0 1 0 1 0 1 0 0 0 0 0 0 0 0 1 0 1 0 0 1 0 0 0
0 1 1 0 0 0 1 1 1 0 1 0 0 0 1 0 1 0 0 1 1 0 0 0
"""

#: scripts/cifar10_micro_final.sh of the authors' code: the normal cell, then the reduction cell.
_ENAS_MICRO = """
0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1
1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1
"""

#: research/slim/nets/nasnet/nasnet_utils.py of tensorflow/models: for each block two inputs with their operations,
#: which are added. Each cell puts out a list of nodes. DARTS' genotypes.py lists other nodes.
_NASNET_A = """
1+2+3+4+5+6/3+4+5+6:
0 1 1 0 0  1 1 1 0 0  0 2 1 4 0  1 2 1 2 0  0 0 0 4 0
0 1 1 5 0  0 3 1 5 0  0 2 1 1 0  3 4 2 2 0  2 0 0 3 0
"""

#: models/experimental/amoeba_net/model_specs.py of tensorflow/tpu, in the same form.
_AMOEBANET_A = """
1+3+4+6/2+3+4+5+6:
0 2 0 3 0  1 0 1 4 0  0 4 1 2 0  0 0 2 1 0  5 2 0 0 0
1 0 0 2 0  0 3 2 5 0  1 3 0 3 0  4 0 0 10 0  1 2 0 5 0
"""

#: research/slim/nets/nasnet/pnasnet.py of tensorflow/models: one cell for both strides.
_PNASNET_5 = "1 1 1 3  0 5 0 3  0 1 0 0  4 0 0 3  1 0 0 4"

PUBLISHED.register("enas_macro")(("macro", " ".join(_ENAS_MACRO.split())))
PUBLISHED.register("enas_micro")(("micro", " ".join(_ENAS_MICRO.split())))
PUBLISHED.register("nasnet_a")(("nasnet", " ".join(_NASNET_A.split())))
PUBLISHED.register("amoebanet_a")(("nasnet", " ".join(_AMOEBANET_A.split())))
PUBLISHED.register("pnasnet_5")(("pnas", " ".join(_PNASNET_5.split())))
# scripts/ptb_final.sh of the authors' code, whose training code for it they have declared wrong.
PUBLISHED.register("enas_ptb")(("recurrent", "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"))
# README of Google Research's enas_lm: its own search, and the cell of DARTS in the same notation.
PUBLISHED.register("enas_lm")(("recurrent", "enas_lm: 0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2"))
PUBLISHED.register("darts_ptb")(("recurrent", "enas_lm: 0 2 1 1 1 1 1 3 2 0 5 2 3 0 5 1"))
# The cell of NAS, from TensorFlow Addons' code for it (tensorflow_addons/rnn/nas_cell.py): eight leaves, three rows
# above them, the injection at node 8; c_t is node 12 before its activation.
_NAS_CELL = """
0 3 0 1 0 3 1 1 0 0 0 3 0 0 0 3
1 0 0 0 1 0 0 3
1 2 0 0
1 0
0 0
12 8
"""
PUBLISHED.register("nas_cell")(("nas_recurrent", " ".join(_NAS_CELL.split())))


def read_published(name: str) -> Architecture:
    """Return the published architecture `name`."""
    space, arc = PUBLISHED[name]
    return SPACES[space].architecture.from_arc(arc)
