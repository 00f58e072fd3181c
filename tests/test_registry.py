"""Components register once, next to themselves; names are looked up, and the user's files do the same."""

import pytest

from enas_tf import registry
from enas_tf.errors import InputError, ref, render
from enas_tf.registry import Registry


@pytest.fixture
def kinds():
    """A registry that no other test sees."""
    found = Registry("thing")
    yield found
    Registry.every.remove(found)


def test_what_is_registered_is_found_in_order(kinds):
    kinds.register("b", help="second letter")(1)
    kinds.register("a", defaults={"x": 2})(2)
    assert list(kinds) == ["b", "a"]
    assert (kinds["b"], kinds.entry("b").help, kinds.entry("a").defaults) == (1, "second letter", {"x": 2})
    assert "a" in kinds
    assert "c" not in kinds


def test_a_name_that_nobody_registered_is_refused_with_a_guess(kinds):
    kinds.register("random")(object)
    with pytest.raises(InputError, match=r"no thing 'randum': expected one of random\. Did you mean random\?"):
        kinds["randum"]


def test_a_name_is_taken_once(kinds):
    kinds.register("a")(test_what_is_registered_is_found_in_order)
    kinds.register("a")(test_what_is_registered_is_found_in_order)
    with pytest.raises(InputError, match="thing 'a' is registered already"):
        kinds.register("a")(test_a_name_is_taken_once)
    kinds.register("b")(("conv", 3))
    kinds.register("b")(("conv", 3))
    with pytest.raises(InputError, match="thing 'b' is registered already"):
        kinds.register("b")(("conv", 7))


def test_a_users_file_is_run_once(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_imported", [])
    place = tmp_path / "mine.py"
    place.write_text(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n")
    registry.import_file(str(place))
    registry.import_file(str(place))
    assert (tmp_path / "runs").read_text() == "x"
    assert registry.imported() == (str(place),)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("missing.py", None, "is not there"),
        ("mine.txt", "1", "expected the path of a Python file"),
        ("mine.py", "\n1 / 0", "cannot be imported: line 2: ZeroDivisionError"),
        ("other.py", "def (", "cannot be imported: line 1: SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        registry.import_file(str(tmp_path / name))


def test_a_file_that_fails_registers_nothing(tmp_path, kinds):
    (tmp_path / "mine.py").write_text(
        "from enas_tf.registry import Registry\n"
        "next(kind for kind in Registry.every if kind.kind == 'thing').register('mine')(1)\n"
        "1 / 0\n"
    )
    with pytest.raises(InputError, match="line 3"):
        registry.import_file(str(tmp_path / "mine.py"))
    assert "mine" not in kinds


def test_every_face_writes_options_in_its_own_way():
    error = InputError(f"{ref('epochs')}=0 is not valid: expected a larger {ref('epochs')} or {ref('seed')}.")
    assert str(error) == "epochs=0 is not valid: expected a larger epochs or seed."
    assert error.render(lambda name: f"--{name}").startswith("--epochs=0 is")
    prefixed = error.with_prefix("retrain_", ["epochs"])
    assert str(prefixed) == "retrain_epochs=0 is not valid: expected a larger retrain_epochs or seed."
    assert render("no option here") == "no option here"
