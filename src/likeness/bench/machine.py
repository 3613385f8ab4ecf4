"""What a figure was measured on."""

import os
import platform
from pathlib import Path

import torch

from likeness.make.compute import computes_in_bf16, pick_device


def machine() -> str:
    """One line: processor, cores, threads that PyTorch uses, GPU if there is one, version of PyTorch."""
    device = pick_device()
    parts = [f"{_processor()}, {os.cpu_count()} cores", f"{torch.get_num_threads()} thread(s)"]
    parts.append(torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU")
    parts.append("native bf16" if computes_in_bf16(device) else "no native bf16")
    return ", ".join([*parts, f"torch {torch.__version__}"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
