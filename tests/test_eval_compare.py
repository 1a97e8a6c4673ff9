"""Two runs held against each other, and the gate: what counts as a loss, what is told, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.compare import compare
from eval.gate import Gate, read_gate, reasons
from eval.measures import summarise
from eval.metrics import Score, Share
from eval.run import FORMAT
from rag.errors import BadInput
from rag.records import Answer

GATE = Path(__file__).parent.parent / "eval" / "gold" / "gate.toml"


def record(*right: bool | None, digest: str = "d", split: str = "all", **shares: tuple[Share, ...]) -> dict[str, Any]:
    """A run file with a case for each verdict; None is a case that failed."""
    rows = []
    for place, verdict in enumerate(right):
        own = {"correct": Share(int(bool(verdict)), 1), **{name: given[place] for name, given in shares.items()}}
        faults = () if verdict else ("holds none of: Anna",)
        score = Score(f"c{place}", faults, False, False, 0.5, 0.5, own)
        answer = Answer("Who?", "answered", "Anna." if verdict else "Ben.")
        rows.append(
            {
                "case": {"id": f"c{place}", "kind": "single", "question": f"Who {place}?"},
                "answer": None if verdict is None else answer.to_json(),
                "score": None if verdict is None else score.to_json(),
            }
        )
    chosen = {"split": split, "kinds": []}
    made = {"version": FORMAT, "gold": "gold.jsonl", "gold_digest": digest, "chosen": chosen, "cases": rows}
    return dict(json.loads(json.dumps(made)))


def test_what_became_right_and_wrong_is_told_with_both_answers() -> None:
    comparison = compare(record(True, True, False, None), record(True, False, True, True), "then.json")
    assert [(turned.case, turned.then, turned.now) for turned in comparison.became_right] == [("c1", "Ben.", "Anna.")]
    assert [(turned.case, turned.then, turned.now) for turned in comparison.became_wrong] == [("c2", "Anna.", "Ben.")]
    assert comparison.became_wrong[0].faults == ("holds none of: Anna",)
    assert comparison.left_out == ("c3",)
    (correct,) = (change for change in comparison.changes if change.name == "correct")
    assert (correct.then, correct.now, correct.difference, correct.n) == (2 / 3, 2 / 3, 0.0, 3)
    assert correct.p == 1
    assert not correct.beyond_chance
    json.dumps(comparison.to_json(), allow_nan=False)


def test_a_loss_is_what_is_worse_for_the_measure() -> None:
    refused = tuple(Share(int(place < 8), 1) for place in range(20))
    never = (Share(0, 1),) * 20
    now, then = record(*[True] * 20, answerable_refused=refused), record(*[True] * 20, answerable_refused=never)
    lost = {change.name: change for change in compare(now, then, "then").changes}["answerable_refused"]
    assert (lost.difference, lost.loss, lost.beyond_chance) == (pytest.approx(0.4), pytest.approx(0.4), True)
    assert lost.p < 0.02
    gained = {change.name: change for change in compare(then, now, "now").changes}["answerable_refused"]
    assert (gained.difference, gained.loss) == (pytest.approx(-0.4), 0.0)


def test_a_case_that_a_measure_judges_in_one_run_only_counts() -> None:
    now = record(True, True, citation_precision=(Share(1, 2), Share(0, 0)))
    then = record(True, True, citation_precision=(Share(2, 2), Share(1, 1)))
    for made in (now, then):
        for row in made["cases"]:
            shares = row["score"]["shares"]
            row["score"]["shares"] = {name: share for name, share in shares.items() if share["whole"]}
    change = {change.name: change for change in compare(now, then, "then").changes}["citation_precision"]
    assert (change.then, change.now, change.n) == (1.0, 0.5, 2)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        pytest.param(record(True, digest="other"), "then.json was made with another gold file", id="other gold"),
        pytest.param(
            record(True, split="test"), r"asked the cases of split 'test', any kind, this run", id="other cases"
        ),
    ],
)
def test_a_run_over_other_gold_is_refused(then: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        compare(record(True), then, "then.json")
    assert caught.value.hint


# ---- the gate ------------------------------------------------------------------------------------


def gated(gate: Gate, now: dict[str, Any], then: dict[str, Any] | None = None) -> list[str]:
    summary = summarise(Score.from_json(row["score"]) for row in now["cases"])
    return reasons(gate, summary, {"single": summary}, compare(now, then, "then") if then else None)


OPEN = Gate({}, {}, {}, {})
HALF = record(*[True] * 10, *[False] * 10)


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        pytest.param(OPEN, [], id="nothing is set"),
        pytest.param(replace(OPEN, floors={"correct": 0.5}), [], id="a floor that is just reached"),
        pytest.param(
            replace(OPEN, floors={"correct": 0.51}), ["correct is 0.500, below its floor of 0.510."], id="below a floor"
        ),
        pytest.param(replace(OPEN, ceilings={"ece": 0.001}), [], id="just within a ceiling"),
        pytest.param(
            replace(OPEN, ceilings={"aurc": 0.3}), ["aurc is 0.500, above its ceiling of 0.300."], id="above a ceiling"
        ),
        pytest.param(
            replace(OPEN, floors={"mrr@10": 0.1}),
            ["mrr@10 is not measured by this run."],
            id="a figure that is missing",
        ),
        pytest.param(
            replace(OPEN, kinds={"single": replace(OPEN, floors={"correct": 0.9})}),
            ["single: correct is 0.500, below its floor of 0.900."],
            id="a kind below its floor",
        ),
        pytest.param(
            replace(OPEN, kinds={"multi": replace(OPEN, floors={"correct": 0.9})}),
            ["multi: the run has no case of this kind."],
            id="a kind that is missing",
        ),
    ],
)
def test_the_gate_tells_why_it_is_shut(gate: Gate, told: list[str]) -> None:
    assert gated(gate, HALF) == told


@pytest.mark.parametrize(
    ("lost", "allowed", "shut"),
    [
        pytest.param(6, 0.0, True, id="a loss beyond chance"),
        pytest.param(1, 0.0, False, id="a loss that chance gives"),
        pytest.param(6, 0.3, False, id="a loss that is allowed"),
        pytest.param(0, 0.0, False, id="no loss"),
        pytest.param(-6, 0.0, False, id="a gain"),
    ],
)
def test_a_loss_counts_only_beyond_chance_and_beyond_what_is_allowed(lost: int, allowed: float, shut: bool) -> None:
    now = record(*[True] * (10 - lost), *[False] * (10 + lost))
    told = gated(replace(OPEN, losses={"correct": allowed}), now, HALF)
    assert bool(told) == shut
    if shut:
        assert told[0].startswith("correct went from 0.500 to 0.200: a loss of 0.300 [-0.500, -0.100], allowed 0.000.")


def test_a_measure_that_one_run_lacks_cannot_be_compared() -> None:
    (told,) = gated(replace(OPEN, losses={"mrr@10": 0.1}), HALF, HALF)
    assert told == "mrr@10 cannot be compared: one of the runs does not give it."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("floors = [", "cannot be read", id="no TOML"),
        pytest.param("[flors]\ncorrect = 0.5", "names flors, which does not exist", id="an unknown table"),
        pytest.param("[floors]\nright = 0.5", r"names floors\.right, which does not exist", id="an unknown measure"),
        pytest.param("[floors]\ncorrect = 50", r"sets floors\.correct to 50", id="a percentage"),
        pytest.param("[floors]\ncorrect = true", r"sets floors\.correct to True", id="no number"),
        pytest.param("[floors]\nece = 0.1", "less of it is better", id="a floor under what should be low"),
        pytest.param("[ceilings]\ncorrect = 0.1", "more of it is better", id="a ceiling over what should be high"),
        pytest.param("[kinds.hard.floors]\ncorrect = 0.1", r"names kinds\.hard", id="an unknown kind"),
        pytest.param("[kinds.multi.losses]\ncorrect = 0.1", r"names kinds\.multi\.losses", id="losses of a kind"),
        pytest.param("floors = 3", "sets floors to 3", id="no table"),
        pytest.param("baseline = 3", "sets baseline to 3", id="a baseline that is no name"),
    ],
)
def test_a_slip_in_a_gate_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match=message) as caught:
        read_gate(path)
    assert caught.value.hint


def test_a_gate_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(
        'baseline = "run.json"\n[floors]\ncorrect = 0.5\n[ceilings]\nece = 0.2\n[losses]\n"mrr@10" = 0\n'
        "[kinds.multi.floors]\ncorrect = 0.4\n",
        "utf-8",
    )
    multi = Gate({"correct": 0.4}, {}, {}, {})
    assert read_gate(path) == Gate(
        {"correct": 0.5}, {"ece": 0.2}, {"mrr@10": 0}, {"multi": multi}, tmp_path / "run.json"
    )


def test_the_projects_own_gate_can_be_read_and_needs_no_other_run() -> None:
    gate = read_gate(GATE)
    assert gate.floors
    assert not gate.losses
