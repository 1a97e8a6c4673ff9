"""A program as its release notes, its page of questions, an incident report and a customer tell of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.amounts import borne_out
from rag.answering import Answerer
from rag.headings import answered_at_once, asks, question_above
from rag.questions import analyse
from rag.records import Evidence, Hit, Passage
from rag.split import sentences
from tests.conftest import answering_over
from tests.test_answering import check_laws

TEXTS = {
    "v4_release_notes.md": """---
title: Larkdesk 4.0 release notes
date: 2025-02-11
---
# Larkdesk 4.0

Larkdesk 4.0 is the biggest release since the product was launched in 2019.

## New

- Shared inboxes: a team of up to 25 people can answer mail from one address. In 3.x the limit was 10.
- Dark mode, on all platforms.
- Export of tickets to CSV and JSON.
- Single sign-on through SAML, on the Business and Enterprise plans.

## Changed

- The default session length is now 8 hours instead of 24.
- Attachments may be up to 50 MB (previously 20 MB).
- The minimum supported versions are Windows 10, macOS 12 and Ubuntu 22.04. Support for Windows 8 has been \
dropped.

## Removed

- The Flash-based report viewer is gone. Use the new Reports tab instead.
- The XML API, deprecated since 3.2, has been removed.

## Fixed

- Tickets were assigned twice when two rules matched.
- Search ignored umlauts.

Upgrading from 3.x takes about ten minutes for a database of 100,000 tickets. Back up first: there is no way \
back to 3.x once the migration has begun.
""",
    "faq.md": """---
title: Larkdesk FAQ
date: 2024-10-01
---
# Frequently asked questions

## How much does Larkdesk cost?

Starter is 9 euros per agent and month, Business 19 euros, Enterprise on request. All plans are billed \
yearly; monthly billing costs 20 % more. Schools and charities get 30 % off.

## Is there a free trial?

Yes. You can try every plan free for 30 days. No credit card is needed.

## Where is my data stored?

In Frankfurt, Germany. Enterprise customers may choose Dublin instead. We keep backups for 35 days.

## Can I host Larkdesk on my own server?

Yes, with the Enterprise plan. You need a Linux server with at least 8 GB of memory and PostgreSQL 14 or later.

## How do I delete my account?

Open Settings, choose Account, and press Delete account. All data is erased after 14 days.

## Which languages does Larkdesk speak?

English, German, French, Spanish and Polish. Italian is planned for 2025.

## How large may attachments be?

Up to 20 MB each.

## How do I reach support?

Write to help@larkdesk.example. We answer within one working day; Business customers within four hours. \
There is no support by telephone.
""",
    "incident.md": """---
title: Incident report: outage of 3 April
date: 2025-04-07
---
On Thursday 3 April 2025 Larkdesk was unavailable between 09:12 and 11:47 CEST. About 40 % of customers \
could not log in; the others saw slow pages. No data was lost.

The cause was an expired certificate on the sign-in service. The certificate should have been renewed \
automatically, but the renewal job had been switched off during the upgrade to 4.0 and was not switched on \
again.

Our monitoring did not warn us, since it checks the certificates of the public site only. The first report \
came from a customer at 09:20.

What we have done: the certificate was renewed at 11:31, and the monitoring now covers all certificates. \
What we will do: by the end of May every scheduled job will have an owner.

Customers on the Business and Enterprise plans receive a credit of 10 % of their April bill. Starter \
customers do not.

We are sorry.

Petra Lindqvist, head of operations
""",
    "blog.txt": """Larkdesk review: friendly, but watch the price
by Owen Hale, 12 March 2025

I moved our shop's support from SwiftHelp to Larkdesk in January. Setting it up took an afternoon. The \
interface is the cleanest I have used, and the new dark mode is lovely.

The search is fast. Reports are weak: you cannot schedule them, and there is no chart of response times, \
which SwiftHelp has.

The price has gone up: Business now costs 24 euros per agent, five more than last year. SwiftHelp is 15.

Support answered my three questions in under two hours. On the phone, too, which surprised me: there is now \
a number for Business customers.

The mobile app exists for Android only. The iPhone app is promised for the summer.

