"""`--help`: every flag that a launcher reads, by stage and component, where absl would sort all by name."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from absl import flags

from enas_tf.experiments.config import every_option
from enas_tf.experiments.stages import find_unread
from enas_tf.options import STAGES, Option
from enas_tf.registry import Entry

FLAGS = flags.FLAGS
#: Headings, by the stages that read an option.
_STAGES = {
    STAGES: "Every stage",
    ("search",): "Search",
    (): "Derive",
    ("retrain",): "Retraining",
    ("export",): "Export",
}
#: The one flag of absl that runs need.
_FLAGFILE = "--flagfile=...: read flags from this file, one a line; a flag behind it in the command line wins over it"
_PLACEHOLDERS = {int: "N", float: "X", tuple: "A,B"}


class HelpFlag(flags.BooleanFlag):
    """The flag `--help`, which prints and ends the program. It replaces absl's.

    Args:
      reads: the stages whose options the launcher reads, each with the heading of its section where that is not the
        stage's own; None for all options.
      prefix: what may be left out at the beginning of a flag.
      opening: what stands above all flags.
    """

    def __init__(self, reads: Mapping[str, str] | None = None, prefix: str = "", opening: str = ""):
        self._reads, self._prefix, self._opening = reads, prefix, opening
        super().__init__("help", False, "show this help", short_name="?", allow_override=True)

    def parse(self, arguments):
        if self._parse(arguments):
            columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
            print("\n".join(in_sections(self._opening, columns, self._reads, self._prefix)))
            sys.exit(0)


def in_sections(opening: str, columns: int, reads: Mapping[str, str] | None = None, prefix: str = "") -> Iterator[str]:
    """Yield the lines of the help: `opening`, the launcher's own flags, and a section for each stage and component.

    `reads` and `prefix` are those of `HelpFlag`.
    """
    yield opening.strip()
    offers = every_option()
    own = sorted(set(_launcher_flags()) - offers.keys() - {"help", "?"})
    yield from _section("This command", [*map(_row, own), _FLAGFILE], columns)
    sections: dict[str, dict[str, list[str]]] = {words: {} for words in _STAGES.values()}
    for name, offered in offers.items() if reads is None or reads else ():
        option = offered[0][1]
        heading = _STAGES[option.stages] if reads is None else _heading(name, option, reads)
        if heading is not None:
            owners = _owners([entry for entry, _ in offered if entry is not None])
            sections.setdefault(heading, {}).setdefault(owners, []).append(_row(name, option, prefix))
    for stage, groups in sections.items():
        # What belongs to no component comes first.
        for owners, rows in sorted(groups.items(), key=lambda item: item[0] != ""):
            yield from _section(f"{stage}, {owners}" if owners else stage, rows, columns)
    yield "\nTry --helpfull to see the flags of libraries too."


def _heading(name: str, option: Option, reads: Mapping[str, str]) -> str | None:
    """Return the heading of the section of an option; None where the launcher does not read it."""
    for stage, words in reads.items():
        # Every launcher takes the space, which says how an architecture is read.
        is_read = find_unread([name], stage, has_architecture=False) is None
        if is_read and (name != "space" or stage in ("search", "shared")):
            return words or _STAGES[option.stages]
    stage = next(iter(reads))
    if "architecture" in FLAGS and find_unread([name], stage, has_architecture=True) is None:
        return "To read --architecture"
    return None


def _launcher_flags() -> Iterable[str]:
    """Return the names of the flags that this package defines, the launcher that runs included."""
    return (name for name in FLAGS if str(FLAGS.find_module_defining_flag(name)).startswith(("enas_tf", sys.argv[0])))


def _section(heading: str, rows: list[str], columns: int) -> Iterator[str]:
    yield f"\n{heading}:"
    for row in rows:
        yield textwrap.fill(
            row,
            columns,
            initial_indent="  ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _owners(entries: list[Entry]) -> str:
    """Return the components that offer an option, with what they are where there is one."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        names.setdefault(entry.kind, []).append(entry.name)
    words = " and ".join(f"{kind} {_listed(group)}" for kind, group in names.items())
    return f"{words} ({entries[0].help})" if len(entries) == 1 and entries[0].help else words


def _row(name: str, option: Option | None = None, prefix: str = "") -> str:
    flag = FLAGS[name]
    words = " ".join(flag.help.split())
    if prefix and name.startswith(prefix):
        name = f"[{prefix}]{name.removeprefix(prefix)}"
    if flag.boolean:
        return f"--[no]{name}: {words}"
    values = "..." if option is None else _PLACEHOLDERS.get(option.kind, "...")
    if option is not None and option.choices:
        values = "|".join(option.choices)
        words = words.removeprefix(f"<{values}>: ")  # By absl.
    return f"--{name}={values}: {words}"


def _listed(names: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if names[1:] else names[0]
