"""`--help` shows every flag once, under the stage and the component that it belongs to."""

import re

import pytest

from enas_tf.experiments.config import every_option

#: Where the output is no terminal.
WIDTH = 100


@pytest.fixture
def sections(launch):
    """Return heading -> text of the section."""
    outcome = launch("search", "--help")
    assert (outcome.code, outcome.err) == (0, "")
    parts = re.split(r"\n\n(.*):\n", outcome.out)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_option_is_there_once(sections):
    text = "\n".join(sections.values())
    found = re.findall(r"^  --(?:\[no\])?(\w+)[:=]", text, re.MULTILINE)
    assert sorted(found) == sorted([*every_option(), "dry_run", "import", "overwrite", "then", "workdir"])


def test_lines_are_wrapped(sections):
    """But for lists of names, which can be copied as they are."""
    lines = "\n".join(sections.values()).splitlines()
    assert [line for line in lines if len(line) > WIDTH and " " in line.strip()] == []


@pytest.mark.parametrize(
    ("flag", "heading"),
    [
        ("--num_layers=N", "Search, space macro (a whole convolutional network, layer by layer)"),
        ("--cell_blocks=N", "Search, space micro"),
        ("--channels=N", "Search, networks of the space macro and micro"),
        ("--retrain_channels=N", "Retraining, networks of the space macro and micro"),
        ("--entropy_weight=X", "Search, searcher reinforce"),
        ("--space=macro|micro|recurrent", "Search"),
        ("--[no]overwrite", "This command"),
        ("--derive_samples=N", "Derive"),
        ("--retrain_epochs=N", "Retraining"),
        ("--seed=N", "Every stage"),
        ("--[no]random_bptt", "Search, task language_modelling"),
        ("--cell_ops=A,B", "Search, space micro"),
    ],
)
def test_a_flag_stands_where_it_belongs(sections, flag, heading):
    (found,) = [name for name, text in sections.items() if f"\n  {flag}: " in f"\n{text}"]
    assert found == heading or found.startswith(f"{heading} (")


def test_help_says_the_defaults_of_spaces(sections):
    assert "[default: 310; 150 with the space micro;" in " ".join(sections["Search"].split())


def test_choices_are_shown_once(sections):
    """Absl puts them before the words of a flag."""
    assert "<macro|" not in sections["Search"]
