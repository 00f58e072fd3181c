"""What all entry points share: flags, flagfiles of a workdir, the architecture that is asked for and the space that
follows from it, and errors as one paragraph with exit code 2.
"""

import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from absl import app, flags, logging

from enas_tf.errors import InputError, ref, render
from enas_tf.experiments.config import RunOptions, unread_options
from enas_tf.experiments.run import Run
from enas_tf.launch.failures import named_failures
from enas_tf.launch.flags import define_options, forget_option, given_options, read_config, write_option
from enas_tf.registry import import_file
from enas_tf.runtime.signals import Interrupted, handled_signals
from enas_tf.spaces.architectures import is_arc, read_architecture
from enas_tf.spaces.space import BASELINES, SPACES, Architecture, Buildable, Space

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
    """Define the flags that every launcher has beside the options of components."""
    flags.DEFINE_string("workdir", None, "directory of the run: everything it writes is in there")
    flags.DEFINE_multi_string(
        "import", [], "a Python file of your own whose spaces, searchers, ... register; may be given several times"
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


def run(main: Callable[[], None], flagfiles: tuple[str, ...] = (RUN_FLAGS,), prefix: str = "") -> None:
    """Parse flags and run `main`. The first of `flagfiles` that the workdir holds gives the defaults.

    In the command line `--name` means `--{prefix}name` where there is such a flag.
    """

    def parse(argv: list[str]) -> list[str]:
        argv = _with_run_flags(argv, flagfiles)
        _import_files(argv)
        define_options()
        _show_in_help(argv[0])
        argv = [argv[0], *(_with_prefix(argument, prefix) for argument in argv[1:])]
        _typed.clear()
        _typed.update(match[1] for match in map(_FLAG.match, argv[1:]) if match)
        return FLAGS(argv)

    app.run(lambda argv: _guard(main, argv), flags_parser=lambda argv: _parse_or_exit(parse, argv))


def _guard(main: Callable[[], None], argv: list[str]) -> None:
    """Run `main` and turn errors into messages and exit codes."""
    logging.set_verbosity(logging.WARNING)
    try:
        if argv[1:]:
            raise InputError(f"unexpected arguments {argv[1:]}: options are given as --name=value.")
        with handled_signals(), named_failures():
            main()
    except Interrupted as interruption:
        print(f"stopped by {interruption.signal}: the same command resumes from here", file=sys.stderr)
        raise
    except InputError as error:
        _exit_with(error)


def _exit_with(error: InputError) -> NoReturn:
    # A terminal wraps for itself; a log keeps the paragraph on one line.
    message = error.render(write_option)
    print(textwrap.fill(message, 100) if sys.stderr.isatty() else message, file=sys.stderr)
    sys.exit(2)


def _parse_or_exit(parse: Callable, argv: list[str]) -> list[str]:
    try:
        return parse(argv)
    except InputError as error:
        _exit_with(error)
    except flags.Error as error:
        print(f"{error}\nPass --helpfull to see all flags.", file=sys.stderr)
        sys.exit(1)


def _show_in_help(program: str) -> None:
    """Make `--help` of the launcher show the flags of this package."""
    for name in list(FLAGS):
        if str(FLAGS.find_module_defining_flag(name)).startswith("enas_tf"):
            FLAGS.register_key_flag_for_module(program, FLAGS[name])


def _with_prefix(argument: str, prefix: str) -> str:
    """Return `--{prefix}name` or `--{prefix}name=value` for an argument that says it without the prefix."""
    return _FLAG.sub(lambda flag: f"--{prefix}{flag[1]}" if prefix + flag[1] in FLAGS else flag[0], argument, count=1)


def _value_of(flag: str, argv: list[str]) -> list[str]:
    """Return the values of `--flag=value` and `--flag value` in `argv`."""
    found = []
    for i, argument in enumerate(argv):
        name, has_value, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == flag:
            found.append(value if has_value else argv[i + 1] if i + 1 < len(argv) else "")
    return found


def _with_run_flags(argv: list[str], flagfiles: tuple[str, ...]) -> list[str]:
    """Put the first of `flagfiles` in the workdir that `argv` names before the arguments, which win over it."""
    for place in _value_of("workdir", argv[1:])[:1]:
        found = [Path(place) / file for file in flagfiles if (Path(place) / file).is_file()]
        return [argv[0], f"--flagfile={found[0]}", *argv[1:]] if found else argv
    return argv


def _import_files(argv: list[str]) -> None:
    """Import the files that `--import` names: what registers in them may have flags of its own."""
    for path in _value_of("import", FLAGS.read_flags_from_files(argv[1:])):
        import_file(path)


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
        if option.kind is int and name in _typed and given[name] != own[name]:
            raise InputError(
                f"the arc string is of {architecture.space_name} architectures with {ref(name)}={own[name]}, but "
                f"{ref(name)}={given[name]}: {ref(name)}={own[name]} reads it as it is."
            )


def config_for(architecture: Buildable | None = None) -> RunOptions:
    """Return the configuration of a launcher; the space of an `architecture` that it works on wins over `--space`.

    Where the command line chooses another component than a flagfile was written for, what the flagfile says for its own
    one is left out. Such flags in the command line are refused.
    """
    if architecture is not None and ("space" in _typed or architecture.space_name != (FLAGS.space or "macro")):
        FLAGS["space"].value = architecture.space_name
        _forget_unread()
    elif _typed & {"space", "searcher", "evaluator"}:
        _forget_unread()
    return read_config()


def _forget_unread() -> None:
    """Take options of flagfiles that nothing chosen reads as not given."""
    for name in unread_options(given_options()) - _typed:
        forget_option(name)
