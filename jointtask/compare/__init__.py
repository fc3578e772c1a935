"""The command `compare`: arms of one run file side by side, over several seeds."""
