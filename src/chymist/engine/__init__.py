"""The engine: one training loop, its record, its checkpoints and the run folder.

May use models, small parts, data and values; knows nothing of scores, reports or faces.
"""
