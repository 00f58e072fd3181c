"""From the text of --dataset to token ids in memory: the registry of text sources, and what holds for all of them."""

import collections
import difflib
import itertools
import re
from pathlib import Path
from typing import Any

import tensorflow as tf

from enas_tf.data.text import UNKNOWN, TextConfig, TextData, Texts, build_vocabulary, decode_text, filled, split_tokens
from enas_tf.data.tfds import _download, _find, _first_line, _quiet
from enas_tf.errors import InputError

# A part that TFDS lacks is this share of the training part, as the parts of pydoc are of the whole.
_SHARE = 0.1
# The kinds of --dataset that hold images alone.
_IMAGE_KINDS = ("digits", "folder", "npz")
# The names that a part may have in a directory: plain, WikiText in words and raw, Penn Treebank.
_FILE_NAMES = ("{}.txt", "wiki.{}.tokens", "wiki.{}.raw", "ptb.{}.txt")
# A heading's underline or the border of a table, at the start of a line.
_RULE = re.compile(r"^[ \-=+*~^]{3,}$\n?", re.MULTILINE)
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def load_text(dataset: str, data_dir: str | None, config: TextConfig, limit_train: int | None = None) -> TextData:
    """Reads the text `dataset` into memory. The same arguments give the same tokens and the same vocabulary.

    Args:
        dataset: pydoc, text:PATH or tfds:NAME.
        data_dir: directory of TensorFlow Datasets, None being its own default; the other kinds do not read it.
        config: what a token is. The vocabulary is that of the training tokens that are kept.
        limit_train: how many tokens of the training part are kept, the first ones; None or 0 keeps all.

    Raises:
        InputError: the data set is unknown, cannot be read, has an empty part or is no text in UTF-8.
    """
    if limit_train is not None and limit_train < 0:
        raise InputError(f"--limit_train={limit_train} is not valid: expected a number of tokens, or 0 for all.")
    kind, _, location = dataset.partition(":")
    if kind not in LOADERS:
        raise InputError(_describe_unknown(dataset, kind))
    if kind != "pydoc" and not location:
        raise InputError(f"--dataset={dataset} is not complete: expected {KINDS[kind]}. Write what follows the colon.")
    texts, limit = LOADERS[kind](location, data_dir, config.tokens), limit_train or None
    vocabulary = build_vocabulary(itertools.islice(split_tokens(texts.train, config.tokens), limit), config)
    train, valid, test = (vocabulary.encode(text) for text in (texts.train, texts.valid, texts.test))
    return TextData(dataset, vocabulary, train[:limit], valid, test)


def _describe_unknown(dataset: str, kind: str) -> str:
    expected = f"expected {', '.join(KINDS.values())}"
    if kind in _IMAGE_KINDS:
        return f"--dataset={dataset} holds images, but the recurrent space needs text: {expected}. Use one of them."
    close = difflib.get_close_matches(kind, LOADERS, n=1, cutoff=0.75)
    hint = f"If it is a set of TensorFlow Datasets, write tfds:{dataset}; if it is a directory, text:{dataset}."
    return f"--dataset={dataset} is not a text: {expected}. {f'Did you mean {KINDS[close[0]]}?' if close else hint}"


def load_pydoc(location: str, data_dir: str | None, tokens: str) -> Texts:
    """The help topics of the Python that runs, `pydoc_data.topics`: English about the language, with its examples.

    Topics quote each other, so a paragraph is kept only where it comes first in the sorted topics: otherwise the test
    part would repeat what is trained on. Rules below headings and around tables are left out. Whole topics are then
    shared out, close to 80, 10 and 10 % of the characters, each part in the order of the topics.

    As words: a line is a paragraph, words are lower-cased, each character of punctuation is a word, and what the
    training part holds once is `<unk>`, as in the published corpora, so that a model meets that token. As characters:
    the paragraphs as they are, with an empty line after each.

    The text differs between versions of Python. The parts of 3.11 have 65,042, 7,999 and 8,008 words, the vocabulary
    2,082 entries; as characters they have 286,581, 35,765 and 35,774, the vocabulary 103.

    Raises:
        InputError: a `location` is given, as in `pydoc:somewhere`.
    """
    if location:
        raise InputError(f"--dataset=pydoc:{location} is not valid: expected pydoc alone, with no place after it.")
    from pydoc_data.topics import topics  # Half a megabyte that the other sources do not need.

    parts = _share_out(_first_paragraphs(topics))
    if tokens == "char":
        return Texts(**{part: "".join(f"{text}\n\n" for text in found) for part, found in parts.items()})
    lines = {part: [_WORD.findall(text.lower()) for text in found] for part, found in parts.items()}
    counts = collections.Counter(itertools.chain.from_iterable(lines["train"]))
    known = {part: ([word if counts[word] > 1 else UNKNOWN for word in line] for line in lines[part]) for part in lines}
    return Texts(**{part: "".join(" ".join(line) + "\n" for line in found) for part, found in known.items()})


def _first_paragraphs(topics: dict[str, str]) -> dict[str, list[str]]:
    """The paragraphs of each topic, in sorted order, without those that an earlier topic has; blanks do not count."""
    seen, found = set(), {}
    for name in sorted(topics):
        paragraphs = re.split(r"\n\s*\n", _RULE.sub("", topics[name]))
        new = {" ".join(text.split()): text.strip("\n") for text in paragraphs if text.strip()}
        found[name] = [text for key, text in new.items() if key not in seen]
        seen.update(new)
    return found


