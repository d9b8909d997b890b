"""The contract as files: JSON Schemas, the AsyncAPI document and the tables of fields in the docs.

Everything comes from the models in `monitor.schema` and `streams.requests` and from
`streams.topics`; `make contract` (`python -m streams.contract`) writes it anew.
"""

from streams.contract.files import documents, stale, write

__all__ = ["documents", "stale", "write"]
