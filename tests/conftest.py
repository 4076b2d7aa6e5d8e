"""What several test modules share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_prices_folder() -> Path:
    """Folder of real prices, which stands beside the clone and is no part of it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this clone")
    return folder
