"""The macro space against the texts it comes from: worked example, published architecture, sizes, wrong strings."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.macro import MACRO_OPS, MacroArchitecture, MacroLayer, MacroSpace, reduction_places

# The paper's example of four layers: the third is a max pooling joined with layers 1 and 2, and so on.
WORKED_EXAMPLE = MacroArchitecture(
    (
        MacroLayer("conv_3x3"),
        MacroLayer("sep_conv_5x5", (1,)),
        MacroLayer("max_pool_3x3", (1, 2)),
        MacroLayer("conv_5x5", (1, 3)),
    ),
    skip_sources="layers",
)


def test_worked_example_of_the_paper():
    assert read_architecture("layers: 0 3 1 5 1 1 2 1 0 1") == WORKED_EXAMPLE
    assert WORKED_EXAMPLE.to_arc() == "layers: 0 3 1 5 1 1 2 1 0 1"
    assert WORKED_EXAMPLE.in_words()[4] == "layer 4: conv_5x5 of layer 3, joined with layer 1, layer 3"


def test_worked_example_of_the_reference():
    """ "2 0 0 1" is a 5x5 convolution of layer 3's output joined with layer 2; "0 1 0" is joined with the stem."""
    layers = read_architecture("0 3 0 0 1 0 2 0 0 1").layers
    assert layers[2] == MacroLayer("conv_3x3", (0,))
    assert layers[3] == MacroLayer("conv_5x5", (2,))


def test_published_architecture():
    """Counts of the authors' script: 300 integers, 24 layers, 98 of 276 skips, no pooling."""
    published = read_architecture("enas_macro")
    assert len(published.to_arc().split()) == 300
    assert published.num_layers == 24
    assert published.skip_sources == "reference"
    assert sum(len(layer.skips) for layer in published.layers) == 98
    counts = [sum(layer.op == op for layer in published.layers) for op in MACRO_OPS]
    assert counts == [8, 2, 9, 5, 0, 0]


def test_sizes_of_the_paper():
    assert f"{MacroSpace().size:.1e}" == "1.6e+29"
    assert MacroSpace().num_tokens == 78
    assert MacroSpace(num_layers=24, ops=MACRO_OPS[:4]).size == 4**24 * 2**276


def test_one_arc_means_different_networks_to_paper_and_reference():
    papers, references = read_architecture("layers: 0 3 1"), read_architecture("0 3 1")
    assert papers.layers[1].skips == (1,)
    assert references.layers[1].skips == (0,)
    with pytest.raises(InputError, match=r"skip_sources=reference.*skip_sources=layers"):
        MacroSpace(num_layers=2).encode(references)


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("0 3 0 0", r"4 integers.*3 for 2 layers or 6 for 3"),
        ("0 7 0", r'tokens\[1\] = 7.*"layer_2/op".*sep_conv_3x3'),
        ("0 3 2", r'tokens\[2\] = 2.*"layer_2/skip_0".*0 or 1'),
        ("-1 0 0", r"tokens\[0\] = -1.*layer_1/op"),
        ("0 --3 0", "not a list of integers"),
        ("0 3 ²", "not a list of integers"),
        ("0 x 2", "not a list of integers"),
        ("no_such_name", "none of.*enas_macro"),
        ("missing.json", "none of"),
        ("arc 0 " * 200, r"none of"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        read_architecture(arc)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"space": "micro_macro"}, "space.*micro_macro"),
        ({"space": "macro", "skip_sources": "layers"}, "layers"),
        ({"space": "macro", "skip_sources": "layers", "layers": [{"op": "conv_9x9", "skips": []}]}, "conv_9x9"),
        ({"space": "macro", "skip_sources": "layers", "layers": [{"op": "conv_3x3", "skips": [0]}]}, r"skips \[0\]"),
        ([1, 2], "space"),
    ],
)
def test_wrong_json(data, words):
    with pytest.raises(InputError, match=words):
        from_json(data)


def test_an_operation_outside_the_space_is_refused():
    with pytest.raises(InputError, match="max_pool_3x3"):
        MacroSpace(num_layers=4, ops=MACRO_OPS[:4]).encode(WORKED_EXAMPLE)


@pytest.mark.parametrize(("depth", "places"), [(3, (1, 2)), (12, (4, 8)), (24, (8, 16))])
def test_reductions_stand_at_thirds(depth, places):
    assert reduction_places(depth) == places


def test_depth_without_thirds_is_refused():
    with pytest.raises(InputError, match="multiple of 3"):
        reduction_places(4)


@pytest.mark.parametrize("options", [{"num_layers": 0}, {"ops": ()}, {"ops": ("conv_9x9",)}, {"skip_sources": "all"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        MacroSpace(**options)
