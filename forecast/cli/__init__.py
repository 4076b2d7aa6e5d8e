"""The command line: a thin layer over the library. Typer and rich live here and nowhere else."""


def main() -> None:
    """Run `forecast`."""
    import os

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products here are small: NumPy's threads cost more than they do
    from forecast.cli.app import app

    app()
