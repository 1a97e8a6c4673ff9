"""Every error that is ours, each with what to do about it.

    WhosaysError
    ├── BadInput                 2  the question, a path or an option cannot be used
    │   ├── BadQuestion             empty, too long, or not text
    │   ├── BadSettings             a setting is unknown or has a wrong value
    │   ├── BadGold                 a gold file breaks its format
    │   ├── SourceUnknown           no such source in the index
    │   └── Unparsable              a file is not what its ending says; indexing skips it
    ├── IndexProblem             3  the index cannot be used as it is
    │   ├── IndexMissing            there is none
    │   ├── IndexDamaged            it is not what was written, or is from another version
    │   ├── IndexMismatch           it was written with another embedding model
    │   ├── IndexLocked             another run writes it
    │   ├── IndexUnwritable         read-only, or the disk is full
    │   ├── IndexUnreachable        the server that holds it does not answer
    │   └── IndexRefused            that server turns the token away, or what was asked of it
    └── BackendProblem           4  a model or a library cannot be used
        ├── BackendMissing          a package is not installed
        ├── ModelUnavailable        the model is unknown, not there, or fails
        ├── ModelRefused            its key is missing or wrong
        ├── ModelUnreachable        its server does not answer, or breaks off
        ├── ModelTimeout            it took longer than the settings allow
        ├── ModelOverloaded         its server turns questions away, however often asked
        ├── ContextTooSmall         the question and one sentence do not fit into what it reads
        ├── ModelDamaged            its file has another digest than it must have
        └── MemoryTooSmall          there is too little memory to load or to run it

The number is the exit code of the command line. Anything else that is raised is a bug (exit code 70).
"""


class WhosaysError(Exception):
    """An error with one clear message: what was wrong, with the value, and in `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """The error's name for programs, such as `index_missing`."""
        name = type(self).__name__
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class BadInput(WhosaysError):
    """What was asked for cannot be used."""

    exit_code = 2


class BadQuestion(BadInput):
    """The question is empty, too long, or not text."""


class BadSettings(BadInput):
    """A setting is unknown or has a wrong value."""


class BadGold(BadInput):
    """A gold file breaks its format; the message names the line."""


class SourceUnknown(BadInput):
    """No such source in the index."""


class Unparsable(BadInput):
    """A file cannot be read as its format; the message is the reason that the report gives."""


class IndexProblem(WhosaysError):
    """The index cannot be used as it is."""

    exit_code = 3


class IndexMissing(IndexProblem):
    """There is no index at the place named."""


class IndexDamaged(IndexProblem):
    """The index is not what was written, or is from another version."""


class IndexMismatch(IndexProblem):
    """The index was written with another embedding model."""


class IndexLocked(IndexProblem):
    """Another run writes the index."""


class IndexUnwritable(IndexProblem):
    """The index cannot be written: read-only, or the disk is full."""


class IndexUnreachable(IndexProblem):
    """The server that holds the index does not answer."""


class IndexRefused(IndexProblem):
    """The server that holds the index turns the token away, or what was asked of it."""


class BackendProblem(WhosaysError):
    """A model or a library cannot be used."""

    exit_code = 4


class BackendMissing(BackendProblem):
    """A package is not installed."""


class ModelUnavailable(BackendProblem):
    """The model is unknown, not there, or fails."""


class ModelRefused(BackendProblem):
    """The model's key is missing, or its server refuses it."""


class ModelUnreachable(BackendProblem):
    """The model's server does not answer, or breaks off."""


class ModelTimeout(BackendProblem):
    """The model took longer than the settings allow."""


class ModelOverloaded(BackendProblem):
    """The model's server turns questions away, however often it is asked."""


class ContextTooSmall(BackendProblem):
    """The model reads too little at once for the question and a sentence of a source."""


class ModelDamaged(BackendProblem):
    """A model's file has another digest than it must have."""


class MemoryTooSmall(BackendProblem):
    """There is too little memory to load or to run a model."""
