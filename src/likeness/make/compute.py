"""Where the arithmetic runs, and at which precision."""

import ctypes
import importlib.util
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc malloc.h
_KEEP_BYTES = 1 << 30


def pick_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare(device: torch.device) -> None:
    """Choose fast kernels for ``device``: on a GPU let cuDNN try which are, and multiply float32 in TF32; on a CPU keep
    freed memory."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    else:
        keep_freed_memory()


def can_compile(device: torch.device) -> bool:
    """Whether networks are compiled (torch.compile): on GPUs with Triton, which fuses what lies between convolutions.

    On a CPU it takes a C++ compiler and a minute, and gains little on networks of convolutions.
    """
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def computes_in_bf16(device: torch.device) -> bool:
    """Whether ``device`` has bf16 arithmetic of its own; emulated it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device) -> torch.autocast:
    """bf16 where ``device`` computes with it natively, else a context that changes nothing (float32).

    Weights stay float32. fp16 is never used: CPUs emulate it, hundreds of times slower.
    """
    kind = device.type if device.type == "cuda" else "cpu"
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=computes_in_bf16(device))


def keep_freed_memory() -> None:
    """Have the C library keep freed blocks instead of handing them back to the system after every tensor.

    A training step frees and asks for the same blocks over and over; fetching them anew, the system zeroes every page,
    which took 40 % of the time of `original`. Only glibc knows these switches; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
