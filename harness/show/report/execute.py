"""From a script with cells to an executed notebook, the same each time that the same results are read."""

import os
import tempfile
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from harness.records.files import replace_file
from harness.show.report.errors import ReportError

_TIMEOUT_S = 120


def execute(script: Path) -> nbformat.NotebookNode:
    """Execute a script's cells in its own directory, and return the notebook.

    Raise ReportError if there is no such script, or one of its cells fails.
    """
    if not script.is_file():
        raise ReportError(f"{script}: is not there: give the directory of the notebooks' scripts with --notebooks")
    notebook = jupytext.read(script)
    # No kernel need be registered, and one that is, with another Python, is not taken: this interpreter is the kernel.
    with tempfile.TemporaryDirectory(prefix="report-") as private:
        kernel = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",  # what the kernel says is nobody else's business: no TCP ports
            ip=f"{private}/kernel",
            connection_file=f"{private}/connection.json",
        )
        client = NotebookClient(
            notebook,
            timeout=_TIMEOUT_S,
            km=kernel,
            resources={"metadata": {"path": str(script.parent)}},
            record_timing=False,
        )
        try:
            client.execute(cleanup_kc=True, env=os.environ | {"IPYTHONDIR": private, "JUPYTER_RUNTIME_DIR": private})
        except CellExecutionError as error:
            raise ReportError(f"{script}: a cell failed: {error.ename}: {error.evalue}") from error
        except DeadKernelError as error:
            raise ReportError(f"{script}: its kernel ended: {error}") from error
    return _settled(notebook, script.stem)


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook. Raise ResultError where nothing can be written."""
    replace_file(path, nbformat.writes(notebook).encode(), "give another --notebooks")


def _settled(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """Take out what differs from one execution to the next though the results are the same."""
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"{name}-{number}"
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook
