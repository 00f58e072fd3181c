"""The options of all components as absl flags. A flag that is not given is None; `config.py` knows the defaults."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

from enas_tf.errors import InputError, render
from enas_tf.experiments.advice import settle
from enas_tf.experiments.config import RunOptions, defaults_in_words, every_option, read_options
from enas_tf.launch.help import HelpFlag
from enas_tf.options import Option
from enas_tf.registry import Choices, Registry

FLAGS = flags.FLAGS
_DEFINE: dict[type, Callable] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    tuple: flags.DEFINE_list,
}


#: Full name -> the name that the user typed, of the flags that stand in the command line itself, not in a flagfile.
typed: dict[str, str] = {}


def write_option(name: str) -> str:
    """Return an option as the user has typed it, or would."""
    return f"--{typed.get(name, name)}"


class _ComponentParser(flags.EnumParser):
    """The parser of a flag that names a component; its error says how one of the user's own is made known."""

    def parse(self, argument):
        try:
            return super().parse(argument)
        except ValueError as error:
            close = difflib.get_close_matches(str(argument)[:100], self.enum_values, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise ValueError(f"{error}. {hint}--import=my_file.py adds what your own file registers.") from None


def define_options(reads: Mapping[str, str] | None = None, prefix: str = "", opening: str = "") -> None:
    """Define a flag for every option of every registered component, and the help that groups them.

    The arguments are those of `HelpFlag`. A launcher that reads no stage has the help alone.
    """
    for name, offers in every_option().items() if reads is None or reads else ():
        if name in FLAGS:
            owner = next((f"the {entry.kind} {entry.name}" for entry, _ in offers if entry is not None), "a component")
            raise InputError(
                f"the option {name!r} of {owner} is taken by a flag of the launcher: choose another name for the "
                "option, or give its group a prefix."
            )
        _define(name, [option for _, option in offers])
    flags.DEFINE_flag(HelpFlag(reads, prefix, opening))


def _define(name: str, offered: list[Option]) -> None:
    kinds = {option.kind for option in offered}
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(
            f"the option {name!r} has several types ({names}) in several components: choose another name in one of "
            "them, or give its group a prefix."
        )
    words = "; or ".join(dict.fromkeys(option.help for option in offered))
    default = defaults_in_words(name)
    words = render(words + (f" [default: {default}]" if default else ""), write_option)
    choices = offered[0].choices
    if any(option.choices is None for option in offered):
        choices = None  # One of them takes other values too, and each checks its own.
    if choices and isinstance(offered[0].field.metadata["choices"], Registry | Choices):
        flags.DEFINE(_ComponentParser(choices), name, None, f"<{'|'.join(choices)}>: {words}")
    elif choices:
        flags.DEFINE_enum(name, None, choices, words)
    else:
        _DEFINE[offered[0].kind](name, None, words)


def asked_options() -> dict[str, Any]:
    """Return option name -> value of all options that the command line or a flagfile gives, as they stand there."""
    return {name: FLAGS[name].value for name in every_option() if FLAGS[name].value is not None}


def given_options() -> dict[str, Any]:
    """Return the options that were asked for, with the evaluator that `auto` stands for."""
    return settle(asked_options())


def forget_option(name: str) -> None:
    """Take the option `name` as not given."""
    FLAGS[name].unparse()


def read_config() -> RunOptions:
    """Return the configuration that the parsed flags say; raise `InputError` for values that cannot be.

    What a flagfile says of batches is lowered where the data are too small, as defaults are; what was typed is not.
    """
    return read_options(given_options(), insisted=typed)
