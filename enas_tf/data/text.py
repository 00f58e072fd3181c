"""Text as token ids: the vocabulary of a language model, and the three streams of tokens that it reads."""

import collections
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from enas_tf.errors import InputError
from enas_tf.options import Group, option, require

# The special entries of a vocabulary, spelled as in the files of the Penn Treebank and WikiText.
UNKNOWN = "<unk>"
END_OF_LINE = "<eos>"
# Tokens -> the special entries, which always come first and in this order.
SPECIAL = {"word": (UNKNOWN, END_OF_LINE), "char": (UNKNOWN,)}
# One past the last code point of Unicode.
_NUM_CODE_POINTS = 0x110000


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """The tokens of a text. The vocabulary of the Penn Treebank, as language models use it, has 10,000 entries."""

    tokens: str = option("word", "units that a text is split into", ("word", "char"))
    vocab_size: int = option(10_000, "largest number of entries of the vocabulary, including <unk> and <eos>")

    def __post_init__(self):
        require(self.tokens in SPECIAL, "tokens", self.tokens, f"one of {', '.join(SPECIAL)}")
        require(self.vocab_size >= 2, "vocab_size", self.vocab_size, "a number of entries, 2 or more")


TEXT = Group(TextConfig())


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens that a model knows, an immutable value. The index of an entry is its token id.

    A word is what stands between blanks. Every line of words, also an empty one, ends with the entry `<eos>`, as in the
    Penn Treebank and WikiText. A char is one character, and a newline character ends a line.

    Raises:
        InputError: `tokens` is unknown, an entry occurs twice, an entry for chars is not a single character, or a
            special entry is missing.
    """

    entries: tuple[str, ...]
    tokens: str = "word"

    def __post_init__(self):
        require(self.tokens in SPECIAL, "tokens", self.tokens, f"one of {', '.join(SPECIAL)}")
        special = SPECIAL[self.tokens]
        is_complete = set(special) <= set(self.entries) and len(set(self.entries)) == len(self.entries)
        is_single = self.tokens == "word" or all(len(entry) == 1 for entry in self.entries if entry not in special)
        if not is_complete or not is_single:
            kind = "different words" if self.tokens == "word" else "different single characters"
            raise InputError(
                f"A vocabulary of {len(self.entries)} entries ({', '.join(map(repr, self.entries[:5]))}, ...) is not "
                f"valid: expected {kind} and {' and '.join(special)}, each once. Make one with build_vocabulary."
            )

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def unknown(self) -> int:
        """The id of all tokens that are not entries."""
        return self._ids[UNKNOWN]

    @property
    def end_of_line(self) -> int | None:
        """The id of the token that ends a line; None if the tokens are characters and no entry is a newline."""
        return self._ids.get(END_OF_LINE if self.tokens == "word" else "\n")

    def encode(self, text: str) -> np.ndarray:
        """Return the token ids of `text`, int32 [tokens]."""
        if self.tokens == "char":
            return self._ids_of_code_points[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")]
        unknown = self.unknown
        return np.fromiter((self._ids.get(word, unknown) for word in split_tokens(text, "word")), np.int32)

    def decode(self, ids: np.ndarray) -> str:
        """Return the text of `ids` (integers [tokens]): words joined by blanks, lines by newlines, characters directly.

        Raises:
            IndexError: an id is not in 0..len(self) - 1.
        """
        ids = np.asarray(ids)
        if ids.size and not 0 <= ids.min() <= ids.max() < len(self):
            raise IndexError(f"token ids {ids.min()}..{ids.max()} are not all in 0..{len(self) - 1}")
        tokens = [self.entries[index] for index in ids.tolist()]
        if self.tokens == "char":
            return "".join(tokens)
        return re.sub(" ?\n ?", "\n", " ".join("\n" if token == END_OF_LINE else token for token in tokens))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {entry: index for index, entry in enumerate(self.entries)}

    @cached_property
    def _ids_of_code_points(self) -> np.ndarray:
        """Token id of each code point, int32 [code points]: one array look-up is faster than a string per character."""
        ids = np.full(_NUM_CODE_POINTS, self.unknown, np.int32)
        characters = {entry: index for entry, index in self._ids.items() if entry != UNKNOWN}
        ids[[ord(character) for character in characters]] = list(characters.values())
        return ids


@dataclasses.dataclass(frozen=True)
class Texts:
    """The parts of a text before it is split into tokens: one string each, with the lines that a model predicts.

    `notes` are sentences about what was found, converted or skipped; `num_skipped` files were not read.
    """

    train: str
    valid: str
    test: str
    notes: tuple[str, ...] = ()
    num_skipped: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class TextData:
    """A text for training: three streams of token ids, each int32 [tokens] and in the order of the text.

    `notes` are sentences about what was found, converted or skipped; `num_skipped` files were not read.
    """

    name: str
    vocabulary: Vocabulary
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()
    num_skipped: int = 0

    def __post_init__(self):
        for part, ids in self.parts().items():
            if ids.dtype != np.int32 or ids.ndim != 1:
                raise TypeError(f"{part} must be int32 [tokens], not {ids.dtype} {list(ids.shape)}")

    def parts(self) -> dict[str, np.ndarray]:
        """Return name in messages -> stream, the training part first."""
        return {"training": self.train, "validation": self.valid, "test": self.test}

    @property
    def vocab_size(self) -> int:
        """The number of entries of the vocabulary."""
        return len(self.vocabulary)

    @property
    def num_tokens(self) -> dict[str, int]:
        """The number of tokens of each part, including `<eos>` and `<unk>`."""
        return {part: len(ids) for part, ids in self.parts().items()}


def split_tokens(text: str, tokens: str) -> Iterator[str]:
    """Return the tokens of `text` in order: its characters, or its words with `<eos>` after each line."""
    if tokens == "char":
        return iter(text)
    # str.splitlines would end lines at form feeds and other separators too.
    lines = text.removesuffix("\n").split("\n") if text else []
    return itertools.chain.from_iterable([*line.split(), END_OF_LINE] for line in lines)


def build_vocabulary(tokens: Iterable[str], config: TextConfig) -> Vocabulary:
    """Return a vocabulary of the special entries and the most frequent `tokens`, at most `config.vocab_size` in all.

    Equally frequent tokens are sorted by their first occurrence, so the same text gives the same vocabulary.
    """
    special = SPECIAL[config.tokens]
    counts = collections.Counter(tokens)
    for entry in special:
        counts.pop(entry, None)
    common = counts.most_common(config.vocab_size - len(special))
    return Vocabulary((*special, *(token for token, _ in common)), config.tokens)
