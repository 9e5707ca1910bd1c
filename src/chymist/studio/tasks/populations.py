"""A task about populations: the script that trains the same one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chymist.engine.stored import read_as
from chymist.evidence.studies import PopulationRecord
from chymist.verbs.study_scripts import population_script as script_of


def population_script(folder: str) -> Iterator[dict[str, str]]:
    """Python that trains the population of a folder, ended or not."""
    found = read_as(Path(folder) / "population.json", PopulationRecord)[1]
    yield {"python": script_of(found)}
