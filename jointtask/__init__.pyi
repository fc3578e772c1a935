from .api import __version__, hookimpl
from .compare.compare_arms import compare_arms
from .running.run_file import run_file
from .running.trained import load_predictor, named_predictor

__all__ = ["__version__", "compare_arms", "hookimpl", "load_predictor", "named_predictor", "run_file"]
