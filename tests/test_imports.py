"""Who may import whom (docs/design.md), read from the code itself."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("cli", "data", "db", "pipeline", "proposal", "report", "unet")
SCRIPTS = ("train", "evaluate", "analyze", "predict")
THIRD_PARTY = {"cli": set(), "db": set(), "unet": {"torch", "numpy"}}
OPTIONAL = {"unet/export.py": {"onnxruntime", "onnxscript"}}  # asked for by name, with a message where they are missing
ALLOWED = {
    "cli": {"cli"},
    "db": {"db"},
    "unet": {"unet"},
    "data": {"data", "db.records", "unet.structures", "unet.pieces"},
    "report": {
        "report",
        "data",
        "db.records",
        "unet.quality",
        "unet.summary",
        "unet.agreement",
        "unet.association",
        "unet.surface",
    },  # fmt: skip
    "pipeline": {"pipeline", "cli", "data", "db", "report", "unet"},
    "proposal": {"proposal", "cli", "data.phantom", "unet.agreement", "unet.distributions", "unet.model"},
}
MORE = {  # entry modules need more than the folder they live in
    "data/ingest.py": {"cli", "db"},
    "data/film_check.py": {"db.ingest_rows"},
    "data/mask_check.py": {"db.ingest_rows"},
    "data/reasons.py": {"cli.memory", "cli.words"},
    "data/ingest_counts.py": {"db"},
    "unet/export.py": {"cli", "data", "pipeline.found_checkpoints", "pipeline.predictor"},
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                inside = (ROOT / whole.replace(".", "/")).with_suffix(".py").exists() or (
                    ROOT / whole.replace(".", "/")
                ).is_dir()
                yield whole if inside else node.module


def within(module, allowed):
    return any(module == name or module.startswith(name + ".") for name in allowed)


FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_imports_only_what_its_folder_may(path):
    name = path.relative_to(ROOT).as_posix()
    folder = name.split("/")[0]
    allowed = ALLOWED[folder] | MORE.get(name, set())
    for module in imports_of(path):
        top = module.split(".")[0]
        if top in (*FOLDERS, *SCRIPTS, "benchmarks", "tests"):
            assert within(module, allowed), f"{name} imports {module}"
        elif folder in THIRD_PARTY and top not in sys.stdlib_module_names:
            assert top in THIRD_PARTY[folder] | OPTIONAL.get(name, set()), f"{name} imports {module}"


def test_scripts_never_import_each_other():
    for script in SCRIPTS:
        path = ROOT / f"{script}.py"
        if path.exists():
            assert not {module.split(".")[0] for module in imports_of(path)} & set(SCRIPTS)


def test_files_and_functions_stay_small_and_are_explained():
    for path in [*FILES, *(ROOT / "benchmarks").glob("*.py"), *(ROOT / f"{script}.py" for script in SCRIPTS)]:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 260, f"{path} is too long"
        tree = ast.parse(text)
        if path.name != "__init__.py":
            assert ast.get_docstring(tree), f"{path} has no docstring"
        public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        public += [
            inner for node in public if isinstance(node, ast.ClassDef) for inner in node.body if hasattr(inner, "name")
        ]
        for node in public:
            if not node.name.startswith("_") and node.name != "forward":
                assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno <= 60, f"{path}: {node.name} is too long"
