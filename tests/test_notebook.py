"""The notebook of the documentation runs from its first cell to its last."""

from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
#: Seconds that a cell may take, on a machine that does something else too.
MOST_SECONDS = 300


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # Where the package is not installed.
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=MOST_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # Raises the error of a cell that fails.
    (predictions,) = [cell for cell in notebook.cells if cell.source.startswith("model.predict(")]
    assert "array" in predictions.outputs[-1]["data"]["text/plain"]
    assert {path.name for path in (tmp_path / "digits").iterdir()} >= {"child", "candidates.csv", "report.html"}