def _share_out(topics: dict[str, list[str]]) -> dict[str, list[str]]:
    """The paragraphs of each part. Each topic, the longest first, goes where it leaves a part least full."""
    shares = {"train": 1 - 2 * _SHARE, "valid": _SHARE, "test": _SHARE}
    sizes, part_of = dict.fromkeys(shares, 0), {}
    lengths = {name: sum(map(len, paragraphs)) for name, paragraphs in topics.items()}
    for name in sorted(topics, key=lambda name: (-lengths[name], name)):
        part_of[name] = min(shares, key=lambda part: (sizes[part] + lengths[name]) / shares[part])
        sizes[part_of[name]] += lengths[name]
    return {part: [text for name in topics if part_of[name] == part for text in topics[name]] for part in shares}


def load_directory(location: str, data_dir: str | None, tokens: str) -> Texts:
    """The files train.txt, valid.txt and test.txt in `location`, UTF-8, or as WikiText or Penn Treebank name them.

    Raises:
        InputError: no such directory, or a file that is missing, empty, not readable or not UTF-8.
    """
    root = Path(location)
    if not root.is_dir():
        expected = "Expected one with the files train.txt, valid.txt and test.txt."
        raise InputError(f"--dataset=text:{location}: no such directory. {expected}")
    return Texts(**{part: _read_file(_find_file(root, part)) for part in ("train", "valid", "test")})


def _find_file(root: Path, part: str) -> Path:
    names = [name.format(part) for name in _FILE_NAMES]
    for name in names:
        if (root / name).is_file():
            return root / name
    expected = f"expected a file of that name, or {', '.join(names[1:])}"
    raise InputError(f"--dataset=text:{root} has no {names[0]}: {expected}. Put the {part} part of the text there.")


def _read_file(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}. Expected a text file in UTF-8.") from None
    return decode_text(content, str(path)).removeprefix("\ufeff").replace("\r\n", "\n")


def load_tfds_text(location: str, data_dir: str | None, tokens: str) -> Texts:
    """The text of the data set `location` of TensorFlow Datasets: its examples in the order of the files, a line each.

    The text is the only feature that is a string, or the one called text. Where the official splits lack a validation
    or test part it is the last tenth of the training part, a whole number of lines.

    Raises:
        InputError: no such data set; neither on disk nor to be downloaded; not one text in it, or no train split.
    """
    import tensorflow_datasets as tfds  # Slow to import, and not needed by the other sources.

    with _quiet():
        builder = _find(tfds, location, data_dir)
        feature = _text_feature(tfds, builder, location)
        if not builder.is_prepared():
            _download(builder)
        if "train" not in builder.info.splits:
            raise InputError(f"--dataset=tfds:{location} has no train split: expected one. Choose another data set.")
        names = ("train", "validation", "test")
        found = {name: _read_split(tfds, builder, name, feature) for name in names if name in builder.info.splits}
    for name in ("test", "validation"):
        if name not in found:
            found["train"], found[name] = _cut_end(found["train"])
    return Texts(*(filled(found[name], f"The {name} part of tfds:{location}") for name in names))


def _text_feature(tfds: Any, builder: Any, name: str) -> str:
    features = builder.info.features
    strings = sorted(key for key, value in features.items() if value.shape == () and value.tf_dtype == tf.string)
    chosen = ["text"] if "text" in strings else strings
    # Sets of images often have one string too, the name of the file.
    if len(chosen) == 1 and not any(isinstance(value, tfds.features.Image) for value in features.values()):
        return chosen[0]
    raise InputError(
        f"--dataset=tfds:{name} is no text: expected one feature that is a string, or one called text, and no images; "
        f"it has {', '.join(sorted(features))}. Choose a data set for language models."
    )


def _read_split(tfds: Any, builder: Any, name: str, feature: str) -> str:
    """One official split, each example ending its line. One file at a time: neighbours in the text stay neighbours."""
    config = tfds.ReadConfig(interleave_cycle_length=1)
    where = f"The {name} split of {builder.info.full_name} at {builder.data_dir}"
    try:
        examples = builder.as_dataset(split=name, read_config=config).map(lambda example: example[feature])
        content = b"".join(text.removesuffix(b"\n") + b"\n" for text in examples.as_numpy_iterator())
    except (tf.errors.OpError, NotImplementedError) as error:
        reason = f"cannot be read ({_first_line(error)}). Remove that directory and prepare the data set again."
        raise InputError(f"{where} {reason}") from None
    return decode_text(content, where)


def _cut_end(text: str) -> tuple[str, str]:
    """`text` without its last tenth, and that; between two lines, or between words if it is a single line."""
    end = int(len(text) * (1 - _SHARE))
    start = text.rfind("\n", 0, end) + 1 or text.rfind(" ", 0, end) + 1
    return text[:start], text[start:]


# Kind of --dataset -> loader(what follows the colon, data_dir, tokens) -> Texts; and how the kind is written.
LOADERS = {"pydoc": load_pydoc, "text": load_directory, "tfds": load_tfds_text}
KINDS = {"pydoc": "pydoc", "text": "text:PATH", "tfds": "tfds:NAME"}
