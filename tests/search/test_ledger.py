"""The ledger says after a kill what it said before, keeps nothing of half a line, and refuses what is not its own."""

import json

import pytest

from enas_tf.errors import InputError
from enas_tf.search.ledger import Ledger
from enas_tf.search.trials import Failure, Measurement, Trial

ABOUT = {"space": "macro", "num_tokens": 3, "dataset": "digits"}
COST = {"parameters": 12, "flops": 3400}
SHORT, LONG, FINALIST = Trial((0, 1, 0), (1,)), Trial((0, 1, 0), (1, 3)), Trial((2, 2, 1), (4,), "finalist")
DONE = Measurement(0.1 + 0.2, 1 / 3, (0.25, 0.1 + 0.2), 1.5, "CPU", None, 0.75, 0.1 + 0.2)
FAILED = Failure("diverged", 'step 3 has a loss of nan\u2028, "quoted"')


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "trials.jsonl"


@pytest.fixture
def filled(path):
    """A ledger with a finished trial, a failed one and one that is under way."""
    ledger = Ledger(path, ABOUT)
    entries = [ledger.add(trial, "layers: 0 1 0", COST) for trial in (SHORT, LONG, FINALIST)]
    ledger.finish(entries[1], FAILED)
    ledger.finish(entries[0], DONE)
    return ledger


def test_what_was_written_is_read(path, filled):
    read = Ledger(path, ABOUT)
    assert read.entries == filled.entries
    assert [entry.outcome for entry in read.entries] == [DONE, FAILED, None], "an unfinished trial stays unfinished"
    assert read.of("finalist") == [filled.entries[2]]
    assert (read.find(SHORT), read.find(LONG)) == tuple(filled.entries[:2])
    assert read.find(FINALIST) is None
    assert read.find(Trial(SHORT.tokens, SHORT.budgets, "finalist")) is None


def test_each_change_is_one_line(path, filled):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[0] == {"about": ABOUT}
    assert [(record["id"], record["status"]) for record in records[1:]] == [
        (0, "waiting"), (1, "waiting"), (2, "waiting"), (1, "failed"), (0, "done")
    ]  # fmt: skip


def test_a_trial_that_was_begun_before_is_begun_again(path, filled):
    read = Ledger(path, ABOUT)
    assert read.begin(FINALIST, "other", COST) is read.entries[2]
    assert read.begin(SHORT, "layers: 0 1 0", COST).number == 3, "one that is finished is another entry"
    assert Ledger(path, ABOUT).entries == read.entries


def test_a_line_that_was_cut_off_is_dropped_and_written_again(path, filled):
    """Wherever the run was killed: the ledger is that of the whole lines, and goes on from there."""
    content = path.read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    for size in sorted(
        {0, 1, *range(0, len(content), 40), *ends, *(end + 1 for end in ends), *(end + 2 for end in ends)}
    ):
        path.write_bytes(content[:size])
        ledger = Ledger(path, ABOUT)
        whole = content[:size].count(b"\n") + (content[size : size + 1] == b"\n")
        assert len(ledger.entries) == max(0, min(3, whole - 1)), size
        assert sum(entry.outcome is not None for entry in ledger.entries) == max(0, whole - 4), size
        ledger.add(Trial((1, 1, 1), (1,)), "layers: 1 1 1", COST)
        assert Ledger(path, ABOUT).entries == ledger.entries


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "no JSON",
        '{"id": 3, "status": "waiting"}',
        '{"id": 7, "status": "failed", "kind": "memory", "reason": ""}',
        '{"id": 2, "status": "done", "value": NaN, "loss": 1, "seconds": 1, "curve": [], "device": "CPU"}',
        '{"id": 2, "status": "done", "value": 0.5}',
        '{"id": 4, "status": "waiting", "arc": "", "tokens": [0], "budgets": [1], "purpose": "search", '
        '"parameters": 1, "flops": 1}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:30],
)
def test_a_damaged_line_is_refused_with_the_cure(path, filled, line):
    lines = path.read_text().splitlines()
    for place in (1, len(lines)):
        damaged = [*lines[:place], line, *lines[place:]]
        path.write_text("\n".join(damaged) + "\n")
        before = path.read_bytes()
        with pytest.raises(InputError, match=rf"trials\.jsonl, line {place + 1} is .*[Rr]estore it .* overwrite"):
            Ledger(path, ABOUT)
        assert path.read_bytes() == before


@pytest.mark.parametrize(("name", "other"), [("space", "micro"), ("num_tokens", 4), ("dataset", "cifar10")])
def test_trials_of_another_space_or_of_other_data_are_refused(path, filled, name, other):
    with pytest.raises(InputError, match=rf"holds trials of another {name} \(.*{ABOUT[name]}.*{other}.* workdir"):
        Ledger(path, ABOUT | {name: other})
