"""Finds, in Python, "daphne" in INSTALLED_APPS and the commands that a program runs."""

from __future__ import annotations

import ast

from cppasgi.command.migrating.commands import Finder
from cppasgi.command.migrating.marks import Marks

_APPS = "INSTALLED_APPS"
_RUNS = frozenset(
    (
        "run",
        "Popen",
        "call",
        "check_call",
        "check_output",
        "getoutput",
        "system",
        "popen",
        "create_subprocess_exec",
        "create_subprocess_shell",
        "execv",
        "execve",
        "execvp",
        "execvpe",
        "execl",
        "execlp",
        "sudo",
        "local",
    )
)
_CHANGES = ("append", "insert", "extend", "remove", "index", "count")


def read_python(marks: Marks, text: str) -> None:
    """Reads Python source.

    Raises:
        ValueError: it isn't Python.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"is no Python: {error.msg}, line {error.lineno}") from None
    reader = _Reader(marks)
    reader.names = _names_of_lists(tree)
    reader.visit(tree)


def _name(node: ast.expr) -> str:
    """``X`` for ``X`` and ``settings.X``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _assigned(node: ast.AST) -> tuple[list[str], ast.expr | None]:
    if isinstance(node, ast.Assign):
        return [_name(target) for target in node.targets], node.value
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return [_name(node.target)], node.value
    return [], None


def _names_of_lists(tree: ast.AST) -> set[str]:
    """INSTALLED_APPS, and the lists that it is made of."""
    names = {_APPS}
    while True:
        before = len(names)
        for node in ast.walk(tree):
            targets, value = _assigned(node)
            if value is not None and names.intersection(targets):
                names.update(
                    part.id
                    for part in ast.walk(value)
                    if isinstance(part, ast.Name) and part.id.isupper()
                )
        if len(names) == before:
            return names


class _Reader(ast.NodeVisitor):
    def __init__(self, marks: Marks) -> None:
        self.names: set[str] = set()
        self._marks = marks
        self._finder = Finder(marks)

    def visit(self, node: ast.AST) -> None:
        """Looks at a node and at those within it."""
        targets, value = _assigned(node)
        if value is not None and self.names.intersection(targets):
            self._claim_applications(value)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Compare):
            if any(_name(other) in self.names for other in node.comparators):
                self._claim_applications(node.left)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            imported = " ".join(alias.name for alias in node.names)
            self._marks.leave(f"{module} {imported}", "an import")
        self.generic_visit(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._marks.leave(node.value, "a string that isn't in INSTALLED_APPS")

    def _claim_applications(self, value: ast.expr) -> None:
        """Claims the names in a list, in a sum of lists and in what is chosen from."""
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            for item in value.elts:
                self._claim_applications(item)
        elif isinstance(value, ast.BinOp):
            self._claim_applications(value.left)
            self._claim_applications(value.right)
        elif isinstance(value, ast.IfExp):
            self._claim_applications(value.body)
            self._claim_applications(value.orelse)
        elif isinstance(value, ast.Starred):
            self._claim_applications(value.value)
        elif isinstance(value, ast.Call) and _name(value.func) in ("list", "tuple"):
            for item in value.args:
                self._claim_applications(item)
        elif self._marks.is_name(_text(value)):
            self._marks.claim(_text(value))

    def _call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and _name(function.value) in self.names:
            if function.attr in _CHANGES:
                for argument in node.args:
                    self._claim_applications(argument)
        elif _name(function) in _RUNS:
            first_is_program = _name(function).startswith("exec") and len(node.args) > 1
            for argument in node.args:
                if isinstance(argument, ast.List | ast.Tuple):
                    self._finder.argv([_text(item) for item in argument.elts])
                elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    if argument is node.args[0] and first_is_program:
                        if self._marks.is_program(argument.value):
                            self._marks.claim(argument.value)
                    elif " " in argument.value:
                        self._finder.script(argument.value)
            if all(isinstance(argument, ast.Constant) for argument in node.args):
                self._finder.argv([_text(argument) for argument in node.args])


def _text(node: ast.expr) -> str:
    """The word that an expression is; what is only known later is as a shell's variable."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return "$EXPRESSION"
