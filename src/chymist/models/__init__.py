"""Function sets: ordinary `nn.Module`s, described by name and options, one file a family.

May use the small parts (activations) and the values below; knows nothing of data or training.
"""

from chymist.models.building import build_model as build_model
from chymist.models.building import initialize as initialize
from chymist.models.cnn import cnn as cnn
from chymist.models.cnn1d import cnn1d as cnn1d
from chymist.models.cnn1d import text_cnn as text_cnn
from chymist.models.efficientnet import efficientnet_lite0 as efficientnet_lite0
from chymist.models.expansions import polynomial as polynomial
from chymist.models.expansions import random_features as random_features
from chymist.models.forecasters import forecaster as forecaster
from chymist.models.forecasters import graph_gru as graph_gru
from chymist.models.gates import gates as gates
from chymist.models.gaussian import gaussian as gaussian
from chymist.models.gaussian import naive_bayes as naive_bayes
from chymist.models.graphs import gat as gat
from chymist.models.graphs import gcn as gcn
from chymist.models.graphs import gin as gin
from chymist.models.graphs import sage as sage
from chymist.models.known_cnns import alexnet as alexnet
from chymist.models.known_cnns import alexnet_small as alexnet_small
from chymist.models.known_cnns import keras_cnn as keras_cnn
from chymist.models.known_cnns import network_in_network as network_in_network
from chymist.models.known_cnns import vgg16 as vgg16
from chymist.models.known_cnns import vgg16_small as vgg16_small
from chymist.models.layers import Dropout as Dropout
from chymist.models.layers import Residual as Residual
from chymist.models.layers import drop_probability as drop_probability
from chymist.models.layers import keep_probability as keep_probability
from chymist.models.lenet import lenet5 as lenet5
from chymist.models.lenet import lenet5_1998 as lenet5_1998
from chymist.models.linear import generalized_linear as generalized_linear
from chymist.models.linear import linear as linear
from chymist.models.linear import linear_svm as linear_svm
from chymist.models.linear import logistic as logistic
from chymist.models.linear import perceptron as perceptron
from chymist.models.linear import softmax as softmax
from chymist.models.mlp import mlp as mlp
from chymist.models.recurrent import gru as gru
from chymist.models.recurrent import lstm as lstm
from chymist.models.recurrent import rnn as rnn
from chymist.models.resnet import highway as highway
from chymist.models.resnet import resnet18 as resnet18
from chymist.models.resnet import resnet20 as resnet20
from chymist.models.resnet import resnet32 as resnet32
from chymist.models.resnet import resnet50 as resnet50
from chymist.models.svm import svm as svm
from chymist.models.svm import svr as svr
from chymist.models.trees.modules import boosting as boosting
from chymist.models.trees.modules import c45 as c45
from chymist.models.trees.modules import cart as cart
from chymist.models.trees.modules import id3 as id3
from chymist.models.trees.modules import random_forest as random_forest
from chymist.models.unshared import Unshared2d as Unshared2d
