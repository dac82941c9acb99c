"""A process for each measurement: whatever a network does to it, the script goes on, and the journal says what."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from typing import Any, Callable, Dict

from pytest_archbench.old_boards.energy import SensorLost, readings
from pytest_archbench.old_boards.host import NoDevice, look
from pytest_archbench.old_boards.networks import UnknownNetwork, Work, find, keep_freed_memory, peak_memory
from pytest_archbench.old_boards.timing import latency, sample, throughput, warm_up
from pytest_archbench.old_boards.witness import between, snapshot
from pytest_archbench.power.rails import NoRails, total

Answer = Dict[str, Any]
"""``readings`` by metric with what they were taken under, or ``status`` and ``message``."""

SIGNS = {
    "OutOfMemoryError": "oom",
    "out of memory": "oom",
    "can't allocate memory": "oom",
    "CUDA error": "crashed",
    "CUDNN_STATUS": "crashed",
}
"""What torch's errors say, in the order they are looked for."""


def obstacle(instrument: str, place: str) -> str:
    """Why an instrument does not exist here, without a process to find out; empty where it does."""
    if instrument == "memory" and place == "cpu":
        return "this script has no account of memory on the CPU; pytest --archbench measures it"
    if instrument == "energy":
        try:
            total()
        except NoRails as reason:
            return str(reason)
    return ""


def ask(job: Dict[str, Any], timeout: float) -> Answer:
    """What a new process answers to a job; ``timeout`` in s."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "answer.json")
        kills = kills_for_memory()
        process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--child", json.dumps(job), path],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return {"status": "timeout", "message": f"no answer within {timeout:g} s; raise --timeout"}
        finally:
            end(process)
        try:
            with open(path, encoding="utf-8") as file:
                answer: Answer = json.load(file)
        except (OSError, ValueError):
            return died(code, kills_for_memory() > kills)
    return answer


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def died(code: int, for_memory: bool) -> Answer:
    """What became of a process without an answer."""
    if code == -signal.SIGKILL and for_memory:
        return {"status": "oom", "message": "the system's memory ran out, and it ended the measuring process (SIGKILL)"}
    names = {each.value: each.name for each in signal.Signals}
    cause = f"signal {names.get(-code, -code)}" if code < 0 else f"exit status {code}"
    hint = "; old kernels end a process so where memory runs out" if code == -signal.SIGKILL else ""
    return {"status": "crashed", "message": f"the measuring process ended with {cause}{hint}"}


def kills_for_memory() -> int:
    """How many processes the system has ended so far because memory ran out; 0 where it does not count them."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return int(dict(line.split() for line in file)["oom_kill"])
    except (OSError, ValueError, KeyError):
        return 0


def serve(job: Dict[str, Any], path: str) -> int:
    """Do a job and write the answer to ``path``; in the new process."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    sys.path.insert(0, os.getcwd())
    warnings.simplefilter("ignore")
    try:
        answer = INSTRUMENTS[job["instrument"]](job)
    except BaseException as error:  # noqa: BLE001  a network may raise anything, and the others go on
        answer = failure(error)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    return 0


def failure(error: BaseException) -> Answer:
    """What an exception means for its case."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    status = next((status for sign, status in SIGNS.items() if sign in said), "failed")
    if isinstance(error, (UnknownNetwork, NoDevice, SensorLost)):
        return {"status": "failed", "message": str(error)}
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (in {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return {"status": "oom" if isinstance(error, MemoryError) else status, "message": said + place}


def _end_with_parent(parent: int) -> None:
    """A parent that is killed ends no child by that."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def _look(job: Dict[str, Any]) -> Answer:
    for source in job["sources"]:
        find(source)
    return look(job["devices"])


def _latency(job: Dict[str, Any]) -> Answer:
    keep_freed_memory()
    work = Work(job["source"], job)
    before = snapshot()
    timed = sample(work, job["time_budget"], job["precision"])
    facts = between(before, snapshot(), timed.reference)
    times = latency(timed, job["precision"], job["place"], facts)
    return _answer(work, {"latency": times, "throughput": throughput(times, job["batch_size"])})


def _memory(job: Dict[str, Any]) -> Answer:
    work = Work(job["source"], job)
    return _answer(work, {"peak_memory": peak_memory(work, job["place"])})


def _energy(job: Dict[str, Any]) -> Answer:
    found = total()
    keep_freed_memory()
    work = Work(job["source"], job)
    warm_up(work, job["time_budget"], time.perf_counter)
    return _answer(work, readings(found, work, job["batch_size"], job["window"], job["threads"]))


def _answer(work: Work, found: Dict[str, Any]) -> Answer:
    ready = work.ready
    under = {"input_shape": list(ready.images.shape[1:]), "dtype": ready.dtype, "runtime": ready.runtime}
    return {"under": under, "readings": {metric: reading._asdict() for metric, reading in found.items()}}


INSTRUMENTS: Dict[str, Callable[[Dict[str, Any]], Answer]] = {
    "look": _look,
    "latency": _latency,
    "memory": _memory,
    "energy": _energy,
}
