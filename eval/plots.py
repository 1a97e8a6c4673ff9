"""The plots of a report as inline SVG, in the colours of the page that holds them; equal figures give equal bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]

SIZE = (4.5, 3.2)  # inches; at the width of a phone the letters are still 10 pixels high
LOOK = {"svg.hashsalt": "whosays", "svg.fonttype": "none", "font.size": 10, "text.parse_math": False}
# Colours that no plot has otherwise: each stands for a colour of the page, which differs in light and dark.
INK, SOFT, LINE, ACCENT, TINT = "#010101", "#020202", "#030303", "#040404", "#050505"
PAGE = {INK: "ink", SOFT: "soft", LINE: "edge", ACCENT: "accent", TINT: "tint-strong"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: `svg` is markup to stand in a page, `note` how to read it, `says` what it shows to those who cannot."""

    name: str
    title: str
    note: str
    says: str
    svg: str


def plots(run: Record) -> list[Plot]:
    """The plots for which a run holds figures."""
    sums = run["summary"]
    made = (
        _per_kind(run["kinds"]),
        _risk_coverage(run.get("risk_coverage", ())),
        _reliability(run.get("reliability", ()), rate(sums.get("ece"))),
        _latency(sums.get("timings_ms", {})),
    )
    return [plot for plot in made if plot]


def interval(figure: Any) -> tuple[float, float] | None:
    """The ends of a figure's 95 % interval, where the run has them."""
    if not isinstance(figure, Mapping):
        return None
    ends = figure.get("interval") or figure
    if not isinstance(ends, Mapping) or ends.get("low") is None or ends.get("high") is None:
        return None
    return float(ends["low"]), float(ends["high"])


def rate(figure: Any) -> float | None:
    """The figure itself, from 0 to 1; None where there was nothing to measure."""
    if isinstance(figure, Mapping):
        figure = next((figure[name] for name in ("rate", "value") if figure.get(name) is not None), None)
    return None if figure is None else float(figure)


def _per_kind(kinds: Record) -> Plot | None:
    rows = [(kind, sums["n"], sums["correct"]) for kind, sums in kinds.items() if rate(sums.get("correct")) is not None]
    if not rows:
        return None

    def draw(axes: Axes) -> None:
        for place, (_, _, correct) in enumerate(rows):
            value = 100 * (rate(correct) or 0)
            axes.barh(place, value, color=TINT, height=0.62)
            end = value
            if ends := interval(correct):
                low, end = 100 * ends[0], 100 * ends[1]
                axes.plot([low, end], [place, place], color=ACCENT, linewidth=1.6, solid_capstyle="butt")
                axes.plot([value], [place], "o", color=ACCENT, markersize=4)
            axes.annotate(f"{value:.0f}", (max(value, end), place), (5, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(rows)), [f"{kind.replace('_', ' ')} ({n})" for kind, n, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 112)
        axes.set_xticks(range(0, 101, 25))
        axes.set_xlabel("correct, %")
        axes.tick_params(axis="y", length=0)

    said = "; ".join(f"{kind.replace('_', ' ')} {_percent(rate(correct))} of {n}" for kind, n, correct in rows)
    note = "How many cases stand in brackets; the line is the 95 % interval, where the run has it."
    return _plot("kinds", "Correct per kind", draw, note, f"Share correct: {said}.")


def _risk_coverage(points: Sequence[Record]) -> Plot | None:
    if not points:
        return None
    coverage, risk = [100 * point["coverage"] for point in points], [100 * point["risk"] for point in points]

    def draw(axes: Axes) -> None:
        axes.fill_between(coverage, risk, color=TINT, alpha=0.6, linewidth=0)
        axes.plot(coverage, risk, color=ACCENT, linewidth=1.8)
        axes.plot(coverage[-1:], risk[-1:], "o", color=ACCENT, markersize=5)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, max(5.0, max(risk) * 1.15))
        axes.set_xlabel("questions answered, %")
        axes.set_ylabel("of these wrong, %")

    half = next(place for place, covered in enumerate(coverage) if covered >= coverage[-1] / 2)
    says = (
        f"Answering {coverage[-1]:.0f} % of the questions, {risk[-1]:.0f} % of the answers are wrong. Answering only"
        f" {coverage[half]:.0f} %, the surest, it is {risk[half]:.0f} %."
    )
    return _plot("risk", "Risk and coverage", draw, f"The surest answers stand on the left. {says}", says)


def _reliability(bins: Sequence[Record], error: float | None) -> Plot | None:
    if not bins:
        return None
    sure, right = [100 * each["confidence"] for each in bins], [100 * each["correct"] for each in bins]
    most = max(each["answers"] for each in bins)

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=LINE, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(sure, right, color=ACCENT, linewidth=1.2, alpha=0.6)
        axes.scatter(sure, right, s=[25 + 150 * each["answers"] / most for each in bins], color=ACCENT, linewidths=0)
        axes.set_xlim(-4, 104)
        axes.set_ylim(-6, 106)
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("correct, %")

    told = "; ".join(
        f"{100 * each['low']:.0f} to {100 * each['high']:.0f} %: {r:.0f} % of {each['answers']}"
        for each, r in zip(bins, right, strict=True)
    )
    off = "" if error is None else f" On average they lie {100 * error:.1f} points off it (ECE)."
    note = f"On the dashed line an answer is as often right as it is sure.{off} Larger dots stand for more answers."
    return _plot("reliability", "Reliability", draw, note, f"Share correct by confidence: {told}.")


def _latency(stages: Mapping[str, Record]) -> Plot | None:
    if not stages:
        return None
    rows = [(stage, times["p50"], times["p95"]) for stage, times in stages.items()]

    def draw(axes: Axes) -> None:
        for place, (_, median, high) in enumerate(rows):
            axes.barh(place, median, color=TINT, height=0.62)
            axes.plot([median, high], [place, place], color=ACCENT, linewidth=1.6)
            axes.plot([high], [place], "|", color=ACCENT, markersize=9, markeredgewidth=1.6)
            told = f"{_short(median)} · {_short(high)}"
            axes.annotate(told, (high, place), (6, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(rows)), [stage for stage, *_ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.4 * max(high for *_, high in rows) or 1)
        axes.set_xlabel("milliseconds: median · 95th percentile")
        axes.tick_params(axis="y", length=0)

    said = "; ".join(f"{stage} {_short(median)} and {_short(high)}" for stage, median, high in rows)
    note = "The bar ends at the median, the line at the 95th percentile."
    return _plot("latency", "Latency per stage", draw, note, f"Median and 95th percentile in milliseconds: {said}.")


def _plot(name: str, title: str, draw: Callable[[Axes], None], note: str, says: str) -> Plot:
    """The plot that `draw` puts on a pair of axes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    marks: Any = {"text.color": INK, "axes.labelcolor": SOFT, "xtick.color": LINE, "ytick.color": LINE}
    marks |= LOOK | {"xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.edgecolor": LINE}
    with mpl.rc_context(marks):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.patch.set_visible(False)
        draw(axes)
        drawn = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    return Plot(name, title, note, says, _inline(drawn.getvalue(), name))


def _inline(svg: str, name: str) -> str:
    """The drawing as it may stand in a page beside others: its ids its own, its colours and letters the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, of_page in PAGE.items():
        svg = svg.replace(colour, f"var(--{of_page})")
    return svg.strip()


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
