"""Loading of the text that `dataset` names: the table of text sources, and the steps that all of them share."""

import collections
import dataclasses
import difflib
import itertools
import os
import re
from typing import Any

import tensorflow as tf

from enas_tf.data.paths import describe_path, shorten, show_given
from enas_tf.data.splits import SHARE, cut_end
from enas_tf.data.text import UNKNOWN, TextConfig, TextData, Texts, build_vocabulary, split_tokens
from enas_tf.data.text_encoding import decode_text, filled
from enas_tf.data.text_files import load_directory
from enas_tf.data.tfds import download, find, first_line, quiet, unread_splits
from enas_tf.errors import InputError, count_of, ref
from enas_tf.options import Group, option, require

# No language has words of so many characters on average: such a text is not cut by blanks.
_LONG = 100
# The kinds of `dataset` that hold images only.
_IMAGE_KINDS = ("digits", "folder", "npz")
# The underline of a heading or the border of a table.
_RULE = re.compile(r"^[ \-=+*~^]{3,}$\n?", re.MULTILINE)
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


@dataclasses.dataclass(frozen=True)
class TextSourceConfig:
    """The text of a run."""

    dataset: str = option("pydoc", "text: pydoc | text:PATH | tfds:NAME; PATH is a file, or a directory of three")
    data_dir: str | None = option(None, "directory of TensorFlow Datasets; its own default if not given", decides=False)
    limit_train: int | None = option(
        None, "number of tokens of the training part to keep, the first ones; all if not given"
    )

    def __post_init__(self):
        is_limit = self.limit_train is None or self.limit_train >= 1
        require(is_limit, "limit_train", self.limit_train, "a number of tokens, 1 or more")


TEXT_SOURCE = Group(TextSourceConfig())


def load_text(dataset: str, data_dir: str | None, config: TextConfig, limit_train: int | None = None) -> TextData:
    """Read the text `dataset` into memory. The same arguments give the same tokens and the same vocabulary.

    Args:
        dataset: pydoc, text:PATH or tfds:NAME.
        data_dir: directory of TensorFlow Datasets; None is its own default. The other kinds do not read it.
        config: the units of the text and the size of the vocabulary, which is built from the training tokens kept.
        limit_train: number of tokens of the training part to keep, the first ones; None or 0 keeps all.

    Raises:
        InputError: the data set is unknown, cannot be read, has an empty part or is not text in UTF-8.
    """
    require(limit_train is None or limit_train >= 0, "limit_train", limit_train, "a number of tokens, or 0 for all")
    kind, _, location = dataset.partition(":")
    if kind not in LOADERS:
        raise InputError(_describe_unknown(dataset, kind))
    if kind != "pydoc" and not location:
        expected = f"expected {KINDS[kind]}. Write what follows the colon"
        raise InputError(f"{ref('dataset')}={shorten(dataset)} is not complete: {expected}.")
    # Shells leave ~ as it is behind a colon.
    texts = LOADERS[kind](os.path.expanduser(location), data_dir, config.tokens)
    return encode(texts, dataset, config, limit_train)


def encode(texts: Texts, name: str, config: TextConfig, limit_train: int | None = None) -> TextData:
    """Return the parts of a text as tokens.

    Args:
        texts: the parts.
        name: what the data set is called.
        config: the units of the text and the size of the vocabulary, which is built from the training tokens kept.
        limit_train: number of tokens of the training part to keep, the first ones; None or 0 keeps all.
    """
    limit = limit_train or None
    vocabulary = build_vocabulary(itertools.islice(split_tokens(texts.train, config.tokens), limit), config)
    train, valid, test = (vocabulary.encode(text) for text in (texts.train, texts.valid, texts.test))
    if config.tokens == "word" and len(texts.train) > _LONG * max(len(train), 1):
        raise InputError(
            f"the training part of {name} has {len(texts.train):,} characters and {count_of(len(train), 'word')}: "
            f"words are cut at blanks, and expected were some of the usual length. Use {ref('tokens')}=char."
        )
    return TextData(name, vocabulary, train[:limit], valid, test, texts.notes, texts.num_skipped)


def _describe_unknown(dataset: str, kind: str) -> str:
    """Return the message about a `dataset` that is no text."""
    option, expected = f"{ref('dataset')}={show_given(dataset)}", f"expected {', '.join(KINDS.values())}"
    if kind in _IMAGE_KINDS:
        return f"{option} holds images, but the recurrent space needs text: {expected}. Use one of them."
    if describe_path(os.path.expanduser(dataset)) == "a directory":
        return f"{option} is not a text: {expected}. To read that directory, write text:{show_given(dataset)}."
    close, shown = difflib.get_close_matches(shorten(kind), LOADERS, n=1, cutoff=0.75), shorten(dataset)
    hint = f"If it is a set of TensorFlow Datasets, write tfds:{shown}; if it is a directory, text:{shown}."
    return f"{option} is not a text: {expected}. {f'Did you mean {KINDS[close[0]]}?' if close else hint}"


