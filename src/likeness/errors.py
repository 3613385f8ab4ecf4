"""The errors a user can put right. The text of each is one line that says what happened and what to do."""


class LikenessError(Exception):
    """Base of every error of our own; the command line prints its text and exits with code 2."""


class BadMediaError(LikenessError):
    """The file is empty, cut off, of another kind than allowed, or over a limit."""


class NoFaceError(LikenessError):
    """No usable face where one is needed."""


class FaceSetError(LikenessError):
    """A folder of faces that is empty, damaged or not a face set."""


class ModelError(LikenessError):
    """A model folder that is missing, damaged or made for something else."""


class ConsentError(LikenessError):
    """No valid consent record for the face that would be used."""


class CredentialError(LikenessError):
    """Credentials could not be made or read, or the signing identity is unusable."""


class MissingDataError(LikenessError):
    """A data file that the user has to provide or download is not there."""


class StorageError(LikenessError):
    """A file could not be written: disk full, no permission, locked."""


class SettingsError(LikenessError):
    """An option has a value that makes no sense."""
