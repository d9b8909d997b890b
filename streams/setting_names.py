"""The names of all settings for `liqmon --help`, without the time that loading them takes."""

__all__ = ["SETTINGS", "help_lines"]

SETTINGS: dict[str, tuple[str, str]] = {
    "brokers": ("127.0.0.1:9092", "Kafka brokers, host:port,host:port"),
    "redis_url": ("redis://127.0.0.1:6379/0", "redis://, rediss:// or unix:// address, or none"),
    "redis_cluster": ("false", "the address is a node of a Redis Cluster"),
    "topic_prefix": ("", "put before every topic, group and transactional id"),
    "partitions": ("16", "partitions of the account topics, the journal and the outputs"),
    "replication": ("", "copies of each topic; without it one a broker, at most 3"),
    "worker_id": ("", "name of this worker; without it host-pid-random"),
    "clock": ("wall", "what now is: wall (this machine's clock) or event (highest tick ts)"),
    "intake": ("faust", "what reads account events: faust, or aiokafka in batches"),
    "session_timeout": ("6", "a worker silent for so many seconds loses its partitions"),
    "heartbeat_interval": ("1", "seconds between heartbeats, at most a third of the session"),
    "api_token": ("", "bearer token of the API"),
    "log_format": ("console", "console or json"),
    "log_level": ("info", "debug, info, warning or error"),
    "data_dir": ("data", "where the embedded services and Faust keep their files"),
    "metrics_port": ("0", "port of a worker's /metrics, /healthz and /readyz; 0: none"),
    "metrics_host": ("127.0.0.1", "address that they listen on"),
    "otlp_endpoint": ("", "http(s):// address of a collector: a trace of every decision"),
    "security_protocol": ("PLAINTEXT", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    "sasl_username": ("", "with SASL: the user"),
    "sasl_password": ("", "with SASL: the password"),
    "ssl_cafile": ("", "with SSL: authorities to trust, PEM file"),
    "ssl_certfile": ("", "with SSL: this client's certificate, PEM file"),
    "ssl_keyfile": ("", "with SSL: this client's key, PEM file"),
    "ssl_key_password": ("", "with SSL: the key's password"),
    "redis_username": ("", "user, where the address names none"),
    "redis_password": ("", "password, where the address names none"),
    "redis_ssl_cafile": ("", "with rediss://: authorities to trust, PEM file"),
}
"""Field of `streams.settings.Settings` → (default, description); a test holds the two together."""


def help_lines() -> list[str]:
    """Return one line a setting."""
    width = max(len(name) for name in SETTINGS) + len("LIQMON_")
    return [
        f"{'LIQMON_' + name.upper():<{width}}  {text}{f' [{default}]' if default else ''}"
        for name, (default, text) in SETTINGS.items()
    ]
