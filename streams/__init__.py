"""The stream processor around the rules of `monitor`: Kafka in, commands out."""

__all__: list[str] = []
