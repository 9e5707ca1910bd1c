"""Populations: many runs of one architecture trained as one program, each as it would train alone.

`train_together` takes ordinary assembled runs and leaves each in the state that it would have
reached alone. `grouping` says which runs can be trained together, and why others cannot; `plan`
which form of a population is fastest on this machine.
"""

from chymist.engine.population.copying import copy_member as copy_member
from chymist.engine.population.copying import with_recipe as with_recipe
from chymist.engine.population.grouping import Group as Group
from chymist.engine.population.grouping import together as together
from chymist.engine.population.plan import Plan as Plan
from chymist.engine.population.running import execute_all as execute_all
from chymist.engine.population.shared import sharing as sharing
from chymist.engine.population.training import MemberEvent as MemberEvent
from chymist.engine.population.training import train_together as train_together
