"""An operation of one's own: one class and one call, and it works in supernets, children, costs and pictures."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from enas_tf.errors import InputError
from enas_tf.ops.op import CELL_OPS, LAYER_OPS
from enas_tf.pictures import draw, to_svg
from enas_tf.spaces import vocabulary
from enas_tf.spaces.architectures import is_arc, read_architecture
from tests.conformance.conftest import macro_case, micro_case
from tests.conformance.laws import assert_child_costs_what_is_counted, assert_supernet_equals_child, build_moved

NAME = "squeeze_excite"


@pytest.fixture(scope="module", autouse=True)
def registered():
    """Register the operation, and forget it afterwards."""
    runpy.run_path(str(Path(__file__).with_name("own_op.py")))
    yield
    for registry, names in ((LAYER_OPS, vocabulary.LAYER_OPS), (CELL_OPS, vocabulary.CELL_OPS)):
        registry.remove(NAME)
        names.remove(NAME)


# What stands in the place of an operation that has no stride is tried with the pooling too.
@pytest.fixture(
    params=["macro", "micro", pytest.param("micro with the identity", marks=pytest.mark.slow)], scope="module"
)
def case(request, registered):
    if request.param == "macro":
        return macro_case("own", num_layers=3, ops=("conv_3x3", NAME))
    other = "identity" if "identity" in request.param else "max_pool_3x3"
    return micro_case("own", blocks=1, ops=(other, NAME))


def proposals(case):
    """Return tokens that use the operation in every place, and random ones."""
    everywhere = case.space.random_tokens(1, np.random.default_rng(4))[0]
    for name, place in case.space.places.items():
        if "/op" in name:
            everywhere[place.start] = 1
    return [everywhere, *case.space.random_tokens(2, np.random.default_rng(6))]


def test_supernet_equals_child(case):
    supernet, differentiate = build_moved(case)
    for tokens in proposals(case):
        assert_supernet_equals_child(case, supernet, differentiate, tokens)


def test_children_cost_what_is_counted(case):
    for tokens in proposals(case):
        assert_child_costs_what_is_counted(case, case.space.decode(tokens))


def test_arcs_are_read_back_and_pictures_name_it(case):
    for tokens in proposals(case):
        architecture = case.space.decode(tokens)
        assert read_architecture(architecture.to_arc(), case.space.name) == architecture
        assert (NAME in to_svg(draw(architecture))) == (NAME in str(architecture))
        space = architecture.space()
        assert space.decode(space.encode(architecture)) == architecture


def test_arcs_name_it_and_refuse_a_number_for_it():
    arc = f"{NAME} 0 1"
    assert is_arc(arc)
    assert read_architecture(arc, "macro").to_arc() == arc
    with pytest.raises(InputError, match=rf'tokens\[1\] = 6 is not valid for "layer_2/op".*, {NAME}\.$'):
        read_architecture("0 6 0", "macro")
    with pytest.raises(InputError, match=r'tokens\[3\] = 14 is not valid for "normal/block_1/op_2"'):
        read_architecture("0 1 0 14 0 1 0 1", "micro")
    with pytest.raises(InputError, match=rf'tokens\[2\] = {NAME} is not valid for "layer_2/skip_0": expected 0 or 1'):
        read_architecture(f"0 0 {NAME}", "macro")


def test_arcs_do_not_depend_on_the_order_of_registrations():
    """A second operation before it changes no arc and no meaning of one."""
    architecture = read_architecture(f"layers: 0 {NAME} 1", "macro")
    names = vocabulary.LAYER_OPS
    names.remove(NAME)
    names.add("another")
    names.add(NAME)
    try:
        assert names.own == ("another", NAME)
        assert architecture.to_arc() == f"layers: 0 {NAME} 1"
        assert read_architecture(architecture.to_arc(), "macro") == architecture
    finally:
        names.remove("another")


def test_published_arcs_keep_their_meaning():
    published = read_architecture("enas_micro")
    assert {op for cell in published.cells.values() for block in cell.blocks for op in block.ops} == {
        "sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity",
    }  # fmt: skip
