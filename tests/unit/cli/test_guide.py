"""The guide's pages say what the program does."""

import typer

from gridproof.cli import main
from gridproof.connectors.config import markdown

from tests.shared import ROOT

GUIDE = ROOT / "docs" / "guide"


def test_page_of_settings_is_the_table_of_settings() -> None:
    page = (GUIDE / "configuration.md").read_text(encoding="utf-8")
    assert page.partition("<!-- settings -->\n")[2] == markdown().rstrip() + "\n", (
        "write docs/guide/configuration.md anew from gridproof.connectors.config.markdown()"
    )


def test_every_command_stands_on_the_page_of_commands() -> None:
    page = (GUIDE / "commands.md").read_text(encoding="utf-8")

    def names(app: typer.Typer, before: str = "") -> list[str]:
        found = []
        for command in app.registered_commands:
            callback = getattr(command.callback, "__name__", "")
            found += [] if command.hidden else [f"{before}{command.name or callback}"]
        for group in app.registered_groups:
            if group.typer_instance is not None:
                found += names(group.typer_instance, f"{before}{group.name} ")
        return found

    assert len(names(main.app)) >= 19
    for name in names(main.app):
        assert f"| `{name}" in page, name