def load_pydoc(location: str, data_dir: str | None, tokens: str) -> Texts:
    """Return the help topics of the running Python (`pydoc_data.topics`): English about the language, with examples.

    Topics quote each other, so a paragraph is kept only where it occurs first in the sorted topics; otherwise the test
    part would repeat paragraphs of the training part. Underlines of headings and borders of tables are left out. Whole
    topics are then assigned to the parts, close to 80, 10 and 10 % of the characters, each part in the order of topics.

    For words, a line is a paragraph, words are lower-cased, and each character of punctuation is a word. A word that
    the training part holds once is `<unk>`, as in the published corpora, so that a model learns that token. For
    characters, the paragraphs stay as they are, with an empty line after each.

    The text differs between versions of Python. In 3.11 the parts have 65,042, 7,999 and 8,008 words, and the
    vocabulary has 2,082 entries; or 286,581, 35,765 and 35,774 characters, and the vocabulary has 103.

    Raises:
        InputError: a `location` is given, as in `pydoc:somewhere`.
    """
    if location:
        raise InputError(
            f"{ref('dataset')}=pydoc:{shorten(location)} is not valid: expected pydoc alone, with no place after it."
        )
    from pydoc_data.topics import topics  # Half a megabyte that the other sources do not need.

    parts = _share_out(_first_paragraphs(topics))
    if tokens == "char":
        return Texts(**{part: "".join(f"{text}\n\n" for text in found) for part, found in parts.items()})
    lines = {part: [_WORD.findall(text.lower()) for text in found] for part, found in parts.items()}
    counts = collections.Counter(itertools.chain.from_iterable(lines["train"]))
    known = {part: ([word if counts[word] > 1 else UNKNOWN for word in line] for line in lines[part]) for part in lines}
    return Texts(**{part: "".join(" ".join(line) + "\n" for line in found) for part, found in known.items()})


def _first_paragraphs(topics: dict[str, str]) -> dict[str, list[str]]:
    """Return sorted topic -> its paragraphs without those of earlier topics; blanks do not make a difference."""
    seen, found = set(), {}
    for name in sorted(topics):
        paragraphs = re.split(r"\n\s*\n", _RULE.sub("", topics[name]))
        new = {" ".join(text.split()): text.strip("\n") for text in paragraphs if text.strip()}
        found[name] = [text for key, text in new.items() if key not in seen]
        seen.update(new)
    return found


def _share_out(topics: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return part -> its paragraphs. Each topic, the longest first, goes to the part that it leaves least full."""
    shares = {"train": 1 - 2 * SHARE, "valid": SHARE, "test": SHARE}
    sizes, part_of = dict.fromkeys(shares, 0), {}
    lengths = {name: sum(map(len, paragraphs)) for name, paragraphs in topics.items()}
    for name in sorted(topics, key=lambda name: (-lengths[name], name)):
        part_of[name] = min(shares, key=lambda part: (sizes[part] + lengths[name]) / shares[part])
        sizes[part_of[name]] += lengths[name]
    return {part: [text for name in topics if part_of[name] == part for text in topics[name]] for part in shares}


def load_tfds_text(location: str, data_dir: str | None, tokens: str) -> Texts:
    """Read the data set `location` of TensorFlow Datasets: its examples in the order of the files, a line each.

    The text is the feature called text, or the only feature that is a string. A validation or test part that the
    official splits lack is the last tenth of the training part, a whole number of lines.

    Raises:
        InputError: the data set is unknown, is neither on disk nor can be downloaded, has not one text, or has no
            train split.
    """
    import tensorflow_datasets as tfds  # Slow to import, and not needed by the other sources.

    with quiet():
        builder = find(tfds, location, data_dir)
        feature = _text_feature(tfds, builder, location)
        if not builder.is_prepared():
            download(builder)
        if "train" not in builder.info.splits:
            cure = "expected one. Choose another data set"
            raise InputError(f"{ref('dataset')}=tfds:{shorten(location)} has no train split: {cure}.")
        names = ("train", "validation", "test")
        found = {name: _read_split(tfds, builder, name, feature) for name in names if name in builder.info.splits}
    notes = unread_splits(builder, found)
    for name in ("test", "validation"):
        if name not in found:
            found["train"], found[name] = cut_end(found["train"])
            notes += (f"The {name} part is the last tenth of the training part, since there is none.",)
    return Texts(*(filled(found[name], f"The {name} part of tfds:{shorten(location)}") for name in names), notes)


def _text_feature(tfds: Any, builder: Any, name: str) -> str:
    """Return the name of the feature that is the text; raise `InputError` if there is not exactly one."""
    features = builder.info.features
    strings = sorted(key for key, value in features.items() if value.shape == () and value.tf_dtype == tf.string)
    chosen = ["text"] if "text" in strings else strings
    # Data sets of images often have one string too, the name of the file.
    if len(chosen) == 1 and not any(isinstance(value, tfds.features.Image) for value in features.values()):
        return chosen[0]
    raise InputError(
        f"{ref('dataset')}=tfds:{shorten(name)} is no text: expected one feature that is a string, or one called text, "
        f"and no images; it has {', '.join(sorted(features))}. Choose a data set for language models."
    )


def _read_split(tfds: Any, builder: Any, name: str, feature: str) -> str:
    """Read one official split with a newline after each example, one file at a time, so that the order stays."""
    config = tfds.ReadConfig(interleave_cycle_length=1)
    where = f"The {name} split of {builder.info.full_name} at {builder.data_dir}"
    try:
        examples = builder.as_dataset(split=name, read_config=config).map(lambda example: example[feature])
        content = b"".join(text.removesuffix(b"\n") + b"\n" for text in examples.as_numpy_iterator())
    except (tf.errors.OpError, NotImplementedError) as error:
        reason = f"cannot be read ({first_line(error)}). Remove that directory and prepare the data set again."
        raise InputError(f"{where} {reason}") from None
    return decode_text(content, where)


# Kind of `dataset` -> loader(location, data_dir, tokens) -> Texts; and kind -> how the option is written.
LOADERS = {"pydoc": load_pydoc, "text": load_directory, "tfds": load_tfds_text}
KINDS = {"pydoc": "pydoc", "text": "text:PATH", "tfds": "tfds:NAME"}
