"""A study and what a newspaper made of it, a program's manual, a letter about a project, and a lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import denies, leaves_unsaid, speaks_of_another
from rag.questions import analyse
from rag.roles import holder
from tests.conftest import answering_over

TEXTS = {
    "study.txt": """Coffee and night shifts: a randomised trial
M. Lindqvist, R. Osei, T. Varga. Journal of Occupational Sleep, 2023.

Background. Nurses on night shifts often drink coffee, but its effect on their sleep on the following day is \
unclear.
Methods. We randomised 148 nurses of two hospitals in Gothenburg to 300 mg of caffeine or placebo at 2 a.m. \
on five night shifts. Sleep was measured by wrist actigraphy. The trial ran from March 2021 to January 2022 \
and was paid for by the Swedish Work Environment Fund.
Results. Nurses who took caffeine slept 41 minutes less on the following day (95 % CI 28 to 54) and made 18 \
% fewer errors in a reaction test at 5 a.m. Eleven nurses dropped out, seven of them in the caffeine group \
because of palpitations. No serious adverse event occurred.
Conclusion. Caffeine at 2 a.m. improves attention at the end of a night shift at the cost of sleep. We \
recommend that it be taken before midnight.
""",
    "press.txt": """Coffee makes night nurses sharper, but costs them sleep
Health Desk, 3 June 2023

A cup of coffee in the middle of the night helps nurses to stay awake, a Swedish study of some 150 nurses \
has found. But those who drank it slept almost an hour less the next day. "We were surprised at how large \
the effect was," said Maria Lindqvist of the University of Gothenburg, who led the study. Critics point out \
that the nurses swallowed capsules, not coffee. Jan de Wit of Utrecht University, who was not involved, \
called the study "solid but small". A larger trial with 600 bus drivers is to begin in 2024.
""",
    "api.md": """# Parcelo API, version 2.3

## Authentication
Send your key in the header `X-Parcelo-Key`. Keys are made in the dashboard under Settings and expire after \
90 days. A key that is missing or wrong gives status 401.

## Limits
Each key may send 600 requests a minute. Beyond that the server answers 429 and tells in the header \
`Retry-After` how many seconds to wait. Uploads may be at most 25 MB.

## Creating a label
`POST /v2/labels` makes a label. The fields `sender`, `recipient` and `weight` are required; `weight` is in \
grams and may not exceed 31500. The answer holds the field `tracking_number`. Labels are kept for 30 days.

Labels for countries outside the European Union need a customs form: send the field `customs`. Batteries, \
alcohol and animals may not be sent.

## Webhooks
We call your address when a parcel is delivered. If your server does not answer within 5 seconds, we try \
again up to eight times over 24 hours. Webhooks are signed with HMAC-SHA256.

## Changes
- 2.3 (May 2025): webhooks are signed.
- 2.2 (January 2025): limit raised from 300 to 600 requests a minute.
- 2.0 (June 2024): version 1 switched off; XML is no longer supported.

Support: support@parcelo.example, weekdays from 9 to 17 h. The status page is status.parcelo.example.
""",
    "mail.txt": """From: Nadia Rahman <nadia@northwind.example>
To: Erik Sund
Date: 14 May 2025
Subject: Parcelo migration

Hi Erik,

the migration to Parcelo 2.3 is done except for the returns module, which Tobias will finish by 23 May. We \
still use the old key; please make a new one, ours expires on 30 May. Yesterday we hit the limit twice \
because the nightly job sends 900 requests a minute. I have asked Parcelo for a higher limit; Mr Keller from \
their sales said that it would cost 120 euros a month.

The budget for the project is 18,000 euros, of which we have spent 14,350. Priya has left the team; Tobias \
takes over her tasks. The go-live is planned for 2 June, not 26 May as I wrote last week.

Best,
Nadia
""",
    "lease.txt": """RENTAL AGREEMENT
between Helga Brandt, Lindenweg 4, 8010 Graz (landlady) and Samir Haddad (tenant).

1. The flat on the third floor of Mühlgasse 12 has 64 square metres, two rooms, a kitchen and a bathroom. A \
cellar compartment belongs to it; a parking space does not.
2. The tenancy begins on 1 August 2024 and is limited to five years. The tenant may give notice after the \
first year, with three months' notice to the end of a month.
3. The rent is 890 euros, heating not included. It is due on the fifth of each month. It is adjusted to the \
consumer price index each January if that has risen by more than 3 percent.
4. The deposit is three months' rent. It is paid back within two months of moving out.
5. The tenant may keep small animals; a dog needs the landlady's written consent. Smoking on the balcony is \
permitted. Subletting is forbidden.
6. Repairs of up to 150 euros are paid by the tenant, all others by the landlady. The boiler is serviced \
every two years at the landlady's expense.
7. House quiet is from 10 p.m. to 6 a.m. The rubbish is collected on Wednesdays.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("paper"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short", "source"),
    [
        ("Who paid for the trial?", "Swedish Work Environment Fund", "study.txt"),
        ("Was Jan de Wit involved in the study?", "No.", "press.txt"),
        # The year of a trial is none of a tenancy's first day, nor the other way round.
        ("When does the larger trial begin?", "2024", "press.txt"),
        ("When does the tenancy begin?", "1 August 2024", "lease.txt"),
        ("How large may uploads be?", "at most 25 MB", "api.md"),
        ("Can I send batteries?", "No.", "api.md"),
        ("What is the support address?", "support@parcelo.example", "api.md"),
        ("Is XML supported?", "No.", "api.md"),
        ("Who takes over Priya's tasks?", "Tobias", "mail.txt"),
        ("When is the go-live?", "2 June", "mail.txt"),
        ("Who is the landlady?", "Helga Brandt", "lease.txt"),
        ("Who is the tenant?", "Samir Haddad", "lease.txt"),
        ("Is the landlady Samir Haddad?", "No.", "lease.txt"),
        ("Is Helga Brandt the landlady?", "Yes.", "lease.txt"),
        ("Is there a parking space?", "No.", "lease.txt"),
        ("May I smoke on the balcony?", "Yes.", "lease.txt"),
        ("How long is the tenancy?", "five years", "lease.txt"),
    ],
)
def test_a_question_is_answered_from_the_text_that_tells(
    answerer: Answerer, question: str, short: str, source: str
) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "answered"
    assert (answer.short, {citation.source for citation in answer.citations}) == (short, {source}), answer.text


