"""Joint-task learning: two task networks, a latent adjustment between them, and an EM loop that samples it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
