"""Where the arithmetic runs, and at which precision."""

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc malloc.h
_KEEP_BYTES = 1 << 30


def pick_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """bf16 where ``device`` computes with it natively, else a context that changes nothing (float32).

    Weights stay float32. fp16 is never used: CPUs emulate it, hundreds of times slower.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


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
