"""The search for a classifier of images, and the search for a language model."""

from collections.abc import Iterable
from typing import Any, Self

from enas_tf.api.images import GivenImages, image_arrays
from enas_tf.api.search import Search
from enas_tf.api.texts import GivenTexts, given_texts
from enas_tf.errors import InputError
from enas_tf.experiments.export_stage import write_sample


class ImageSearch(Search):
    """A search for a network that classifies images.

    The data are those of the option `dataset` ("digits", "folder:PATH", "npz:PATH", "tfds:NAME"), or what `search` is
    given. The arguments are those of `Search`:
    """

    __doc__ += Search.__doc__.partition("\n\n")[2]  # type: ignore[operator, union-attr]
    task, space, other = "classification", "macro", "TextSearch"

    def use(
        self,
        x: Any,
        y: Any = None,
        *,
        validation_data: Any = None,
        test_data: Any = None,
        class_names: Iterable[str] | None = None,
    ) -> Self:
        """Take images in the place of those that the option `dataset` names.

        A search keeps them in the file data.npz of the workdir, so that whatever follows finds them.

        Args:
          x: training images: uint8, uint16 or floats in 0..1, [n, h, w] or [n, h, w, c]; or a `tf.data.Dataset` of
            images and labels.
          y: labels: whole numbers from 0 on, or texts.
          validation_data: a pair (x, y) or a data set; split off the training images if not given.
          test_data: a pair (x, y) or a data set; a tenth is split off the training images if not given.
          class_names: the names in the order of the classes' numbers.

        Raises:
          InputError: the data are not of this kind.
        """
        arrays = image_arrays(x, y, validation_data, test_data, class_names)
        return self._use(GivenImages(arrays, self.workdir))

    def search(
        self, x: Any = None, y: Any = None, *, overwrite: bool = False, callbacks: Iterable[Any] = (), **data: Any
    ) -> Self:
        """Search, and derive the best network; resume what an earlier call with the same options has begun.

        Args:
          x: training images, as in `use`; None for those of the option `dataset`, or of `use`.
          y: their labels.
          overwrite: whether to start anew, and to remove what an earlier search has left in the workdir.
          callbacks: what hears of each epoch and each trial (`enas_tf.Callback`).
          data: further arguments of `use`: validation_data, test_data, class_names.

        Raises:
          InputError: the options or the data cannot be used, or the workdir holds another search.
        """
        if x is None and (y is not None or data):
            raise InputError("search() was given data without x: expected the training images, too.")
        with self._kept_unless_wrong():
            return (self if x is None else self.use(x, y, **data))._search(overwrite, callbacks)


class TextSearch(Search):
    """A search for the cell of a recurrent language model.

    The data are those of the option `dataset` ("pydoc", "text:PATH", "tfds:NAME"), or what `search` is given. The
    arguments are those of `Search`:
    """

    __doc__ += Search.__doc__.partition("\n\n")[2]  # type: ignore[operator, union-attr]
    task, space, other = "language_modelling", "recurrent", "ImageSearch"

    def use(self, text: Any, *, validation_data: Any = None, test_data: Any = None) -> Self:
        """Take a text in the place of the one that the option `dataset` names.

        A search keeps it in the directory data of the workdir, so that whatever follows finds it.

        Args:
          text: the training part, one string or a list of lines.
          validation_data: likewise; the last tenth of the training part if not given.
          test_data: likewise.

        Raises:
          InputError: a part is no text, or is empty.
        """
        return self._use(GivenTexts(given_texts(text, validation_data, test_data), self.workdir))

    def search(self, text: Any = None, *, overwrite: bool = False, callbacks: Iterable[Any] = (), **data: Any) -> Self:
        """Search, and derive the best cell; resume what an earlier call with the same options has begun.

        Args:
          text: the training part, as in `use`; None for that of the option `dataset`, or of `use`.
          overwrite: whether to start anew, and to remove what an earlier search has left in the workdir.
          callbacks: what hears of each epoch and each trial (`enas_tf.Callback`).
          data: further arguments of `use`: validation_data, test_data.

        Raises:
          InputError: the options or the data cannot be used, or the workdir holds another search.
        """
        if text is None and data:
            raise InputError("search() was given data without a text: expected the training part, too.")
        with self._kept_unless_wrong():
            return (self if text is None else self.use(text, **data))._search(overwrite, callbacks)

    def sample(self, prompt: str = "", num: int = 50, temperature: float = 1.0) -> str:
        """Return `prompt` and the `num` tokens that the retrained language model adds to it.

        Args:
          prompt: what the text begins with; the beginning of a line if empty.
          num: the number of tokens.
          temperature: below 1 the text keeps closer to what is probable.
        """
        with self._run(self._options_of_child({})) as run:
            return write_sample(run, prompt, num, temperature)
