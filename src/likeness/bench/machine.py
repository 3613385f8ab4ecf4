"""What a figure was measured on."""

import os
import platform
from pathlib import Path

import torch

from likeness.make.compute import pick_device


def machine() -> str:
    """One line: processor, cores, threads that PyTorch uses, GPU if there is one, version of PyTorch."""
    device = pick_device()
    parts = [f"{_processor()}, {os.cpu_count()} cores", f"{torch.get_num_threads()} thread(s)"]
    parts.append(torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU")
    parts.append("native bf16" if _has_bf16(device) else "no native bf16")
    return ", ".join([*parts, f"torch {torch.__version__}"])


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
