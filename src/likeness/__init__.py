"""Make, detect and prove synthetic faces."""

__version__ = "0.1.0"
