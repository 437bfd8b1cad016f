"""What an evaluation says of itself in sentences: what was scored, by what, and what to bear in mind."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.predictor import Predictor
from report.counts import counted, films_of_patients
from report.film_result import FilmResult


def learnt_in_words(known: int) -> str:
    """Say that so many of the films, at least one, are not unseen."""
    return f"{counted(known, 'film was', 'films were')} learnt from or chosen by: what is said of them holds for no unseen film."


def conventions_in_words(predictors: Sequence[Predictor], results: Sequence[FilmResult]) -> list[str]:
    """Say that the reference masks are drawn by another convention than those the networks learnt, where they are."""
    learnt = {predictor.checkpoint.training["convention"] for predictor in predictors}
    drawn = {mask.convention for result in results for mask in result.record.masks}
    if drawn <= learnt:
        return []
    return [
        f"The network learnt masks of the convention {', '.join(sorted(learnt))} and is compared with "
        f"{', '.join(sorted(drawn))}: scores and failures show how the conventions differ, not how good its masks are."
    ]


def scored_in_words(facts: Mapping, summary: dict, predictors: Sequence[Predictor]) -> str:
    """Say which films were scored by what."""
    views = len(predictors[0].views)
    averaged = f", averaged over {views} views" if views > 1 else ""
    compared = "Every mask is compared at its film's own size. " if summary["structures"] else ""
    learnt = f"{learnt_in_words(summary['trained_on'])} " if summary["trained_on"] else ""
    return (
        f"{films_of_patients(summary['films'], summary['patients'])}, split '{facts['settings']['split']}', predicted by "
        f"{', '.join(summary['checkpoints'])}{averaged}. {compared}"
        f"{learnt}For research use; not a medical device."
    )


def origin_in_words(
    connection: sqlite3.Connection, predictors: Sequence[Predictor], results: Sequence[FilmResult]
) -> str:
    """Say where the films, the masks and what the networks know come from."""
    films = Counter(result.record.source for result in results)
    masks = {(mask.convention, mask.provenance) for result in results for mask in result.record.masks}
    learnt_from = frozenset().union(*(predictor.learnt_from for predictor in predictors))
    stored = connection.execute("SELECT name, content_sha256 FROM image JOIN source USING (source_id)")
    found = [(name, content) for name, content in stored if content in learnt_from]
    known, elsewhere = sorted({name for name, _ in found}), len(learnt_from - {content for _, content in found})
    besides = f", and from {counted(elsewhere, 'film', 'films')} that this database does not have" if elsewhere else ""
    words = [f"Films: {', '.join(f'{name} {count}' for name, count in sorted(films.items()))}."]
    if masks:
        kinds = (sorted({mask[place] for mask in masks}) for place in (0, 1))
        words.append("Reference masks: convention {}, made: {}.".format(*(", ".join(kind) for kind in kinds)))
    if known:
        strange = sorted(set(films) - set(known))
        of_others = f"those of {', '.join(strange)} are new to it" if strange else "at other hospitals expect less"
        words.append(f"The network learnt from films of {', '.join(known)}{besides}; {of_others}.")
    return " ".join(words)
