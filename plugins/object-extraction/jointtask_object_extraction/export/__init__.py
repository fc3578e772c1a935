"""The command `jointtask export`: a trained run as one ONNX graph, and such a graph as a predictor without torch."""
