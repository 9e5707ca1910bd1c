"""One module per peer; each has `train(task) -> scores` and does what its own users do."""
