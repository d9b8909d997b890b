"""The journal's records: what is written under which key, and how it is encoded (JSON)."""

import msgspec

from streams.journal.exceptions import UndecodableRecord

__all__ = [
    "CLAIM_KEY",
    "MAX_COMMAND_BYTES",
    "MAX_RECORD_BYTES",
    "PUBLISHED_KEY",
    "RESERVED_PREFIX",
    "SOURCES_KEY",
    "TOPIC_CONFIG",
    "AccountRecord",
    "Claim",
    "CommandOut",
    "Epoch",
    "Published",
    "Record",
    "Sources",
    "account_id",
    "account_key",
    "check_account_id",
    "decode_record",
    "encode_record",
    "opening_of",
]

# No account id begins with NUL, so these keys cannot collide with an account's.
RESERVED_PREFIX = "\x00"
CLAIM_KEY = b"\x00claim"
PUBLISHED_KEY = b"\x00published"
SOURCES_KEY = b"\x00sources"

# The topic takes 8 MiB batches; the bound leaves room for the headers of batch and record. A record
# that only the broker refuses would break the partition's sequence.
MAX_RECORD_BYTES = 8_000_000
# Output topics keep Kafka's default of 1,048,588 bytes a batch.
MAX_COMMAND_BYTES = 1_000_000

# Without the short segments an active segment of 1 GB is never compacted, and a restart reads for
# minutes. Replication and min.insync.replicas depend on the cluster and are set with the topics.
TOPIC_CONFIG: dict[str, str] = {
    "cleanup.policy": "compact",
    "segment.ms": "300000",
    "segment.bytes": "67108864",
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": "1200000",
    "max.message.bytes": "8388608",
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
}


class Epoch(msgspec.Struct, frozen=True, array_like=True):
    """One ownership of a partition: the offset of its claim, and the claim's random id."""

    offset: int
    id: str


class CommandOut(msgspec.Struct, frozen=True, array_like=True):
    """One message to publish, byte for byte; the journal does not look inside."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Return the bytes that it takes on the wire, without the batch's header."""
        headers = sum(len(name) + len(value) + 10 for name, value in self.headers)
        return len(self.key) + len(self.value) + headers + 32


class Claim(msgspec.Struct, frozen=True, tag_field="kind", tag="claim"):
    """The first append of an owner; its offset and `epoch_id` are the epoch. `ts` is wall time."""

    epoch_id: str
    worker: str
    ts: int


class AccountRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="account"):
    """One account as of `now` (epoch ms): its state, and its commands not known to be published."""

    epoch: Epoch
    now: int
    state: msgspec.Raw
    commands: tuple[CommandOut, ...] = ()


class Published(msgspec.Struct, frozen=True, tag_field="kind", tag="published"):
    """All commands in records up to and with the journal offset `up_to` are published."""

    epoch: Epoch
    up_to: int


class Sources(msgspec.Struct, frozen=True, tag_field="kind", tag="sources"):
    """The ids of the source topics, by topic, that the partition's states were folded from."""

    epoch: Epoch
    topics: dict[str, str]


Record = Claim | AccountRecord | Published | Sources

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_KINDS: dict[bytes, type[Record]] = {
    CLAIM_KEY: Claim,
    PUBLISHED_KEY: Published,
    SOURCES_KEY: Sources,
}
encode_record = _encoder.encode


def opening_of(record: AccountRecord) -> bytes:
    """Return what the record of every account begins with in the same epoch, as `encode_record` writes it."""
    bare = encode_record(AccountRecord(record.epoch, 0, msgspec.Raw(b"null")))
    return bare[: bare.rindex(b'"now":')]


def check_account_id(account_id: str) -> None:
    """Raise ValueError for an id that no account can have."""
    if not account_id or account_id.startswith(RESERVED_PREFIX):
        raise ValueError(
            f"account_id {account_id!r} is empty or begins with NUL, which is reserved"
        )


def account_key(account_id: str) -> bytes:
    """Return the key of an account's record; ValueError for an id that none can have."""
    check_account_id(account_id)
    return account_id.encode()


def account_id(key: bytes | None) -> str:
    """Return the account of a key that `decode_record` has accepted."""
    return (key or b"").decode()


def decode_record(offset: int, key: bytes | None, value: bytes | None) -> Record:
    """Decode one record; UndecodableRecord names its offset. Tombstones are never written."""
    if not key or value is None:
        raise UndecodableRecord(f"journal offset {offset}: key {key!r} has no value or is empty")
    try:
        record: Record = _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise UndecodableRecord(f"journal offset {offset}, key {key!r}: {error}") from error
    if type(record) is not _KINDS.get(key, AccountRecord):
        kind = type(record).__name__
        raise UndecodableRecord(f"journal offset {offset}: key {key!r} holds a {kind}")
    return record
