"""Groups A and B of the taxonomy in English: output, loss, wiring, optimisation."""

from __future__ import annotations

from chymist.doctor.texts.text import Text

OPTIMIZATION = {
    "loss_activation_mismatch": Text(
        "output and loss do not fit",
        "The last layer cannot give what the loss compares: another range, axis or number of "
        "units.",
        "One batch before training: range and sums of the outputs against the targets.",
        "The output layer follows from the task: linear for values, scores with cross-entropy "
        "for classes.",
        "Targets from -3 to 3 behind a sigmoid, which gives only 0 to 1: most of them are out of "
        "reach.",
        "Give plain scores to the cross-entropy that takes scores; a linear last layer for values.",
        "Sigmoid with squared error for targets in [0, 1]; losses with a built-in link function.",
    ),
    "missing_softmax": Text(
        "a link function is absent",
        "The loss takes the outputs for probabilities, but they are plain scores.",
        "The rows of the outputs do not sum to 1, or the loss falls below its bound.",
        "Cross-entropy -ln p needs p in (0, 1]; softmax makes it from scores.",
        "torch's nll_loss on scores: it can fall to minus infinity and nothing is learned.",
        "Use the loss that takes scores (cross_entropy), or add log_softmax to the model.",
        "LogSoftmax with NLL is right; one batch may sum to 1 by chance.",
    ),
    "double_softmax": Text(
        "softmax is applied twice",
        "The model gives probabilities, and the loss applies softmax (or sigmoid) once more.",
        "Outputs are >= 0 and sum to 1, and the loss was found to take scores.",
        "Softmax of values in [0, 1] cannot get near 0 or 1, so the loss has a floor far above 0.",
        "With 10 classes the loss cannot fall below -ln(e / (e + 9)) = 1.461, however good the "
        "model.",
        "Take the softmax out of the model, and apply it to scores only when you read them.",
        "Distillation compares softened probabilities on purpose.",
    ),
    "softmax_mse": Text(
        "squared error behind softmax",
        "Classes are trained by squared error on probabilities, whose gradient dies when it is "
        "needed.",
        "The gradient at the scores is far smaller than the error p - y.",
        "Far from the goal the surface of cross-entropy is steep and that of squared error is "
        "flat.",
        "p = 0.001 for the right class: cross-entropy pulls with 0.999, squared error with 0.002.",
        "Use cross-entropy.",
        "Outputs that begin unsaturated learn all the same; the Brier score may be wanted.",
    ),
    "shape_broadcast_loss": Text(
        "outputs and targets broadcast",
        "Shapes (n, 1) and (n,) combine to (n, n): every row is compared with every other row.",
        "Exchanging the targets of two rows does not change the loss.",
        "The loss is the mean over rows of the error of a row with its own target.",
        "A regression whose predictions all converge to the mean of the targets.",
        "Give both the same shape: targets.unsqueeze(1), or outputs.squeeze(1).",
        "Losses that compare all pairs by design, as contrastive ones.",
    ),
    "no_update": Text(
        "weights do not move",
        "Trained parameters are not in the optimiser, get no gradient, or step() does not reach "
        "them.",
        "Weights that are bit-identical after ten steps although their gradient is not 0.",
        "A step is forward, loss, backward, update: all four have to reach a weight.",
        "The optimiser was made before a new head was attached, so the head stays random.",
        "Give the optimiser model.parameters() after the model is complete; look for detach().",
        "Layers that are frozen on purpose; rate 0 in a warm-up; heads that are not used.",
    ),
    "missing_zero_grad": Text(
        "gradients pile up",
        "Gradients are never cleared, so that each step uses the sum of all before it.",
        "The gradient is the last one plus what the batch adds.",
        "Each step goes down the gradient of the present batch; a sum of old ones is momentum 1.",
        "The loss falls at first, then swings with growing amplitude.",
        "Call optimizer.zero_grad() before backward().",
        "Gradient accumulation over a few passes on purpose.",
    ),
    "train_eval_mode": Text(
        "train() and eval() at the wrong place",
        "Dropout or batch normalisation work in the wrong mode while training or validating.",
        "The mode at the calls; validation outputs that are not those of eval() mode.",
        "Dropout and batch statistics are for training; when testing, all units and the running "
        "statistics are used.",
        "Validated in train() mode, dropout 0.5 makes a good network look poor and noisy.",
        "model.train() before each epoch, model.eval() before validation.",
        "Dropout sampling at test time on purpose; frozen batch normalisation.",
    ),
    "lr_too_high": Text(
        "the learning rate is too high",
        "Steps jump over the valley: the loss leaps, diverges, or stays at that of a constant.",
        "A loss above twice its start in the first steps, or updates above a tenth of the weights.",
        "Of the curves of loss against steps for several rates, a very large one rises, a large "
        "one falls fast and stays high.",
        "SGD at rate 10 on standardised inputs: 2.3, 41, 870, nan.",
        "A tenth of the rate; then warm-up, clipping, scaled inputs.",
        "The bump of one-cycle schedules; noise of small batches.",
    ),
    "lr_too_low": Text(
        "the learning rate is too low",
        "Each step is so small that the loss hardly falls.",
        "A steady slope, and updates far below a thousandth of the weights.",
        "A small rate is safe but slow: the loss should level off within the steps that you have.",
        "Rate 1e-6 with SGD: after 30 epochs the loss went from 2.31 to 2.29.",
        "Ten times the rate, or --optimizer.lr auto (a range test).",
        "Fine-tuning; the end of a schedule; a model that has converged.",
    ),
    "undertrained": Text(
        "stopped while still learning",
        "Training ended while the training loss was still falling.",
        "A clearly negative slope over the last fifth of the steps.",
        "Check the cheapest cause first: a run that still improves has said nothing about its "
        "limit.",
        "3 epochs: 1.9, 1.2, 0.8; ten more would have reached 0.1.",
        "More epochs; early stopping then ends the run by itself.",
        "A loss that falls by memorising only; tails of cosine schedules are always flat.",
    ),
    "nan_inf_loss": Text(
        "the loss is not finite",
        "A NaN or infinity came up; every weight that it touches is lost.",
        "The first step whose loss is not finite, and whether its inputs were.",
        "Look in the order input, weight, activation, loss: the first that is not finite is the "
        "cause.",
        "log(0) in a hand-written loss; a rate at which weights double with every step.",
        "By locus: clean the rows, add an epsilon or use log-sum-exp, clip gradients, lower the "
        "rate.",
        "Mixed precision skips its first steps when gradients overflow; that is normal.",
    ),
    "vanishing_gradient": Text(
        "early layers do not learn",
        "Gradients shrink from layer to layer, so that layers near the input stay as they began.",
        "The first layer's gradient is below a thousandth of the last one's, and tiny.",
        "A product of many factors below 1 vanishes: the sigmoid's slope is at most 0.25 (S108).",
        "Ten sigmoid layers: 0.25^10 is a millionth; only the last layers learn.",
        "ReLU, He or Xavier initialisation, batch normalisation, residual connections.",
        "A converged model has small gradients everywhere; frozen layers have none.",
    ),
    "exploding_gradient": Text(
        "gradients explode",
        "Now and then a gradient is many times larger than usual and throws the weights away.",
        "Norms above ten times their running median.",
        "A product of many factors above 1 grows without bound; recurrent networks have cliffs.",
        "A recurrent network over 200 steps: norms 0.8, 1.1, 0.9, 4300.",
        "Clip the norm of the gradients, lower the rate, use a gated cell.",
        "Single spikes that recover; data with heavy tails; clipping that is already on.",
    ),
    "dead_relu": Text(
        "units that never fire",
        "ReLU units give 0 for every row, so they get no gradient and never come back.",
        "By unit: zero on every row of a probe, for more than half of a layer.",
        "ReLU has slope 0 below 0; one step that is too large can push a unit there for good "
        "(S109).",
        "After one step at rate 1, 61 of 64 units are silent on all 256 rows.",
        "A lower rate, biases >= 0, He initialisation, LeakyReLU.",
        "Many zeros are natural: a unit that fires for one row in a hundred is alive.",
    ),
    "saturated_activation": Text(
        "sigmoid or tanh at the rails",
        "Units sit where their function is flat, and pass almost no gradient.",
        "By unit: outside [0.01, 0.99] (sigmoid) or beyond 0.99 (tanh) on nine rows of ten.",
        "The slope of a sigmoid at 0.99 is 0.0099, a twenty-fifth of the slope at 0.5.",
        "Inputs in thousands into tanh: all hidden values are -1 or 1.",
        "Standardise inputs, smaller initial weights, normalisation, ReLU.",
        "A confident output layer; gates of recurrent cells.",
    ),
    "symmetric_init": Text(
        "units start alike and stay alike",
        "All units of a layer have the same weights, get the same gradient and remain one unit.",
        "Identical rows of weights on both sides of a hidden layer before the first step.",
        "Gradient descent keeps symmetries: only random weights tell units apart.",
        "nn.init.constant_(w, 0.1) on an MLP: 128 units do the work of one.",
        "Draw the initial weights at random: He or Xavier.",
        "A zero last layer, a zero residual branch, low-rank adapters: one side only.",
    ),
    "init_scale": Text(
        "initial signals far too large or small",
        "Weights begin so large or small that signals and the first loss are of another order.",
        "The first loss is over three times that of knowing nothing, and it does harm.",
        "He and Xavier keep the variance of signals from layer to layer; ln(classes) is the loss "
        "of knowing nothing.",
        "10 classes should begin near ln 10 = 2.30; a first loss of 50 says that weights are too "
        "large.",
        "He or Xavier initialisation; a last bias of 0.",
        "Pretrained weights; values in raw units; label smoothing.",
    ),
    "optimisation_failure": Text(
        "the model is not being optimised",
        "The training loss stays large although the function set holds a better function.",
        "Training rows are learned worse than cheap learners do on new rows, for no local cause.",
        "A shallower network with a lower training loss proves it: a deep one can copy a shallow "
        "one (S100). That is not overfitting.",
        "A plain network of 56 layers had a higher training error than one of 20 (He et al. 2015).",
        "Skip connections, normalisation, initialisation, another optimiser, warm-up.",
        "One unlucky seed (try three); unequal numbers of updates.",
    ),
    "dead_output": Text(
        "the output never changes",
        "The model says the same for every row.",
        "Outputs are equal over all rows of a batch.",
        "A model that ignores its input can at best give the mean or the most frequent class.",
        "A ReLU after the last layer that is negative for all rows: all scores are 0.",
        "Take the activation off the last layer; look for dead units and zero weights before it.",
        "The first steps of a model whose last layer begins at zero.",
    ),
    "batch_leak": Text(
        "rows of a batch depend on each other",
        "A row's output changes with the rows beside it, in eval() mode too.",
        "Half of a batch gives other outputs than the same rows in the whole batch.",
        "A prediction is a function of one input: it must not depend on who is asked beside it.",
        "softmax(dim=0) makes the probabilities of a class sum to 1 over the rows.",
        "Apply softmax and norms over the class or feature axis.",
        "Batch normalisation in train() mode; contrastive losses; attention over a sequence.",
    ),
    "precision": Text(
        "the number type is too narrow",
        "Values or gradients overflow or vanish in float16 or bfloat16.",
        "Infinities above 65,504, updates below half a unit in the last place.",
        "A step smaller than the spacing of numbers changes nothing: bfloat16 has three digits.",
        "1.0 + 0.001 is 1.0 in bfloat16.",
        "Keep weights and sums in float32; scale the loss; use bfloat16 where range matters.",
        "A scaler that skips its first few steps.",
    ),
    "hidden_activation_misuse": Text(
        "an output function between layers",
        "Softmax or the like stands between hidden layers, where it makes units compete.",
        "The values of a hidden layer are >= 0 and sum to 1.",
        "Hidden layers want ReLU and its kin; softmax is for the probabilities at the end (S178).",
        "Softmax over 128 hidden units: each is about 1/128, and gradients are tiny.",
        "Put ReLU between the layers.",
        "Attention, gates and mixtures of experts use softmax inside on purpose.",
    ),
}
