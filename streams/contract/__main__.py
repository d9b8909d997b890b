"""`python -m streams.contract`: write the schemas, the AsyncAPI document and docs/messages.md."""

import sys

from streams.contract import write
from streams.rules.table import checkout

root = checkout()
if root is None:
    sys.exit("the documents stand in a checkout, and this is none")
for path in write(root):
    sys.stdout.write(f"{path.relative_to(root)}\n")
