"""What sources write in their own words, turned into the words of the database; anything not understood is None."""

import re
from datetime import datetime

MODALITIES = {  # which of CR and DX a plain X-ray means is not stated; RG, film that was scanned, counts as CR too
    "X-RAY": "CR", "XRAY": "CR", "RADIOGRAPH": "CR", "RG": "CR", "COMPUTED RADIOGRAPHY": "CR",
    "DIGITAL RADIOGRAPHY": "DX", "DR": "DX",
    **{code: code for code in ("CR", "DX", "CT", "MR", "US", "MG", "RF", "XA", "NM", "PT", "PX", "IO", "OT")},
}  # fmt: skip
VIEWS = {
    "APS": ("AP", "SUPINE"), "AP_HORIZONTAL": ("AP", "SUPINE"),
    "L": ("LL", None), "LL": ("LL", None), "LATERAL": ("LL", None), "LAT": ("LL", None), "LLAT": ("LL", None),
    "RL": ("RL", None), "RLAT": ("RL", None), "AXIAL": ("AXIAL", None), "CORONAL": ("CORONAL", None),
    **{code: (code, None) for code in ("LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBLIQUE")},
}  # fmt: skip
FRONTAL = {"PA": "PA", "AP": "AP", "POSTEROANTERIOR": "PA", "ANTEROPOSTERIOR": "AP"}
POSITIONS = {"ERECT": "ERECT", "UPRIGHT": "ERECT", "STANDING": "ERECT", "SUPINE": "SUPINE"}
BESIDE_VIEW = {"VIEW", "PROJECTION", "CHEST", "PORTABLE"}
CHEST = {"CHEST", "THORAX", "TORAX", "LUNG", "LUNGS"}
VIEW_WORDS = {
    "PA", "AP", "LAT", "LATERAL", "FRONTAL", "VIEW", "VIEWS", "V", "X", "RAY", "PORTABLE", "PORT", "SUPINE", "ERECT", "AND",
}  # fmt: skip
SEXES = {  # "femal" is how Shenzhen writes it now and then
    "m": "M", "male": "M", "man": "M", "f": "F", "female": "F", "femal": "F", "woman": "F", "o": "O", "other": "O",
}  # fmt: skip
NOTHING = {"", "na", "n/a", "n.a", "nan", "none", "null", "unknown", "missing", "not stated"}
NOBODY = {"anonymous", "anonymized", "anonymised", "anon"}
OLDEST = 130  # years
SMALLEST_MM, LARGEST_MM = 0.01, 10.0  # between pixels
_DATE_FORMATS = (
    ("%Y-%m-%d", "%Y-%m-%d"), ("%B %d, %Y", "%Y-%m-%d"), ("%b %d, %Y", "%Y-%m-%d"),
    ("%d %B %Y", "%Y-%m-%d"), ("%d %b %Y", "%Y-%m-%d"),
    ("%B %Y", "%Y-%m"), ("%b %Y", "%Y-%m"), ("%Y-%m", "%Y-%m"),
)  # fmt: skip
_MONTH_FIRST = (("%m/%d/%Y", "%Y-%m-%d"), ("%m/%d/%y", "%Y-%m-%d"))
_DIGITS = {8: (("%Y%m%d", "%Y-%m-%d"),), 6: (("%Y%m", "%Y-%m"),), 4: (("%Y", "%Y"),)}


def modality_code(text: str | None) -> str | None:
    """Return the DICOM modality code: CR, DX, CT, MR ...; a plain 'X-ray' becomes CR; anything else is None."""
    return MODALITIES.get((clean_text(text) or "").upper())


