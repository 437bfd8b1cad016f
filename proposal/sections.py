"""Cut a MIMIC-CXR report into its sections, and say for each report whether its findings can be a training target.

Written from the failures of the dataset's own parser that proposal.md lists in section 2, not from its code: a header is
recognised by what it says, not by its capitals; a header on the next line is never swallowed; all blocks are kept.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Canonical name -> what a header may say, in capitals, after digits and punctuation are gone. The order decides.
HEADERS: tuple[tuple[str, str], ...] = (
    ("indication", r"(CLINICAL )?INDICATIONS?|REASON FOR .*"),
    ("history", r"(CLINICAL |PATIENT |MEDICAL )?(HISTORY|INFORMATION)"),
    ("findings_and_impression", r"(FINDINGS?|IMPRESSIONS?)( AND)? (FINDINGS?|IMPRESSIONS?)"),
    ("findings", r"FINDINGS?"),
    ("impression", r"IMPRESSIONS?|CONCLUSIONS?"),
    ("comparison", r"COMPARISONS?( STUDY| STUDIES| EXAM| FILMS?)?"),
    ("technique", r"TECHNIQUES?|PROCEDURES?( COMMENTS)?"),
    ("examination", r"(TYPE OF )?(EXAM|EXAMINATION|STUDY)S?"),
    ("notification", r"NOTIFICATIONS?|RECOMMENDATIONS?( AND NOTIFICATIONS?)?|NOTE"),
    ("wet_read", r"WET READ"),
    ("addendum", r"(FINAL )?ADDENDUM"),
)
# Only words of this kind make an exam's title, as in "CHEST, 2 VIEWS:"; below one, older reports put their findings.
TITLE_WORDS = frozenset((
    "CHEST", "PORTABLE", "AP", "PA", "FRONTAL", "LATERAL", "LAT", "VIEW", "VIEWS", "RADIOGRAPH", "RADIOGRAPHS", "XRAY", "FILM",
    "FILMS", "SINGLE", "ONE", "TWO", "THREE", "UPRIGHT", "SUPINE", "SEMI", "SEMIUPRIGHT", "ERECT", "AND", "OF", "THE",
))  # fmt: skip
SPELLING = ("INDICATION", "INDICATIONS", "FINDINGS", "IMPRESSION", "COMPARISON", "TECHNIQUE", "EXAMINATION", "HISTORY")
# The colon of a time of day, as in "AP CHEST, 8:35 A.M.", ends no header, and a line that goes on in small letters has none.
BEFORE_COLON = re.compile(r"^ {0,4}(?P<name>[A-Z][A-Za-z0-9 ,()/&.'-]{1,60}?)\s*:(?!(?<=\d:)\d)(?P<rest>.*)$")
ALONE = re.compile(r"^ {0,4}(?P<name>[A-Z][A-Za-z0-9 ,()/&-]{3,40}?)\s*$")
CAPITALS_THEN_TEXT = re.compile(r"^ {0,4}(?P<name>[A-Z][A-Z /&]{6,30}[A-Z])\s+(?P<rest>\S.*)$")
ORDINARY = ("NOTE", "STUDY", "PROCEDURE")  # words of sentences too: in findings, headers only where in capitals
HOLD_TITLES = ("findings", "impression", "findings_and_impression")
FINAL_REPORT = re.compile(r"^\s*FINAL REPORT\s*$")
RULE = re.compile(r"^\s*_{10,}\s*$")


@dataclass(frozen=True)
class Section:
    """One block of a report. name: canonical; text: whitespace collapsed, "" when empty; line: from 1."""

    name: str
    text: str
    line: int


@dataclass(frozen=True)
class Target:
    """The findings of a report, or why they are not used: exactly one of text and exclusion is set."""

    text: str | None
    exclusion: str | None


def parse_report(report: str) -> list[Section]:
    """Return the sections of a report in their order; text before the first header is a section called "preamble".

    Everything between WET READ or ADDENDUM and the next FINAL REPORT line belongs to that part, headers included, so that a
    preliminary reading is never taken for the final one; an addendum, which may stand on top, also ends at a line of underscores.
    An exam title is findings only where no FINDINGS header exists; inside findings or an impression it is a subheading, and
    stays there.
    """
    blocks: list[tuple[str, int, list[str]]] = [("preamble", 1, [])]
    set_apart = False
    lines = report.splitlines()
    for number, line in enumerate(lines):
        if FINAL_REPORT.match(line):
            blocks.append(("preamble", number + 1, []))
            set_apart = False
            continue
        if set_apart and blocks[-1][0] == "addendum" and RULE.match(line):
            blocks.append(("preamble", number + 1, []))
            set_apart = False
            continue
        before = lines[number - 1] if number else ""
        found = None if set_apart else _header(line, before, inside=blocks[-1][0] in HOLD_TITLES)
        if found is None or (found[0] == "title" and blocks[-1][0] in HOLD_TITLES):
            blocks[-1][2].append("" if RULE.match(line) else line)
            continue
        name, rest = found
        set_apart = name in ("wet_read", "addendum")
        blocks.append((name, number + 1, [rest]))
    has_findings = any(name.startswith("findings") for name, *_ in blocks)
    sections = []
    for name, number, body in blocks:
        text = " ".join(" ".join(body).split())
        if name == "title":
            name = "findings" if text and not has_findings else "examination"
        if name != "preamble" or text:
            sections.append(Section(name, text, number))
    return sections


def section_text(sections: Iterable[Section], name: str) -> str:
    """Return the text of all blocks of that name, joined by a space; "" where there is none."""
    return " ".join(section.text for section in sections if section.name == name and section.text)


def findings_target(report: str) -> Target:
    """Return the text to train on, or the reason for leaving the report out (the exclusion table of proposal.md, section 4)."""
    sections = parse_report(report)
    blocks = [section for section in sections if section.name == "findings"]
    if any(section.name == "findings_and_impression" for section in sections):
        return Target(None, "findings and impression in one block")
    if not blocks:
        return Target(None, "no findings section")
    filled = [block.text for block in blocks if block.text]
    if not filled:
        return Target(None, "findings section is empty")
    if len(filled) > 1:
        return Target(None, "two findings blocks: which film is meant is not stated")
    return Target(filled[0], None)


def count_exclusions(targets: Iterable[Target]) -> dict[str, int]:
    """Return how many reports are usable and how many are left out for which reason; the counts add up to the targets."""
    counts: dict[str, int] = {"usable": 0}
    for target in targets:
        reason = target.exclusion or "usable"
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _header(line: str, line_before: str, inside: bool) -> tuple[str, str] | None:
    """Return (canonical name, text behind it), or None where the line is no known header. inside: findings or an impression."""
    for pattern in (BEFORE_COLON, ALONE, CAPITALS_THEN_TEXT):
        match = pattern.match(line)
        if match is None:
            continue
        name = canonical_name(match["name"])
        if name is None or (name == "title" and pattern is not BEFORE_COLON):
            continue
        if inside and match["name"].upper() in ORDINARY and not match["name"].isupper():
            continue
        # A word alone on its line can also be a sentence's end, wrapped: there the line before stops in mid-sentence.
        if pattern is ALONE and line_before.strip() and line_before.strip()[-1] not in ".:_":
            continue
        return name, match.groupdict().get("rest") or ""
    return None


def canonical_name(header: str) -> str | None:
    """Return the canonical name of a header without its colon, "title" for an exam's title, None for anything else.

    One wrong, missing or added letter in a header word is forgiven ("NDICATION").
    """
    words = re.sub(
        r"[^A-Z ]", " ", header.upper().replace("X-RAY", "XRAY").replace("(S)", "S").replace("&", " AND ")
    ).split()
    words = [next((known for known in SPELLING if _one_letter_off(word, known)), word) for word in words]
    text = " ".join(words)
    for name, pattern in HEADERS:
        if re.fullmatch(pattern, text):
            return name
    if words and TITLE_WORDS.issuperset(words) and {"CHEST", "PORTABLE", "RADIOGRAPH", "RADIOGRAPHS"} & set(words):
        return "title"
    return None


def _one_letter_off(word: str, known: str) -> bool:
    """Whether one letter put in, left out or exchanged turns word into known (edit distance exactly 1, Levenshtein 1966)."""
    if abs(len(word) - len(known)) > 1 or word == known:
        return False
    shorter, longer = sorted((word, known), key=len)
    same = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    skip = 1 if len(shorter) == len(longer) else 0
    return shorter[same + skip :] == longer[same + 1 :]
