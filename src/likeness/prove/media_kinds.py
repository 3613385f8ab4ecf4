"""Which kinds of file carry credentials inside, and which have them in a file beside."""

from pathlib import Path

UNKNOWN = "application/octet-stream"
MANIFEST_STORE = "application/c2pa"

# What can carry credentials, by suffix; Python's own table depends on the system.
_EMBEDDING = {
    ".mp4": "video/mp4",
    ".m4v": "video/x-m4v",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".heic": "image/heic",  # MEDIA does not open it: it is read, and named as an ingredient, but not published
    ".heif": "image/heif",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}
# What C2PA has no place in for credentials: they go to a file beside. Only kinds that MEDIA opens.
_BESIDE = {
    ".exr": "image/x-exr",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
}


def embedding_type(path: Path) -> str | None:
    """The media type of a file that has a place for credentials, by its suffix; None for others."""
    return _EMBEDDING.get(Path(path).suffix.lower())


def medium_type(path: Path) -> str | None:
    """The media type of any file that can be signed, by its suffix; None for what is no picture, film or sound."""
    return embedding_type(path) or _BESIDE.get(Path(path).suffix.lower())
