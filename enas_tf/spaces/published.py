"""Architectures printed in papers and their code, as data: name -> (space, arc string in the source's notation)."""

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

PUBLISHED: dict[str, tuple[str, str]] = {
    "enas_macro": ("macro", " ".join(_ENAS_MACRO.split())),
    "enas_micro": ("micro", " ".join(_ENAS_MICRO.split())),
    # scripts/ptb_final.sh of the authors' code, whose training code for it they have declared wrong.
    "enas_ptb": ("recurrent", "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"),
    # README of Google Research's enas_lm: its own search, and the cell of DARTS in the same notation.
    "enas_lm": ("recurrent", "enas_lm: 0 2 1 0 2 1 2 2 4 0 5 0 3 2 6 2"),
    "darts_ptb": ("recurrent", "enas_lm: 0 2 1 1 1 1 1 3 2 0 5 2 3 0 5 1"),
}
