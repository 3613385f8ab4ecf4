"""What makes each picture of a sequence recognisable as synthetic: all that a single picture has, and one mark."""

from dataclasses import dataclass, field
from pathlib import Path

from likeness.make.label import SyntheticLabel
from likeness.prove.sequence import SequencePublication


@dataclass(frozen=True)
class SequenceLabel(SyntheticLabel):
    """The ``SequenceLabelling`` of everything MAKE writes as pictures: visible label, watermark and credentials in (or
    beside) each, and one record of the work."""

    publication: SequencePublication = field(default_factory=SequencePublication, repr=False, compare=False)

    def seal(self, path: Path, destination: Path) -> None:
        """Sign the picture ``path`` in place. Raises CredentialError, BadMediaError or StorageError."""
        self.publication.sign(path, destination, self.claim(destination.name), self.source)

    def finish(self, folder: Path, destination: Path) -> None:
        """Record the work. Raises CredentialError or StorageError."""
        self.publication.record(destination, self.claim(destination.name), self.provenance())
