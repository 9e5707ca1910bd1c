"""Derivatives, shown and checked.

What lives here: `graph` (computational graphs with values forward and gradients backward),
`expressions` (formulas given as text), `recording` (what torch calculates, step by step),
`checking` (gradients against finite differences), `matrices` (Jacobian, Hessian, curvature),
`ascent` (an input that an output likes), `image_prior` (what keeps it like an image), `reach` (how
far back networks of sequences look), `by_hand` (the formulas of perceptron, softmax and two-layer
network, written out). It reads models and draws with `reports`; it changes no model.
"""

from chymist.gradients import by_hand as by_hand
from chymist.gradients.ascent import Ascent as Ascent
from chymist.gradients.ascent import ascend as ascend
from chymist.gradients.checking import GradientCheck as GradientCheck
from chymist.gradients.checking import check as check
from chymist.gradients.graph import Graph as Graph
from chymist.gradients.graph import Node as Node
from chymist.gradients.graph import graph as graph
from chymist.gradients.graph import model_graph as model_graph
from chymist.gradients.image_prior import ImagePrior as ImagePrior
from chymist.gradients.image_prior import total_variation as total_variation
from chymist.gradients.matrices import Curvature as Curvature
from chymist.gradients.matrices import curvature as curvature
from chymist.gradients.matrices import hessian as hessian
from chymist.gradients.matrices import jacobian as jacobian
from chymist.gradients.reach import Reach as Reach
from chymist.gradients.reach import reach as reach
