"""`python -m streams.rules`: write what is generated from the rules' codes (`make rules`)."""

import sys

from streams.rules.table import checkout, write_generated

root = checkout()
if root is None:
    sys.exit("the names of tests are read from a checkout, and this is none")
for path in write_generated(root):
    sys.stdout.write(f"{path.relative_to(root)}\n")
