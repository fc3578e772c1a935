from . import text
from .cache import CachedArrays, FaultsError, cache_folder, cached_arrays, explained, open_cached
from .columns import Columns, LazySequence, TextColumn, open_columns, write_columns
from .files import remove_leftovers, replacing, write_atomic
from .notice import note_once
from .plain import to_plain
from .plot import COLOURS, SIZE, STYLE, inside, look, svg
from .progress import PlainProgress, SilentProgress, TerminalProgress, open_progress
from .statistics import RESAMPLES, bootstrap_interval, mean_interval
from .tensorfile import digest, save_tensors
from .workers import spread

__all__ = [
    "COLOURS",
    "RESAMPLES",
    "SIZE",
    "STYLE",
    "CachedArrays",
    "Columns",
    "FaultsError",
    "LazySequence",
    "PlainProgress",
    "SilentProgress",
    "TerminalProgress",
    "TextColumn",
    "bootstrap_interval",
    "cache_folder",
    "cached_arrays",
    "digest",
    "explained",
    "inside",
    "look",
    "mean_interval",
    "note_once",
    "open_cached",
    "open_columns",
    "open_progress",
    "remove_leftovers",
    "replacing",
    "save_tensors",
    "spread",
    "svg",
    "text",
    "to_plain",
    "write_atomic",
    "write_columns",
]
