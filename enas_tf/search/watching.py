"""What a terminal shows of the trials that are under way."""

from enas_tf.runtime.console import Rows
from enas_tf.search.executors.executor import Executor, Watcher
from enas_tf.search.ledger import Ledger


class _Trials(Watcher):
    """Shows a row for each job of an executor: the number of its trial, the arc, and the epochs that are done.

    Args:
      ledger: of the trials. Jobs are known by their numbers there.
      rows: what shows them.
    """

    def __init__(self, ledger: Ledger, rows: Rows):
        self._ledger, self._rows = ledger, rows

    def begin(self, number):
        entry = self._ledger.entries[number]
        # People count from 1, as the line of its result does.
        self._rows.begin(number, f"{number + 1}  {entry.arc}", entry.trial.epochs)

    def advance(self, number, epochs):
        self._rows.advance(number, epochs)

    def end(self, number):
        self._rows.end(number)


def watch(executor: Executor, ledger: Ledger) -> Rows:
    """Return rows that show from now on how far the jobs of an executor are, which are trials of a ledger."""
    rows = Rows("epochs")
    executor.watcher = _Trials(ledger, rows)
    return rows
