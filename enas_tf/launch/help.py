"""`--help`: every flag of a launcher, by stage and component, where absl would sort them by name."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

from absl import flags

from enas_tf.experiments.config import every_option
from enas_tf.options import STAGES, Option
from enas_tf.registry import Entry

FLAGS = flags.FLAGS
#: Headings, by the stages that read an option.
_STAGES = {STAGES: "Every stage", ("search",): "Search", (): "Derive", ("retrain",): "Retraining"}
_PLACEHOLDERS = {int: "N", float: "X", tuple: "A,B"}


class HelpFlag(flags.BooleanFlag):
    """The flag `--help`, which prints and ends the program. It replaces absl's."""

    def __init__(self):
        super().__init__("help", False, "show this help", short_name="?", allow_override=True)

    def parse(self, arguments):
        if self._parse(arguments):
            columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
            print("\n".join(in_sections(sys.modules["__main__"].__doc__ or "", columns)))
            sys.exit(0)


def in_sections(opening: str, columns: int) -> Iterator[str]:
    """Yield the lines of the help: `opening`, the launcher's own flags, and a section for each stage and component."""
    yield opening.strip()
    offers = every_option()
    own = sorted(set(_launcher_flags()) - offers.keys() - {"help", "?"})
    yield from _section("This command", [_row(name) for name in own], columns)
    sections: dict[str, dict[str, list[str]]] = {words: {} for words in _STAGES.values()}
    for name, offered in offers.items():
        option = offered[0][1]
        owners = _owners([entry for entry, _ in offered if entry is not None])
        sections[_STAGES[option.stages]].setdefault(owners, []).append(_row(name, option))
    for stage, groups in sections.items():
        # What belongs to no component comes first.
        for owners, rows in sorted(groups.items(), key=lambda item: item[0] != ""):
            yield from _section(f"{stage}, {owners}" if owners else stage, rows, columns)
    yield "\nTry --helpfull to see the flags of libraries too."


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
    words = " and ".join(f"{kind} {' and '.join(group)}" for kind, group in names.items())
    return f"{words} ({entries[0].help})" if len(entries) == 1 and entries[0].help else words


def _row(name: str, option: Option | None = None) -> str:
    flag = FLAGS[name]
    words = " ".join(flag.help.split())
    if flag.boolean:
        return f"--[no]{name}: {words}"
    values = "..." if option is None else _PLACEHOLDERS.get(option.kind, "...")
    if option is not None and option.choices:
        values = "|".join(option.choices)
        words = words.removeprefix(f"<{values}>: ")  # By absl.
    return f"--{name}={values}: {words}"
