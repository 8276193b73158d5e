"""How long and branched the code in a bundle is, measured without running it."""

import io
import zipfile

import pytest

from portal.dss import recipes
from portal.dss.recipes import complexity, held_in


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x = 1\n", 1),
        ("if x:\n    y = 1\nelif z:\n    y = 2\n", 3),
        ("for x in y:\n    while z:\n        pass\n", 3),
        ("a = b and c or d\n", 3),
        ("a = b and c and d\n", 3),
        ("a = b if c else d\n", 2),
        ("[x for x in y if x if z]\n", 4),
        ("try:\n    pass\nexcept ValueError:\n    pass\nexcept KeyError:\n    pass\n", 3),
        ("match x:\n    case 1:\n        pass\n    case _:\n        pass\n", 3),
        ("assert x\n", 2),
        # The most complex function decides; what stands in it is not counted outside.
        ("def f():\n    if a:\n        pass\n    if b:\n        pass\nif c:\n    pass\n", 3),
        ("def f():\n    def g():\n        if a:\n            pass\n        if b:\n            pass\n", 3),
        ("f = lambda x: x if x else 1\n", 2),
    ],
)
def test_complexity_counts_the_ways_through(text: str, expected: int) -> None:
    assert complexity(text.encode()) == expected


@pytest.mark.parametrize(
    "text", [b"def f(:", b"\x00", b"print 'old'", b"(" * 5000, b"-" * 50_000 + b"1", b"\xff\xfe"]
)
def test_what_is_no_python_is_told(text: bytes) -> None:
    with pytest.raises(SyntaxError):
        complexity(text)


def archive(**members: str) -> io.BytesIO:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            made.writestr(name, text)
    return held


def test_scenarios_and_recipes_are_found_by_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    source = archive(
        **{
            "project_config/scenarios/TEST_A.json": "{}",
            "scenarios/TEST_B.json": "{}",
            "project_config/scenarios/TEST_A/steps.json": "{}",
            "project_config/recipes/score.json": "{}",
            "project_config/recipes/score.py": "if x:\n    y = 1",
            "project_config/recipes/select.sql": "SELECT 1\n",
            "project_config/recipes/broken.py": "def f(:\n",
            "project_config/recipes/long.py": "x = 1\n" * 30_000,
            "project_config/recipes/empty.py": "",
            "project_config/lib/python/helper.py": "x = 1\n",
        }
    )
    found = held_in(source)
    assert found.scenarios == ("TEST_A", "TEST_B")
    assert {one.name: (one.language, one.lines, one.complexity, one.why) for one in found.recipes} == {
        "score": ("py", 2, 2, ""),
        "select": ("sql", 1, None, ""),
        "broken": ("py", 1, None, "syntax"),
        "long": ("py", 30_000, None, "too_large"),
        "empty": ("py", 0, 1, ""),
    }
    assert found.more == 0
    monkeypatch.setattr(recipes, "MOST_RECIPES", 2)
    assert (len(held_in(source).recipes), held_in(source).more) == (2, 3)
