"""A medicine as its leaflet, a newspaper, its critics and the authority tell of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import leaves_unsaid, permits
from rag.relations import tells_of_no_victims
from tests.conftest import answering_over
from tests.test_answering import check_laws

TEXTS = {
    "leaflet.md": """# Norvasil 10 mg tablets: package leaflet

Information for the patient. Last revised in March 2024.

## What Norvasil is and what it is used for

Norvasil contains the active substance rovacetin. It is used to lower high blood pressure in adults. It \
belongs to a group of medicines called calcium channel blockers, which relax the blood vessels.

## Before you take it

Do not take Norvasil if you are allergic to rovacetin, if you have very low blood pressure, or if you are \
breastfeeding. Talk to your doctor before taking it if you have had a heart attack in the last four weeks or \
have liver problems.

Norvasil must not be given to children and adolescents under 18 years of age.

Grapefruit juice should be avoided while taking Norvasil, because it raises the amount of rovacetin in the \
blood. Alcohol may increase its effect.

## How to take it

The usual starting dose is one 5 mg tablet once a day. Your doctor may increase it to 10 mg once a day after \
two weeks. Swallow the tablet whole with a glass of water, at the same time each day, with or without food.

If you forget a tablet, leave out that dose completely. Take the next dose at the right time. Do not take a \
double dose to make up for a forgotten one.

If you take too many tablets your blood pressure may become dangerously low. Seek medical attention at once.

## Possible side effects

Very common (more than 1 in 10 people): swollen ankles.
Common (up to 1 in 10 people): headache, dizziness, flushing, tiredness.
Uncommon (up to 1 in 100 people): mood changes, hair loss, dry mouth.

## How to store it

Store below 25 °C in the original package. Do not use after the expiry date printed on the carton.

The tablets are white and round and come in packs of 28 and 98. The maker is Halvorsen Pharma AS, Bergen, \
Norway.
""",
    "trial.txt": """Rovacetin cuts strokes by a fifth, large trial finds
14 May 2024

A cheap blood pressure pill reduced the risk of stroke by 21 per cent compared with placebo, according to \
results of the VESTA trial presented in Lisbon on Monday.

The trial followed 8,412 patients in eleven countries for an average of 4.3 years. Half were given rovacetin \
and half a dummy pill. There were 189 strokes in the rovacetin group and 240 in the placebo group.

Heart attacks were not significantly reduced, and there was no difference in deaths from any cause.

"This is the clearest evidence so far that rovacetin prevents strokes," said the lead investigator, \
Professor Ingrid Solheim of the University of Bergen. She said that doctors should not change the treatment \
of patients whose blood pressure is already under control.

About 14 per cent of those taking the drug had swollen ankles, against 5 per cent on placebo, and 6 per cent \
stopped treatment because of side effects.

The study was paid for by Halvorsen Pharma, which sells the drug as Norvasil. The company had no role in the \
analysis, the authors say.
""",
    "critic.txt": """Stroke trial of rovacetin oversold, say statisticians
2 June 2024

The benefit of the blood pressure drug rovacetin has been exaggerated, two statisticians argue in a letter \
to the journal that published the VESTA trial last month.

Marta Quintela and Joseph Abara of Leiden University say the headline figure of 21 per cent hides a small \
absolute effect: for every 1,000 patients treated for four years, about 12 strokes were avoided.

They also point out that Halvorsen Pharma employees took part in the statistical analysis, although the \
paper says otherwise. The company's logo appears on two of the supplementary tables, they write.

Professor Solheim rejected the criticism. "The analysis was done by the university alone," she said.

The letter notes that 9 per cent of the patients on rovacetin, not 6 per cent, left the trial because of \
side effects if those who withdrew in the first month are counted.
""",
    "agency.txt": """Medicines agency: statement on Norvasil
20 September 2024

The Norwegian Medicines Agency has approved Norvasil for the prevention of stroke in adults over 55 with \
high blood pressure. Until now the medicine was approved only for lowering blood pressure.

The agency considered the VESTA trial and the criticism of it. It concluded that the benefits outweigh the \
risks. It asked the maker to add a warning on liver inflammation, of which four cases have been reported \
worldwide since January.

The price will stay at 112 kroner for a pack of 28 tablets. The new leaflet will be available from 1 November.

Two of the nine members of the expert committee voted against the approval.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("medicine"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("Can I drink grapefruit juice with Norvasil?", "No."),
        ("Can I take Norvasil while breastfeeding?", "No."),
        ("Can children take Norvasil?", "No."),
        ("May I take a double dose?", "No."),
        ("Did rovacetin reduce heart attacks?", "No."),
        ("What is the active substance of Norvasil?", "rovacetin"),
        ("Where is Halvorsen Pharma based?", "Bergen, Norway"),
        ("What is a very common side effect?", "swollen ankles"),
        ("How long were patients followed?", "4.3 years"),
        ("How many members does the expert committee have?", "nine"),
    ],
)
def test_a_question_about_the_medicine_is_answered(answerer: Answerer, question: str, short: str) -> None:
    answer = answerer.ask(question)
    check_laws(answer, answerer)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


@pytest.mark.parametrize(
    "question",
    [
        "How many patients died?",
        "Can I drink alcohol while taking Norvasil?",
        "What does Norvasil cost in Sweden?",
        "Is Norvasil safe in pregnancy?",
        "Who is the chief executive of Halvorsen Pharma?",
    ],
)
def test_what_nobody_says_of_the_medicine_is_refused(answerer: Answerer, question: str) -> None:
    assert answerer.ask(question).outcome == "not_in_sources"


def test_what_is_no_date_is_no_position_on_when(answerer: Answerer) -> None:
    answer = answerer.ask("When was Norvasil approved for the prevention of stroke?")
    assert "over 55" not in [position.value for position in answer.positions]


@pytest.mark.parametrize(
    ("text", "unsaid"),
    [
        ("Do not take it if you are ill.", False),
        ("It did not say if it will appeal.", True),
        ("It is not known if anybody was hurt.", True),
        ("It has not decided whether to sell.", True),
        ("It is unclear if the plan holds.", True),
    ],
)
def test_an_if_behind_a_negation_is_unsaid_only_of_what_is_known(text: str, unsaid: bool) -> None:
    assert leaves_unsaid(text) is unsaid


@pytest.mark.parametrize(
    ("text", "permitted"),
    [
        ("Grapefruit juice should be avoided.", False),
        ("Avoid alcohol.", False),
        ("Patients must avoid the sun.", False),
        ("It is allowed, to avoid queues.", True),
        ("They avoided a strike.", None),
    ],
)
def test_what_should_be_avoided_is_not_permitted(text: str, permitted: bool | None) -> None:
    assert permits(text) is permitted


@pytest.mark.parametrize(
    ("question", "text", "none"),
    [
        ("How many patients died?", "The trial followed 8,412 patients.", True),
        ("How many patients died?", "There were 240 deaths.", False),
        ("How many people were killed?", "The flood claimed 40 lives.", False),
        ("How many people were hurt?", "Twelve had to go to hospital.", False),
        ("How many people came?", "The trial followed 8,412 patients.", False),
        ("Who died?", "The trial followed 8,412 patients.", False),
    ],
)
def test_what_counts_no_victims(question: str, text: str, none: bool) -> None:
    assert tells_of_no_victims(question, text) is none
