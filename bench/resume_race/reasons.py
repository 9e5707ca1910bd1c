"""What the page says beside its numbers: the names of the loops, the method, the causes.

Each cause was looked at in the installed versions: in their source (named) or by an experiment.
"""

from __future__ import annotations

LOOPS = {
    "chymist": "chymist: `fit`, `resume`",
    "lightning": "Lightning, `DataLoader`",
    "lightning-stateful": "Lightning, `StatefulDataLoader`",
    "lightning-stateful-seeded": "Lightning, `StatefulDataLoader`, sampler with `set_epoch`",
    "accelerate": "Accelerate, `skip_first_batches`",
    "accelerate-careful": "Accelerate, `skip_first_batches`, by a careful user",
    "accelerate-stateful": "Accelerate, `use_stateful_dataloader`",
    "accelerate-stateful-careful": "Accelerate, `use_stateful_dataloader`, by a careful user",
    "torch-stateful": "torch loop, `StatefulDataLoader`",
    "torch-stateful-generator": "torch loop, `StatefulDataLoader(generator=...)`",
    "torch-stateful-late": "torch loop, `StatefulDataLoader`, random state restored late",
}

METHOD = """\
One small network (64-128-10, batch normalisation, dropout 0.2) learns 1,600 handwritten digits:
batch 32, Adam, one-cycle schedule, 6 epochs of 50 steps, shuffled, a checkpoint every 10 steps. A
seed draws the moments at which the process group gets SIGKILL, the same plan for every loop: 2 in 5
inside an epoch, 1 at the end of one, 1 while files of a checkpoint change, 1 twice in one run (the
second time within 25 steps of the resume). Then the run is started again, with the library's own
way of resuming, until it ends.

- **finished**: the run reached its end after the kill (one attempt with the newest checkpoint).
- **order-equal**: every step trained on the same rows in the same order as in the run that nobody
  killed. The rows are read off the network's input, not off a sampler.
- **bit-equal**: SHA-256 of the final weights, running statistics and optimiser state are the same.

Every loop is written as its documentation recommends, with the switches for reproducibility that it
offers. "A careful user" does more than the documentation asks: tells the loader the number of each
epoch (`set_epoch`), and saves beside the place and renames. chymist saves by the clock; its clock
is set to 0.03 s for the race, about the 10 steps of the others. A run killed before its first
checkpoint starts again at step 0."""

ABOUT = {
    "chymist": (
        "The order is a function of (seed, epoch), the position is the step, so there is nothing "
        "to restore; the state of torch's generator, for the user's own `nn.Dropout`, is in the "
        "checkpoint, and nothing draws from it between the resume and the next step. Which "
        "worker prepares a batch changes nothing in it."
    ),
    "lightning": (
        "Its checkpoints hold no random state (keys of `last.ckpt`: epoch, global_step, loops, "
        "callbacks, state_dict, optimizer_states, lr_schedulers), and a plain `DataLoader` has no "
        "position. The resumed run shuffles anew after `seed_everything`, that is in the order of "
        "epoch 0, and takes from it as many batches as the epoch still lacked: some rows come "
        "twice, others never. Lightning warns that this loader is not resumable. A second resume "
        "after one at the end of an epoch can run a step too far (the schedule refused step 301)."
    ),
    "lightning-stateful": (
        "The position and the order are right, the noise is not: without random state in the "
        "checkpoint, dropout goes on as it was at step 0. Each run that was resumed from a "
        "checkpoint at the end of an epoch lost steps, mostly a whole epoch: the restored loader "
        "stands at its end, and the next epoch is trained with nothing."
    ),
    "lightning-stateful-seeded": (
        "The fit loop makes the loader's iterator in `setup_data` and calls the sampler's "
        "`set_epoch` only afterwards (`fit_loop.py`, `on_advance_start`), so the resumed epoch is "
        "read in the order of epoch 0, from the right position. Epochs after it are right."
    ),
    "accelerate": (
        "`save_state` writes the sampler only for iterable datasets (`checkpointing.py`), and a "
        "fresh loader calls `set_epoch` with its own counter, which begins at 0 "
        "(`DataLoaderShard.__iter__`): the resumed epoch has epoch 0's order, later ones are "
        "shifted. A kill inside `save_state` leaves a folder with some of its files; loading it "
        "fails, or, if only the random states are missing, succeeds without them and without a "
        "warning (`load_accelerator_state` passes over any exception there). The guide in "
        "Accelerate's repository describes a repair of the order; the version here lacks it."
    ),
    "accelerate-careful": (
        "With `set_epoch` the order is right, with the rename no folder is half written. The bits "
        "differ inside an epoch because making the iterator draws a seed from torch's global "
        "generator (`_base_seed`), after `load_state` has put it back: dropout's noise is shifted. "
        "At the end of an epoch both runs make that draw, and without workers the bits agree."
    ),
    "accelerate-stateful": (
        "As without it: the epoch's number is not restored, folders may be half written. With "
        "workers there is one thing more, see the next line."
    ),
    "accelerate-stateful-careful": (
        "The same draw from the global generator shifts the noise. With workers the first epoch of "
        "a new run does not use the seedable sampler at all: the loader makes an iterator when it "
        "is built (to have a `state_dict`), its workers begin to fetch, and only then is the "
        "sampler put in (`prepare_data_loader`). A run resumed in that epoch does use it, and goes "
        "on in another order."
    ),
    "torch-stateful": (
        "The order is right. All random states are restored before the loop, as one would; then "
        "the loader's new iterator draws a seed from the global generator, and noise is shifted."
    ),
    "torch-stateful-generator": (
        "PyTorch's notes on reproducibility ask for a generator of the loader. Then noise is safe, "
        "but sampler and iterator share that generator, and restoring the sampler sets it back to "
        "before a draw that the iterator made: without workers, epochs after the resumed one have "
        "another order."
    ),
    "torch-stateful-late": (
        "Exact, by hand: the loader has no generator of its own, and the random states are put "
        "back after its iterator was made, which we found in no documentation."
    ),
}

NOT_SHOWN = """\
One machine, one thread, CPU, one small network, rows without augmentation. Peers are judged by two
strict questions; a run that is not order-equal may well be as good a model. Lightning and
Accelerate do things that chymist does not (several machines, for one). Transformers' Trainer,
Composer and Streaming were not raced."""
