"""What all entry points share: flags, flagfiles of a workdir, the architecture that is asked for and the space that
follows from it, and errors as one paragraph with exit code 2.
"""

import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from absl import app, flags, logging

from enas_tf.errors import InputError
from enas_tf.experiments.config import Config, define_flags, read_config
from enas_tf.experiments.defaults import foreign_flags
from enas_tf.options import renamed
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.spaces.architectures import is_arc, read_architecture
from enas_tf.spaces.decisions import Architecture
from enas_tf.spaces.micro import MicroArchitecture
from enas_tf.spaces.recurrent import LstmBaseline
from enas_tf.training.health import named_failures

FLAGS = flags.FLAGS
RUN_FLAGS = "run.flags"
#: A child may have been trained with other flags than the search that it comes from.
CHILD_FLAGS = ("child/run.flags", RUN_FLAGS)
#: Prefix of the flags of a child that is trained from scratch.
RETRAIN = "retrain_"
#: An argument that is a flag, with or without its value.
_FLAG = re.compile(r"--?(\w+)(?==|\Z)")
#: The flags that stand in the command line itself, not in a flagfile; `run` notes them.
_typed: set[str] = set()


def define_common_flags() -> None:
    """The flags of every component and `--workdir`."""
    define_flags()
    flags.DEFINE_string("workdir", None, "directory of the run: everything it writes is in there")


def define_architecture_flag() -> None:
    flags.DEFINE_string(
        "architecture",
        None,
        "an architecture.json, a published name, or an arc string, which is read as one of --space: with macro "
        "'0 3 0 ...' as the reference's, 'layers: 0 3 0 ...' as the paper's; with micro as --cell_blocks blocks of the "
        "normal cell, then of the reduction cell, 'input op input op' each, behind 'all:' when a cell puts out all its "
        "nodes; with recurrent '0 0 1 ...' as the first repository's, 'enas_lm: 0 2 ...' as enas_lm's. lstm is an LSTM "
        "of as many parameters as a cell of --cell_nodes nodes. Files and names say themselves what space they are of, "
        "and --space follows them. Default: the one of the workdir",
    )


def run(main: Callable[[], None], flagfiles: tuple[str, ...] = (RUN_FLAGS,), prefix: str = "") -> None:
    """Parses flags and runs `main`. The first of `flagfiles` that the workdir holds gives the defaults.

    In the command line `--name` means `--{prefix}name` where there is such a flag.
    """

    def parse(argv: list[str]) -> list[str]:
        for name in list(FLAGS):
            if FLAGS.find_module_defining_flag(name).startswith("enas_tf"):
                FLAGS.register_key_flag_for_module(argv[0], FLAGS[name])  # So that --help shows it.
        argv = [argv[0], *(_with_prefix(argument, prefix) for argument in argv[1:])]
        _typed.clear()
        _typed.update(match[1] for match in map(_FLAG.match, argv[1:]) if match)
        return FLAGS(_with_run_flags(argv, flagfiles))

    def guarded(argv: list[str]) -> None:
        logging.set_verbosity(logging.WARNING)
        try:
            if argv[1:]:
                raise InputError(f"unexpected arguments {argv[1:]}: options are given as --name=value.")
            with handled_signals(), named_failures():
                main()
        except Interrupted as interruption:
            print(f"stopped by {interruption.signal}: the same command goes on from here", file=sys.stderr)
            raise
        except InputError as error:
            # A terminal wraps for itself; a log keeps the paragraph on one line.
            message = str(error)
            print(textwrap.fill(message, 100) if sys.stderr.isatty() else message, file=sys.stderr)
            sys.exit(2)

    app.run(guarded, flags_parser=lambda argv: _parse_or_exit(parse, argv))


def _parse_or_exit(parse: Callable, argv: list[str]) -> list[str]:
    try:
        return parse(argv)
    except flags.Error as error:
        print(f"{error}\nPass --helpfull to see all flags.", file=sys.stderr)
        sys.exit(1)


def _with_prefix(argument: str, prefix: str) -> str:
    """`--{prefix}name` or `--{prefix}name=value` for an argument that says it without the prefix."""
    return _FLAG.sub(lambda flag: f"--{prefix}{flag[1]}" if prefix + flag[1] in FLAGS else flag[0], argument, count=1)


def _with_run_flags(argv: list[str], flagfiles: tuple[str, ...]) -> list[str]:
    """Puts the first of `flagfiles` in the workdir that `argv` names before the arguments, which win over it."""
    for i, argument in enumerate(argv[1:], start=1):
        name, has_value, value = argument.lstrip("-").partition("=")
        if name == "workdir":
            workdir = Path(value if has_value else argv[i + 1] if i + 1 < len(argv) else "")
            found = [workdir / file for file in flagfiles if (workdir / file).is_file()]
            return [argv[0], f"--flagfile={found[0]}", *argv[1:]] if found else argv
    return argv


def required_workdir() -> Path:
    if not FLAGS.workdir:
        raise InputError("--workdir is missing: expected the directory of the run, such as --workdir=runs/1.")
    return Path(FLAGS.workdir)


def named_architecture() -> Architecture | None:
    """What --architecture names; None without it. An arc string is read as one of --space."""
    text, space, blocks = FLAGS.architecture, FLAGS.space, FLAGS.cell_blocks
    if not text:
        return None
    if text == "lstm":
        return _lstm_baseline(FLAGS.cell_nodes)
    architecture = read_architecture(text, space)
    if is_arc(text) and isinstance(architecture, MicroArchitecture) and architecture.num_blocks != blocks:
        raise InputError(
            f"the arc string is of cells of {architecture.num_blocks} blocks, but --cell_blocks={blocks}: expected "
            f"{8 * blocks} integers. --cell_blocks={architecture.num_blocks} reads it as it is."
        )
    return architecture


def _lstm_baseline(num_nodes: int) -> LstmBaseline:
    try:
        return LstmBaseline(num_nodes)
    except InputError as error:
        raise renamed(error, ["nodes"], "cell_") from error


def config_for(architecture: Architecture | None) -> Config:
    """The configuration of a launcher that works on `architecture`, whose space wins over --space.

    What flagfiles of another space say for that one alone was meant for what they were written for, and is left out;
    such flags in the command line are refused as ever.
    """
    if architecture is not None and ("space" in _typed or architecture.space_name != FLAGS.space):
        FLAGS.space = architecture.space_name
        for name in foreign_flags(FLAGS.space):
            if name not in _typed:
                FLAGS[name].unparse()
    return read_config()
