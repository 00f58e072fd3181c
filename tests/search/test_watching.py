"""What a terminal shows of trials: each is known by its number and its arc."""

import io

import rich.console

from enas_tf.runtime.reporting import Reporter
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Trial
from enas_tf.search.watching import watch
from tests.search.fake_trials import FakeExecutor


def test_a_row_has_the_number_the_arc_and_the_epochs_of_a_trial(tmp_path):
    ledger, executor = Ledger(tmp_path / "trials.jsonl", {"space": "macro"}), FakeExecutor()
    for token in (1, 2):
        ledger.add(Trial((token,), (2, 6)), f"layers: {token}", {"parameters": 1, "flops": 1})
    terminal = rich.console.Console(file=io.StringIO(), force_terminal=True, width=80)
    rows = watch(executor, ledger)
    with Reporter(tmp_path, console=terminal) as reporter, reporter.progress("trials", 2, "trials", rows):
        executor.watcher.begin(1)
        executor.watcher.advance(1, 2.5)
        reporter.say("now")
        shown = terminal.file.getvalue().partition("now")[2]
        executor.watcher.end(1)
        reporter.say("then")
        later = terminal.file.getvalue().partition("then")[2]
    assert "2  layers: 2" in shown
    assert "2.5/6 epochs" in shown
    assert "layers: 1" not in shown, "it is not under way"
    assert "layers: 2" not in later
