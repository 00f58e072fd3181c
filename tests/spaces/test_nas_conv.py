"""The nas_conv space: the tokens of the paper, its repairs, sizes, and wrong strings."""

import pytest

from enas_tf.errors import InputError
from enas_tf.spaces.architectures import from_json, read_architecture
from enas_tf.spaces.nas_conv import NasConvArchitecture, NasConvLayer, NasConvSpace

#: Layer 3 reads no other; nothing reads layers 2 and 4.
EXAMPLE = NasConvArchitecture(
    (
        NasConvLayer(3, 5, 24),
        NasConvLayer(7, 1, 36, (1,), (2, 1)),
        NasConvLayer(1, 1, 64),
        NasConvLayer(3, 3, 48, (1, 3)),
    ),
    pools=(2,),
)
ARC = "3x5x24 7x1x36/2x1 1 pool 1x1x64 0 0 3x3x48 1 0 1"


def test_an_arc_says_shapes_and_bits():
    assert EXAMPLE.to_arc() == ARC
    assert read_architecture(ARC, "nas_conv") == EXAMPLE


def test_words_say_the_repairs():
    assert EXAMPLE.loose_ends == (2, 4)
    words = EXAMPLE.in_words()
    assert words[2] == "layer 2: 36 filters of 7x1, stride 2x1, on layer 1"
    assert words[3] == "pooling: behind layer 2, of all that is read later"
    assert words[4] == "layer 3: 64 filters of 1x1, on the image"
    assert words[-1] == "classifier: on layers 2, 4"


def test_tokens_of_the_paper():
    """Filter height, filter width, number of filters, then a bit for each earlier layer; strides where searched."""
    names = list(NasConvSpace(num_layers=3).places)
    assert names[:4] == ["layer_1/height", "layer_1/width", "layer_1/filters", "layer_1/skip"]
    assert NasConvSpace(num_layers=3).decode([1, 2, 3, 0, 0, 0, 1, 3, 3, 3, 0, 1]).layers == (
        NasConvLayer(3, 5, 64),
        NasConvLayer(1, 1, 24, (1,)),
        NasConvLayer(7, 7, 64, (2,)),
    )
    striding = NasConvSpace(num_layers=1, search_strides=True)
    assert list(striding.places)[:5] == [
        f"layer_1/{what}" for what in ("height", "width", "stride_height", "stride_width", "filters")
    ]
    assert striding.decode([0, 0, 1, 2, 0]).layers == (NasConvLayer(1, 1, 24, (), (2, 3)),)


def test_sizes():
    """4 x 4 x 4 shapes and k - 1 bits for layer k; 9 pairs of strides."""
    assert NasConvSpace().size == 64**15 * 2**105
    assert NasConvSpace(num_layers=20, search_strides=True).size == (64 * 9) ** 20 * 2**190


def test_an_architecture_of_other_shapes_has_a_space():
    layers = (NasConvLayer(9, 2, 5), NasConvLayer(3, 3, 24, (1,)))
    space = NasConvArchitecture(layers).space()
    assert space.filter_sizes == ("1", "2", "3", "5", "7", "9")
    assert space.filters == ("5", "24", "36", "48", "64")
    assert space.decode(space.encode(NasConvArchitecture(layers))).layers == layers


@pytest.mark.parametrize(
    ("arc", "words"),
    [
        ("3x3x24 5x5x36", r"layer 2 .*'5x5x36': expected .*1 bit \(0 or 1\)"),
        ("3x3x24 5x5x36 2", "layer 2 .*'5x5x36 2'"),
        ("3x3x24 5x5x36 1 0", "layer 3 .*'0'"),
        ("3x3", "layer 1 .*'3x3': expected .*0 bits"),
        ("3x3x24/2", "layer 1"),
        ("3x3x24 pool", r"poolings stand behind the layers \[1\]: .*none"),
        ("3x3x24 1x1x24 1 pool", r"poolings stand behind the layers \[2\]: .*1\.\.1"),
        ("0x3x24", r"layer 1 has height=0: expected 1\.\.99"),
        ("3x100x24", r"layer 1 has width=100"),
        ("3x3x24/4x1", r"layer 1 has stride=4: expected 1\.\.3"),
        ("3x3x0", r"layer 1 has filters=0"),
    ],
)
def test_wrong_arc_strings(arc, words):
    with pytest.raises(InputError, match=words):
        read_architecture(arc, "nas_conv")


def test_an_arc_string_of_another_space_is_told_so():
    with pytest.raises(InputError, match="space=nas_conv reads it as a nas_conv architecture"):
        read_architecture("3x3x24 5x5x36 1", "macro")
    with pytest.raises(InputError, match=r"layer 1 .*space=macro reads it as a macro architecture"):
        read_architecture("0 3 0 0 1 0", "nas_conv")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": []}, "has layers"),
        ({"layers": None}, "cannot be read.*pools"),
        ({"pools": [2, 1]}, r"\[2, 1\]: expected ascending"),
        ({"pools": [True]}, "not a whole number"),
        (
            {"layers": [{"height": 3, "width": 3, "filters": 24, "inputs": [1], "strides": [1, 1]}]},
            r"reads.*\[1\].*none",
        ),
        ({"layers": [{"height": 3, "width": 3, "filters": 24, "inputs": [], "strides": [1]}]}, "cannot be read"),
        ({"layers": [{"height": 3, "width": 3, "filters": 24, "inputs": []}]}, "cannot be read.*strides"),
        ({"layers": [{"height": "3", "width": 3, "filters": 24, "inputs": [], "strides": [1, 1]}]}, "not a whole"),
    ],
)
def test_wrong_json(change, words):
    with pytest.raises(InputError, match=words):
        from_json(EXAMPLE.to_json() | change)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 0}, "num_layers=0"),
        ({"filter_sizes": ()}, "filter_sizes= "),
        ({"filter_sizes": ("3", "x")}, r"filter_sizes=3,x .*1\.\.99"),
        ({"filters": ("24", "24")}, "filters=24,24"),
        ({"filters": ("0",)}, "filters=0"),
        ({"num_layers": 3, "pool_after": ("3",)}, r"pool_after=3 .*1\.\.2"),
        ({"pool_after": ("5", "2")}, "pool_after=5,2 .*ascending"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        NasConvSpace(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 5}, "num_layers=4.*num_layers=5"),
        ({}, "pool_after=2.*none"),
        ({"pool_after": ("2",)}, "layer 2 has strides.*search_strides"),
        (
            {"pool_after": ("2",), "search_strides": True, "filters": ("24",)},
            "layer 2 has filters=36: the space has 24",
        ),
    ],
)
def test_a_space_refuses_what_it_does_not_hold(options, words):
    with pytest.raises(InputError, match=words):
        NasConvSpace(**{"num_layers": 4} | options).encode(EXAMPLE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grow_every": -1}, "grow_every=-1"),
        ({"grow_every": 5, "grow_by": 0}, "grow_by=0"),
        ({"grow_every": 5, "grow_from": 9, "num_layers": 8}, r"grow_from=9 .*1\.\.8"),
    ],
)
def test_wrong_growth_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        NasConvSpace(**options)
