"""Object extraction for jointtask: the salient object's box and, inside it, its mask (Wang et al., NIPS 2014)."""
