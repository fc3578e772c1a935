from .api import __version__, hookimpl
from .running.run_file import run_file
from .running.trained import load_predictor, named_predictor

__all__ = ["__version__", "hookimpl", "load_predictor", "named_predictor", "run_file"]