def view_codes(text: str | None) -> tuple[str | None, str | None]:
    """Return (view position, patient position): 'AP Supine' is ('AP', 'SUPINE'), 'Chest PA upright' ('PA', 'ERECT').

    Words that are not understood are (None, None), and so is a text with two views.
    """
    word = (clean_text(text) or "").upper()
    if word in VIEWS:
        return VIEWS[word]
    words = re.findall(r"[A-Z]+", word.replace("SEMI", "").replace("O-", "O"))  # postero-anterior
    views = [FRONTAL[own] for own in words if own in FRONTAL]
    rest = [own for own in words if own not in FRONTAL and own not in BESIDE_VIEW]
    if len(views) != 1 or len(rest) > 1 or not {*rest} <= POSITIONS.keys():
        return None, None
    return views[0], ("SEMI" if "SEMI" in word else "") + POSITIONS[rest[0]] if rest else None


def body_part_code(text: str | None) -> str | None:
    """Return the DICOM body part in capitals; 'Thorax', 'lungs' and 'Chest PA' are CHEST."""
    word = clean_text(text)
    words = set(re.findall(r"[A-Z]+", (word or "").upper())) - VIEW_WORDS
    return "CHEST" if words and words <= CHEST else word and word.upper()


def sex_code(text: str | None) -> str | None:
    """Return M, F or O for the letter or its English words; anything else is None: Madame and missing begin with an M too."""
    return SEXES.get((clean_text(text) or "").lower())


def age_years(text: str | None) -> float | None:
    """Return an age in years from '45', '71,5', '045Y', '45yrs', '16 month', '64days', '3W'.

    None for anything else, also a range, and for more than OLDEST years, which is a year of birth or a slip.
    """
    match = re.fullmatch(
        r"\s*(\d+(?:[.,]\d+)?)\s*(?:(y|m|w|d)|(yr|year|mo|month|wk|week|day)s?|)\.?\s*", (text or "").lower()
    )
    if match is None:
        return None
    per_year = {"m": 12, "w": 52.1775, "d": 365.2425}.get((match[2] or match[3] or "y")[0], 1)
    age = round(float(match[1].replace(",", ".")) / per_year, 4)
    return age if age <= OLDEST else None


def iso_date(text: str | None, month_first: bool = False) -> str | None:
    """Return a free-text date as ISO 8601 as far as it is stated: YYYY-MM-DD, YYYY-MM or YYYY; None where the year is missing.

    month_first: the source writes 4/13/2020; without that knowledge 5/4/2020 may be either day, and a date with slashes is None.
    """
    # without the time of day, which spreadsheets write behind it
    word = re.sub(r"[ T]\d{1,2}:\d{2}.*$", "", clean_text(text) or "")
    if word.isdecimal():  # digits alone: strptime would also take 202012 for the second of January
        formats = _DIGITS.get(len(word), ())
    else:
        formats = (*_DATE_FORMATS, *(_MONTH_FIRST if month_first else ())) if word else ()
    for read, write in formats:
        try:
            return datetime.strptime(word, read).strftime(write)
        except ValueError:
            continue
    return None


def person_id(text: str | None) -> str | None:
    """Return a patient's id; None also for the words that stand for an id that was taken out: they name all patients alike."""
    word = clean_text(text)
    return None if word is None or word.lower() in NOBODY else word


def number(text: str | None) -> float | None:
    """Return a finite number, or None where the text is not one.

    A comma is a decimal one, but before exactly three digits it may part thousands: '0,482' is a number, '1,482' may be either.
    """
    word = clean_text(text) or "nan"
    if re.fullmatch(r"[+-]?(0,\d+|\d+,(\d{1,2}|\d{4,}))", word):
        word = word.replace(",", ".")
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def is_possible_spacing(row: float, column: float) -> bool:
    """Tell whether a film's pixels can be so far apart, mm: 0.01 would be a film of a hand's breadth, 10 one of 40 pixels.

    A slip of the decimal point would make a film's distances vanish, or lead every mean. NaN is not possible.
    """
    return SMALLEST_MM <= row <= LARGEST_MM and SMALLEST_MM <= column <= LARGEST_MM


def clean_text(text: str | None) -> str | None:
    """Return the text without surrounding blanks; empty, dashes, '?' and the usual words for nothing become None."""
    stripped = (text or "").strip()
    return None if stripped.lower().strip("-.?") in NOTHING else stripped
