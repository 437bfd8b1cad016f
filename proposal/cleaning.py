"""What must not be learnt from a report: marks of de-identification, and comparisons with films the model is not shown."""

import re

DEIDENTIFIED = re.compile(r"_{3,}")
# Words that a sentence about one single film has hardly a use for. A screen, not a labeller, and it errs both ways: it catches
# what compares parts of one film ("larger right than left effusion", "increased markings"), and misses one in
# other words.
COMPARISON_WORDS = re.compile(
    r"\b(again|previous(ly)?|prior|interval(ly)?|unchanged|stable|persist(s|ent|ing)?|improv(ed|es|ing|ement)|"
    r"worse(n(s|ed|ing))?|better(?! (seen|visuali[sz]ed|appreciated|evaluated|assessed))|increas(es?|ed|ing)|"
    r"decreas(es?|ed|ing)|new(ly)?|resol(ved|ving|ution)|since|compar(ed|ison)|redemonstrat\w+|remains?|larger|smaller|"
    r"(has|have) enlarged|progress(ed|ion|ive)|earlier|still|no longer|slightly (more|less)|"
    r"(more|less) (conspicuous|extensive|prominent|pronounced|severe|apparent|confluent|marked)|(the )?same|changed|"
    # a change of the lungs or the spine is a finding; one that there is none of, or in something, compares
    r"(no|any|without|little) (significant |relevant |appreciable |substantial |overall |acute )?changes?|changes? (in|from)|"
    r"similar(ly)?|continu\w+|recur(red|rent|rence)|re-(demonstrat|accumulat)\w+|reaccumulat\w+|cleared|clearing|last|before|"
    r"removed|removal|repositioned|develop(ed|ing|ment))\b",
    re.IGNORECASE,
)
# That somebody was told says nothing of the film, and stands in findings where the note has no header of its own.
NOTIFICATION_WORDS = re.compile(
    r"\b(telephoned?|by (tele)?phone|paged|notified|communicated|discussed (with|by)|informed|Drs?\.)(?!\w)",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """Cut at a full stop, question or exclamation mark before a space and a capital, a mark or a digit; not after "Dr."."""
    return [
        part.strip() for part in re.split(r"(?<=[.!?])(?<!\bDr\.)(?<!\bM[rs]\.)\s+(?=[A-Z_0-9])", text) if part.strip()
    ]


def mentions_comparison(sentence: str) -> bool:
    """Whether a sentence has a word of comparison with another film."""
    return COMPARISON_WORDS.search(sentence) is not None


def comparison_rate(texts: list[str]) -> float:
    """Return the share of texts with at least one such sentence, 0..1; how far it errs, an audit has to say.

    ValueError without texts.
    """
    if not texts:
        raise ValueError("comparison_rate: got no texts, wanted at least one")
    return sum(any(mentions_comparison(part) for part in sentences(text)) for text in texts) / len(texts)


def drop_comparisons(text: str) -> str:
    """Return the text without the sentences that compare; whole sentences go, so that no clause loses its negation."""
    return " ".join(part for part in sentences(text) if not mentions_comparison(part))


def drop_notifications(text: str) -> str:
    """Return the text without the sentences that say who was told."""
    return " ".join(part for part in sentences(text) if not NOTIFICATION_WORDS.search(part))


def drop_deidentified(text: str) -> str:
    """Return the text without the sentences that hold a mark of de-identification, so that no loss teaches the mark."""
    return " ".join(part for part in sentences(text) if not DEIDENTIFIED.search(part))


def stage_a_target(text: str) -> str:
    """Return what of a report's findings stage A trains on: no comparison, no mark, nobody told; "" where nothing is left."""
    return drop_notifications(drop_deidentified(drop_comparisons(text)))
