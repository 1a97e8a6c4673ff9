"""Files prepared by the processes of a Ray cluster, or of a Ray that is started on this machine.

Ray Data hands blocks of files to workers that each hold one embedding model, no more at a time than they can take, and
gives the blocks back in their order. What was lost with a worker is tried once more file by file, and what is lost
then, each with a worker of its own, so that no file is given up for what another did.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rag.errors import BackendMissing, BadInput
from rag.load import File
from rag.prepare import Prepared, Preparer
from rag.processor import cores_granted

BLOCK = 16  # files that a worker prepares together, and loses together
TRIES = 2  # of a block whose worker ends, beside the first
LOCAL = "ray"
REMOTE = "ray://"
STORE_BYTES = 500_000_000  # of shared memory that a Ray of our own takes for what is on its way
CRASHED = "its worker crashed while reading it"


class RayWorkers:
    """Workers of Ray; each makes what prepares files by itself, from the callable given."""

    def __init__(self, address: str, open_preparer: Callable[[], Preparer]) -> None:
        if address != LOCAL and not address.startswith(REMOTE):
            raise BadInput(f"There are no workers {address!r}.", hint='Use "ray", or "ray://HOST:10001" for a cluster.')
        self._open_preparer = open_preparer
        # No word to Ray's makers, and none to the user: what matters is reported at the end.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as missing:
            raise BackendMissing(
                f"Workers need {missing.name}, which is not installed.", hint='pip install "whosays[ray]"'
            ) from missing
        self._ray: Any = ray
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address != LOCAL:
            options["address"] = address
        elif "RAY_ADDRESS" not in os.environ:
            cores = cores_granted()
            options |= {"num_cpus": cores, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        # What Ray says of a worker that died it prints where a command's result belongs.
        self._printing = contextlib.redirect_stdout(sys.stderr)
        try:
            ray.init(**options)
        except Exception as error:  # where a busy machine starts it too slowly, Ray raises nothing more exact
            place = "on this machine" if address == LOCAL else f"at {address}"
            told = str(error).strip().partition("\n")[0][:200]
            raise BadInput(
                f"Ray {place} does not answer: {told}",
                hint="Start it or correct the address; a busy machine may be slow. Or leave out --workers.",
            ) from error
        self._printing.__enter__()
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.max_errored_blocks = -1

    def prepared(self, files: Sequence[File]) -> Iterator[Prepared]:
        """Each file once, in their order; those whose worker crashed come last."""
        for size, tries in ((BLOCK, TRIES), (1, 0)):
            done = set()
            for made in self._pass(files, size, tries):
                done.add(made.path)
                yield made
            files = [file for file in files if str(file.path) not in done]
        for file in files:
            yield from [*self._pass([file], 1, 1)] or [Prepared(str(file.path), reason=CRASHED)]

    def close(self) -> None:
        """End the workers, and Ray where it is our own."""
        try:
            self._ray.shutdown()
        finally:
            self._printing.__exit__(None, None, None)

    def _pass(self, files: Sequence[File], size: int, tries: int) -> Iterator[Prepared]:
        """Files in blocks of a size, each tried so often again; those of blocks that were lost are left out."""
        if not files:
            return
        data = self._ray.data
        blocks = [{"files": pickle.dumps(files[start : start + size])} for start in range(0, len(files), size)]
        resources = self._ray.cluster_resources()
        on_gpu = resources.get("GPU", 0) >= 1
        most = int(resources.get("GPU" if on_gpu else "CPU", 1)) or 1
        made = data.from_items(blocks, override_num_blocks=len(blocks)).map(
            _Worker,
            fn_constructor_args=(self._open_preparer,),
            compute=data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=1,
            num_gpus=1 if on_gpu else 0,
            max_restarts=-1,
            max_task_retries=tries,
        )
        for row in made.iter_rows():
            yield from pickle.loads(row["prepared"])


class _Worker:
    """What prepares blocks of files in a process of its own."""

    def __init__(self, open_preparer: Callable[[], Preparer]) -> None:
        self._preparer = open_preparer()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"prepared": pickle.dumps(self._preparer.prepared(pickle.loads(row["files"])))}
