"""Law 5 over processes: two that share each step end with the same bits, and with what one process ends with."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def start(index: str, port: int, path: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"}
    environment.pop("TF_CONFIG", None)
    command = [sys.executable, str(HERE / "worker.py"), index, str(port), str(path)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(path: Path, port: int, indexes: tuple[str, ...]) -> list[dict[str, np.ndarray]]:
    """What each of the processes has left."""
    files = [path / f"{index or 'alone'}.npz" for index in indexes]
    processes = [start(index, port, file) for index, file in zip(indexes, files, strict=True)]
    outputs = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(outputs)[-4000:]
    return [dict(np.load(file)) for file in files]


def test_two_processes_take_the_steps_of_one(tmp_path, unused_ports):
    first, second = run(tmp_path, unused_ports[0], ("0", "1"))
    (alone,) = run(tmp_path, 0, ("",))
    assert first.keys() == second.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        np.testing.assert_allclose(first[name], values, rtol=1e-3, atol=1e-4, err_msg=name)
