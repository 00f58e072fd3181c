"""Batches that are larger than the data: what nobody insists on is lowered, and one message is about all else."""

import re

import pytest

from enas_tf.errors import InputError
from enas_tf.experiments.config import read_options
from enas_tf.experiments.fitting import check_limits, lower, lowered_in_words
from enas_tf.tasks.task import Limit


def limits(search=54, retrain=486):
    return [
        Limit(
            "batch_size",
            search,
            f"the training part has {retrain} images and the validation part {search}",
            "more images",
            "children_per_step",
        ),
        Limit("retrain_batch_size", retrain, f"the training part has {retrain} images", "more images"),
    ]


class TestLower:
    @pytest.mark.parametrize(
        ("asked", "children", "most", "expected"),
        [
            (128, 1, 128, 128),
            (128, 1, 1000, 128),
            (128, 1, 127, 120),  # multiples of 8, which 2, 4 and 8 devices share
            (128, 1, 54, 48),
            (128, 1, 8, 8),
            (128, 1, 7, 7),
            (128, 1, 1, 1),
            (128, 2, 54, 48),
            (120, 3, 54, 48),
            (120, 5, 54, 40),
            (120, 30, 54, 30),  # no multiple of 8 is left
        ],
    )
    def test_it_is_the_most_that_fits(self, asked, children, most, expected):
        options = read_options({"batch_size": asked, "children_per_step": children}, insisted=())
        values = lower(options, limits(most)).option_values()
        assert values["batch_size"] == expected
        assert values["batch_size"] % children == 0
        assert values == options.option_values() | {"batch_size": expected}, "all else stays"

    def test_every_stage_has_its_own(self):
        options = read_options({})
        values = lower(options, limits(54, 60)).option_values()
        assert (values["batch_size"], values["retrain_batch_size"]) == (48, 56)
        assert lower(options, limits(54, 60)) == lower(options, limits(54, 60))

    def test_what_somebody_insists_on_stays(self):
        options = read_options({"batch_size": 128, "retrain_batch_size": 100}, insisted=["batch_size"])
        values = lower(options, limits(54, 60)).option_values()
        assert (values["batch_size"], values["retrain_batch_size"]) == (128, 56)
        given = read_options({"batch_size": 128})
        assert lower(given, limits()) == given, "what Python code says is meant"

    def test_nothing_is_lowered_to_nothing(self):
        options = read_options({"batch_size": 128, "children_per_step": 64}, insisted=())
        assert lower(options, limits(54)) == options
        assert lower(options, limits(0)) == options

    def test_other_spaces_and_limits_of_other_options_pass(self):
        options = read_options({"space": "recurrent"})
        assert lower(options, []) == options
        assert lower(options, [Limit("children_per_step", 0, "", "")]) == options

    def test_it_says_what_was_lowered_and_why(self):
        options, found = read_options({}), limits(54, 60)
        lowered = lower(options, found)
        assert str(InputError(lowered_in_words(options, lowered, found, "search"))) == (
            "batch_size from 128 to 48, since the training part has 60 images and the validation part 54"
        )
        assert str(InputError(lowered_in_words(options, lowered, found, "retrain"))) == (
            "retrain_batch_size from 100 to 56, since the training part has 60 images"
        )
        assert not lowered_in_words(options, lower(options, limits(500)), limits(500), "search")


BOTH = ("search", "retrain")


class TestRefusal:
    def test_what_fits_passes(self):
        check_limits(read_options({"batch_size": 54, "retrain_batch_size": 486}), limits(), BOTH, 1)

    def test_one_message_names_all_with_values_that_work(self):
        options = read_options({"batch_size": 600, "retrain_batch_size": 500})
        with pytest.raises(InputError) as caught:
            check_limits(options, limits(), BOTH, 1)
        assert str(caught.value) == (
            "batch_size=600 and retrain_batch_size=500 are too large for the data: the training part has 486 images "
            "and the validation part 54. Use batch_size=54 or less and retrain_batch_size=486 or less, or more images."
        )
        check_limits(read_options({"batch_size": 54, "retrain_batch_size": 486}), limits(), BOTH, 1)

    def test_several_are_listed(self):
        options = read_options({"batch_size": 120, "children_per_step": 60, "retrain_batch_size": 500})
        with pytest.raises(InputError) as caught:
            check_limits(options, limits(), BOTH, 1)
        assert str(caught.value).startswith("batch_size=120, retrain_batch_size=500 and children_per_step=60 are too")
        assert "Use children_per_step=54 with batch_size=54 and retrain_batch_size=486 or less, or" in str(caught.value)

    def test_only_what_a_stage_reads_counts(self):
        options = read_options({"batch_size": 600, "retrain_batch_size": 500})
        for stage, name in (("search", "batch_size"), ("retrain", "retrain_batch_size")):
            with pytest.raises(InputError, match=f"^{name}=[56]00 is too large for the data") as caught:
                check_limits(options, limits(), [stage], 1)
            assert str(caught.value).count("_size=") == 2

    @pytest.mark.parametrize(("children", "replicas"), [(1, 2), (4, 1), (4, 2), (3, 2), (5, 3), (64, 1), (70, 2)])
    def test_the_values_work_for_children_and_devices(self, children, replicas):
        options = read_options({"batch_size": 64 * children, "children_per_step": children})
        with pytest.raises(InputError) as caught:
            check_limits(options, limits(), BOTH, replicas)
        problem, cure = str(caught.value).split(" Use ")
        assert (f"children_per_step={children}" in problem) == (children > 54)
        named = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", cure)}
        batch, children = named["batch_size"], named.get("children_per_step", children)
        assert batch <= 54
        assert batch % children == 0
        assert batch % replicas == 0

    def test_data_that_no_value_fits(self):
        with pytest.raises(InputError, match=r"validation part 1\. Use fewer devices, or more images\.$"):
            check_limits(read_options({"batch_size": 2}), limits(1), BOTH, 2)
