"""Text that a program holds as strings or lines."""

from collections.abc import Iterable
from pathlib import Path

from enas_tf.data.splits import cut_end
from enas_tf.data.text import TEXT, TextData, Texts
from enas_tf.data.text_encoding import decode_text
from enas_tf.data.text_sources import TEXT_SOURCE, encode
from enas_tf.errors import InputError
from enas_tf.experiments.config import RunOptions
from enas_tf.runtime.files import write_text

_PARTS = ("train", "valid", "test")


class GivenTexts:
    """Strings in the place of the option `dataset` (`experiments.run.GivenData`).

    Args:
      texts: the three parts.
      workdir: a run's directory. They are kept in its directory data, which the option `dataset` can name.
    """

    def __init__(self, texts: Texts, workdir: Path):
        self._texts, self._place, self._is_kept = texts, workdir.absolute() / "data", False

    def at(self, workdir: Path) -> "GivenTexts":
        """Return the same text, kept in another directory."""
        return GivenTexts(self._texts, workdir)

    @property
    def dataset(self) -> str:
        """The value of the option `dataset` that names the same text."""
        return f"text:{self._place}"

    def load(self, options: RunOptions) -> TextData:
        source = options[TEXT_SOURCE]
        return encode(self._texts, source.dataset, options[TEXT], source.limit_train)

    def keep(self, is_new: bool) -> None:
        paths = {part: self._place / f"{part}.txt" for part in _PARTS}
        if self._is_kept or (all(path.exists() for path in paths.values()) and not is_new):
            return
        self._place.mkdir(parents=True, exist_ok=True)
        for part, path in paths.items():
            write_text(path, getattr(self._texts, part))
        self._is_kept = True


def given_texts(
    train: str | Iterable[str],
    validation_data: str | Iterable[str] | None = None,
    test_data: str | Iterable[str] | None = None,
) -> Texts:
    """Return the text that a caller has given; a part that is missing is the last tenth of the training part.

    Args:
      train: one string, or lines.
      validation_data: likewise.
      test_data: likewise.

    Raises:
      InputError: a part is neither, or is empty.
    """
    parts = {"train": train, "valid": validation_data, "test": test_data}
    found = {part: _join(part, text) for part, text in parts.items() if text is not None}
    for part in ("test", "valid"):
        if part not in found:
            found["train"], found[part] = cut_end(found["train"])
    # As a file would be read: with the same errors.
    train, valid, test = (decode_text(found[part].encode(), f"the {part} part") for part in _PARTS)
    return Texts(train, valid, test)


def _join(part: str, text: str | Iterable[str]) -> str:
    if isinstance(text, str):
        return text
    lines = list(text) if isinstance(text, Iterable) and not isinstance(text, bytes) else [None]
    if not all(isinstance(line, str) for line in lines):
        raise InputError(f"the {part} part is no text: expected one string, or a list of lines.")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)  # type: ignore[union-attr]
