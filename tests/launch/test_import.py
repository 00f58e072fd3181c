"""`--import` of several files: what each of them registers can be chosen."""

import pytest

from enas_tf import registry
from enas_tf.search.searchers.searcher import SEARCHERS

FILE = """
from enas_tf.search.searchers.random import RandomSearcher
from enas_tf.search.searchers.searcher import SEARCHERS

SEARCHERS.register("{name}")(type("{name}", (RandomSearcher,), {{}}))
"""
NAMES = ("first", "second")


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Files that register a searcher each; one has a comma in its name."""
    monkeypatch.setattr(registry, "_imported", [])
    names = ["first.py", "with,comma.py"]
    for searcher, name in zip(NAMES, names, strict=True):
        (tmp_path / name).write_text(FILE.format(name=searcher))
    yield names
    for name in NAMES:
        if name in SEARCHERS:
            SEARCHERS.remove(name)


@pytest.mark.parametrize("searcher", NAMES)
@pytest.mark.parametrize("form", ["apart", "in a flagfile"])
def test_each_has_a_flag_of_its_own(files, launch, tmp_path, form, searcher):
    given = [f"--import={name}" for name in files]
    if form == "in a flagfile":
        (tmp_path / "mine.flags").write_text("\n".join(given))
        given = ["--flagfile=mine.flags"]
    outcome = launch("search", *given, f"--searcher={searcher}", "--workdir=run", "--batch_size=0")
    assert outcome.err.startswith("--batch_size=0 is not valid"), outcome.err


@pytest.mark.parametrize("comma", [",", ", "])
def test_they_are_separated_by_commas(files, launch, tmp_path, comma):
    (tmp_path / "second.py").write_text((tmp_path / files[1]).read_text())
    arguments = [f"--import=first.py{comma}second.py", "--workdir=run", "--batch_size=0"]
    outcome = launch("search", *arguments, "--searcher=second")
    assert outcome.err.startswith("--batch_size=0 is not valid"), outcome.err
    assert registry.imported() == (str(tmp_path / "first.py"), str(tmp_path / "second.py"))


def test_the_one_that_is_missing_is_named(files, launch):
    outcome = launch("search", "--import=first.py,secnd.py", "--workdir=run")
    assert outcome.code == 2
    assert "the file 'secnd.py' to import is not there" in outcome.err
