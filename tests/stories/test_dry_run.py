"""`search --dry_run`: what a search would take, and nothing else."""

import pytest

SMALL = {
    "macro": ["--num_layers=3", "--channels=4", "--limit_train=192", "--batch_size=32"],
    "recurrent": ["--cell_nodes=3", "--units=8", "--batch_size=32", "--limit_train=20000"],
}


@pytest.mark.parametrize("space", SMALL)
def test_it_says_sizes_and_times_and_writes_nothing(launch, tmp_path, space):
    outcome = launch("search", f"--space={space}", *SMALL[space], "--dry_run", "--epochs=7")
    assert outcome.code == 0, outcome.out + outcome.err
    for row in ("space", "supernet", "weights", "children", "peak memory", "first step", "a step", "an epoch"):
        assert f"\n  {row} " in outcome.out
    assert "nothing is written" in outcome.out
    assert not list(tmp_path.iterdir())


def test_wrong_flags_are_refused_as_by_a_search(launch):
    outcome = launch("search", "--dry_run", "--num_layers=3", "--channels=5")
    assert outcome.code == 2
    assert "--channels=5 is not valid" in outcome.err
