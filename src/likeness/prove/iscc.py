"""International Standard Content Codes (ISO 24138), where the package iscc-core is installed.

Image-Code for pictures, Data-Code and Instance-Code for any file, and the ISCC-CODE that joins them: identifiers that
others can compute and compare, beside our own store. There is no Video-Code: it is made of MPEG-7 video signatures,
which nothing here can compute, so a clip has the codes of its data only.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from likeness.errors import BadMediaError, MissingDataError
from likeness.media.clip import open_clip

_PIXELS = 32  # the Image-Code is made of 32 × 32 grey values
_BITS = 64


@dataclass(frozen=True)
class IsccCodes:
    """Codes in their canonical form ("ISCC:…"). ``image`` is None for what is no picture; ``code`` joins them all.

    ``data`` is alike for files of like bytes, ``instance`` the same only for the same bytes.
    """

    code: str
    image: str | None
    data: str
    instance: str


def iscc_codes(path: Path) -> IsccCodes:
    """The codes of the media file at ``path``.

    Raises MissingDataError where iscc-core is not installed, BadMediaError where the file cannot be opened.
    """
    iscc_core = _iscc_core()
    clip = open_clip(Path(path))
    image = image_code(next(clip.frames()).image) if clip.kind == "picture" else None
    try:
        with Path(path).open("rb") as content:
            data = str(iscc_core.gen_data_code_v0(content, bits=_BITS)["iscc"])
        with Path(path).open("rb") as content:
            instance = str(iscc_core.gen_instance_code_v0(content, bits=_BITS)["iscc"])
    except OSError as error:
        raise BadMediaError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    units = [unit for unit in (image, data, instance) if unit is not None]
    return IsccCodes(str(iscc_core.gen_iscc_code_v0(units)["iscc"]), image, data, instance)


def image_code(image: np.ndarray) -> str:
    """The Image-Code of ``image``, uint8 RGB (h, w, 3): upright, transparency laid on white, borders left on."""
    grey = Image.fromarray(image).convert("L").resize((_PIXELS, _PIXELS), Image.Resampling.BICUBIC)
    return str(_iscc_core().gen_image_code_v0(np.asarray(grey).ravel().tolist(), bits=_BITS)["iscc"])


def _iscc_core() -> ModuleType:
    try:
        import iscc_core
    except ImportError as error:
        raise MissingDataError("ISCC codes need the package iscc-core. Install it: pip install iscc-core") from error
    return iscc_core
