"""What all entry points share: flags, flagfiles of a workdir, and errors as one paragraph with exit code 2."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from absl import app, flags, logging

from enas_tf.errors import InputError
from enas_tf.launch.config import define_flags

FLAGS = flags.FLAGS
RUN_FLAGS = "run.flags"
#: A child may have been trained with other flags than the search that it comes from.
CHILD_FLAGS = ("child/run.flags", RUN_FLAGS)


def define_common_flags() -> None:
    """The flags of every component and `--workdir`."""
    define_flags()
    flags.DEFINE_string("workdir", None, "directory of the run: everything it writes is in there")


def define_architecture_flag() -> None:
    flags.DEFINE_string(
        "architecture",
        None,
        "an architecture.json, an arc string ('0 3 0 ...' is read as the reference's, 'layers: 0 3 0 ...' as the "
        "paper's), or a published name; default: the one of the workdir",
    )


def run(main: Callable[[], None], flagfiles: tuple[str, ...] = (RUN_FLAGS,)) -> None:
    """Parses flags and runs `main`. The first of `flagfiles` that the workdir holds gives the defaults."""

    def parse(argv: list[str]) -> list[str]:
        for name in list(FLAGS):
            if FLAGS.find_module_defining_flag(name).startswith("enas_tf"):
                FLAGS.register_key_flag_for_module(argv[0], FLAGS[name])  # So that --help shows it.
        return FLAGS(_with_run_flags(argv, flagfiles))

    def guarded(argv: list[str]) -> None:
        logging.set_verbosity(logging.WARNING)
        try:
            if argv[1:]:
                raise InputError(f"unexpected arguments {argv[1:]}: options are given as --name=value.")
            main()
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
