"""The reference set on its topic: checked and published whole, followed, switched at once."""

from streams.reference.files import load_reference_file
from streams.reference.follower import ReferenceFollower
from streams.reference.publisher import Publication, PublishError, publish, published_file
from streams.reference.records import SET_KEY, SetRecord

__all__ = [
    "SET_KEY",
    "Publication",
    "PublishError",
    "ReferenceFollower",
    "SetRecord",
    "load_reference_file",
    "publish",
    "published_file",
]
