"""Populations: many runs of one architecture trained as one program, each as it would train alone.

`train_together` takes ordinary assembled runs and leaves each in the state that it would have
reached alone. `grouping` says which runs can be trained together, and why others cannot.
"""

from chymist.engine.population.grouping import Group as Group
from chymist.engine.population.grouping import together as together
from chymist.engine.population.running import execute_all as execute_all
from chymist.engine.population.training import MemberEvent as MemberEvent
from chymist.engine.population.training import train_together as train_together
