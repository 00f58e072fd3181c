"""What all entry points share: flags, flagfiles of a workdir, the architecture that is asked for and the space that
follows from it, and errors as one paragraph with exit code 2.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from absl import app, flags, logging

from enas_tf.errors import InputError, ref, render
from enas_tf.experiments.config import RunOptions, unread_options
from enas_tf.experiments.run import Run
from enas_tf.experiments.stages import check_read
from enas_tf.launch.arguments import (
    check_encoding,
    check_flagfiles,
    check_nothing_is_left,
    similar_to,
    values_of,
    write_out,
)
from enas_tf.launch.failures import named_failures
from enas_tf.launch.flags import define_options, forget_option, given_options, read_config, typed, write_option
from enas_tf.launch.messages import exit_with, parse_or_exit, short_warnings
from enas_tf.options import shorten
from enas_tf.registry import import_file
from enas_tf.runtime.signals import Aborted, Interrupted, handled_signals
from enas_tf.spaces.architectures import is_arc, read_architecture
from enas_tf.spaces.space import BASELINES, SPACES, Architecture, Buildable, Space

FLAGS = flags.FLAGS
RUN_FLAGS = "run.flags"
#: A child may have been trained with other flags than the search that it comes from.
CHILD_FLAGS = ("child/run.flags", RUN_FLAGS)
#: Prefix of the flags of a child that is trained from scratch.
RETRAIN = "retrain_"


def define_common_flags() -> None:
    """Define the flags that every launcher has beside the options of components."""
    flags.DEFINE_string("workdir", None, "directory of the run: everything it writes is in there")
    flags.DEFINE_multi_string(
        "import",
        [],
        "Python files of your own whose spaces, searchers, ... register; several are separated by commas, or each has "
        "a flag of its own",
    )


def define_architecture_flag() -> None:
    """Define `--architecture`."""
    flags.DEFINE_string(
        "architecture",
        None,
        "an architecture.json, a row of candidates (DIR/candidates.csv#3), a published name, or an arc string, which "
        "is read as one of --space: with macro '0 3 0 ...' as the reference's, 'layers: 0 3 0 ...' as the paper's; "
        "with micro as --cell_blocks blocks of the normal cell, then of the reduction cell, 'input op input op' each, "
        "behind 'all:' when a cell puts out all its nodes; with recurrent '0 0 1 ...' as the first repository's, "
        "'enas_lm: 0 2 ...' as enas_lm's. lstm is an LSTM of as many parameters as a cell of --cell_nodes nodes. Files "
        "and names say themselves what space they are of, and --space follows them. Default: the one of the workdir",
    )


def run(
    main: Callable[[], None],
    flagfiles: tuple[str, ...] = (RUN_FLAGS,),
    prefix: str = "",
    reads: Mapping[str, str] | None = None,
    arguments: list[str] | None = None,
) -> None:
    """Parse flags and run `main`.

    Args:
      main: what the launcher does.
      flagfiles: the first of them that the workdir holds gives the defaults.
      prefix: in the command line `--name` means `--{prefix}name` where there is such a flag.
      reads: the stages whose options the launcher reads (`experiments/stages.py`), each with the heading of its section
        in the help where that is not the stage's own; None for all options. A launcher that reads no stage has no
        options.
      arguments: is filled with the arguments that are no flags; None where there may be none.
    """

    def parse(argv: list[str]) -> list[str]:
        check_encoding(argv[1:])
        given = _run_flags(argv[1:], flagfiles)
        check_flagfiles([*given, *argv[1:]])
        _import_files([*given, *argv[1:]])
        # The text of the launcher, whether it is a module that runs or was imported by a command.
        define_options(reads, prefix, sys.modules[main.__module__].__doc__ or "")
        _show_in_help(argv[0])
        return FLAGS([argv[0], *given, *write_out(argv[1:], prefix)])

    app.run(lambda argv: _guard(main, argv, arguments), flags_parser=lambda argv: parse_or_exit(parse, argv))


def _guard(main: Callable[[], None], argv: list[str], arguments: list[str] | None) -> None:
    """Run `main` and turn errors into messages and exit codes."""
    logging.set_verbosity(logging.WARNING)
    try:
        if arguments is None:
            check_nothing_is_left(argv)
        else:
            arguments[:] = argv[1:]
        with handled_signals(), named_failures(), short_warnings():
            main()
    except Interrupted as interruption:
        print(f"stopped by {interruption.signal}: the same command resumes from here", file=sys.stderr)
        raise
    except Aborted:
        print("left at once by the second SIGINT: the same command resumes from the last checkpoint", file=sys.stderr)
        raise
    except InputError as error:
        exit_with(error)


def _show_in_help(program: str) -> None:
    """Make `--help` of the launcher show the flags of this package."""
    for name in list(FLAGS):
        if str(FLAGS.find_module_defining_flag(name)).startswith("enas_tf"):
            FLAGS.register_key_flag_for_module(program, FLAGS[name])


def _run_flags(argv: list[str], flagfiles: tuple[str, ...]) -> list[str]:
    """Return the flag that reads the first of `flagfiles` in the workdir that `argv` names: it gives the defaults."""
    for place in values_of("workdir", argv)[-1:]:
        found = [Path(place) / file for file in flagfiles if _exists(Path(place) / file)]
        return [f"--flagfile={found[0]}"] if found else []
    return []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _import_files(argv: list[str]) -> None:
    """Import the files that `--import` names: what registers in them may have flags of its own."""
    for value in values_of("import", FLAGS.read_flags_from_files(argv)):
        # A name may hold a comma.
        for path in [value] if _exists(Path(value)) else value.split(","):
            import_file(path.strip())


def as_flags(text: str) -> str:
    """Return a text of the library with every option written as a flag."""
    return render(text, write_option)


def start_run(config: RunOptions, workdir: Path, is_shared: bool = False) -> Run:
    """Return the run of a launcher, which writes options as flags."""
    return Run(config, workdir, is_shared, write_option)


def required_workdir() -> Path:
    """Return the directory of `--workdir`; raise `InputError` without one."""
    if not FLAGS.workdir:
        raise InputError(f"{ref('workdir')} is missing: expected the directory of the run, such as "
                         f"{ref('workdir')}=runs/1.")  # fmt: skip
    return Path(FLAGS.workdir)


def existing_workdir() -> Path:
    """Return the directory of `--workdir`; raise `InputError` without one, or where it is not there."""
    path = required_workdir()
    if path.is_dir():
        return path
    problem = "is not a directory" if _exists(path) else "no such directory"
    raise InputError(
        f"{ref('workdir')}={shorten(path)}: {problem} ({shorten(path.absolute(), 300)}): expected the directory of a "
        f"run, as `python -m enas_tf.launch.search --workdir=...` leaves it. Correct the path.{similar_to(path)}"
    )


def named_architecture() -> Buildable | None:
    """Return what `--architecture` names; None without it. An arc string is read as one of `--space`."""
    text = FLAGS.architecture
    if not text:
        return None
    space = FLAGS.space or "macro"
    if text in BASELINES:
        return BASELINES[text].beside(_given_space(BASELINES[text].space_name))
    architecture = read_architecture(text, space)
    if is_arc(text) and isinstance(architecture, Architecture):
        _check_size(architecture)
    return architecture


def _given_space(name: str) -> Space:
    """Return the space `name` with the options that are given for it."""
    (group,) = SPACES.entry(name).groups
    return group.build(given_options())


def _check_size(architecture: Architecture) -> None:
    """Raise `InputError` when an arc string is of another size than a flag in the command line says."""
    (group,) = SPACES.entry(architecture.space_name).groups
    own, given = group.values(architecture.space()), given_options()
    for option in group.options:
        name = option.name
        if option.kind is int and name in typed and given[name] != own[name]:
            raise InputError(
                f"the arc string is of {architecture.space_name} architectures with {ref(name)}={own[name]}, but "
                f"{ref(name)}={given[name]}: {ref(name)}={own[name]} reads it as it is."
            )


def config_for(architecture: Buildable | None = None, stage: str | None = None) -> RunOptions:
    """Return the configuration of a launcher; the space of an `architecture` that it works on wins over `--space`.

    Where the command line chooses another component than a flagfile was written for, what the flagfile says for its own
    one is left out. Such flags in the command line are refused, and those that `stage` does not read
    (`experiments/stages.py`); None for a launcher that runs all stages.
    """
    if architecture is not None and ("space" in typed or architecture.space_name != (FLAGS.space or "macro")):
        FLAGS["space"].value = architecture.space_name
        _forget_unread()
    elif typed.keys() & {"space", "searcher", "evaluator"}:
        _forget_unread()
    config = read_config()
    if stage is not None:
        has_architecture = bool(FLAGS.architecture) if "architecture" in FLAGS else False
        options = given_options()
        check_read({name: options[name] for name in typed if name in options}, stage, has_architecture)
    return config


def _forget_unread() -> None:
    """Take options of flagfiles that nothing chosen reads as not given."""
    for name in unread_options(given_options()) - typed.keys():
        forget_option(name)
