"""The protocol's stored results as numbers and tables of proposal.md; docs/figures/proposal-protocol.json is written by
`python -m proposal.protocol --out docs/figures/proposal-protocol.json`."""

import json
from functools import cache
from pathlib import Path

from proposal.decision import RULES
from proposal.interventions import CONCEPTS

STORED = Path(__file__).resolve().parent.parent / "docs" / "figures" / "proposal-protocol.json"


@cache
def stored() -> dict:
    """Return the stored results. FileNotFoundError says how to make them."""
    if not STORED.exists():
        raise FileNotFoundError(f"{STORED}: not there; make it with python -m proposal.protocol --out {STORED}")
    return json.loads(STORED.read_text(encoding="utf-8"))


def numbers() -> dict[str, str]:
    """Return the numbers that the text quotes from the protocol."""
    found, settings = stored(), stored()["settings"]
    values = {
        "seeds": str(settings["seeds"]),
        "adaptation films": str(2 * settings["second_people"]),
        "pretraining films": f"{2 * settings['first_people']:,}",
        "test films": str(2 * settings["test_people"]),
        "test people": str(settings["test_people"]),
        "external films": str(2 * settings["external_people"]),
        "pairs": str(settings["pair_people"]),
        "base own word F1": f"{found['baselines']['base, first wording']['word_f1']:.2f}",
        "constant word F1": f"{found['baselines']['one sentence for all']['word_f1']:.2f}",
        "neighbour word F1": f"{found['baselines']['nearest training films']['word_f1']:.2f}",
        "neighbour opacity": f"{found['baselines']['nearest training films']['opacity']:.2f}",
    }
    for concept, (real, control) in found["baselines"]["probes of the base's encoder"].items():
        values |= {f"probe {concept}": f"{real:.2f}", f"probe control {concept}": f"{control:.2f}"}
    for name, method in found["methods"].items():
        for kind in ("real", "blind"):
            for key, (mean, half) in method[kind].items():
                digits = 3 if key == "ctr_error" else 2
                values |= {
                    f"{name} {kind} {key}": f"{mean:.{digits}f}",
                    f"{name} {kind} {key} half": f"{half:.{digits}f}",
                }
        for filling, shares in method["filling"].items():
            values |= {f"{name} filling {filling} {concept}": f"{share:.2f}" for concept, share in shares.items()}
        for concept in CONCEPTS:
            for rule in RULES:
                estimate, low, high, _ = method["findings"][concept][rule.name]
                stem = f"{name} {concept} {rule.name}"
                values |= {stem: f"{estimate:.2f}", f"{stem} low": f"{low:.2f}", f"{stem} high": f"{high:.2f}"}
    return values


def methods_table(found: dict) -> list[str]:
    """Return AUROC per concept, word overlap and error of the stated ratio: mean and half-width over seeds (blind twin)."""
    lines = [
        "| adapted by training | of all numbers | heart | effusion | side | opacity (new) | opacity, external | word F1"
        " | CTR error |",
        "| --- | ---: |" + " ---: |" * 7,
    ]
    keys = [*(f"test {concept}" for concept in CONCEPTS), "external opacity", "word_f1", "ctr_error"]
    for name, method in found["methods"].items():
        cells = [_mean_half_blind(method, key, 3 if key == "ctr_error" else 2) for key in keys]
        lines.append(f"| {name} | {method['trained_share']:.1%} | " + " | ".join(cells) + " |")
    return lines


def baselines_table(found: dict) -> list[str]:
    """Return what is reached without any adaptation."""
    lines = ["| without adaptation | heart | effusion | side | opacity | word F1 |", "| --- |" + " ---: |" * 5]
    for name, values in found["baselines"].items():
        if not name.startswith("probes"):
            cells = [f"{values[key]:.2f}" if key in values else "" for key in (*CONCEPTS, "word_f1")]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def verdicts_table(found: dict) -> list[str]:
    """Return for every method what the rules let one say of each concept."""
    lines = ["| adapted by training | " + " | ".join(CONCEPTS) + " |", "| --- |" + " --- |" * len(CONCEPTS)]
    verdicts = {name: method["verdicts"] for name, method in found["methods"].items()}
    verdicts["a blind twin, examined as if it saw"] = found["negative_control"]
    for name, words in verdicts.items():
        lines.append(f"| {name} | " + " | ".join(words[concept] for concept in CONCEPTS) + " |")
    return lines


def conditions_table(found: dict, name: str) -> list[str]:
    """Return one method's estimate [95 % interval] for every concept and condition."""
    lines = [
        f"| {name} | " + " | ".join(rule.name for rule in RULES) + " |",
        "| --- |" + " ---: |" * len(RULES),
    ]
    for concept in CONCEPTS:
        rules = found["methods"][name]["findings"][concept]
        cells = [f"{estimate:.2f} [{low:.2f}, {high:.2f}]" for estimate, low, high, _ in (rules[r.name] for r in RULES)]
        lines.append(f"| {concept} | " + " | ".join(cells) + " |")
    return lines


def checks_table(found: dict) -> list[str]:
    """Return what is asked besides concepts: mirrored films, slope of the stated ratio, hearts redrawn (blind twin)."""
    lines = [
        "| adapted by training | side turns with the mirrored film | slope of stated on true ratio | stated change per true"
        " change, heart alone redrawn |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, method in found["methods"].items():
        cells = [_mean_half_blind(method, key, 2) for key in ("mirror", "ctr_slope", "ctr_follow")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def fillings_table(found: dict) -> list[str]:
    """Return what covering alone does on films without the finding, as a share of what the finding does, for every filling."""
    lines = [
        "| adapted by training | filling | " + " | ".join(CONCEPTS) + " |",
        "| --- | --- |" + " ---: |" * len(CONCEPTS),
    ]
    for name, method in found["methods"].items():
        for filling, shares in method["filling"].items():
            lines.append(f"| {name} | {filling} | " + " | ".join(f"{shares[key]:.2f}" for key in CONCEPTS) + " |")
    return lines


def _mean_half_blind(method: dict, key: str, digits: int) -> str:
    (mean, half), (blind, _) = method["real"][key], method["blind"][key]
    return f"{mean:.{digits}f} ± {half:.{digits}f} ({blind:.{digits}f})"
