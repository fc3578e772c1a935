"""What plugins may use beside the contracts: files, caches, progress, workers, statistics, text and figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
