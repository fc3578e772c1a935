"""Annotations that other programs write: COCO, labelme, Pascal VOC, and boxes in a CSV file."""