def test_a_version_is_not_another_version(answerer: Answerer) -> None:
    quotes = [citation.quote for citation in answerer.ask("What changed in version 2.3?").citations]
    assert "2.3 (May 2025): webhooks are signed." in quotes
    assert not any(quote.startswith(("2.0", "2.2")) for quote in quotes)


@pytest.mark.parametrize(
    "question",
    [
        "How many employees does Parcelo have?",
        "Who founded Parcelo?",
        "Does coffee cause cancer?",
        "How old is the house?",
    ],
)
def test_what_no_text_tells_is_refused(answerer: Answerer, question: str) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "not_in_sources", answer.text


@pytest.mark.parametrize(
    ("role", "text", "who"),
    [
        ("tenant", "between Ann Lee, 3 Quay Street (landlady) and Bo Ek (tenant).", "Bo Ek"),
        ("landlady", "between Ann Lee, 3 Quay Street (landlady) and Bo Ek (tenant).", "Ann Lee"),
        ("treasurer", "Present: Jo Stein (chair), Tom Ray (treasurer), eleven parents.", "Tom Ray"),
        ("chair", "Present: Jo Stein (chair), Tom Ray (treasurer), eleven parents.", "Jo Stein"),
        ("contractor", 'Agreement of the City and Brightline Ltd ("the Contractor").', "Brightline Ltd"),
        ("tenant", "The tenant (Bo Ek) pays.", None),
        ("chair", "He sat down (chair).", None),
    ],
)
def test_who_holds_a_role_in_brackets(role: str, text: str, who: str | None) -> None:
    place = holder(role, text)
    assert (text[slice(*place)] if place else None) == who


@pytest.mark.parametrize(
    ("question", "text", "so"),
    [
        ("Is there a parking space?", "A cellar belongs to it; a parking space does not.", True),
        ("Are dogs allowed?", "Cats are welcome, dogs are not.", True),
        ("Are dogs allowed?", "Dogs are not the only animals that are allowed.", False),
        ("Can I send batteries?", "Batteries and alcohol may not be sent.", True),
        ("Is Bo Ek the landlord?", "Ann Lee (landlord) and Bo Ek (tenant)", True),
        ("Is Ann Lee the landlord?", "Ann Lee (landlord) and Bo Ek (tenant)", False),
        ("Is the landlord Bo Ek?", "Ann Lee (landlord) and Bo Ek (tenant)", True),
    ],
)
def test_what_denies(question: str, text: str, so: bool) -> None:
    assert denies(analyse(question), text) is so


@pytest.mark.parametrize(
    ("question", "text", "so"),
    [
        ("May I smoke?", "It was written in May 2025.", False),
        ("What does E07 mean?", "E12 means that the brake is dirty.", True),
        ("What does E07 mean?", "E07 and E12 mean that the brake is dirty.", False),
        ("Did it make a profit in 2022?", "It lost 12,000 crowns in 2022 but made a small profit in 2023.", True),
        ("Did it make a profit in 2023?", "It lost 12,000 crowns in 2022 but made a small profit in 2023.", False),
        ("Did it make a profit in 2022?", "In 2022, it made a small profit, unlike in 2021.", False),
        ("Was it built in 1814?", "It was built between 1811 and 1814, and burnt down in 1903.", False),
        ("What changed in version 2.3?", "2.0 (June 2024): XML is gone.", True),
        ("What changed in version 2.3?", "Version 2.0 has no XML.", True),
        ("What changed in version 2.3?", "Sales of 2.0 million were reported.", False),
        ("What changed in version 2.3?", "Version 2.3 signs webhooks, as 2.2 did not.", False),
    ],
)
def test_what_speaks_of_another(question: str, text: str, so: bool) -> None:
    assert speaks_of_another(analyse(question), text) is so


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("Norwind has not said whether it will appeal.", True),
        ("It is unclear whether the roof will hold.", True),
        ("Whether the roof will hold is still open.", True),
        ("The minister declined to say if she would resign.", True),
        ("It will not be known for weeks whether it held.", False),
        ("Norwind will not appeal.", False),
        ("The council asked whether it would appeal, and it will.", False),
        ("The council asked whether it would appeal.", True),
        ("They would like to sell it; nothing has been decided.", True),
    ],
)
def test_what_is_left_unsaid_neither_bears_nor_denies(text: str, so: bool) -> None:
    assert leaves_unsaid(text) is so
