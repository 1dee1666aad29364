"""Where the time of a file goes: milliseconds per kind of operator.

ONNX Runtime writes a profile by itself. LiteRT profiles through its C interface, which
its Python package contains but does not wrap.
"""

import ctypes
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

RUNS = 15


def profile(path):
    """Run a file on one thread and return its time per kind of operator.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.

    Returns:
        dict of the runtime's name of an operator to (count, milliseconds in all), most
        expensive first; of each the best run, which other programs disturbed least.

    Raises:
        RuntimeError: if the installed LiteRT cannot profile.
    """
    runs = (_litert if Path(path).suffix == ".tflite" else _onnxruntime)(path)
    counts = {kind: count for run in runs for kind, (count, _) in run.items()}
    times = {kind: min(run[kind][1] for run in runs if kind in run) for kind in counts}
    ordered = sorted(times, key=times.get, reverse=True)
    return {kind: (counts[kind], times[kind]) for kind in ordered}


def _onnxruntime(path):
    """Profile in ONNX Runtime: a dict of kind to (count, ms) for each run."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        (image,) = session.get_inputs()
        crop = np.zeros((1, *image.shape[1:]), np.float32)
        for _ in range(RUNS + 2):
            session.run(None, {image.name: crop})
        events = json.loads(Path(session.end_profiling()).read_text())
    runs = defaultdict(lambda: defaultdict(lambda: (0, 0.0)))
    seen = defaultdict(int)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            run = runs[seen[event["name"]]]
            seen[event["name"]] += 1
            count, spent = run[event["args"]["op_name"]]
            run[event["args"]["op_name"]] = (count + 1, spent + event["dur"] / 1e3)
    return list(runs.values())[2:]


def _litert(path):
    """Profile in LiteRT: a dict of kind to (count, ms) for each run.

    LiteRT adds up all runs of a model, even when told to begin anew: each run has a
    model of its own.
    """
    runs = []
    for _ in range(RUNS):
        with _ProfiledModel(path) as model:
            runs.append(model.run())
    return runs


# A row of LiteRT's summary by node type: name, distinct names of nodes, average in ms,
# two shares, memory, times called. Nodes of several delegated parts share their names.
_SUMMARY_ROW = re.compile(
    r"^\s*(?:Delegate/)?(\S.*?)\s+\d+\s+([\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+(\d+)$"
)
_HOST_CPU = 1
_LOCK_WRITE = 1


class _ProfiledModel:
    """A model opened through LiteRT's C interface with profiling on."""

    def __init__(self, path):
        import ai_edge_litert

        library = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise RuntimeError(f"this LiteRT cannot profile: {error}") from None
        self._path = str(path).encode()
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def __enter__(self):
        environment = self._new("LiteRtCreateEnvironment", 0, None)
        model = self._new("LiteRtCreateModelFromFile", environment, self._path)
        options = self._options()
        self._model = self._new(
            "LiteRtCreateCompiledModel", environment, model, options
        )
        self._profiler = self._new("LiteRtCompiledModelGetProfiler", self._model)
        if not self._profiler:
            raise RuntimeError("this LiteRT cannot profile")
        signature = self._new("LiteRtGetModelSignature", model, ctypes.c_size_t(0))
        self._inputs = self._buffers(environment, signature, "Input")
        self._outputs = self._buffers(environment, signature, "Output")
        self._handles = {"Options": options, "Model": model, "Environment": environment}
        return self

    def __exit__(self, *_):
        for buffer in (*self._inputs, *self._outputs):
            self._library.LiteRtDestroyTensorBuffer(ctypes.c_void_p(buffer))
        self._library.LiteRtDestroyCompiledModel(self._model)
        for kind, handle in self._handles.items():
            getattr(self._library, f"LiteRtDestroy{kind}")(handle)

    def run(self):
        """Run after one run to warm up; return a dict of kind to (count, ms)."""
        self._run()
        self._call("LiteRtStartProfiler", self._profiler)
        self._run()
        self._call("LiteRtStopProfiler", self._profiler)
        text = self._new("LiteRtGetProfileSummary", self._profiler, self._model)
        summary = ctypes.string_at(text).decode()
        self._c.free(text)
        return _parse_summary(summary)

    def _run(self):
        self._call(
            "LiteRtRunCompiledModel",
            self._model,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )

    def _call(self, name, *arguments):
        try:
            status = getattr(self._library, name)(*arguments)
        except AttributeError:
            raise RuntimeError(f"this LiteRT cannot profile: no {name}") from None
        if status:
            raise RuntimeError(f"this LiteRT cannot profile: {name} returned {status}")

    def _new(self, name, *arguments):
        """Call a function whose last argument receives a handle; return that."""
        handle = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(handle))
        return handle

    def _options(self):
        """Options: the CPU, profiling on."""
        options = self._new("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _HOST_CPU)
        setting = ctypes.c_void_p(self._c.strdup(b"enable_profiling = true\n"))
        free = ctypes.cast(self._c.free, ctypes.c_void_p)
        extra = self._new(
            "LiteRtCreateOpaqueOptions", b"runtime_options_string", setting, free
        )
        self._call("LiteRtAddOpaqueOptions", options, extra)
        return options

    def _buffers(self, environment, signature, end):
        """Memory for the inputs, set to zero, or for the outputs."""
        count = ctypes.c_size_t()
        self._call(f"LiteRtGetNumSignature{end}s", signature, ctypes.byref(count))
        buffers = (ctypes.c_void_p * count.value)()
        for i in range(count.value):
            index = ctypes.c_size_t(i)
            needs = self._new(
                f"LiteRtGetCompiledModel{end}BufferRequirements",
                self._model,
                ctypes.c_size_t(0),
                index,
            )
            tensor = self._new(
                f"LiteRtGetSignature{end}TensorByIndex", signature, index
            )
            kind = ctypes.create_string_buffer(512)  # larger than the structure
            self._call("LiteRtGetRankedTensorType", tensor, kind)
            buffer = self._new(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                environment,
                kind,
                needs,
            )
            size = ctypes.c_size_t()
            self._call("LiteRtGetTensorBufferSize", buffer, ctypes.byref(size))
            memory = ctypes.c_void_p()
            self._call(
                "LiteRtLockTensorBuffer", buffer, ctypes.byref(memory), _LOCK_WRITE
            )
            ctypes.memset(memory, 0, size.value)
            self._call("LiteRtUnlockTensorBuffer", buffer)
            buffers[i] = buffer.value
        return buffers


def _parse_summary(summary):
    """The table by node type of one run: kind -> (calls, milliseconds)."""
    _, _, table = summary.partition("Summary by node type")
    found = {}
    for line in table.partition("Delegate Statistics")[0].splitlines():
        match = _SUMMARY_ROW.match(line)
        if match:
            kind, average, calls = match.groups()
            found[kind] = (int(calls), int(calls) * float(average))
    return found
