"""The mathematics of the course as pure functions: arrays in, arrays or numbers out.

What lives here: `norms`, `information` (entropy and its kin), `probability` (joint tables),
`calculus` (slopes, Jacobians, convexity), `relations`, `sizes` (of layers, by formula), `pooling`,
`filters` (convolution by hand, and turned round), `gates` (a gated memory by hand), `repeated` (one
weight at every step), `boxes` (overlap), `lines` (candidate functions, all of a grid or downhill),
`similarity` (do similar rows get similar outputs), `hulls` (can a hyperplane separate),
`approximation` (a hidden layer that is built). NumPy and SciPy only.
What NumPy says in one word (products, sums along an axis, eigenvalues) is not wrapped.
"""

from chymist.maths.approximation import ReLULayer as ReLULayer
from chymist.maths.approximation import relu_interpolation as relu_interpolation
from chymist.maths.boxes import box_corners as box_corners
from chymist.maths.boxes import box_iou as box_iou
from chymist.maths.boxes import centered_box as centered_box
from chymist.maths.boxes import mean_iou as mean_iou
from chymist.maths.calculus import directional_derivative as directional_derivative
from chymist.maths.calculus import level_set_directions as level_set_directions
from chymist.maths.calculus import midpoint_convex as midpoint_convex
from chymist.maths.calculus import numerical_gradient as numerical_gradient
from chymist.maths.calculus import sigmoid_derivative as sigmoid_derivative
from chymist.maths.calculus import softmax_jacobian as softmax_jacobian
from chymist.maths.filters import convolution_matrix as convolution_matrix
from chymist.maths.filters import convolve as convolve
from chymist.maths.filters import expand as expand
from chymist.maths.filters import image_windows as image_windows
from chymist.maths.filters import pool_places as pool_places
from chymist.maths.filters import transposed_convolve as transposed_convolve
from chymist.maths.filters import unpool as unpool
from chymist.maths.gates import gated_memory as gated_memory
from chymist.maths.hulls import CommonPoint as CommonPoint
from chymist.maths.hulls import common_point as common_point
from chymist.maths.information import cross_entropy as cross_entropy
from chymist.maths.information import entropy as entropy
from chymist.maths.information import gini as gini
from chymist.maths.information import kl_divergence as kl_divergence
from chymist.maths.information import mutual_information as mutual_information
from chymist.maths.lines import FoundLine as FoundLine
from chymist.maths.lines import brute_force as brute_force
from chymist.maths.lines import descend as descend
from chymist.maths.lines import goodness as goodness
from chymist.maths.lines import meeting_point as meeting_point
from chymist.maths.norms import matrix_norm as matrix_norm
from chymist.maths.norms import vector_norm as vector_norm
from chymist.maths.pooling import pool as pool
from chymist.maths.probability import conditional as conditional
from chymist.maths.probability import expectation as expectation
from chymist.maths.probability import independent as independent
from chymist.maths.probability import marginal as marginal
from chymist.maths.probability import posterior as posterior
from chymist.maths.probability import sample as sample
from chymist.maths.probability import variance as variance
from chymist.maths.relations import equivalence_classes as equivalence_classes
from chymist.maths.relations import relation_properties as relation_properties
from chymist.maths.repeated import Repeated as Repeated
from chymist.maths.repeated import recurrent_error as recurrent_error
from chymist.maths.repeated import repeated_weight as repeated_weight
from chymist.maths.repeated import walk_down as walk_down
from chymist.maths.similarity import inconsistency as inconsistency
from chymist.maths.similarity import neighbor_weights as neighbor_weights
from chymist.maths.similarity import smoothness as smoothness
from chymist.maths.sizes import convolution_parameters as convolution_parameters
from chymist.maths.sizes import convolution_size as convolution_size
from chymist.maths.sizes import covariance_parameters as covariance_parameters
from chymist.maths.sizes import recurrent_parameters as recurrent_parameters
from chymist.maths.sizes import transposed_size as transposed_size
