"""Chooses, by a file's name and its first lines, what reads it."""

from __future__ import annotations

import re

from cppasgi.command.migrating import documents, programs, recipes, units
from cppasgi.command.migrating.commands import Finder
from cppasgi.command.migrating.marks import Marks

_COPIES = (".example", ".sample", ".dist")
_TEMPLATES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".erb", ".in", *_COPIES)
_UNITS = (".service", ".socket", ".timer", ".path", ".container")
_SCRIPT = re.compile(r"boot|entry|env|init|launch|profile|run|serve|start|rc$")
"""What is in the names of scripts that don't say in their first line what they are."""
_STATEMENT = (
    r"(?<!\$)\{%.{0,500}?%\}|(?<!\$)\{#[^\n]{0,500}?#\}|<%(?!=).{0,500}?%>"
    r"|\{\{-?\s*(?:(?:if|else|end|range|with|define|template|include|block|toYaml)\b|/\*).{0,500}?\}\}"
)
_EXPRESSION = r"\$?\{\{.{0,500}?\}\}|<%=.{0,500}?%>|%\([\w.]+\)[sd]"


def read(marks: Marks, name: str, text: str) -> bool:
    """Has the text of a file, with its marks, read by what knows such files.

    Returns:
        Whether anything does.

    Raises:
        ValueError: it is not what its name says; the message says it, after the name.
    """
    base = name.rsplit("/", 1)[-1].lower()
    while base.endswith(_TEMPLATES):
        base = base.rsplit(".", 1)[0]
    kind = _kind(base, text)
    if kind == "":
        return False
    if kind == "python":
        try:
            programs.read_python(marks, text)
        except ValueError:
            plain = _without_templates(marks, text)
            if plain == text:
                raise
            programs.read_python(marks, plain)
        return True
    text = _without_templates(marks, text)

    def inner(inner_name: str, inner_text: str) -> bool:
        try:
            return "." in inner_name and read(marks, inner_name, inner_text)
        except ValueError:
            return False

    if kind == "yaml":
        documents.DocumentReader(marks, inner).read(documents.read_yaml(text))
    elif kind == "json":
        documents.DocumentReader(marks, inner).read(documents.read_json(text))
    elif kind == "toml":
        documents.DocumentReader(marks, inner).read(documents.read_toml(text))
    elif kind == "dockerfile":
        recipes.read_dockerfile(marks, text, inner)
    elif kind == "makefile":
        recipes.read_makefile(marks, text)
    elif kind == "procfile":
        units.read_procfile(marks, text)
    elif kind == "unit":
        units.read_unit(marks, text)
    elif kind == "ini":
        units.read_ini(marks, text)
    else:
        is_service = re.match(r"#!.*openrc-run", text) or "/etc/rc.subr" in text
        Finder(marks, inner).script(text, ["command"] if is_service else [])
    return True


def _kind(base: str, text: str) -> str:
    stem, dot, suffix = base.rpartition(".")
    if base.startswith(("requirements", "constraints")) and suffix != "py":
        return ""
    if re.match(r"(docker|container)file|.*\.(docker|container)file$", base):
        return "dockerfile"
    if base.startswith("procfile"):
        return "procfile"
    if base in ("makefile", "gnumakefile", "justfile", ".justfile") or suffix in ("mk", "just"):
        return "makefile"
    if base == "pipfile" or suffix == "toml":
        return "toml"
    if suffix in ("yaml", "yml") or base == ".gitlab-ci":
        return "yaml"
    if suffix in ("json", "jsonc", "webmanifest") or base == "captain-definition":
        return "json"
    if suffix in ("py", "pyw"):
        return "python"
    if suffix in ("sh", "bash", "zsh", "ksh", "envrc"):
        return "shell"
    if dot and stem and suffix not in ("conf", "ini", "cfg", "d", "init", *_without_dots(_UNITS)):
        return "shell" if re.match(r"#!.*\b(ba|da|z|k)?sh\b", text) else ""
    if base.endswith(_UNITS) or re.search(r"^\[(Unit|Service|Container)\]", text, re.MULTILINE):
        return "unit"
    if text.startswith("#!"):
        if re.match(r"#!.*python", text):
            return "python"
        return "shell" if re.match(r"#!.*(sh|openrc-run|execlineb)\b", text) else ""
    if suffix in ("ini", "cfg") or _begins_with_section(text):
        return "ini"
    if suffix == "conf" and dot:
        is_upstart = re.search(r"^(exec|script)\b", text, re.MULTILINE)
        return "shell" if is_upstart else ""
    # Without an end to its name and without a #! it may as well be a README.
    return "shell" if _SCRIPT.search(base) and suffix != "d" else ""


def _begins_with_section(text: str) -> bool:
    lines = (line.strip() for line in text.split("\n"))
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    return first.startswith("[") and first.endswith("]")


def _without_dots(suffixes: tuple[str, ...]) -> list[str]:
    return [suffix[1:] for suffix in suffixes]


def _without_templates(marks: Marks, text: str) -> str:
    """The text without a template's statements, and with a variable for each expression."""

    def drop(found: re.Match[str]) -> str:
        marks.leave(found[0], "within a template's expression")
        return ""

    def replace(found: re.Match[str]) -> str:
        marks.leave(found[0], "within a template's expression")
        return "$TEMPLATE"

    text = re.sub(rf"^[ \t]*(?:{_STATEMENT})[ \t]*\n", drop, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(_STATEMENT, drop, text, flags=re.DOTALL)
    return re.sub(_EXPRESSION, replace, text)
