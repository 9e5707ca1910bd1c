"""Keras 3, with the backend that KERAS_BACKEND names; initial weights are drawn as torch does."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import layers
from keras.initializers import RandomNormal, RandomUniform

from bench.task import RATE, Task

BATCH, CHARACTERS = 1024, 65


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    work = task.workload
    keras.utils.set_random_seed(task.seed)
    model = build(work.net)
    model.compile(
        optimizer=keras.optimizers.Adam(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
    )  # fmt: skip
    x, xv = shaped(task.x, work.net), shaped(task.xv, work.net)
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: task.clock.tick())
    model.fit(
        x, task.y, batch_size=work.batch, epochs=work.epochs, validation_data=(xv, task.yv),
        validation_batch_size=BATCH, callbacks=[tick], verbose=0,
    )  # fmt: skip
    return np.asarray(model.predict(xv, batch_size=BATCH, verbose=0))


def shaped(x: np.ndarray, net: str) -> np.ndarray:
    """Rows as the networks take them: images (rows, 28, 28, 1) for the CNN, in [0, 1]."""
    inputs = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x
    return inputs[..., None] if net == "cnn" else inputs


def drawn(fan_in: int) -> dict[str, RandomUniform]:
    """torch's initial weights of an affine layer: U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    bound = 1 / math.sqrt(fan_in)
    kinds = ("kernel_initializer", "bias_initializer")
    return {kind: RandomUniform(-bound, bound) for kind in kinds}


def build(net: str) -> keras.Model:
    """A network by its name."""
    if net == "cnn":
        return keras.Sequential([
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", **drawn(9)), layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu", **drawn(288)), layers.MaxPooling2D(2),
            layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, **drawn(1600)),
        ])  # fmt: skip
    if net == "lstm":
        bound = 1 / math.sqrt(128)
        recurrent = RandomUniform(-bound, bound)
        return keras.Sequential([
            keras.Input((32,)),
            layers.Embedding(CHARACTERS, 32, embeddings_initializer=RandomNormal(stddev=1.0)),
            layers.LSTM(
                128, unit_forget_bias=False, recurrent_initializer=recurrent, **drawn(128)
            ),
            layers.Dense(CHARACTERS, **drawn(128)),
        ])  # fmt: skip
    if net == "mlp":
        return keras.Sequential([
            keras.Input((28, 28)), layers.Flatten(),
            layers.Dense(128, activation="relu", **drawn(784)), layers.Dense(10, **drawn(128)),
        ])  # fmt: skip
    return keras.Sequential([
        keras.Input((104,)), layers.Dense(128, activation="relu", **drawn(104)),
        layers.Dense(64, activation="relu", **drawn(128)), layers.Dense(2, **drawn(64)),
    ])  # fmt: skip
