"""What a run holds in English: claims and remedies of the doctor."""

WORDS: dict[str, str] = {}
