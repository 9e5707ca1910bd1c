"""What is known of the named sets whose rows have several steps: files, origins, SHA-256."""

from __future__ import annotations

from dataclasses import dataclass

NLTK = "github.com/nltk/nltk_data"


@dataclass(frozen=True)
class NamedSteps:
    """A named set of texts, recordings or a running text.

    Args:
        text: one line on it.
        files: names of its files, without .gz.
        folder: folder that the files lie in.
        origin: where they come from.
    """

    text: str
    files: tuple[str, ...]
    folder: str
    origin: str = NLTK


STEP_SETS = {
    "conll2000": NamedSteps(
        "chunks of Wall Street Journal sentences, 8,936 + 2,012, words and parts of speech, "
        "tagging",
        ("conll2000.zip",), "conll2000",
    ),
    "fsdd": NamedSteps(
        "spoken digits of six speakers, 2,700 + 300 recordings as log-mel spectra, 10 classes",
        ("fsdd_recordings.zip",), "fsdd", "github.com/Jakobovski/free-spoken-digit-dataset",
    ),
    "ptb": NamedSteps(
        "Penn Treebank, 929,589 + 73,760 + 82,430 words of 10,000, the next word",
        ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"), "ptb", "github.com/timbmg/RNNLM",
    ),
    "sentence_polarity": NamedSteps(
        "sentences of film reviews, 10,662, positive or negative",
        ("sentence_polarity.zip",), "sentence_polarity",
    ),
    "tinyshakespeare": NamedSteps(
        "Shakespeare's plays, 1,115,394 characters, 65 different, the next character",
        ("input.txt",), "tinyshakespeare", "github.com/karpathy/char-rnn",
    ),
    "trec": NamedSteps(
        "questions by what they ask for, 5,452 + 500, 6 classes", ("qc.zip",), "trec_qc",
    ),
}  # fmt: skip

# SHA-256 of each file: unpacked from gzip, zip files as they are.
# fmt: off
STEP_DIGESTS = {
    "conll2000.zip":
        "01e65164f268366e7caa0db92332a1955d081908c87016e2c7640c3c5279b7cd",
    "fsdd_recordings.zip":
        "b022a494b70be9093d82c8228555a6a992bbebbdb4876bd5855296b22f525d50",
    "ptb.train.txt":
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "ptb.valid.txt":
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "ptb.test.txt":
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    "sentence_polarity.zip":
        "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
    "input.txt":
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "qc.zip":
        "091fb01e50883014d150acb7d5013d787136968b3f955ae01725a65e7e80f304",
}
# fmt: on
