"""The text of a model card: sections by Annex IV, what is missing named, and read back as it was written."""

import random
import re

import pytest

from governance.actions.documents import LIMIT
from governance.checks import has_section
from governance.docx import markdown_headings
from governance.model_card import SECTION_LIMIT, compose, heading_of, parse, tidy
from governance.model_card_fields import BY_KEY, FIELDS
from portal.errors import Invalid

SOME = {"data": "Customers of 2024.\n\n- one\n- two", "risks": "  Offers missed.  \r\n"}


def test_the_sections_are_all_points_of_annex_iv() -> None:
    points = {point for field in FIELDS for point in field.annex.split(", ")}
    assert points == (
        {f"1({letter})" for letter in "abcdefgh"}
        | {f"2({letter})" for letter in "abcdefgh"}
        | {str(number) for number in range(3, 10)}
    )
    order = [re.match(r"\d", field.annex) for field in FIELDS]
    assert [one[0] for one in order if one] == sorted(one[0] for one in order if one)
    assert len(BY_KEY) == len(FIELDS)
    assert len({field.heading for field in FIELDS}) == len(FIELDS)


def test_what_is_filled_in_is_a_section_and_what_is_not_is_named() -> None:
    text = compose("Card", SOME)
    headings = markdown_headings(text)
    assert headings == (
        "Card",
        "Data (Annex IV, 2(d))",
        "Foreseeable unintended outcomes and risks (Annex IV, 3)",
    )
    assert has_section(headings, "data")
    assert not has_section(headings, "cybersecurity")
    assert "Not filled in yet: Intended purpose; Version and earlier versions;" in text
    assert "claims conformity with nothing" in text


def test_a_full_card_names_nothing_missing_and_fits() -> None:
    text = compose("Card", {field.key: "x" * SECTION_LIMIT for field in FIELDS})
    assert "Not filled in" not in text
    assert len(text) < LIMIT


def test_it_reads_back_as_it_was_written() -> None:
    assert parse(compose("Card", SOME)) == {
        "data": "Customers of 2024.\n\n- one\n- two",
        "risks": "Offers missed.",
    }
    rng = random.Random(9)
    alphabet = ["a", " ", "\n", "-", "é", "\r\n", "|", "*", "\t", "(", "1.", "> "]
    for _case in range(300):
        texts = {
            field.key: "x" + "".join(rng.choices(alphabet, k=rng.randrange(30)))
            for field in rng.sample(FIELDS, 4)
        }
        try:
            text = compose("Card", texts)
        except Invalid:
            continue  # underlined by chance
        assert parse(text) == {key: tidy(said) for key, said in texts.items()}
        assert compose("Card", parse(text)) == text


@pytest.mark.parametrize(
    "texts, field, says",
    [
        ({}, "sections", "empty"),
        ({"data": " \n "}, "sections", "empty"),
        ({"Data": "x"}, "Data", "no section"),
        ({"data": "x" * (SECTION_LIMIT + 1)}, "data", "longer than 7,000"),
        ({"data": "# Cybersecurity"}, "data", "heading"),
        ({"data": f"x\n## {heading_of(BY_KEY['cybersecurity'])}\nNone."}, "data", "heading"),
        ({"data": "Cybersecurity\n---"}, "data", "heading"),
        ({"data": "```\nx"}, "data", "fence"),
    ],
)
def test_what_would_look_like_another_section_is_refused(
    texts: dict[str, str], field: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        compose("Card", texts)
    assert caught.value.field == field
