"""One small reader per raw format: each turns a folder into SourceFilm rows and opens no image.

A reader is a module with `read(folder) -> Iterator[SourceFilm]`; READERS names those that `python -m data.ingest` knows.
"""

READERS = (
    "manifest",
    "dicom",
    "montgomery",
    "shenzhen",
    "jsrt",
    "covid_chestxray",
    "covid_radiography",
    "chexmask",
)
