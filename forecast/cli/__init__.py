"""The command line: a thin layer over the library. Typer and rich live here and nowhere else."""


def main() -> None:
    """Run `forecast`."""
    import atexit
    import gc
    import os

    atexit.register(gc.freeze)  # else Python's end goes through all that was imported: 0.02 s of `predict`, 0.3 s of `train`
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products here are small: NumPy's threads cost more than they do
    from forecast.cli.app import app

    app()
