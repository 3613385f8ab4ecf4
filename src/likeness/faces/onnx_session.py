"""How the shipped ONNX networks are run."""

from pathlib import Path

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)

# What ONNX Runtime raises for files that are damaged, of a later version, or of a network that takes something else;
# its types have no base of their own. UnicodeDecodeError, of a damaged name, is a ValueError.
UNFIT = (OSError, ValueError, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


def onnx_session(weights: Path, threads: int) -> onnxruntime.InferenceSession:
    """The network in the file ``weights``, on the CPU by ``threads`` of its own; several threads may call it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not cost a core
    return onnxruntime.InferenceSession(weights.read_bytes(), options, providers=["CPUExecutionProvider"])
