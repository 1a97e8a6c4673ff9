"""Papers as people have them: a lease and the minutes of a meeting, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import denies
from rag.questions import analyse
from tests.conftest import answering_over

PAPERS = {
    "travel.md": """# Travel policy

This policy applies to all employees of Lumen Analytics from 1 January 2026. It replaces the policy of 2022.

## Reimbursement
Send receipts within 30 days to expenses@lumen.example. Receipts under 10 euros are not required.
""",
    "incident.md": """# Incident report: outage of the billing service

Author: Priya Nair. Date: 14 February 2026.

On 11 February at 09:42 the billing service stopped answering. The service was back at 11:20.
""",
    "news.txt": """Lumen Analytics was unable to take payments for almost two hours on Wednesday. Around 4,000 \
customers were affected by the outage, according to Brightline, a rival.
""",
    "onboarding.txt": """Welcome to Lumen

Probation lasts six months; during it the notice period is two weeks. Lunch costs 6.50 euros.
""",
    "lease.txt": """RESIDENTIAL LEASE AGREEMENT

This lease is made on 3 March 2025 between Hanna Lindqvist ("Landlord") and Tomas Rey ("Tenant") for the apartment at \
14 Garden Street, second floor.

1. Term. The lease begins on 1 April 2025 and ends on 31 March 2027. It does not renew automatically.

2. Rent. The monthly rent is 1,240 euros, payable on the first working day of each month by bank transfer. If rent is \
more than ten days late, the Tenant pays a late fee of 40 euros.

3. Deposit. The Tenant pays a deposit of 2,480 euros before moving in. The Landlord returns it within 30 days of the \
end of the lease, less the cost of repairs beyond normal wear.

4. Pets. The Tenant may keep one cat. Dogs are not allowed without the written consent of the Landlord.

5. Repairs. The Landlord repairs the heating, the plumbing and the roof. The Tenant replaces light bulbs and keeps \
the drains clear.

6. Notice. The Tenant may end the lease early with three months' written notice. The Landlord may end it early only if \
the rent is unpaid for two months.

7. Subletting is forbidden.
""",
    "minutes-of-12-may.md": """# Project Heron: weekly meeting

Date: 12 May 2025
Present: Amina Diallo (chair), Bo Zhang, Carla Ruiz. Absent: Dmitri Pavlov.

## Prototype
The first prototype failed the drop test on 6 May. The hinge broke. Bo will redesign the hinge in titanium by 30 May. \
The battery passed all of its tests.

## Decisions
- Amina asks the supplier, Norvik Metals, for a second quote.
- No new hires before the launch.
""",
    "minutes-of-19-may.md": """# Project Heron: weekly meeting

Date: 19 May 2025
Present: Amina Diallo (chair), Bo Zhang, Dmitri Pavlov.

## Supplier
Norvik Metals sent a second quote: 18 dollars a hinge, down from 23. Amina accepted it.

## Decisions
- Dmitri takes over testing from Carla.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("papers"), PAPERS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short", "quote"),
    [
        ("Is subletting allowed?", "No.", "Subletting is forbidden"),
        ("Can I sublet?", "No.", "Subletting is forbidden"),
        ("Is subletting forbidden?", "Yes.", "Subletting is forbidden"),
        ("Are dogs allowed?", "No.", "Dogs are not allowed"),
        ("Can I keep a cat?", "Yes.", "may keep one cat"),
        ("Does the lease renew automatically?", "No.", "does not renew automatically"),
        ("Did the battery pass its tests?", "Yes.", "The battery passed"),
        ("Who redesigns the hinge?", "Bo", "Bo will redesign the hinge"),
        ("Who takes over testing?", "Dmitri", "Dmitri takes over testing"),
        ("Who repairs the heating?", "The Landlord", "repairs the heating"),
        ("How much is the rent?", "1,240 euros", "monthly rent"),
    ],
)
def test_a_paper_is_cited_where_it_says_so(answerer: Answerer, question: str, short: str, quote: str) -> None:
    answer = answerer.ask(question)
    assert answer.short == short, answer.text
    assert quote in answer.citations[0].quote


def test_a_permission_is_not_denied_by_what_speaks_of_none(answerer: Answerer) -> None:
    quotes = [citation.quote for citation in answerer.ask("Can I keep a dog?").citations]
    assert not any("drains" in quote for quote in quotes)


@pytest.mark.parametrize(
    ("question", "short", "source"),
    [
        ("How long did the outage last?", "almost two hours", "news.txt"),
        ("When does the travel policy take effect?", "1 January 2026", "travel.md"),
        ("What does lunch cost?", "6.50 euros", "onboarding.txt"),
        ("How long is probation?", "six months", "onboarding.txt"),
    ],
)
def test_a_passage_about_something_else_says_nothing(
    answerer: Answerer, question: str, short: str, source: str
) -> None:
    answer = answerer.ask(question)
    assert (answer.short, {citation.source for citation in answer.citations}) == (short, {source}), answer.text


@pytest.mark.parametrize("question", ["Is there a garage?", "Can I smoke in the apartment?"])
def test_what_no_paper_says_is_not_made_up(answerer: Answerer, question: str) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "not_in_sources", answer.text


@pytest.mark.parametrize(
    ("question", "text", "denied"),
    [
        ("Is subletting allowed?", "Subletting is forbidden.", True),
        ("Is smoking permitted?", "The house rules prohibit smoking.", True),
        ("Can I keep a dog?", "Dogs are not allowed.", True),
        ("Is smoking forbidden?", "Smoking is allowed on the balcony.", True),
        ("Is smoking banned?", "Smoking is not allowed.", False),
        ("Is subletting allowed?", "Subletting is allowed.", False),
        ("Is subletting forbidden?", "Subletting is forbidden.", False),
        ("Can Acme build it?", "Acme allows nobody in.", False),
    ],
)
def test_what_is_forbidden_is_not_allowed(question: str, text: str, denied: bool) -> None:
    assert denies(analyse(question), text) is denied
