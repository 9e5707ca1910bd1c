"""chymist beside its peers, measured side by side: `make bench`."""
