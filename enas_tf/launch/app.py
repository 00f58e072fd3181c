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


def run(main: Callable[[], None], reads_workdir: bool = True) -> None:
    """Parses flags and runs `main`. With `reads_workdir` the flags of the workdir's run are the defaults."""

    def parse(argv: list[str]) -> list[str]:
        return flags.FLAGS(_with_run_flags(argv) if reads_workdir else argv, known_only=False)

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


def _with_run_flags(argv: list[str]) -> list[str]:
    """Puts the flagfile of the workdir named in `argv`, if there is one, before the arguments, which win over it."""
    for i, argument in enumerate(argv[1:], start=1):
        name, has_value, value = argument.lstrip("-").partition("=")
        if name == "workdir":
            path = Path(value if has_value else argv[i + 1] if i + 1 < len(argv) else "") / RUN_FLAGS
            return [argv[0], f"--flagfile={path}", *argv[1:]] if path.is_file() else argv
    return argv


def required_workdir() -> Path:
    if not FLAGS.workdir:
        raise InputError("--workdir is missing: expected the directory that the run writes to, such as --workdir=runs/1.")
    return Path(FLAGS.workdir)
