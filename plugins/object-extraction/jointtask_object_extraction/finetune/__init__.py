"""The command `jointtask finetune`: the shipped model, trained further on a user's own images and masks."""
