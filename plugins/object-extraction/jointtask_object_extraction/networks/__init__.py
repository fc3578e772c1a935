"""The localization and segmentation networks, their encoders and pretrained weights."""
