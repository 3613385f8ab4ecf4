"""How the shipped ONNX networks are run."""

from pathlib import Path

import onnxruntime


def onnx_session(weights: Path, threads: int) -> onnxruntime.InferenceSession:
    """The network in the file ``weights``, on the CPU by ``threads`` of its own; several threads may call it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting must not cost a core
    return onnxruntime.InferenceSession(weights.read_bytes(), options, providers=["CPUExecutionProvider"])
