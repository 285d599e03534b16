"""A run as pages of the documentation: the templates' words with the run's tables, and its pictures."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Final

from . import dots
from .drawing import draw, shown
from .measure import Spread
from .results import Curve, Link, Machine, Profile, Row, Run, Section, to_json
from tests.attacks.linking.contest import SECRETS, SEED

TEMPLATE: Final = Path(__file__).with_name("page.md.in")
LINKS_TEMPLATE: Final = Path(__file__).with_name("linking.md.in")
LEAST_SHARE: Final = 0.005  # of a profile's samples that a part must have to be named
VERDICTS: Final = {True: "met", False: "**missed**", None: "not measured"}


def write(run: Run, docs: Path) -> list[Path]:
    """Write the pages, the pictures and the figures; what was not run leaves its page as it is.

    Args:
        run: what was found.
        docs: the documentation's folder.

    Returns:
        The files written.
    """
    static = docs / "_static"
    static.mkdir(exist_ok=True)
    files = {docs / "benchmarks.md": page(run).encode(), static / "bench.json": to_json(run)}
    for curve in _curves(run):
        files[static / f"bench-{curve.name}.svg"] = draw(curve).encode()
    if found := links_of(run):
        (docs / "guide").mkdir(exist_ok=True)
        files[docs / "guide" / "unlinkability.md"] = links_page(found).encode()
        files[static / "unlinkability.svg"] = dots.draw(found).encode()
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


def page(run: Run) -> str:
    """The page's text."""
    words = Template(TEMPLATE.read_text(encoding="utf-8"))
    return words.substitute(
        machine=_machine(run.machine, run),
        targets=targets(run),
        figures=_figures(run),
        curves="\n\n".join(map(_curve, _curves(run))),
        profiles="\n\n".join(map(_profile, _profiles(run))),
    )


def links_page(found: Sequence[Link]) -> str:
    """The text of the page on unlinkability."""
    words = Template(LINKS_TEMPLATE.read_text(encoding="utf-8"))
    worst = max((link for link in found if link.ours), key=lambda link: link.bound)
    return words.substitute(
        pairs=f"{max(link.pairs for link in found):,}",
        worst=f"{worst.bound:.4f} ({worst.attacker})",
        links=links(found),
        seeds=f"`{SECRETS.decode()}` for secrets and {SEED} for the referee's choices",
    )


def links_of(run: Run) -> list[Link]:
    """What attackers reached in a run."""
    return [link for section in run.sections.values() for link in section.links]


def links(found: Iterable[Link]) -> str:
    """The table of what attackers reached."""
    lines = []
    for link in found:
        scheme = f"**{link.scheme}**" if link.ours else link.scheme
        attacker = f"{link.attacker} ({link.measure})" if link.measure else link.attacker
        figures = (f"{link.pairs:,}", f"{link.advantage:.4f}", f"{link.bound:.4f}")
        lines.append((attacker, scheme, *figures, link.target, VERDICTS[link.met]))
    head = ("attacker", "against", "pairs", "advantage", "99 % bound", "must be", "")
    return _table(head, lines, right=(2, 3, 4))


def targets(run: Run) -> str:
    """The table of works and targets."""
    return _table(
        ("work", "target", "measured", "least to greatest", ""), map(_row, _rows(run.sections.values())), right=(2, 3)
    )


def _rows(sections: Iterable[Section]) -> list[Row]:
    return [row for section in sections for row in section.rows]


def _row(row: Row) -> Sequence[str]:
    work = f"{row.work} ({row.note})" if row.note else row.work
    if row.actual is None:
        return work, row.target, "", "", VERDICTS[None]
    return work, row.target, f"{shown(row.actual.median)} {row.unit}", _range(row.actual), VERDICTS[row.met]


def _range(spread: Spread) -> str:
    return "" if spread.least == spread.greatest else f"{shown(spread.least)} to {shown(spread.greatest)}"


def _machine(machine: Machine, run: Run) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    quick = " A quick run: its figures say little." if run.quick else ""
    pieced = " Its parts were run at different times, while other programs ran: `--only`." if run.pieced else ""
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:g} GiB; {machine.system}, "
        f"Python {machine.python}; {libraries}. Load when it began: {run.busy:.1f}.{quick}{pieced}"
    )


def _figures(run: Run) -> str:
    lines = [
        (figure.name, f"{shown(figure.value.median)} {figure.unit}".strip(), _range(figure.value))
        for section in run.sections.values()
        for figure in section.figures
    ]
    return _table(("figure", "median", "least to greatest"), lines, right=(1, 2))


def _curve(curve: Curve) -> str:
    columns = sorted({x for points in curve.lines.values() for x, _ in points})
    head = (f"{curve.y} \\ {curve.x}", *(f"{x:,.0f}" for x in columns))
    lines = []
    for name, points in curve.lines.items():
        known = dict(points)
        lines.append((name, *(shown(known[x]) if x in known else "" for x in columns)))
    picture = f"![{curve.title}](_static/bench-{curve.name}.svg)"
    return f"### {curve.title}\n\n{picture}\n\n{_table(head, lines, right=range(1, len(head)))}"


def _profile(profile: Profile) -> str:
    def share(times: int) -> str:
        return f"{100 * times / max(1, profile.samples):.1f} %"

    named = [(part, share(times)) for part, times in profile.parts if times >= LEAST_SHARE * profile.samples]
    functions = [(f"`{name}`", share(times)) for name, times in profile.functions[:8]]
    return "\n\n".join(
        (
            f"### {profile.title[0].upper()}{profile.title[1:]}",
            f"{profile.samples:,} samples.",
            _table(("part", "share of the time"), named, right=(1,)),
            _table(("function", "share of the time"), functions, right=(1,)),
        )
    )


def _table(head: Sequence[str], lines: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    aligned = frozenset(right)
    rule = ["--:" if column in aligned else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def _curves(run: Run) -> list[Curve]:
    return [curve for section in run.sections.values() for curve in section.curves]


def _profiles(run: Run) -> list[Profile]:
    return [profile for section in run.sections.values() for profile in section.profiles]
