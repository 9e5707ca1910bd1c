"""Named data sets: those that come with scikit-learn, and those looked for on this machine.

Files are looked for in $CHYMIST_DATA and then in the user's cache folder, packed with gzip or not.
A table's content is compared with its published SHA-256; a difference is said in the notes.
MNIST is checked by its structure only, because hashing it would take longer than reading it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.cells import short
from chymist.data.tables import read_bytes, read_table, stacked
from chymist.data.tabular import Wanted, finished, mapping_data, table_data
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Data

EMBEDDED = {
    "digits": "handwritten digits, 1,797 images 8 x 8, 10 classes",
    "iris": "iris flowers, 150 rows, 4 numbers, 3 classes",
    "wine": "Italian wines, 178 rows, 13 numbers, 3 classes",
    "breast_cancer": "breast cancer, 569 rows, 30 numbers, 2 classes",
    "diabetes": "progression of diabetes, 442 rows, 10 numbers, regression",
}
MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MNIST_ORIGIN = "yann.lecun.com/exdb/mnist"
MNIST_TEXT = "handwritten digits, 60,000 + 10,000 images 28 x 28, 10 classes"
CSV_ORIGIN = "github.com/jbrownlee/Datasets"


@dataclass(frozen=True)
class Table:
    """A named table: what it is, its files with their SHA-256 (unpacked), its columns.

    Args:
        text: one line on it.
        files: file name without .gz -> SHA-256 of the unpacked content; a second file is the
            standard test part.
        task: what is learned.
        names: names of the columns of a file without header, separated by commas.
        folder: folder that the files lie in.
        origin: where they come from.
        drop_unlabelled: whether rows without a target are left out.
    """

    text: str
    files: Mapping[str, str]
    task: str
    names: str = ""
    folder: str = "tabular"
    origin: str = CSV_ORIGIN
    drop_unlabelled: bool = False


TABLES = {
    "adult": Table(
        "US census of 1994: does a person earn more than 50,000 dollars? 32,561 + 16,281 rows",
        {"adult-train.csv": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
         "adult-test.csv": "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074"},
        "classification",
        "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,"
        "sex,capital-gain,capital-loss,hours-per-week,native-country,income",
    ),
    "airline-passengers": Table(
        "airline passengers by month, 144 rows, regression",
        {"airline-passengers.csv":
         "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"}, "regression",
    ),
    "auto-insurance": Table(
        "Swedish car insurance, payments by claims, 63 rows, regression",
        {"auto-insurance.csv": "d9e3760422d50a8b68176cc233c8b8889badc017f38a1551f2f4ec3efcd9ebe4"},
        "regression", "claims,payment",
    ),
    "banknote_authentication": Table(
        "forged banknotes, 1,372 rows, 4 numbers, 2 classes (also: banknote)",
        {"banknote_authentication.csv":
         "d0539aaed2139ba7a587b3e34fb345ce503ff7d5d33dbf9912d8e195ce425cb9"},
        "classification", "variance,skewness,kurtosis,entropy,class",
    ),
    "daily-min-temperatures": Table(
        "lowest temperature of the day in Melbourne, 3,650 rows, regression",
        {"daily-min-temperatures.csv":
         "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da"}, "regression",
    ),
    "housing": Table(
        "house prices in Boston, 506 rows, 13 numbers, regression (for numeric checks only)",
        {"housing.csv": "2682ca02e83b89467d7d0cdcbde7c0cc4d2566119be8ce8d84dad4f0fa20859a"},
        "regression", "CRIM,ZN,INDUS,CHAS,NOX,RM,AGE,DIS,RAD,TAX,PTRATIO,B,LSTAT,MEDV",
    ),
    "longley": Table(
        "US economy 1947-1962, 16 rows, nearly collinear, regression",
        {"longley.csv": "6e869bc6e736ff75d8b3139be4689693ebde273a4b9b152ea198d4871646d47f"},
        "regression", "GNP deflator,GNP,unemployed,armed forces,population,year,employed",
    ),
    "pima-indians-diabetes": Table(
        "onset of diabetes, 768 rows, 8 numbers, 2 classes (also: pima)",
        {"pima-indians-diabetes.csv":
         "6bfe5d0f379d17a0e0819b996407e3c09bf80febd4287f2ed212190dfff154af"},
        "classification",
        "pregnancies,glucose,blood pressure,skin thickness,insulin,bmi,pedigree,age,diabetes",
    ),
    "pokemon": Table(
        "combat power of Pokémon after evolution, 75 rows, regression",
        {"pokemon.csv": "e8132bb4aa03bbd95f54c2e0cf03f3541a5c0dbd7166bf2e0bc4be134cb7a9e5"},
        "regression", folder="pokemon_cp", origin="github.com/VIRA3475/PokeMonCP_Regression",
    ),
    "pollution": Table(
        "PM2.5 in Beijing by the hour, 43,824 rows with weather, regression",
        {"pollution.csv": "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2"},
        "regression", drop_unlabelled=True,
    ),
    "sonar": Table(
        "sonar echoes of rocks and mines, 208 rows, 60 numbers, 2 classes",
        {"sonar.csv": "3079c09b5d2789a0f96aff82c28e5164fafe2495c5f8da96c6c256c1bd25763f"},
        "classification", ",".join(f"band_{n}" for n in range(1, 61)) + ",class",
    ),
    "winequality-red": Table(
        "quality of red wine, 1,599 rows, 11 numbers, regression (also: wine-quality)",
        {"winequality-red.csv":
         "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e"},
        "regression",
        "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,"
        "total sulfur dioxide,density,pH,sulphates,alcohol,quality",
    ),
}  # fmt: skip
# Target columns that are not the last.
TARGETS = {"pollution": "pm2.5"}
ALIASES = {
    "pima": "pima-indians-diabetes",
    "banknote": "banknote_authentication",
    "wine-quality": "winequality-red",
}


def named_sets() -> dict[str, str]:
    """The named data sets, with one line on each.

    Example:
        >>> named_sets()["iris"]
        'iris flowers, 150 rows, 4 numbers, 3 classes'
    """
    found = {**EMBEDDED, "mnist": MNIST_TEXT, **{name: t.text for name, t in TABLES.items()}}
    return dict(sorted(found.items()))


def load_named(name: str, wanted: Wanted) -> Data:
    """Read a named data set.

    Args:
        name: its name or alias.
        wanted: target, kinds of columns, task and name that differ from its own.

    Raises:
        InputError: its files are not on this machine, or damaged.

    Example:
        >>> load_named("iris", Wanted(name="iris")).classes
        ('setosa', 'versicolor', 'virginica')
    """
    name = ALIASES.get(name, name)
    source = {"load": name}
    if name in EMBEDDED:
        return replace(_embedded(name, wanted), source=source)
    if name == "mnist":
        return replace(_mnist(wanted.name), source=source)
    known = TABLES[name]
    names = known.names.split(",") if known.names else None
    paths = find_files(name, known.files, known.folder, known.origin)
    cells = read_table(paths[0], names=names, header=None if names else True)
    first = len(cells) if len(paths) > 1 else None
    for path in paths[1:]:
        cells = stacked(cells, read_table(path, names=names))
    kept = TARGETS.get(name) if wanted.target is None else wanted.target
    given = replace(wanted, target=-1 if kept is None else kept, test_from=first,
                    task=wanted.task or (known.task if wanted.target is None else None),
                    drop_unlabelled=known.drop_unlabelled)  # fmt: skip
    data = table_data(replace(cells, header=True), given, source)
    return replace(data, notes=(*data.notes, *_checked(paths, known.files)))


def find_files(
    name: str, files: Mapping[str, str], folder: str, origin: str
) -> list[Path]:
    """The files of a data set, packed or not, in $CHYMIST_DATA or the user's cache.

    Args:
        name: name of the set.
        files: file name -> SHA-256 of the unpacked content.
        folder: folder below which they lie; directly in the data folder is right as well.
        origin: where they can be had.

    Raises:
        InputError: some are missing; says which, where they come from and where to put them.

    Example:
        >>> find_files("none", {}, "none", "")
        []
    """
    places = data_folders()
    found, absent = [], []
    for file, digest in files.items():
        tried = [
            place / below / f"{file}{end}"
            for place in places for below in (folder, ".") for end in (".gz", "")
        ]  # fmt: skip
        present = [path for path in tried if path.is_file()]
        found += present[:1]
        absent += [] if present else [f"{file} (SHA-256 {digest})"]
    if absent:
        raise InputError(
            f"the files of the data set '{name}' are not on this machine", where=str(places[0]),
            received="no " + ", ".join(absent),
            do=f"get them from {origin} and put them into {places[0] / folder}, or set CHYMIST_DATA",
            code="data-set-not-found",
        )  # fmt: skip
    return found


def data_folders() -> list[Path]:
    """Where named data sets are looked for: $CHYMIST_DATA, then the user's cache.

    Example:
        >>> data_folders()[-1].parts[-2:]
        ('chymist', 'data')
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    given = os.environ.get("CHYMIST_DATA")
    return [*([Path(given).expanduser()] if given else []), Path(cache) / "chymist" / "data"]


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes in IDX form, as MNIST uses it.

    Raises:
        InputError: another form, or a file that is cut off.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a"
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]))
        >>> read_idx(path)
        array([5, 6], dtype=uint8)
    """
    content = read_bytes(path)
    axes = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * axes
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    if not axes or len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise InputError("the IDX file is damaged", where=path.name,
                         received=f"{len(content)} bytes", do="fetch it again")  # fmt: skip
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _mnist(name: str) -> Data:
    paths = find_files("mnist", MNIST, "mnist", MNIST_ORIGIN)
    images, labels, test_images, test_labels = (read_idx(path) for path in paths)
    for pair, path in (((images, labels), paths[1]), ((test_images, test_labels), paths[3])):
        if len(pair[0]) != len(pair[1]):
            raise InputError("as many labels as images are needed", where=path.name,
                             received=f"{len(pair[1])} labels", do="fetch the files again")  # fmt: skip
    classes = tuple(str(digit) for digit in range(10))
    targets = np.concatenate([labels, test_labels]).astype(np.int64)
    if targets.max(initial=0) > 9:
        raise InputError("a label is not a digit", where=paths[1].name,
                         received=str(targets.max()), do="fetch the files again")  # fmt: skip
    inputs = np.concatenate([images, test_images])[..., None]
    data = Data(name, "image", "classification", inputs, targets, classes, target="digit")
    return finished(data, Targets("classification", targets, classes), len(images))


def _embedded(name: str, wanted: Wanted) -> Data:
    """A set that comes with scikit-learn."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    if name == "digits":
        classes = tuple(str(digit) for digit in range(10))
        images = found.images.astype(np.uint8)[..., None]
        targets = Targets("classification", found.target.astype(np.int64), classes)
        data = Data(wanted.name, "image", targets.task, images, targets.values, classes,
                    target="digit")  # fmt: skip
        return finished(data, targets, None)
    columns = {str(column): found.data[:, n] for n, column in enumerate(found.feature_names)}
    if wanted.target is not None:
        raise InputError("this set has one target only", where=name,
                         received=short(wanted.target), do="leave the target out")  # fmt: skip
    labels = found.target
    if "target_names" in found:
        labels = np.array([str(label) for label in found.target_names])[found.target]
    target = {"diabetes": "progression", "iris": "species", "wine": "cultivar"}.get(name, "diagnosis")
    return mapping_data(columns, labels, wanted, target)


def _checked(paths: list[Path], files: Mapping[str, str]) -> list[str]:
    """A note for each file whose content is not the published one."""
    return [
        f"{path.name} differs from the published file (SHA-256 {digest[:12]}...)"
        for path, digest in zip(paths, files.values(), strict=True)
        if hashlib.sha256(read_bytes(path)).hexdigest() != digest
    ]
