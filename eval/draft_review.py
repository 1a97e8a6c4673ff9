"""Proposed questions shown one by one in the terminal, for a person to keep, mend or drop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from rich.console import Console
from rich.text import Text

from eval.draft import Proposal

CHOICES = "[k]eep, [m]end, [d]rop, [q]uit: "


def reviewed(proposals: Sequence[Proposal], console: Console, session: PromptSession[str]) -> Iterator[Proposal]:
    """The proposals that are kept, as they are or mended, each as soon as it is decided.

    "q", Ctrl-C and Ctrl-D end the review; what was kept before stays kept.
    """
    for place, proposal in enumerate(proposals, start=1):
        _show(console, proposal, f"{place} of {len(proposals)}")
        try:
            key = _key(session)
            if key == "q":
                return
            if key == "m":
                yield mended(proposal, session)
            elif key == "k":
                yield proposal
        except (EOFError, KeyboardInterrupt):
            return


def mended(proposal: Proposal, session: PromptSession[str]) -> Proposal:
    """The proposal as a person words it; an answer that is left empty stays as it was."""
    question = _worded(session, "Question: ", proposal.question)
    groups = []
    for group in proposal.any_of:
        said = _worded(session, "Answer (other wordings after |): ", " | ".join(group))
        groups.append(tuple(part.strip() for part in said.split("|") if part.strip()) or group)
    positions = tuple((group, sources) for group, (_, sources) in zip(groups, proposal.positions, strict=False))
    return replace(proposal, question=question, any_of=tuple(groups), positions=positions)


def _key(session: PromptSession[str]) -> str:
    """The key that is pressed, with no Enter after it; other keys do nothing."""
    return session.prompt(CHOICES, key_bindings=_bindings(), default="")


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add(Keys.Any)
    @bindings.add("enter")
    def _ignored(event: KeyPressEvent) -> None:
        del event

    for key in "kmdqKMDQ":

        @bindings.add(key)
        def _chosen(event: KeyPressEvent) -> None:
            event.app.exit(result=event.data.lower())

    return bindings


def _worded(session: PromptSession[str], what: str, before: str) -> str:
    return " ".join(session.prompt(what, default=before, key_bindings=KeyBindings()).split()) or before


def _show(console: Console, proposal: Proposal, place: str) -> None:
    console.print()
    console.print(Text.assemble((f"{proposal.question}", "bold"), f"  ({proposal.kind}, {place})"))
    if proposal.kind == "unanswerable":
        console.print("  To be refused: no sentence was found that says so. Is there one?")
    strings = [string for group in proposal.any_of for string in group]
    for source, quote in proposal.evidence:
        text = Text(" ".join(quote.split()))
        text.highlight_words(strings, style="bold reverse", case_sensitive=False)
        console.print(Text.assemble(f"  {source}: ", text))
    for group in proposal.any_of:
        console.print(f"  Answer: {' | '.join(group)}")
