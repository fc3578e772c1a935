"""The command `extract`: cutting objects out of images with a trained model."""
