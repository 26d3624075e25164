"""Whether examples are what their languages take: ci/grammar.py FILE…   (others than these four are left out)"""

import importlib
import pathlib
import sys

from tree_sitter import Language, Parser

GRAMMARS = {".java": "java", ".go": "go", ".mjs": "javascript", ".cs": "c_sharp"}


def first_error(node):
    if node.type == "ERROR" or node.is_missing:
        return node
    return next(filter(None, map(first_error, node.children)), None)


wrong = False
for path in map(pathlib.Path, sys.argv[1:]):
    if path.suffix in GRAMMARS:
        grammar = importlib.import_module(f"tree_sitter_{GRAMMARS[path.suffix]}")
        error = first_error(Parser(Language(grammar.language())).parse(path.read_bytes()).root_node)
        print(f"{path}: {'good' if error is None else f'line {error.start_point.row + 1} makes no sense'}")
        wrong |= error is not None
sys.exit(wrong)