Verdict: four stars out of five.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("program"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("Is there a free trial?", "Yes."),
        ("Can I host Larkdesk on my own server?", "Yes."),
        ("Can I host Larkdesk myself?", "Yes."),
        ("Do you offer a trial?", "Yes."),
        ("Where is my data stored?", "Frankfurt, Germany"),
        ("Which languages does Larkdesk speak?", "English, German, French, Spanish and Polish"),
        ("Is there telephone support?", "No."),
        ("How long are backups kept?", "35 days"),
        ("How large could attachments be before 4.0?", "Up to 20 MB"),
        ("When was the outage?", "Thursday 3 April 2025"),
        ("Was any data lost?", "No."),
    ],
)
def test_a_question_about_the_program_is_answered(answerer: Answerer, question: str, short: str) -> None:
    answer = answerer.ask(question)
    check_laws(answer, answerer)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


def test_a_yes_of_the_source_is_not_said_twice(answerer: Answerer) -> None:
    assert answerer.ask("Can I host Larkdesk on my own server?").text == "Yes, with the Enterprise plan [1]."


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("How large may attachments be?", {"up to 50 MB", "Up to 20 MB"}),
        ("How much does the Business plan cost?", {"24 euros", "19 euros"}),
    ],
)
def test_an_old_page_is_in_dispute_with_a_new_one(answerer: Answerer, question: str, values: set[str]) -> None:
    answer = answerer.ask(question)
    check_laws(answer, answerer)
    assert {position.value for position in answer.positions} == values


@pytest.mark.parametrize(
    "question",
    ["Who is the CEO of Larkdesk?", "How many employees does Larkdesk have?", "Does Larkdesk integrate with Slack?"],
)
def test_what_nobody_says_of_the_program_is_refused(answerer: Answerer, question: str) -> None:
    assert answerer.ask(question).outcome == "not_in_sources"


def hit_of(text: str, heading: str | None = None) -> Hit:
    return Hit(Passage("a.md", 0, len(text), text, tuple(sentences(text)), heading), 1.0)


PAGE = """# Questions

## Is there a trial?

No. We have none.

## Are dogs allowed?

Yes, in two rooms. They cost 10 euros.

## Prices

Is it dear? Not at all.
"""


@pytest.mark.parametrize(
    ("text", "above", "said"),
    [
        ("We have none.", "Is there a trial?", False),
        ("Yes, in two rooms.", "Are dogs allowed?", True),
        ("They cost 10 euros.", "Are dogs allowed?", None),
        ("Not at all.", "Is it dear?", None),
        ("No.", "Is there a trial?", None),
        ("Is it dear?", "", None),
    ],
)
def test_what_a_sentence_answers_by_its_place(text: str, above: str, said: bool | None) -> None:
    hit = hit_of(PAGE)
    sentence = next(s for s in hit.passage.sentences if hit.passage.sentence_text(s) == text)
    assert (question_above(hit, sentence), answered_at_once(hit, sentence)) == (above, said)


def test_the_heading_of_a_passage_asks_too() -> None:
    hit = hit_of("They cost 10 euros.", "Are dogs allowed?")
    assert question_above(hit, hit.passage.sentences[0]) == "Are dogs allowed?"


@pytest.mark.parametrize(
    ("text", "so"), [("Is it?", True), ('"Is it?"', True), ("**Is it?**", True), ("It is.", False), ("", False)]
)
def test_what_asks(text: str, so: bool) -> None:
    assert asks(text) is so


@pytest.mark.parametrize(
    ("question", "text", "told"),
    [
        ("How large may it be?", "It may be up to 50 MB (previously 20 MB).", "50 MB"),
        ("How large might it be before?", "It may be up to 50 MB (previously 20 MB).", "20 MB"),
        ("How many people are in the crew?", "The owner cut the crew from 18 to 14 people.", "14"),
        ("How long is a session?", "A session is 8 hours instead of 24 hours.", "8 hours"),
        ("How many ships were there in 1960?", "The fleet grew from 30 ships in 1960 to 50 ships.", "30"),
    ],
)
def test_what_is_and_what_was(question: str, text: str, told: str) -> None:
    hit = hit_of(text)
    evidence = Evidence(hit, hit.passage.sentences[0], 0.9, (0, len(text)))
    (found,) = borne_out(analyse(question), [evidence])
    assert told in (found.answer_text or "")
