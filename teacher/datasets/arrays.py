"""numpy's files, read without trusting them."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from teacher.errors import UserError


def read_arrays(file: Path, what: str, remedy: str) -> dict[str, Float64[np.ndarray, "..."]]:
    """The arrays of an .npz file by name, or the one of an .npy file under the name "", in float64.

    Raises:
        UserError: the file is damaged, or holds something else than numbers.
    """
    try:
        with warnings.catch_warnings(), file.open("rb") as stream:
            warnings.simplefilter("ignore")  # numpy warns before it raises
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded.astype(np.float64)}
            with loaded as archive:
                return {key: np.asarray(archive[key], np.float64) for key in archive.files}
    except Exception as error:
        # numpy, zipfile, zlib and tokenize each have their own errors for damage; nothing else runs in there
        problem = f"{type(error).__name__}: {error}"
        raise UserError(f"{what} {file}", problem, "numbers as numpy saves them", remedy) from None
