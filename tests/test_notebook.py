"""The notebook runs from its first cell to its last, and what it shows is what it says."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "first_steps.ipynb"


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells have printed and returned."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return [out.get("text") or out["data"]["text/plain"] for out in outputs]


@pytest.mark.deep
@pytest.mark.xdist_group("notebook")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    client.execute(cwd=str(tmp_path))
    shown = texts(notebook)
    assert sum("Figure" in text for text in shown) == 4
    assert "[]" in shown  # the environment has no fault
    assert not any(tmp_path.iterdir())  # trained in memory


def test_the_notebook_is_stored_with_small_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")
    assert NOTEBOOK.stat().st_size < 200_000
