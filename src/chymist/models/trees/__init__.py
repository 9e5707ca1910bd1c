"""Decision trees: criteria, growth and pruning as pure functions of arrays; function sets."""

from chymist.models.trees.criteria import gain_ratio as gain_ratio
from chymist.models.trees.criteria import gini_index as gini_index
from chymist.models.trees.criteria import information_gain as information_gain
from chymist.models.trees.criteria import node_entropy as node_entropy
from chymist.models.trees.criteria import node_gini as node_gini
from chymist.models.trees.criteria import split_information as split_information
from chymist.models.trees.cuts import Rule as Rule
from chymist.models.trees.cuts import Sample as Sample
from chymist.models.trees.growth import grow as grow
from chymist.models.trees.stability import cut_frequencies as cut_frequencies
from chymist.models.trees.tree import Tree as Tree
